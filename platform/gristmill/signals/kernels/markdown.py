"""Markdown syntax in texts: which characters `edits.markdown` removes, and how many lines are what. See there for the grammar.

Lines are decoded into scratch arrays, one at a time; linear in the text whatever it holds.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import compiled, decode
from gristmill.signals.kernels.markdown_inline import N_SCRATCH
from gristmill.signals.kernels.markdown_line import (
    EMPTY_QUOTE,
    HEADING,
    ITEM,
    QUOTE,
    ROW,
    class_of_line,
    closes_comment,
    fence,
    is_blank,
    mark,
    opens_comment,
    stripped,
)

LINES, HEADINGS, ITEMS, FENCED, TABLE_ROWS, QUOTES, LINKS, REMOVED, N_COUNTS = range(9)

LONGEST_LINE = 100_000  # characters; a longer line is left alone
_LINE_FEED = 10


@compiled
def _add(spans, n, row, start, end):  # type: ignore[no-untyped-def]
    """spans [n + 1, 3] with one more, or with the last one longer where they touch."""
    if n and spans[n - 1, 0] == row and spans[n - 1, 2] == start:
        spans[n - 1, 2] = end
        return spans, n
    if n == len(spans):
        more = np.empty((2 * n, 3), np.int64)
        more[:n] = spans
        spans = more
    spans[n, 0], spans[n, 1], spans[n, 2] = row, start, end
    return spans, n + 1


@compiled
def _add_line(spans, n, row, begin, at, kept, length):  # type: ignore[no-untyped-def]
    """The spans of one line of which the characters at[:kept] stay; `at` says nothing where all stay."""
    if kept == length:
        return spans, n
    before = 0
    for k in range(kept + 1):
        here = at[k] if k < kept else length
        if here > before:
            spans, n = _add(spans, n, row, begin + before, begin + here)
        before = here + 1
    return spans, n


@compiled
def _close_of_comment(data, i, stop):  # type: ignore[no-untyped-def]
    """The byte after the first `-->` that begins at i or later, and whether only white space follows it in its line; stop + 1 for none."""
    while i + 2 < stop and not (data[i] == 45 and data[i + 1] == 45 and data[i + 2] == 62):
        i += 1
    if i + 2 >= stop:
        return stop + 1, False
    j = i + 3
    while j < stop and is_blank(np.uint32(data[j])):
        j += 1
    return i + 3, j == stop or data[j] == _LINE_FEED


@compiled
def _longest_line(data, offsets):  # type: ignore[no-untyped-def]
    longest = 0
    for row in range(len(offsets) - 1):
        begin = offsets[row]
        for i in range(offsets[row], offsets[row + 1] + 1):
            if i == offsets[row + 1] or data[i] == _LINE_FEED:
                longest = max(longest, i - begin)
                begin = i + 1
    return longest


@compiled
def markdown_spans(data, offsets, classes):  # type: ignore[no-untyped-def]
    """int64 [texts, N_COUNTS], and int64 [spans, 3]: text, first character and character after of every span to remove.

    Spans are in order and neither overlap nor touch.
    """
    counts = np.zeros((len(offsets) - 1, N_COUNTS), np.int64)
    spans, n_spans = np.empty((256, 3), np.int64), np.int64(0)
    size = min(_longest_line(data, offsets), LONGEST_LINE) + 1
    source, line, other = np.empty(size, np.uint32), np.empty(size, np.uint32), np.empty(size, np.uint32)
    at, other_at, held_at, bare_at = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int64)
    code, drop = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
    scratch = np.empty((N_SCRATCH, max(size, 32)), np.int64)
    for row in range(len(offsets) - 1):
        out = counts[row]
        i, stop, char = offsets[row], offsets[row + 1], np.int64(0)
        sign, ticks, loose = 0, 0, False  # of the open fenced block; loose: nothing speaks against removing its fences
        fence_begin = fence_end = np.int64(0)  # its first line
        comment_end = np.int64(0)  # bytes before this one are in a comment of several lines
        in_removed = unclosed = False  # that comment goes; no comment is closed from here on
        gap = True  # before the line is nothing, a blank or removed line, or a fence: a heading may follow
        quoting = False  # the line before is quoted
        held = False  # a line that is a heading if a gap follows it, waiting for the next line
        held_begin = held_length = held_kept = bare_kept = np.int64(0)  # what stays of it as a heading is in held_at, else in bare_at
        while i < stop:
            n, j, syntax, blank = np.int64(0), i, False, True
            while j < stop and data[j] != _LINE_FEED:
                b = data[j]
                n += b & 0xC0 != 0x80
                blank = blank and is_blank(np.uint32(b))
                syntax = syntax or (b == 35 or b == 42 or b == 95 or b == 96 or b == 126 or b == 91 or b == 60 or b == 62 or b == 124)
                j += 1
            begin, end = char, char + n + (j < stop)
            out[LINES] += not blank
            kept, removed, fenced = n, False, False  # at[:kept] stays; the whole line goes; it is a fence
            may_head = quoted = False
            if i < comment_end:
                removed = in_removed
            elif n >= LONGEST_LINE:
                loose = False
            elif not blank:
                if syntax or sign != 0:
                    m, k = 0, i
                    while k < j:
                        source[m], k = decode(data, k)
                        m += 1
                    found, count, bare, alone = fence(source, n)
                else:  # only a list marker can be seen in its first characters
                    m, k = 0, i
                    while k < j and m < 32:
                        source[m], k = decode(data, k)
                        m += 1
                    found, count, bare, alone = 0, 0, False, False
                if sign != 0:
                    out[FENCED] += 1
                    if found == sign and count >= ticks and alone:
                        fenced, removed, sign = True, loose and bare, 0
                        if removed:  # in between nothing was removed, so no span lies behind this one
                            out[REMOVED] += fence_end - fence_begin
                            spans, n_spans = _add(spans, n_spans, row, fence_begin, fence_end)
                    elif loose:
                        loose = found == 0 and not opens_comment(source, n)
                        if loose and syntax:
                            loose = (
                                stripped(source, n, np.bool_(True), np.bool_(True), line, at, code, other, other_at, drop, scratch, classes)
                                == n
                            )
                elif found != 0:
                    out[FENCED] += 1
                    fenced, sign, ticks, loose, fence_begin, fence_end = True, found, count, bare, begin, end
                else:
                    kind = class_of_line(source, m)
                    out[HEADINGS] += kind == HEADING
                    out[ITEMS] += kind == ITEM
                    out[TABLE_ROWS] += kind == ROW
                    quoted = kind == QUOTE or (kind == EMPTY_QUOTE and quoting)
                    out[QUOTES] += quoted
                    if syntax and not unclosed and opens_comment(source, n) and not closes_comment(source, n):
                        comment_end, in_removed = _close_of_comment(data, j, stop)
                        unclosed = comment_end > stop
                        if unclosed:
                            comment_end = np.int64(0)
                        removed = in_removed
                    if syntax and comment_end <= i:
                        code[:n] = False
                        dropped, links = mark(source, code, n, np.bool_(True), np.bool_(gap), np.bool_(quoting), drop, scratch, classes)
                        out[LINKS] += links
                        if dropped:
                            kept = stripped(
                                source, n, np.bool_(gap), np.bool_(quoting), line, at, code, other, other_at, drop, scratch, classes
                            )
                            rest = True
                            for k in range(kept):
                                rest = rest and is_blank(line[k])
                            removed = rest and kept < n
                            may_head = gap and kept < n
            if held:
                held = False
                if blank or removed or fenced:
                    out[REMOVED] += held_length - held_kept
                    spans, n_spans = _add_line(spans, n_spans, row, held_begin, held_at, held_kept, held_length)
                else:
                    out[REMOVED] += held_length - bare_kept
                    spans, n_spans = _add_line(spans, n_spans, row, held_begin, bare_at, bare_kept, held_length)
            if may_head:
                held_kept, held_begin, held_length = kept, begin, n
                held_at[:kept] = at[:kept]
                bare_kept = stripped(source, n, np.bool_(False), np.bool_(quoting), line, at, code, other, other_at, drop, scratch, classes)
                bare_at[:bare_kept] = at[:bare_kept]
                held = bare_kept != kept or not np.array_equal(held_at[:kept], bare_at[:kept])
                if held and removed:  # nothing but syntax: a heading of nothing is none
                    held, removed, kept = False, False, bare_kept
            if removed:
                out[REMOVED] += end - begin
                spans, n_spans = _add(spans, n_spans, row, begin, end)
            elif kept < n and not held:
                out[REMOVED] += n - kept
                spans, n_spans = _add_line(spans, n_spans, row, begin, at, kept, n)
            gap = blank or removed or fenced
            if not removed:
                quoting = quoted
            i, char = min(j + 1, stop), end
        if held:
            out[REMOVED] += held_length - held_kept
            spans, n_spans = _add_line(spans, n_spans, row, held_begin, held_at, held_kept, held_length)
    return counts, spans[:n_spans].copy()
