"""Eight bytes of text as one number, the key of a few bytes, and the key of many."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import MIX, ODD, lent

EACH = np.uint64(0x0101010101010101)
TOPS = np.uint64(0x8080808080808080)  # a flag per byte

_ONE = np.uint64(1)


@lent
def eight_bytes(data, a):  # type: ignore[no-untyped-def]
    """Eight bytes as one number; unsigned indices, so that it compiles to one load."""
    i, word = np.uint64(a), np.uint64(0)
    for shift in range(8):
        word |= np.uint64(data[i + np.uint64(shift)]) << np.uint64(8 * shift)
    return word


@lent
def store_eight(data, a, word):  # type: ignore[no-untyped-def]
    i = np.uint64(a)
    for shift in range(8):
        data[i + np.uint64(shift)] = np.uint8(word >> np.uint64(8 * shift) & np.uint64(0xFF))


@lent
def short_key(word, n):  # type: ignore[no-untyped-def]
    """`bytes_key` of n bytes, fewer than 8, the others of `word` being 0."""
    key = (np.uint64(n + 1) * ODD ^ word) * ODD
    key = (key ^ key >> np.uint64(31)) * MIX
    return key ^ key >> np.uint64(29) | _ONE


@lent
def bytes_key(data, a, b):  # type: ignore[no-untyped-def]
    """64-bit key of data[a:b], never 0."""
    key = np.uint64(b - a + 1) * ODD
    while a + 8 <= b:
        key = (key ^ eight_bytes(data, a)) * MIX
        key ^= key >> np.uint64(29)
        a += 8
    if a + 8 <= len(data):
        rest = eight_bytes(data, a) & ((_ONE << np.uint64(8 * (b - a))) - _ONE)
    else:
        rest = np.uint64(0)
        for i in range(a, b):
            rest |= np.uint64(data[i]) << np.uint64(8 * (i - a))
    key = (key ^ rest) * ODD
    key = (key ^ key >> np.uint64(31)) * MIX
    return key ^ key >> np.uint64(29) | _ONE
