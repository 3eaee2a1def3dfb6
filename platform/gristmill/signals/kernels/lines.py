"""Lines of every text and what the rules about lines ask of them, in one pass over the UTF-8 bytes."""

from __future__ import annotations

import numpy as np

from gristmill.signals.characters import DECIMAL, LINE_END, NUMERIC, SPACE, UPPER, WORD
from gristmill.signals.kernels.base import compiled, decode, lent
from gristmill.signals.kernels.sixtyfours import WIDTH, among, beginnings, below, first_of, last_of, longer_run, most_line_ends, ones
from gristmill.signals.line_phrases import IN_WORDS, LONGEST_PREFIX, OF_WORDS
from gristmill.signals.segment import KNOWN

_EDIT = np.frombuffer(b"edit]", np.uint8)
_NEEDED = np.frombuffer(b"citation needed]", np.uint8)
_KELVIN = 0x212A  # its lower case is an ASCII k
_ONE = np.uint64(1)
_AHEAD = 8  # bytes that `_phrase_begins` may read past the sixty-four

_phrase_begins, _word_begins = beginnings(IN_WORDS), beginnings(OF_WORDS)


@lent
def flags_of(flags, point):  # type: ignore[no-untyped-def]
    """Flags of a code point; beyond KNOWN there are ideographs, which are words, and tags."""
    if point < KNOWN:
        return flags[point]
    return np.uint8(WORD) if point < 0x40000 else np.uint8(0)


@lent
def citation_end(data, at, stop, flags):  # type: ignore[no-untyped-def]
    """The byte after the citation mark that begins with the bracket at `at`; `at` if there is none. C4's marks: `[1]`,
    `[]`, `[edit]`, `[citation needed]`."""
    i = at + 1
    if i >= stop:
        return at
    for word in (_EDIT, _NEEDED):
        if data[i] == word[0]:
            if i + len(word) > stop:
                return at
            for j in range(len(word)):
                if data[i + j] != word[j]:
                    return at
            return i + len(word)
    while i < stop:
        point, after = decode(data, i)
        if point == 0x5D:
            return after
        if not flags_of(flags, point) & DECIMAL:
            return at
        i = after
    return at


@lent
def _with_blanks(tail, n):  # type: ignore[no-untyped-def]
    """The last three characters, a byte each, after n blanks more."""
    bits = np.uint32(8 * min(n, 3))
    return (tail << bits | np.uint32(0x202020) >> (np.uint32(24) - bits)) & np.uint32(0xFFFFFF)


