"""Connected components of all links, out of core: union-find over a memory-mapped array, one pass over the links.

Eight bytes per document in a file that the system pages as it can; links come in chunks from disk. Large-star and small-star
(Kiveris et al. 2014, "Connected components in MapReduce and beyond") need no random access, but sort every link a dozen times;
here each link is read once, and since rows of a shard lie side by side most of them stay among few pages.

The smaller root wins, so that a tree's root is its smallest row and one pass in order flattens them all.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 1 << 20


class Components:
    """`root`: the smallest row of each document's component; `linked`: whether it has a link at all."""

    def __init__(self, count: int, scratch: Path, at_once: int = AT_ONCE):
        self._at_once = at_once
        self.root: NDArray[np.int64] = np.memmap(scratch / "roots", dtype=np.int64, mode="w+", shape=(max(count, 1),))[:count]
        self.linked = np.zeros(count, dtype=np.bool_)
        for start in range(0, count, at_once):
            end = min(start + at_once, count)
            self.root[start:end] = np.arange(start, end)

    def join(self, links: Iterable[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> None:
        """Unites the ends of links, which come in chunks."""
        from gristmill.dedup.cluster_kernels import unite

        for left, right in links:
            unite(self.root, self.linked, left, right)

    def flatten(self) -> None:
        """Points every row at its root; call it after the last `join`."""
        from gristmill.dedup.cluster_kernels import flatten

        for start in range(0, len(self.root), self._at_once):
            flatten(self.root, start, min(start + self._at_once, len(self.root)))
