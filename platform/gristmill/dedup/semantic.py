"""Semantic duplicates: pairs of texts whose vectors point the same way, searched inside k-means clusters.

SemDeDup (Abbas et al. 2023, arXiv 2303.09540, section 3): cluster the embeddings, then compare all pairs within each
cluster; n texts in n/m clusters cost about n*m comparisons, not n^2. A pair that k-means parts is not found: that is the
paper's trade. Which of two duplicates survives is not decided here (the paper keeps the one farthest from the centroid).

A model that cannot read a language gives all its pages much the same vector, so only the languages that a model is
known to read are compared: with the English MiniLM, unrelated Greek, Korean and Turkish pages reached 0.90 to 0.98.

The vectors come in text hash order and k-means runs on one thread, so that the clusters do not depend on sharding;
similarities are exact (integers in float64) and rounded to 6 decimals.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.dedup.near import PAIRS
from gristmill.dedup.vectors import as_integers
from gristmill.recipe import Semantic

VERSION = "1"

SAMPLE = 100_000  # vectors that k-means learns from, evenly spaced in text hash order
ROUNDS = 25  # of Lloyd's algorithm at most
BLOCK = 1_024  # rows of a cluster compared at once: 8 MB of similarities

READS: dict[str, frozenset[str]] = {"all-MiniLM-L6-v2": frozenset({"en"})}
"""Languages (`documents.language`) that a model reads, by the start of its name. A model that is not listed is taken to read all."""


def readable(model: str) -> frozenset[str] | None:
    """The languages whose texts the model may call duplicates; None means all."""
    return next((languages for start, languages in READS.items() if model.startswith(f"{start}-") or model == start), None)


def semantic_pairs(text_hashes: list[str], vectors: NDArray[np.float32], settings: Semantic) -> pl.DataFrame:
    """Pairs (left < right) with cosine >= threshold. `text_hashes` are sorted and distinct, `vectors` (n, d) are theirs."""
    if list(text_hashes) != sorted(set(text_hashes)):
        raise ValueError("text hashes must be sorted and distinct: the order of the vectors decides the clusters")
    if len(text_hashes) < 2:
        return pl.DataFrame(schema=PAIRS)
    whole = as_integers(vectors)
    norms = np.sqrt((whole.astype(np.float64) ** 2).sum(axis=1))
    cluster = _clusters(vectors, settings)
    order = np.argsort(cluster, kind="stable")
    bounds = np.searchsorted(cluster[order], np.arange(cluster.max() + 2))
    found = [_pairs(order[start:end], whole, norms, settings.threshold) for start, end in pairwise(bounds)]
    left, right, cosine = (np.concatenate(columns) for columns in zip(*found, strict=True))
    names = pl.Series(text_hashes, dtype=pl.String)
    return pl.DataFrame({"left": names.gather(left), "right": names.gather(right), "similarity": cosine}, schema=PAIRS).sort(
        "left", "right"
    )


def _clusters(vectors: NDArray[np.float32], settings: Semantic) -> NDArray[np.int64]:
    """Each vector's k-means cluster; k = n / documents_per_cluster."""
    n = len(vectors)
    k = max(1, round(n / settings.documents_per_cluster))
    if k == 1:
        return np.zeros(n, dtype=np.int64)
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    sample = vectors[np.linspace(0, n - 1, min(n, max(SAMPLE, k))).astype(np.int64)]
    with threadpool_limits(1):  # more threads sum the centroids in whichever order they finish
        model = KMeans(k, n_init=1, max_iter=ROUNDS, random_state=settings.seed).fit(sample.astype(np.float64))
        return np.asarray(model.predict(vectors.astype(np.float64)), dtype=np.int64)


def _pairs(
    members: NDArray[np.int64], whole: NDArray[np.int16], norms: NDArray[np.float64], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The near pairs of one cluster; members are ascending rows."""
    values = whole[members].astype(np.float64)
    scale = norms[members]
    scale = np.where(scale == 0, np.inf, scale)
    left, right, cosines = [], [], []
    for start in range(0, len(members), BLOCK):
        block = slice(start, start + BLOCK)
        cosine = np.round(values[block] @ values[start:].T / scale[block, None] / scale[None, start:], 6)
        i, j = np.nonzero(np.triu(cosine >= threshold, 1))  # row i of the block is column i
        left.append(members[start + i])
        right.append(members[start + j])
        cosines.append(cosine[i, j])
    if not left:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    return np.concatenate(left), np.concatenate(right), np.concatenate(cosines)
