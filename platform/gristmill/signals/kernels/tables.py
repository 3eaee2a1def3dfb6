"""Open-addressing tables of 64-bit keys, in arrays that are made once and used for one text after the other."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import lent


@lent
def table_size(entries):  # type: ignore[no-untyped-def]
    return entries + entries // 2 + 1


@lent
def slot_of(table, size, key):  # type: ignore[no-untyped-def]
    """Where `key` (not 0) is in table[:size], or the free slot (0) where it belongs."""
    at = np.int64((key >> np.uint64(32)) * np.uint64(size) >> np.uint64(32))
    while table[at] != 0 and table[at] != key:
        at = np.int64(0) if at == size - 1 else at + np.int64(1)
    return at
