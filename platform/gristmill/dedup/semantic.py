"""Semantic duplicates: pairs of texts whose vectors point the same way, by exact search inside blocks.

SemDeDup (Abbas et al. 2023, arXiv 2303.09540, section 3): compare all pairs within each cluster of the embeddings; n
texts in blocks of m cost about n*m comparisons, not n^2. Blocks come from centroids that are held, and a text is in
several of them (see `centroids`). Which of two duplicates survives is not decided here (the paper keeps the one farthest
from the centroid). No approximate index takes part: what it finds depends on what arrived before.

A block's pairs follow from its members alone, and its key names them: a later run that is given an earlier one's blocks
searches only those whose members have changed. NeMo Curator searches every cluster again.

A model that cannot read a language gives all its pages much the same vector, so only the languages that a model is
known to read are compared: with the English MiniLM, unrelated Greek, Korean and Turkish pages reached 0.90 to 0.98.

A float32 product finds the candidates, within a slack above its error; their cosines are then computed exactly (integers)
and rounded to 6 decimals, so that a similarity is the same number on any machine, in any block.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gristmill.dedup.centroids import assign, float32_error
from gristmill.dedup.vectors import as_integers

VERSION = "2"

VECTORS_AT_ONCE = 32_768  # read for consecutive blocks: 48 MB at 384 dimensions
SCORES_AT_ONCE = 4_000_000  # float32: 16 MB
ROWS_AT_ONCE = 256  # of a block against the rest of it: what lies below the diagonal is computed in vain

PAIRS = {"left": pl.String, "right": pl.String, "similarity": pl.Float64}
MEMBERS = {"block": pl.Int32, "text_hash": pl.String}
SEARCHED = {"block": pl.Int32, "key": pl.String, "texts": pl.Int64}
BLOCK_PAIRS = {"key": pl.String, **PAIRS}

READS: dict[str, frozenset[str]] = {"all-MiniLM-L6-v2": frozenset({"en"})}
"""Languages (`documents.language`) that a model reads, by the start of its name. A model that is not listed is taken to read all."""

Read = Callable[[Sequence[str]], NDArray[np.float32]]
"""Vectors (n, d) of text hashes, in their order: `VectorTable.get`."""


@dataclass(frozen=True)
class Blocks:
    """What a search found: `searched` (SEARCHED), a row per block of two texts or more, and `pairs` (BLOCK_PAIRS), by the
    key of their block. Both follow from the members alone; `anew` counts the blocks that this run had to search."""

    searched: pl.DataFrame
    pairs: pl.DataFrame
    anew: int

    def distinct(self) -> pl.DataFrame:
        """The pairs (PAIRS), once each although two texts may meet in several blocks; sorted."""
        return self.pairs.select(list(PAIRS)).unique(["left", "right"]).sort("left", "right")


def readable(model: str) -> frozenset[str] | None:
    """The languages whose texts the model may call duplicates; None means all."""
    return next((languages for start, languages in READS.items() if model.startswith(f"{start}-") or model == start), None)


def members(text_hashes: Sequence[str], read: Read, centroids: pl.DataFrame, probes: int) -> pl.DataFrame:
    """(block, text_hash) of every distinct text, sorted: the `probes` blocks it lies in. Depends on a text and the centroids only, so
    that the frames of several shards may be put together."""
    distinct = pl.Series(text_hashes, dtype=pl.String).unique().sort()
    frames = [pl.DataFrame(schema=MEMBERS)]
    for start in range(0, len(distinct), VECTORS_AT_ONCE):
        part = distinct.slice(start, VECTORS_AT_ONCE)
        blocks = assign(read(part.to_list()), centroids, probes)
        names = part.gather(np.repeat(np.arange(len(part)), blocks.shape[1]))
        frames.append(pl.DataFrame({"block": blocks.ravel(), "text_hash": names}, schema=MEMBERS))
    return pl.concat(frames).sort("block", "text_hash")


def search(members: pl.DataFrame, read: Read, model: str, threshold: float, before: Blocks | None = None) -> Blocks:
    """The pairs of every block with cosine >= threshold. `members` (MEMBERS) in any order, repeats allowed; `read` gives the vectors of
    `model`. Blocks that `before` searched with the same members, model and threshold are taken from it."""
    members = members.unique().sort("block", "text_hash")
    sizes = members.group_by("block", maintain_order=True).len("texts")
    bounds = np.concatenate([[0], np.cumsum(sizes["texts"].to_numpy())]).astype(np.int64)
    several = [
        (block, start, end) for block, (start, end) in zip(sizes["block"], pairwise(bounds.tolist()), strict=True) if end - start > 1
    ]
    names = members["text_hash"]
    keys = [block_key(names[start:end].to_list(), model, threshold) for _, start, end in several]
    searched = pl.DataFrame(
        {"block": [block for block, _, _ in several], "key": keys, "texts": [end - start for _, start, end in several]}, schema=SEARCHED
    )
    known = _known(searched, before)
    todo = {key: (start, end) for key, (_, start, end) in zip(keys, several, strict=True) if key not in known}
    found = [] if before is None else [before.pairs.join(searched.select("key").unique(), on="key", how="semi")]
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        for together in _batches(todo):
            found += _search(together, names, read, threshold, pool)
    return Blocks(searched, pl.concat([pl.DataFrame(schema=BLOCK_PAIRS), *found]).sort("key", "left", "right"), len(todo))


def block_key(text_hashes: Sequence[str], model: str, threshold: float) -> str:
    """32 hex digits that name all that a block's pairs follow from. `text_hashes` are sorted."""
    digest = hashlib.blake2b(f"{VERSION} {model} {threshold!r}\n".encode(), digest_size=16)
    digest.update("\n".join(text_hashes).encode())
    return digest.hexdigest()


