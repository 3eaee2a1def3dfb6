"""Open-addressing tables of 64-bit keys, in arrays that are made once and used for one text after the other."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import MIX, ODD, compiled


@compiled
def table_size(entries):  # type: ignore[no-untyped-def]
    return entries + entries // 2 + 1


@compiled
def slot_of(table, size, key):  # type: ignore[no-untyped-def]
    """Where `key` (not 0) is in table[:size], or the free slot (0) where it belongs."""
    at = np.int64((key >> np.uint64(32)) * np.uint64(size) >> np.uint64(32))
    while table[at] != 0 and table[at] != key:
        at = np.int64(0) if at == size - 1 else at + np.int64(1)
    return at


@compiled
def bytes_key(data, a, b):  # type: ignore[no-untyped-def]
    """64-bit key of data[a:b], never 0."""
    key = np.uint64(b - a + 1) * ODD
    while a + 8 <= b:
        key = (key ^ eight_bytes(data, a)) * MIX
        key ^= key >> np.uint64(29)
        a += 8
    rest = np.uint64(0)
    while a < b:
        rest = rest << np.uint64(8) | np.uint64(data[a])
        a += 1
    key = (key ^ rest) * ODD
    return key ^ key >> np.uint64(31) | np.uint64(1)


@compiled
def eight_bytes(data, a):  # type: ignore[no-untyped-def]
    """Eight bytes as one number; unsigned indices, so that it compiles to one load."""
    i, word = np.uint64(a), np.uint64(0)
    for shift in range(8):
        word |= np.uint64(data[i + np.uint64(shift)]) << np.uint64(8 * shift)
    return word
