"""Bands and shingles of chosen texts: read from the signatures once, kept on disk, and lent some texts at a time.

Shingles of ten million pages do not fit in memory; what a batch of pairs needs of them does.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.dedup.keys import parse
from gristmill.dedup.members import DOC, Documents
from gristmill.dedup.spill import Numbers
from gristmill.errors import ContractError

BATCH = 1 << 16


@dataclass(frozen=True)
class Held:
    """`rows` ascend; bands (n, b); shingles[ends[i]:ends[i + 1]] are those of rows[i]."""

    rows: NDArray[np.int64]
    bands: Numbers
    shingles: NDArray[np.uint32]
    ends: NDArray[np.int64]


class Sketches:
    """The sketches of the documents that `chosen` marks."""

    def __init__(self, documents: Documents, chosen: NDArray[np.bool_], scratch: Path, name: str, memory: int):
        self._memory = memory
        count, at = int(chosen.sum()), 0
        rows, lengths = np.empty(count, np.int64), np.empty(count, np.int64)
        paths = scratch / f"{name}.bands", scratch / f"{name}.shingles"
        width = 0
        with paths[0].open("wb") as bands, paths[1].open("wb") as shingles:
            for some, frame in signed_rows(documents, chosen, ["bands", "shingles"]):
                rows[at : at + len(some)] = some
                lengths[at : at + len(some)] = frame["shingles"].list.len().to_numpy()
                at += len(some)
                keys = band_keys(frame["bands"])
                width = keys.shape[1]
                bands.write(keys.data)
                shingles.write(frame["shingles"].explode().drop_nulls().to_numpy().astype(np.uint32).data)
        self._ends = np.concatenate([np.zeros(1, np.int64), lengths.cumsum()])
        self._order = np.argsort(rows)
        self.rows = rows[self._order]
        self._mapped: list[np.memmap[Any, Any]] = []
        self._bands, self._shingles = np.zeros((0, 0), np.uint64), np.zeros(0, np.uint32)
        if count:
            self._mapped = [np.memmap(path, kind, "r") for path, kind in zip(paths, (np.uint64, np.uint32), strict=True)]
            self._bands, self._shingles = np.asarray(self._mapped[0]).reshape(count, width), np.asarray(self._mapped[1])

    def of(self, rows: NDArray[np.int64]) -> Held:
        """The sketches of some rows, ascending and distinct."""
        from gristmill.dedup.cluster_kernels import gather

        place = self._order[np.searchsorted(self.rows, rows)]
        ends = np.concatenate([np.zeros(1, np.int64), (self._ends[place + 1] - self._ends[place]).cumsum()])
        if not len(rows):
            return Held(rows, np.zeros((0, 0), np.uint64), np.zeros(0, np.uint32), ends)
        held = Held(rows, np.array(self._bands[place]), gather(self._shingles, self._ends, place, ends), ends)
        for mapped in self._mapped:
            mapped._mmap.madvise(mmap.MADV_DONTNEED)  # type: ignore[attr-defined]  # pages read count as ours until they are let go
        return held

    def of_pairs(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Held]]:
        """The pairs in pieces (their numbers) whose sketches fit in a quarter of the memory."""
        pieces = [np.arange(len(left))]
        while pieces:
            some = pieces.pop()
            rows = np.unique(np.concatenate([left[some], right[some]]))
            place = self._order[np.searchsorted(self.rows, rows)]
            size = 4 * int((self._ends[place + 1] - self._ends[place]).sum()) + 8 * len(rows) * self._bands.shape[1]
            if size > self._memory // 4 and len(some) > 1:
                pieces += [some[len(some) // 2 :], some[: len(some) // 2]]
            else:
                yield some, self.of(rows)


def band_keys(bands: pl.Series) -> Numbers:
    """(n, bands); ContractError unless all texts have as many."""
    if bands.list.len().n_unique() > 1:
        raise ContractError(
            "texts have different numbers of bands", where="signatures", fix="Materialize minhash_signatures of all shards."
        )
    return np.ascontiguousarray(bands.explode().to_numpy().astype(np.uint64).reshape(len(bands), -1))


def signed_rows(documents: Documents, chosen: NDArray[np.bool_], columns: list[str]) -> Iterator[tuple[NDArray[np.int64], pl.DataFrame]]:
    """The chosen documents' rows and these columns of their signatures, in batches of any order; ContractError if one has no signature."""
    from gristmill.dedup.cluster_kernels import find

    for i, shard in enumerate(documents.shards):
        here = documents.of_shard(i)
        wanted = chosen[here]
        lacking = int(wanted.sum())
        if not lacking:
            continue
        keys = np.array(documents.table[here, DOC : DOC + 2])
        found = shard.signatures.select("doc_id", *columns)
        if 2 * lacking < len(wanted):
            names = documents.hexes(np.flatnonzero(wanted) + here.start, DOC, "doc_id")
            found = found.join(pl.LazyFrame({"doc_id": names}), on="doc_id", how="semi")
        for batch in found.collect_batches(chunk_size=BATCH):
            place = find(keys, parse(batch["doc_id"]))
            mine = (place >= 0) & wanted[place]
            if mine.any():
                lacking -= int(mine.sum())
                yield place[mine] + here.start, batch.filter(pl.Series(mine)).select(columns)
        if lacking:
            raise ContractError(f"lack {lacking} of the kept documents", where=f"signatures of shard {shard.key}")