@compiled
def line_table(data, offsets, flags, step, found):  # type: ignore[no-untyped-def]
    """Of every line, as `str.splitlines` cuts them: text (int64 [lines]); start, end and the character after its line
    end (characters, int64 [3, lines]); first byte and byte after without white space around (int64 [lines, 2]); the
    last three characters without citation marks and white space after (one byte each, 255 above ASCII); words, longest
    word, characters that are no white space, upper-case ones, numeric ones (int32 [5, lines]); phrases (bits)."""
    most = most_line_ends(data, offsets[0], offsets[-1]) + len(offsets) - 1
    rows, ends = np.empty(most, np.int64), np.empty((3, most), np.int64)
    spans, tails = np.empty((most, 2), np.int64), np.empty(most, np.uint32)
    counts, phrases = np.empty((5, most), np.int32), np.empty(most, np.uint8)
    last_block = len(data) - WIDTH - _AHEAD
    n = 0
    for row in range(len(offsets) - 1):
        i, stop = offsets[row], offsets[row + 1]
        char = 0
        while i < stop:
            start, first, last = char, i, i
            words = longest = length = solid = upper = numeric = 0
            tail = solid_tail = np.uint32(0)
            state, seen = np.int64(0), np.uint8(0)
            end = -1
            while i < stop:
                if i <= last_block:  # printed ASCII characters and blanks, up to the line's end, a bracket or anything else
                    blanks, brackets = among(data, i, 0x20, 0x20), among(data, i, 0x5B, 0x5B)
                    others = ~among(data, i, 0x20, 0x7E) | brackets
                    wide = min(first_of(others), stop - i)
                    here = below(wide)
                    filled = here & ~blanks
                    char += wide
                    if filled:
                        p, q = last_of(filled), 0
                        if solid == 0:
                            q = first_of(filled)
                            first = i + q
                        solid += ones(filled)
                        words += ones(filled & ~(filled << _ONE)) - (length > 0 and filled & _ONE != 0)
                        upper += ones(among(data, i, 0x41, 0x5A) & here)
                        numeric += ones(among(data, i, 0x30, 0x39) & here)
                        run = first_of(~filled)
                        longest = longer_run(filled, max(longest, length + run))
                        length = length + wide if run == wide else wide - 1 - last_of(blanks & here)
                        last = i + p + 1
                        if p < 2:
                            for j in range(q, p + 1):
                                tail = tail << np.uint32(8) | np.uint32(data[i + j])
                        else:
                            tail = (
                                np.uint32(data[i + p - 2]) << np.uint32(16)
                                | np.uint32(data[i + p - 1]) << np.uint32(8)
                                | np.uint32(data[i + p])
                            )
                        solid_tail = tail
                        tail = _with_blanks(tail, wide - p - 1)
                    elif wide:
                        longest, length = max(longest, length), 0
                        tail = _with_blanks(tail, wide)
                    if solid and wide:
                        within = (among(data, i, 0x41, 0x5A) | among(data, i, 0x61, 0x7A)) << _ONE  # behind a letter
                        begins = (_phrase_begins(data, i) | _word_begins(data, i) & ~within) & here
                        if wide < WIDTH and i + wide < stop and data[i + wide] != 0x0A:  # what stands there may be passed over, or be a k
                            begins |= here & ~below(max(wide - (LONGEST_PREFIX - 1), 0))
                        q = 0 if state else first_of(begins)
                        while q < wide:
                            state = np.int64(step[state + data[i + q]])
                            seen |= found[state >> 7]
                            q += 1
                            if state == 0:
                                q = max(q, first_of(begins & ~below(q)))
                    i += wide
                    if i == stop or wide == WIDTH:
                        continue
                at = i
                b = data[i]
                if b < 0x80:
                    point, i = np.uint32(b), i + 1
                    kind = flags[b]
                else:
                    point, i = decode(data, i)
                    kind = flags_of(flags, point)
                if kind & SPACE:
                    longest = max(longest, length)
                    length = 0
                    if kind & LINE_END:
                        end = char
                        char += 1
                        if b == 13 and i < stop and data[i] == 10:
                            i += 1
                            char += 1
                        break
                    char += 1
                    if solid == 0:
                        continue
                else:
                    if b == 0x5B:
                        after = citation_end(data, at, stop, flags)
                        if after > at:  # of the line's words and characters, not of what is read
                            if solid == 0:
                                first = at
                            while True:
                                solid += kind & SPACE == 0
                                char += 1
                                words += length == 0 and kind & SPACE == 0
                                length = 0 if kind & SPACE else length + 1
                                longest = max(longest, length)
                                numeric += kind & NUMERIC != 0
                                if i == after:
                                    break
                                point, i = decode(data, i)
                                kind = flags_of(flags, point)
                            last, solid_tail = i, tail
                            continue
                    if solid == 0:
                        first = at
                    char += 1
                    solid += 1
                    last = i
                    words += length == 0
                    length += 1
                    upper += kind & UPPER != 0
                    numeric += kind & NUMERIC != 0
                if b < 0x80:
                    state = np.int64(step[state + b])
                    seen |= found[state >> 7]
                    tail = tail << np.uint32(8) | np.uint32(b)
                else:
                    state = np.int64(step[state + 0x6B]) if point == _KELVIN else np.int64(0)
                    seen |= found[state >> 7]
                    tail = tail << np.uint32(8) | np.uint32(255)
                if not kind & SPACE:
                    solid_tail = tail
            longest = max(longest, length)
            if solid == 0:
                last = first
            rows[n], tails[n], phrases[n] = row, solid_tail & np.uint32(0xFFFFFF), seen
            ends[0, n], ends[1, n], ends[2, n] = start, (end if end >= 0 else char), char
            spans[n, 0], spans[n, 1] = first, last
            counts[0, n], counts[1, n], counts[2, n], counts[3, n], counts[4, n] = words, longest, solid, upper, numeric
            n += 1
    return rows[:n], ends[:, :n], spans[:n], tails[:n], counts[:, :n], phrases[:n]
