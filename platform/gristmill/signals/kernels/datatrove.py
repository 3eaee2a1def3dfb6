"""What datatrove's Gopher filters count of a text, of its lines and of given tokens."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import compiled, decode, lent
from gristmill.signals.kernels.eights import bytes_key
from gristmill.signals.kernels.repetition import (
    DUPLICATE_LINE_CHARS,
    DUPLICATE_LINES,
    DUPLICATE_PARAGRAPH_CHARS,
    DUPLICATE_PARAGRAPHS,
    LINES,
    N_COUNTS,
    PARAGRAPHS,
)
from gristmill.signals.kernels.sixtyfours import WIDTH, among, below, first_of, ones
from gristmill.signals.kernels.tables import slot_of, table_size
from gristmill.signals.segment import KNOWN

ALPHA, SPACE, LINE_END, MARK, TERMINAL = (1 << bit for bit in range(5))  # flags of a code point, see `signals.datatrove`

WORDS, CHARS, WORDS_0_3, CHARS_0_3, ALPHABETIC, STOP_WORDS, STOP_WORD_OCCURRENCES, N_WORD_COUNTS = range(8)
HASHES, ELLIPSES, TEXT_LINES, BULLET_LINES, ELLIPSIS_LINES, N_TEXT_COUNTS = range(6)


@lent
def flags_of(flags, point):  # type: ignore[no-untyped-def]
    if point < KNOWN:
        return flags[point]
    return np.uint8(ALPHA if point < 0x40000 else 0)  # ideographs, then tags and variation selectors


@compiled
def word_counts(data, starts, ends, chars, keys, bounds, flags, stop_words):  # type: ignore[no-untyped-def]
    """int64 [texts, N_WORD_COUNTS] of tokens; `stop_words`: their keys."""
    out = np.zeros((len(bounds) - 1, N_WORD_COUNTS), np.int64)
    for row in range(len(bounds) - 1):
        words = length = words_0_3 = length_0_3 = alphabetic = occurrences = distinct = 0
        for j in range(bounds[row], bounds[row + 1]):
            i, stop, alpha, word, word_0_3 = starts[j], ends[j], False, False, False
            while i < stop and not alpha:  # a letter is no mark
                point, i = decode(data, i)
                flag = flags_of(flags, point)
                alpha = flag & ALPHA != 0
                word = word or not flag & (MARK | TERMINAL)
                word_0_3 = word_0_3 or not flag & MARK
            words += word
            words_0_3 += word_0_3
            length += chars[j] if word else 0
            length_0_3 += chars[j] if word_0_3 else 0
            alphabetic += alpha
            if 2 <= chars[j] <= 4:
                for bit in range(len(stop_words)):
                    if keys[j] == stop_words[bit]:
                        occurrences += 1
                        distinct |= 1 << bit
        n_distinct = 0
        for bit in range(len(stop_words)):
            n_distinct += distinct >> bit & 1
        count = out[row]
        count[WORDS], count[CHARS], count[WORDS_0_3], count[CHARS_0_3] = words, length, words_0_3, length_0_3
        count[ALPHABETIC], count[STOP_WORDS], count[STOP_WORD_OCCURRENCES] = alphabetic, n_distinct, occurrences
    return out


@compiled
def text_counts(data, offsets, flags):  # type: ignore[no-untyped-def]
    """int64 [texts, N_TEXT_COUNTS]; lines are those of `str.splitlines`, blank ones too."""
    out = np.zeros((len(offsets) - 1, N_TEXT_COUNTS), np.int64)
    for row in range(len(offsets) - 1):
        i, stop = offsets[row], offsets[row + 1]
        hashes = ellipses = lines = bullets = trailing = 0
        dots, last_dots, blank, any_of_line, in_ellipsis = 0, 0, True, False, False
        while i < stop:
            if i + WIDTH <= len(data):  # printed ASCII but `#` and `.`, of which only where a line begins matters
                told = ~among(data, i, 0x20, 0x7E) | among(data, i, 0x23, 0x23) | among(data, i, 0x2E, 0x2E)
                run = min(first_of(told), stop - i)
                if run:
                    solid = among(data, i, 0x21, 0x7E) & below(run)
                    any_of_line, dots = True, 0
                    if solid:
                        bullets += blank and data[i + first_of(solid)] == 0x2D
                        blank, in_ellipsis, last_dots = False, False, 0
                    i += run
                    continue
            point, i = decode(data, i)
            flag = flags_of(flags, point)
            if flag & LINE_END:
                lines += 1
                trailing += in_ellipsis or last_dots >= 3
                dots, last_dots, blank, any_of_line, in_ellipsis = 0, 0, True, False, False
                if point == 0x0D and i < stop and data[i] == 0x0A:
                    i += 1
                continue
            any_of_line = True
            if flag & SPACE:
                dots = 0
                continue
            bullets += blank and (point == 0x2022 or point == 0x2D)
            blank = False
            in_ellipsis = point == 0x2026
            ellipses += in_ellipsis
            hashes += point == 0x23
            dots = dots + 1 if point == 0x2E else 0
            last_dots = dots
            ellipses += dots > 0 and dots % 3 == 0
        lines += any_of_line
        trailing += any_of_line and (in_ellipsis or last_dots >= 3)
        count = out[row]
        count[HASHES], count[ELLIPSES], count[TEXT_LINES] = hashes, ellipses, lines
        count[BULLET_LINES], count[ELLIPSIS_LINES] = bullets, trailing
    return out


@compiled
def newline_counts(data, offsets, flags):  # type: ignore[no-untyped-def]
    """int64 [texts, N_COUNTS] (of `repetition`): lines between one newline or more, paragraphs between two or more.

    Paragraphs are those of the text without the white space around it, lines those of the whole text; both are
    compared as they stand, and where newlines stand at an end, an empty line stands behind them.
    """
    texts = len(offsets) - 1
    out = np.zeros((texts, N_COUNTS), np.int64)
    most = 1
    for row in range(texts):
        most = max(most, newlines(data, offsets[row], offsets[row + 1]) + 2)
    table = np.empty(table_size(most), np.uint64)
    for row in range(texts):
        a, b = offsets[row], offsets[row + 1]
        size = table_size(newlines(data, a, b) + 2)
        count = out[row]
        count[LINES], count[DUPLICATE_LINES], count[DUPLICATE_LINE_CHARS] = _repeats(data, a, b, 1, table, size)
        while a < b:
            point, after = decode(data, a)
            if not flags_of(flags, point) & SPACE:
                break
            a = after
        while a < b:
            last = b - 1
            while data[last] & 0xC0 == 0x80:
                last -= 1
            point, _ = decode(data, last)
            if not flags_of(flags, point) & SPACE:
                break
            b = last
        count[PARAGRAPHS], count[DUPLICATE_PARAGRAPHS], count[DUPLICATE_PARAGRAPH_CHARS] = _repeats(data, a, b, 2, table, size)
    return out


@lent
def _repeats(data, a, b, fewest, table, size):  # type: ignore[no-untyped-def]
    """What stands between `fewest` newlines or more: how many, how many of them again, and the characters of those."""
    table[:size] = 0
    pieces = again = again_chars = 0
    begin, i, chars = a, a, 0
    while True:
        run = WIDTH
        while run == WIDTH and i + WIDTH <= len(data):
            run = min(first_of(among(data, i, 0x0A, 0x0A)), b - i)
            chars += run - ones(among(data, i, 0x80, 0xBF) & below(run))
            i += run
        if i < b and data[i] != 0x0A:
            chars += data[i] & 0xC0 != 0x80
            i += 1
            continue
        j = i
        while j < b and data[j] == 0x0A:
            j += 1
        if i < b and j - i < fewest:
            chars += j - i
            i = j
            continue
        key = bytes_key(data, begin, i)
        slot = slot_of(table, size, key)
        pieces += 1
        if table[slot] == key:
            again += 1
            again_chars += chars
        table[slot] = key
        if i == b:
            return pieces, again, again_chars
        begin, i, chars = j, j, 0


@lent
def newlines(data, a, b):  # type: ignore[no-untyped-def]
    n = 0
    for i in range(a, b):
        n += data[i] == 0x0A
    return n
