"""What Dolma's Gopher taggers count: words by `str.split`, lines by newlines, every occurrence of what is repeated."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import compiled, decode
from gristmill.signals.kernels.datatrove import ALPHA, SPACE, flags_of, newlines
from gristmill.signals.kernels.eights import bytes_key
from gristmill.signals.kernels.repetition import DUPLICATE
from gristmill.signals.kernels.tables import slot_of, table_size

WORDS, CHARS, SYMBOL_WORDS, ALPHABETIC, REQUIRED, MEDIAN_TWICE, N_WORD_COUNTS = range(7)
LINES, BULLET_LINES, ELLIPSIS_LINES, DUPLICATE_LINES, DUPLICATE_LINE_CHARS, N_LINE_COUNTS = range(6)

_LONGEST = 255  # word lengths are told apart up to here


@compiled
def split_spans(data, offsets, flags):  # type: ignore[no-untyped-def]
    """starts, ends (bytes, int64), chars (int32), keys (uint64) of every word of `str.split`, and bounds (int64 [texts + 1])."""
    texts = len(offsets) - 1
    most = (offsets[-1] - offsets[0]) // 2 + texts + 1
    starts, ends = np.empty(most, np.int64), np.empty(most, np.int64)
    chars, keys = np.empty(most, np.int32), np.empty(most, np.uint64)
    bounds = np.zeros(texts + 1, np.int64)
    n = 0
    for row in range(texts):
        i, stop = offsets[row], offsets[row + 1]
        begin, length = i, 0
        while i < stop:
            at = i
            point, i = decode(data, i)
            if flags_of(flags, point) & SPACE:
                if length:
                    starts[n], ends[n], chars[n], keys[n] = begin, at, length, bytes_key(data, begin, at)
                    n += 1
                begin, length = i, 0
                continue
            length += 1
        if length:
            starts[n], ends[n], chars[n], keys[n] = begin, stop, length, bytes_key(data, begin, stop)
            n += 1
        bounds[row + 1] = n
    return starts[:n], ends[:n], chars[:n], keys[:n], bounds


@compiled
def word_counts(data, starts, ends, chars, keys, bounds, flags, required):  # type: ignore[no-untyped-def]
    """int64 [texts, N_WORD_COUNTS]; MEDIAN_TWICE is twice the median length, words of over _LONGEST counting as _LONGEST long."""
    out = np.zeros((len(bounds) - 1, N_WORD_COUNTS), np.int64)
    lengths = np.zeros(_LONGEST + 1, np.int64)
    for row in range(len(bounds) - 1):
        lengths[:] = 0
        length = symbols = alphabetic = of_required = 0
        for j in range(bounds[row], bounds[row + 1]):
            i, alpha, symbol = starts[j], False, False
            while i < ends[j]:
                point, i = decode(data, i)
                alpha = alpha or flags_of(flags, point) & ALPHA != 0
                symbol = symbol or point == 0x23 or point == 0x2026
            symbols += symbol
            alphabetic += alpha
            length += chars[j]
            lengths[chars[j] if chars[j] < _LONGEST else _LONGEST] += 1
            if 2 <= chars[j] <= 4:
                for key in required:
                    of_required += keys[j] == key
        n, median, seen = bounds[row + 1] - bounds[row], 0, 0
        for size in range(_LONGEST + 1):  # the words in the middle, counted from both sides
            before, seen = seen, seen + lengths[size]
            median += size * (before <= (n - 1) // 2 < seen) + size * (before <= n // 2 < seen)
        count = out[row]
        count[WORDS], count[CHARS], count[SYMBOL_WORDS], count[ALPHABETIC] = n, length, symbols, alphabetic
        count[REQUIRED], count[MEDIAN_TWICE] = of_required, median if n else 0
    return out


@compiled
def gram_chars(chars, bounds):  # type: ignore[no-untyped-def]
    """int64 [texts, 6]: characters of all grams of 5 to 10 words of a text."""
    out = np.zeros((len(bounds) - 1, len(DUPLICATE)), np.int64)
    for row in range(len(bounds) - 1):
        a, b = bounds[row], bounds[row + 1]
        for column in range(len(DUPLICATE)):
            g = DUPLICATE[column]
            grams = b - a - g + 1
            for j in range(b - a if grams > 0 else 0):  # in as many grams as hold it
                out[row, column] += chars[a + j] * min(j + 1, g, grams, b - a - j)
    return out


@compiled
def line_counts(data, offsets, joined):  # type: ignore[no-untyped-def]
    """int64 [texts, N_LINE_COUNTS] of what stands between newlines, blank or not; `joined`: several newlines are as one."""
    texts = len(offsets) - 1
    out = np.zeros((texts, N_LINE_COUNTS), np.int64)
    most = 1
    for row in range(texts):
        most = max(most, newlines(data, offsets[row], offsets[row + 1]) + 1)
    table, tallies = np.empty(table_size(most), np.uint64), np.empty(table_size(most), np.int32)
    for row in range(texts):
        i, stop = offsets[row], offsets[row + 1]
        size = table_size(newlines(data, i, stop) + 1)
        table[:size] = 0
        begin, chars = i, 0
        count = out[row]
        while True:
            if i < stop and data[i] != 0x0A:
                chars += data[i] & 0xC0 != 0x80
                i += 1
                continue
            count[LINES] += 1
            count[BULLET_LINES] += begin < i and (data[begin] == 0x2A or data[begin] == 0x2D)
            count[ELLIPSIS_LINES] += i - begin > 2 and data[i - 3] == 0xE2 and data[i - 2] == 0x80 and data[i - 1] == 0xA6
            key = bytes_key(data, begin, i)
            slot = slot_of(table, size, key)
            if table[slot] == key:
                tallies[slot] += 1
                copies = 2 if tallies[slot] == 2 else 1  # the first one counts when the second comes
                count[DUPLICATE_LINES] += copies
                count[DUPLICATE_LINE_CHARS] += copies * chars
            else:
                table[slot], tallies[slot] = key, 1
            if i == stop:
                break
            i += 1
            while joined and i < stop and data[i] == 0x0A:
                i += 1
            begin, chars = i, 0
    return out
