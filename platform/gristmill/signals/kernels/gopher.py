"""Gopher's quality counts: one pass over the UTF-8 bytes of a whole column."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import class_of, compiled, decode, lent
from gristmill.signals.kernels.eights import EACH, TOPS, breaks, digits, eight_bytes, letters, until
from gristmill.signals.segment import DIGIT, FORMAT, LETTER, LINE_END, MARK, OTHER, SPACE, UNSPACED

WORDS, CHARS, HASHES, ELLIPSES, LINES, BULLET_LINES, ELLIPSIS_LINES, ALPHABETIC_WORDS, STOP_WORDS, N_COUNTS = range(10)

_STOP_WORDS = tuple(int.from_bytes(word, "big") for word in (b"the", b"be", b"to", b"of", b"and", b"that", b"have", b"with"))
_STOP_BYTES = tuple(int.from_bytes(word, "little") for word in (b"the", b"be", b"to", b"of", b"and", b"that", b"have", b"with"))
_SPOILT = 1 << 40  # a core that can be no stop word

_ONE, _FOUR, _SEVEN, _TOP, _BYTE = (np.uint64(number) for number in (1, 4, 7, 56, 0xFF))
_SMALL, _STOPS, _HASHES = np.uint64(0x2020202020202020), np.uint64(0x2E2E2E2E2E2E2E2E), np.uint64(0x2323232323232323)
_LONGEST_CORE = np.uint64(0xFFFFFFFF)


@lent
def _holds(word, eight_times):  # type: ignore[no-untyped-def]
    """Whether one of eight bytes is the byte that is given eight times."""
    word ^= eight_times
    return (word - EACH) & ~word & TOPS != 0


@lent
def _stop_word(word, of_letters):  # type: ignore[no-untyped-def]
    """The bit of the stop word that the letters among eight ASCII characters spell, if they stand together and no digit among them."""
    before = until(of_letters)[0]
    shift = np.uint64(8 * before)
    core, run = (word | _SMALL) >> shift, (of_letters >> shift >> np.uint64(7)) * _BYTE
    if run > _LONGEST_CORE or run & (run + _ONE):
        return 0
    core &= run
    bits = np.int64(0)
    for bit in range(8):
        bits |= np.int64(core == np.uint64(_STOP_BYTES[bit])) << bit
    return bits


@compiled
def gopher_counts(data, offsets, classes):  # type: ignore[no-untyped-def]
    """int64 [texts, N_COUNTS]; the column STOP_WORDS holds how many distinct stop words occur."""
    counts = np.zeros((len(offsets) - 1, N_COUNTS), np.int64)
    last_eight = len(data) - 8
    for row in range(len(offsets) - 1):
        words = chars = hashes = ellipses = lines = bullets = trailing = alphabetic = stops = 0
        in_word = wordy = alpha = False  # wordy: the open word holds a letter or digit; alpha: a letter
        unspaced = False  # the open word's last letter is of a script without spaces
        core, closed = 0, False  # stop word candidate: its ASCII letters; closed by punctuation after them
        line_open, ends_in_ellipsis, dots = False, False, 0
        i, stop = offsets[row], offsets[row + 1]
        while True:
            if not in_word and i < stop and i <= last_eight:  # a word of printed ASCII characters
                b = data[i]
                if b <= 0x20 or b == 0x7F:
                    dots = 0
                    if classes[b] & LINE_END:
                        lines += line_open
                        trailing += line_open and ends_in_ellipsis
                        line_open = False
                    i += 1
                    continue
                word = eight_bytes(data, i)
                after = breaks(word)
                end, of_letters, marked, plain = i, np.uint64(0), False, True
                while not after and end + 8 <= last_eight and end < stop:
                    found = letters(word)
                    of_letters |= found
                    marked = marked or _holds(word, _STOPS) or _holds(word, _HASHES)
                    plain = plain and ((found >> _SEVEN) * EACH >> _TOP > _FOUR or digits(word) != 0)  # no stop word
                    end += 8
                    word = eight_bytes(data, end)
                    after = breaks(word)
                length, bits = until(after) if after else (0, np.uint64(0))
                long = end > i
                end += length
                if after and plain and end > i and end < stop and (data[end] <= 0x20 or data[end] == 0x7F):
                    word &= bits
                    found = letters(word)
                    if not long and found and not digits(word):
                        stops |= _stop_word(word, found)
                    words += 1
                    chars += end - i
                    alphabetic += (of_letters | found) != 0
                    if not line_open:
                        line_open = True
                        bullets += b == 0x2D or b == 0x2A
                    ends_in_ellipsis, dots = False, 0
                    if marked or _holds(word, _STOPS) or _holds(word, _HASHES):
                        for p in range(i, end):
                            hashes += data[p] == 0x23
                            dots = dots + 1 if data[p] == 0x2E else 0
                            ellipses += dots > 0 and dots % 3 == 0
                        ends_in_ellipsis, dots = dots >= 3, 0
                    i = end
                    continue
            if i < stop:
                point, i = decode(data, i)
                flags = class_of(classes, point)
                at_end = False
            else:
                point, flags, at_end = np.uint32(10), np.uint8(SPACE | LINE_END), True
            kind = flags & 15
            if kind == FORMAT:
                continue
            new_unit = kind == LETTER and flags & UNSPACED != 0
            parts = in_word and wordy and (new_unit or (unspaced and kind in (LETTER, DIGIT)))
            if in_word and (kind == SPACE or parts):
                alphabetic += alpha
                for bit in range(8):
                    if core == _STOP_WORDS[bit]:
                        stops |= 1 << bit
                in_word = False
            if kind == SPACE:
                dots = 0
                if flags & LINE_END:
                    lines += line_open
                    trailing += line_open and ends_in_ellipsis
                    line_open = False
                if at_end:
                    break
                continue
            if not in_word:
                in_word, wordy, alpha, unspaced, core, closed = True, False, False, False, 0, False
                words += 1
            if not line_open:
                line_open = True
                bullets += (
                    point == 0x2D or point == 0x2A or point == 0x2022 or point == 0x2023 or point == 0x2043
                    or point == 0x25E6 or point == 0x25AA or point == 0x25CF
                )  # fmt: skip
            chars += kind != MARK
            if point == 0x2E:
                dots += 1
                if dots % 3 == 0:
                    ellipses += 1
                ends_in_ellipsis = dots >= 3
            else:
                dots = 0
                ends_in_ellipsis = point == 0x2026
                ellipses += point == 0x2026
                hashes += point == 0x23
            if kind in (LETTER, DIGIT):
                wordy = True
                unspaced = new_unit
                alpha = alpha or kind == LETTER
                letter_of_core = kind == LETTER and point < 128 and not closed and core < 1 << 24
                core = core << 8 | int(point | np.uint32(0x20)) if letter_of_core else _SPOILT
            elif kind == MARK:
                core = _SPOILT
            elif kind == OTHER and core:
                closed = True
        n_stops = 0
        for bit in range(8):
            n_stops += stops >> bit & 1
        out = counts[row]
        out[WORDS], out[CHARS], out[HASHES], out[ELLIPSES], out[LINES] = words, chars, hashes, ellipses, lines
        out[BULLET_LINES], out[ELLIPSIS_LINES], out[ALPHABETIC_WORDS], out[STOP_WORDS] = bullets, trailing, alphabetic, n_stops
    return counts
