"""The blocks of the semantic search: centroids that are learned once and held, and the blocks that each text falls in.

SemDeDup (Abbas et al. 2023, arXiv 2303.09540, section 3 and appendix) clusters all embeddings with spherical k-means and
compares within a cluster. Here k-means learns from a sample chosen by document id, its centroids are kept (contract
`centroids`), and a text is compared in the `probes` blocks whose centroids are nearest: new texts move no other text's
block, and a pair at a border between two blocks, which the paper's single cluster loses, is mostly found.

Everything is a whole number: vectors and centroids are integers of 10^-4, nearness is their exact dot product, a
centroid is the exact sum of its members before it is scaled to length one and rounded. So neither threads nor batches
nor the order of the rows can move a text to another block. k-means of scikit-learn, which this replaces, is reproducible
on one thread only; that of FAISS and NeMo Curator's on GPUs is not.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.dedup.vectors import DECIMALS, as_integers
from gristmill.errors import LakeError
from gristmill.lake.contracts import CONTRACTS
from gristmill.recipe.dedup import Semantic

VERSION = "1"

ROUNDS = 25  # of Lloyd's algorithm at most (FAISS's default, which SemDeDup used)
SCORES_AT_ONCE = 4_000_000  # float32: 16 MB


def sampled(embeddings: pl.LazyFrame, size: int) -> list[str]:
    """Text hashes of a sample, sorted: of `embeddings` (doc_id, text_hash) the `size` documents whose ids end in the smallest
    digits. An id is a hash, so this is a draw that no sharding or order changes; its end, since its start orders other things."""
    order = pl.col("doc_id").str.slice(16)
    chosen = embeddings.select("doc_id", "text_hash").unique("doc_id").sort(order, "doc_id").head(size)
    return chosen.select(pl.col("text_hash").unique().sort()).collect()["text_hash"].to_list()


def learn_centroids(vectors: NDArray[np.float32], texts: int, settings: Semantic) -> pl.DataFrame:
    """The contract `centroids`: k = texts / documents_per_block unit vectors (fewer, if the sample has fewer vectors).

    `vectors` (n, d) are the sample's, in text hash order; `texts` counts all texts that will be searched. No vectors, no centroids.
    """
    rows = as_integers(vectors)
    k = min(max(1, round(texts / settings.documents_per_block)), len(rows))
    if k == 0:
        return CONTRACTS["centroids"].empty()
    centroids = _unit(rows[np.sort(np.random.default_rng(settings.seed).permutation(len(rows))[:k])])
    from gristmill.dedup.vector_kernels import block_sums

    blocks = np.full(len(rows), -1, dtype=np.int32)
    for _ in range(ROUNDS):
        found, products = _nearest(rows, centroids, 1)
        if np.array_equal(found[:, 0], blocks):
            break
        blocks = found[:, 0]
        sums, counts = block_sums(rows, blocks, k)
        empty = np.flatnonzero(counts == 0)
        sums[empty] = rows[np.argsort(products[:, 0], kind="stable")[: len(empty)]]  # the texts farthest from where they are
        centroids = _unit(sums)
    values = centroids.astype(np.float64) / 10**DECIMALS
    return pl.DataFrame(
        {"block": np.arange(k, dtype=np.int64), "vector": pl.Series(values).cast(pl.List(pl.Float64))}, schema=CONTRACTS["centroids"].schema
    )


def assign(vectors: NDArray[np.float32], centroids: pl.DataFrame, probes: int) -> NDArray[np.int32]:
    """The `probes` nearest blocks of each vector (n, probes), nearest first, the lower number at a tie; all there are, where
    there are fewer. Without centroids everything lies in block 0. LakeError if the centroids have another dimension."""
    if centroids.is_empty():
        return np.zeros((len(vectors), 1), dtype=np.int32)
    held = centroids.sort("block")
    values = as_integers(np.array(held["vector"].to_list(), dtype=np.float64))
    if len(vectors) and vectors.shape[1] != values.shape[1]:
        raise LakeError(
            f"hold {values.shape[1]} dimensions, the vectors {vectors.shape[1]}",
            where="semantic_centroids",
            fix="The embedder has changed: refresh semantic_centroids.",
        )
    found, _ = _nearest(as_integers(vectors), values, min(probes, len(values)))
    return held["block"].cast(pl.Int32).to_numpy()[found]


def _nearest(rows: NDArray[np.int16], centroids: NDArray[np.int16], probes: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The `probes` nearest centroids of each row (n, probes) and their exact dot products."""
    from gristmill.dedup.vector_kernels import lengths, nearest

    if not len(rows):
        return np.empty((0, probes), np.int32), np.empty((0, probes), np.int64)
    floats, farthest = centroids.astype(np.float32).T, lengths(centroids).max()
    parts = []
    for start in range(0, len(rows), max(1, SCORES_AT_ONCE // len(centroids))):
        part = rows[start : start + max(1, SCORES_AT_ONCE // len(centroids))]
        slack = lengths(part) * farthest * float32_error(rows.shape[1])
        parts.append(nearest(part.astype(np.float32) @ floats, slack, part, centroids, probes))
    blocks, products = zip(*parts, strict=True)
    return np.concatenate(blocks), np.concatenate(products)


def float32_error(dimension: int) -> float:
    """What a float32 dot product of vectors of length one is off by at most, in any order of summation: n*u / (1 - n*u) with
    u = 2^-24 (Higham 2002, section 3.1), twice over for the rounding of the vectors and of the bound itself."""
    return (dimension + 8) * 2.0**-23


def _unit(rows: NDArray[np.int16] | NDArray[np.int64]) -> NDArray[np.int16]:
    """Rows scaled to length 10^DECIMALS and rounded; a row of zeros stays."""
    from gristmill.dedup.vector_kernels import lengths

    norms = lengths(rows)
    scaled = rows.astype(np.float64) / np.where(norms == 0, 1, norms)[:, None]
    return np.rint(scaled * 10**DECIMALS).astype(np.int16)
