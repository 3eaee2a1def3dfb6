"""Eight bytes of text as one number: which of them are white space, letters, digits, and the key of the first of them.

Most words of most texts are a few ASCII letters between blanks. A kernel that finds the end of such
a word with a handful of operations on one number, and leaves everything else to a loop over code points, reads a text
several times as fast as that loop alone.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import MIX, ODD, lent

EACH = np.uint64(0x0101010101010101)
TOPS = np.uint64(0x8080808080808080)  # a flag per byte

_ONE, _SEVEN = np.uint64(1), np.uint64(7)
_BELOW_PRINTED = np.uint64(0x2121212121212121)
_SMALL = np.uint64(0x2020202020202020)
_FROM_A, _PAST_Z = np.uint64(0x1F1F1F1F1F1F1F1F), np.uint64(0x0505050505050505)
_FROM_0, _PAST_9 = np.uint64(0x5050505050505050), np.uint64(0x4646464646464646)


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
def breaks(word):  # type: ignore[no-untyped-def]
    """Flags of the bytes that are no printed ASCII: white space, control characters, parts of other code points.

    Exact up to the first flag; behind it a flag may be wrong.
    """
    return ((word - _BELOW_PRINTED) & ~word | word | (word + EACH)) & TOPS


@lent
def printed(data, i, stop):  # type: ignore[no-untyped-def]
    """How many of the eight bytes at i are printed ASCII characters and blanks, before any other byte; the last is no blank.

    0 where fewer than eight bytes are left.
    """
    if i + 8 > stop:
        return 0
    word = eight_bytes(data, i)
    flags = ((word - _SMALL) & ~word | word | (word + EACH)) & TOPS
    n = until(flags)[0] if flags else 8
    while n > 0 and data[i + n - 1] == 0x20:
        n -= 1
    return n


@lent
def until(flags):  # type: ignore[no-untyped-def]
    """How many bytes stand before the first flag (there is one), and the bits of those."""
    first = flags & (~flags + _ONE)
    return np.int64((((first - _ONE) & EACH) * EACH) >> np.uint64(56)) - 1, (first >> _SEVEN) - _ONE


@lent
def letters(word):  # type: ignore[no-untyped-def]
    """Flags of the letters among eight ASCII characters."""
    small = word | _SMALL
    return (small + _FROM_A) & ~(small + _PAST_Z) & TOPS


@lent
def digits(word):  # type: ignore[no-untyped-def]
    return (word + _FROM_0) & ~(word + _PAST_9) & TOPS


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
