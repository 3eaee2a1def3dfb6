"""Gopher's quality counts: one pass over the UTF-8 bytes of a whole column."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import class_of, compiled, decode, lent
from gristmill.signals.kernels.sixtyfours import WIDTH, among, beginnings, below, first_of, last_of, ones
from gristmill.signals.segment import DIGIT, FORMAT, LETTER, LINE_END, MARK, OTHER, SPACE, UNSPACED

WORDS, CHARS, HASHES, ELLIPSES, LINES, BULLET_LINES, ELLIPSIS_LINES, ALPHABETIC_WORDS, STOP_WORDS, N_COUNTS = range(10)

_WORDS = (b"the", b"be", b"to", b"of", b"and", b"that", b"have", b"with")
_STOP_WORDS = tuple(int.from_bytes(word, "big") for word in _WORDS)
_ALL_STOPS = (1 << len(_WORDS)) - 1
_SPOILT = 1 << 40  # a core that can be no stop word
_LONGEST_CORE = 4
_AHEAD = 8  # bytes that `_stop_begins` may read past the sixty-four

_ONE, _TWO = np.uint64(1), np.uint64(2)

_stop_begins = beginnings(_WORDS)


@lent
def _stop_words(data, i, solid, letters):  # type: ignore[no-untyped-def]
    """Bits of the stop words among the words of data[i : i + 64], which are the runs of `solid`.

    A word is one if its letters stand together, spell it and have no digit beside them.
    """
    stops = np.int64(0)
    may = _stop_begins(data, i) & letters & ~(letters << _ONE)
    spoils = among(data, i, 0x30, 0x39)
    while may:
        first = first_of(may)
        before = below(first)
        word = below(first_of(~(solid | before))) & ~below(last_of(before & ~solid) + 1)
        core = letters & word
        length = ones(core)
        if length <= _LONGEST_CORE and core & before == 0 and (core >> np.uint64(first)) == below(length) and not spoils & word:
            spelt = np.int64(0)
            for q in range(first, first + length):
                spelt = spelt << 8 | np.int64(data[i + q] | 0x20)
            for bit in range(len(_STOP_WORDS)):
                stops |= np.int64(spelt == _STOP_WORDS[bit]) << bit
        may &= may - _ONE
    return stops


@compiled
def gopher_counts(data, offsets, classes):  # type: ignore[no-untyped-def]
    """int64 [texts, N_COUNTS]; the column STOP_WORDS holds how many distinct stop words occur."""
    counts = np.zeros((len(offsets) - 1, N_COUNTS), np.int64)
    last_block = len(data) - WIDTH - _AHEAD
    for row in range(len(offsets) - 1):
        words = chars = hashes = ellipses = lines = bullets = trailing = alphabetic = stops = 0
        in_word = wordy = alpha = False  # wordy: the open word holds a letter or digit; alpha: a letter
        unspaced = False  # the open word's last letter is of a script without spaces
        core, closed = 0, False  # stop word candidate: its ASCII letters; closed by punctuation after them
        line_open, ends_in_ellipsis, dots = False, False, 0
        i, stop = offsets[row], offsets[row + 1]
        while True:
            if not in_word and i <= last_block and i < stop:  # whole words of printed ASCII characters, blanks and newlines
                breaks = among(data, i, 0x0A, 0x0A)
                space = breaks | among(data, i, 0x20, 0x20)
                solid = among(data, i, 0x21, 0x7E)
                wide = min(first_of(~(space | solid)), stop - i)
                if wide < stop - i:  # the last word may go on
                    wide = last_of(space & below(wide)) + 1
                if wide:
                    here = below(wide)
                    solid &= here
                    breaks &= here
                    words += ones(solid & ~(solid << _ONE))
                    chars += ones(solid)
                    letters = (among(data, i, 0x41, 0x5A) | among(data, i, 0x61, 0x7A)) & here
                    spilt = solid + letters  # runs over the end of each word with a letter
                    alphabetic += ones(spilt & ~solid) + (spilt < solid)
                    hashes += ones(among(data, i, 0x23, 0x23) & here)
                    if stops != _ALL_STOPS:
                        stops |= _stop_words(data, i, solid, letters)
                    full = among(data, i, 0x2E, 0x2E) & here
                    thirds = full & full << _ONE & full << _TWO  # full stops behind two others
                    if thirds:
                        for j in range(wide):
                            dots = dots + 1 if data[i + j] == 0x2E else 0
                            ellipses += dots > 0 and dots % 3 == 0
                    begun = 0
                    while True:
                        end = first_of(breaks) if breaks else wide
                        line = solid & below(end) & ~below(begun)
                        if line:
                            if not line_open:
                                line_open = True
                                b = data[i + first_of(line)]
                                bullets += b == 0x2D or b == 0x2A
                            ends_in_ellipsis = thirds >> np.uint64(last_of(line)) & _ONE != 0
                        if not breaks:
                            break
                        lines += line_open
                        trailing += line_open and ends_in_ellipsis
                        line_open = False
                        breaks &= breaks - _ONE
                        begun = end + 1
                    dots = 0
                    i += wide
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
