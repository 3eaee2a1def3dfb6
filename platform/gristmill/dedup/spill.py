"""Tables of 64-bit numbers on disk, cut by key range, for what spans shards: written in any order, read range by range.

Sixteen bytes or so for each key and no Python object: a range is as small as the memory that is granted, so that a sort or a
join of it happens in memory. Files of a scratch folder, gone with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]

RANGES = 1 << 10  # files at most
SHARE = 8  # of the granted memory, one range takes one: sorting it takes the rest


class Spill:
    """Rows of `width` numbers in `ranges` files."""

    def __init__(self, folder: Path, name: str, width: int, ranges: int = 1):
        self.width, self.ranges = width, ranges
        self._paths = [folder / f"{name}.{i}" for i in range(ranges)]
        self.rows = 0
        for path in self._paths:
            path.touch()

    @classmethod
    def sized(cls, folder: Path, name: str, width: int, rows: int, memory: int) -> Spill:
        """With ranges small enough to be sorted in `memory` bytes."""
        return cls(folder, name, width, max(1, min(RANGES, -(-8 * width * rows * SHARE // memory))))

    def range_of(self, keys: Numbers) -> NDArray[np.int64]:
        """The range of evenly spread 64-bit keys."""
        return ((keys >> np.uint64(32)) * np.uint64(self.ranges) >> np.uint64(32)).astype(np.int64)

    def add(self, rows: Numbers, ranges: NDArray[np.int64] | None = None) -> None:
        """Appends rows (n, width) to their ranges; all to the first one if none are given."""
        self.rows += len(rows)
        if self.ranges == 1 or ranges is None:
            self._append(0, np.ascontiguousarray(rows, dtype=np.uint64))
            return
        order = np.argsort(ranges.astype(np.uint16), kind="stable")
        ends = np.searchsorted(ranges[order], np.arange(self.ranges + 1))
        rows = np.ascontiguousarray(rows[order], dtype=np.uint64)
        for i in np.flatnonzero(np.diff(ends)):
            self._append(int(i), rows[ends[i] : ends[i + 1]])

    def _append(self, i: int, rows: Numbers) -> None:
        with self._paths[i].open("ab") as file:  # no more files open at once than one
            file.write(rows.data)

    def read(self, i: int) -> Numbers:
        """A range, whole."""
        return np.fromfile(self._paths[i], dtype=np.uint64).reshape(-1, self.width)

    def each(self) -> Iterator[Numbers]:
        return (self.read(i) for i in range(self.ranges))

    def chunks(self, rows: int) -> Iterator[Numbers]:
        """Everything, range after range, at most `rows` at once."""
        for path in self._paths:
            size = path.stat().st_size // (8 * self.width)
            for start in range(0, size, rows):
                count = min(rows, size - start) * self.width
                yield np.fromfile(path, dtype=np.uint64, count=count, offset=8 * self.width * start).reshape(-1, self.width)

    def rewrite(self, i: int, rows: Numbers) -> None:
        """The same rows of a range in another order."""
        rows.tofile(self._paths[i])

    def close(self) -> None:
        """Deletes the files."""
        for path in self._paths:
            path.unlink(missing_ok=True)


def by_key(keys: Numbers) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """An order that puts equal keys side by side (by key, then as they come), and where in it a new key begins.

    Keys are (n,), or (n, 2) for 128 bits: those are sorted by their first half, and by both where two share it and differ.
    """
    high = keys if keys.ndim == 1 else keys[:, 0]
    order = np.argsort(high, kind="stable")
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = high[order[1:]] != high[order[:-1]]
    if keys.ndim == 2:
        low = keys[order, 1]
        if (~begins[1:] & (low[1:] != low[:-1])).any():
            order = np.lexsort((keys[:, 1], keys[:, 0]))
            begins[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    return order, begins


def several(keys: Numbers) -> NDArray[np.bool_]:
    """Which keys may occur more than once: all that do, and some others. It spares sorting the rest."""
    from gristmill.dedup.cluster_kernels import maybe_repeated

    return np.asarray(maybe_repeated(keys, max(12, (8 * len(keys)).bit_length())))


def groups(begins: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Start and end of every run of two or more."""
    starts = np.flatnonzero(begins)
    ends = np.append(starts[1:], len(begins))
    several = ends - starts > 1
    return starts[several], ends[several]
