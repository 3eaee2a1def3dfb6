"""Many texts with spans of characters replaced, as bytes: what `views` makes a view with."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import compiled, lent
from gristmill.signals.kernels.copies import copied
from gristmill.signals.kernels.sixtyfours import WIDTH, among, below, first_of, ones


@compiled
def spliced(data, offsets, rows, starts, ends, pieces, piece_offsets, new):  # type: ignore[no-untyped-def]
    """Texts i = data[offsets[i] : offsets[i + 1]] with characters [starts[j], ends[j]) of text rows[j] replaced by piece j.

    Spans are sorted by row and place. `new`: uint8, room for the bytes of all texts and pieces. Returns what of it was written,
    int64 offsets [texts + 1], and which span ends before it begins, begins before the one before it ends, or leaves its text
    (-1: none does; else the texts are not whole).
    """
    texts, spans = len(offsets) - 1, len(rows)
    bounds = np.zeros(texts + 1, np.int64)
    j, n = 0, 0
    for row in range(texts):
        i, stop, char = offsets[row], offsets[row + 1], 0
        while j < spans and rows[j] == row:
            if starts[j] < char or ends[j] < starts[j]:
                return new[:n], bounds, j
            begin, passed = _after(data, i, stop, starts[j] - char)
            after, more = _after(data, begin, stop, ends[j] - starts[j])
            if char + passed + more < ends[j]:
                return new[:n], bounds, j
            n = copied(data, i, begin, new, n)
            n = copied(pieces, piece_offsets[j], piece_offsets[j + 1], new, n)
            i, char = after, ends[j]
            j += 1
        n = copied(data, i, stop, new, n)
        bounds[row + 1] = n
    return new[:n], bounds, -1


@lent
def _after(data, i, stop, chars):  # type: ignore[no-untyped-def]
    """Where the character begins that stands `chars` behind the one at i, and how many there were: fewer where the text ends.

    A character is counted where it begins: every byte but 0x80 to 0xBF begins one.
    """
    passed = 0
    while passed < chars and i < stop:
        if i + WIDTH <= len(data):
            begins = ~among(data, i, 0x80, 0xBF) & below(min(stop - i, WIDTH))
            here = ones(begins)
            if passed + here <= chars:
                passed += here
                i += min(stop - i, WIDTH)
                continue
            for _ in range(chars - passed):
                begins &= begins - np.uint64(1)
            return i + first_of(begins), chars
        passed += data[i] & 0xC0 != 0x80
        i += 1
    while i < stop and data[i] & 0xC0 == 0x80:
        i += 1
    return i, passed