def near_pairs(vectors: NDArray[np.float32], threshold: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows i < j of all pairs with cosine >= threshold, and the cosines, rounded to 6 decimals. A vector of zeros resembles nothing."""
    from gristmill.dedup.vector_kernels import dots, lengths

    rows = as_integers(vectors)
    norms = lengths(rows)
    some = np.flatnonzero(norms)
    unit = (rows[some] / norms[some, None]).astype(np.float32)
    bound = np.float32(threshold - 1e-6 - float32_error(vectors.shape[1]))
    height = max(1, min(ROWS_AT_ONCE, SCORES_AT_ONCE // max(len(some), 1)))
    lefts, rights, cosines = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
    for start in range(0, len(some), height):
        i, j = np.nonzero(unit[start : start + height] @ unit[start:].T >= bound)
        above = j > i
        left, right = some[start + i[above]], some[start + j[above]]
        cosine = np.round(dots(rows, left, right) / (norms[left] * norms[right]), 6)
        near = cosine >= threshold
        lefts.append(left[near])
        rights.append(right[near])
        cosines.append(cosine[near])
    return np.concatenate(lefts), np.concatenate(rights), np.concatenate(cosines)


def _known(searched: pl.DataFrame, before: Blocks | None) -> set[str]:
    return set() if before is None else set(searched.join(before.searched, on="key", how="semi")["key"])


def _batches(todo: dict[str, tuple[int, int]]) -> Iterator[dict[str, tuple[int, int]]]:
    """Blocks in order, as many together as VECTORS_AT_ONCE allows."""
    batch: dict[str, tuple[int, int]] = {}
    size = 0
    for key, (start, end) in todo.items():
        if batch and size + end - start > VECTORS_AT_ONCE:
            yield batch
            batch, size = {}, 0
        batch[key] = (start, end)
        size += end - start
    if batch:
        yield batch


def _search(blocks: dict[str, tuple[int, int]], names: pl.Series, read: Read, threshold: float, pool: Executor) -> list[pl.DataFrame]:
    """The pairs of some blocks, whose members are names[start:end]; a text that lies in several is read once. A block is one
    thread's: small products cut up among BLAS's threads took up to nine times as long on a busy machine."""
    listed = pl.concat([names[start:end] for start, end in blocks.values()])
    distinct = listed.unique().sort()
    place = distinct.search_sorted(listed).to_numpy()
    vectors = read(distinct.to_list())
    ends = np.cumsum([end - start for start, end in blocks.values()]).tolist()
    rows = [place[start:end] for start, end in pairwise([0, *ends])]
    frames = []
    for key, at, (left, right, cosine) in zip(blocks, rows, pool.map(lambda at: near_pairs(vectors[at], threshold), rows), strict=True):
        pairs = {"left": distinct.gather(at[left]), "right": distinct.gather(at[right]), "similarity": cosine}
        frames.append(pl.DataFrame({"key": pl.repeat(key, len(left), dtype=pl.String, eager=True), **pairs}, schema=BLOCK_PAIRS))
    return frames
