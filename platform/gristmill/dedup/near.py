"""Near-duplicate pairs: candidates by equal band keys, each proven by the true Jaccard similarity of its shingle sets.

A band key is only a hint. Long boilerplate makes bands that thousands of documents share, so a large band is not
compared all against all: its texts, in hash order, are compared with the band's representatives so far, joined
to the first one that is near enough, and become a representative otherwise.
"""

from __future__ import annotations

import numba
import numpy as np
import polars as pl
from numpy.typing import NDArray

VERSION = "1"

LARGE_BAND = 32  # texts; up to this many, all pairs of a band are compared

PAIRS = pl.Schema({"left": pl.String, "right": pl.String, "similarity": pl.Float64})


class ShingleSets:
    """The sorted distinct shingle hashes of texts, by text hash."""

    def __init__(self, signatures: pl.DataFrame):
        """From text_hash (unique) and shingles."""
        self.row = {key: i for i, key in enumerate(signatures["text_hash"])}
        self._values = signatures["shingles"].explode().drop_nulls().to_numpy().astype(np.uint64)
        lengths = signatures["shingles"].list.len().to_numpy().astype(np.int64)
        self._ends = np.concatenate([np.zeros(1, np.int64), lengths.cumsum()])

    def jaccard(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float64]:
        """|A n B| / |A u B| of row pairs, rounded to 6 decimals; 0 for two empty sets."""
        return np.round(_jaccard(self._values, self._ends, np.ascontiguousarray(left), np.ascontiguousarray(right)), 6)


def near_pairs(signatures: pl.LazyFrame, threshold: float) -> tuple[pl.DataFrame, ShingleSets]:
    """Pairs (left < right) of distinct texts with a band in common and Jaccard >= threshold, and the sets of all candidates.

    `signatures` has text_hash (unique), bands and shingles; shingles are read for candidates only.
    """
    shared = (
        signatures.select("text_hash", "bands")
        .explode("bands")
        .drop_nulls()
        .filter(pl.len().over("bands") > 1)
        .group_by("bands")
        .agg(pl.col("text_hash").sort())
        .select("text_hash")
        .unique()  # many bands hold the same texts
        .collect()["text_hash"]
    )
    candidates = shared.explode().drop_nulls().unique().sort()
    sets = ShingleSets(
        signatures.filter(pl.col("text_hash").is_in(candidates.implode())).select("text_hash", "shingles").sort("text_hash").collect()
    )
    row = sets.row
    bands = sorted((np.array([row[key] for key in band], dtype=np.int64) for band in shared), key=lambda band: (len(band), band.tolist()))
    small = [_all_pairs(band) for band in bands if len(band) <= LARGE_BAND]
    pairs = np.unique(np.concatenate([np.empty((0, 2), np.int64), *small]), axis=0)
    similarity = sets.jaccard(pairs[:, 0], pairs[:, 1])
    found = [(pairs[similarity >= threshold], similarity[similarity >= threshold])]
    found += [_by_representatives(band, sets, threshold) for band in bands if len(band) > LARGE_BAND]
    edges, values = np.concatenate([edges for edges, _ in found]), np.concatenate([values for _, values in found])
    names = pl.Series(list(row), dtype=pl.String)
    frame = pl.DataFrame({"left": names.gather(edges[:, 0]), "right": names.gather(edges[:, 1]), "similarity": values}, schema=PAIRS)
    return frame.unique().sort("left", "right"), sets


def _all_pairs(band: NDArray[np.int64]) -> NDArray[np.int64]:
    i, j = np.triu_indices(len(band), 1)
    return np.stack([band[i], band[j]], axis=1)


def _by_representatives(band: NDArray[np.int64], sets: ShingleSets, threshold: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Each round: the first text left is a representative; all that are near it join it; the rest go on."""
    edges, values = [np.empty((0, 2), np.int64)], [np.empty(0)]
    rest = band
    while len(rest) > 1:
        first, rest = rest[0], rest[1:]
        similarity = sets.jaccard(np.full(len(rest), first), rest)
        near = similarity >= threshold
        edges.append(np.stack([np.full(near.sum(), first), rest[near]], axis=1))
        values.append(similarity[near])
        rest = rest[~near]
    return np.concatenate(edges), np.concatenate(values)


@numba.njit(cache=True)
def _jaccard(values: NDArray[np.uint64], ends: NDArray[np.int64], left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float64]:
    out = np.zeros(len(left), np.float64)
    for p in range(len(left)):
        i, i_end = ends[left[p]], ends[left[p] + 1]
        j, j_end = ends[right[p]], ends[right[p] + 1]
        size = (i_end - i) + (j_end - j)
        both = 0
        while i < i_end and j < j_end:
            if values[i] == values[j]:
                both += 1
                i += 1
                j += 1
            elif values[i] < values[j]:
                i += 1
            else:
                j += 1
        if size > both:
            out[p] = both / (size - both)
    return out
