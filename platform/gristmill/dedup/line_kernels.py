"""Compiled loops of the line level: the keys of all lines of many texts, and what goes with a line that is cut.

Importing this compiles nothing yet but imports Numba: `dedup.lines` does so when it is first called.
"""

from __future__ import annotations

import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

from gristmill.dedup.letter_kernels import digits, letters
from gristmill.signals.kernels.base import MIX, ODD, compiled, decode, lent
from gristmill.signals.kernels.eights import TOPS, eight_bytes
from gristmill.signals.segment import KNOWN

DROPPED, SPACE, LINE_END, BETWEEN = np.uint32(0), np.uint32(1), np.uint32(2), np.uint32(3)
"""In place of the code point that one is read as: nothing, white space, the end of a line, what else stands between words."""
LETTER, ALONE = np.uint32(1 << 24), np.uint32(1 << 25)  # flags beside it: a letter; one that is a word by itself

_POINT = np.uint32(0x1FFFFF)
_SEED = np.uint64(0xCBF29CE484222325)
_NONE, _ONE, _EIGHT, _NIBBLE = np.uint64(0), np.uint64(1), np.uint64(8), np.uint64(15)
_BLANKS = np.uint64(0x2020202020202020)


@lent
def _mixed(key, value):  # type: ignore[no-untyped-def]
    key = (key ^ value) * ODD
    return key ^ key >> np.uint64(29)


@lent
def _finished(key):  # type: ignore[no-untyped-def]
    key = (key ^ key >> np.uint64(32)) * MIX
    key ^= key >> np.uint64(29)
    return key if key else np.uint64(1)


@compiled
def line_table(data, offsets, read):  # type: ignore[no-untyped-def]
    """rows (which text), starts, ends, nexts (characters of the text: first, after the last, after the line end), keys, words (between
    white space, with a letter) and blank, of every line.

    `read` gives what each code point below KNOWN is read as, with its flags. A key hashes a line's words as UTF-8, eight
    bytes at a time; the last piece of a word has fewer, so that words stay apart. It is 0 where there is no word.
    """
    most = offsets[-1] - offsets[0] + 1  # every character a line end; what is not written to costs no memory
    rows, starts, ends, nexts = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    keys, words, blank = np.empty(most, np.uint64), np.empty(most, np.int32), np.empty(most, np.bool_)
    n = 0
    for row in range(len(offsets) - 1):
        i, stop = offsets[row], offsets[row + 1]
        before = i  # bytes that are not a character of this text
        while i < stop:
            rows[n], starts[n] = row, i - before
            key, held, few = _SEED, _NONE, _NONE  # `held`: the last bytes of the present word, 8 x `few` bits
            count, fresh = 0, True  # `fresh`: no letter since the last white space
            inside, inked, ended = False, False, False
            while i < stop:
                if few == 0 and i + 8 <= stop:
                    eight = eight_bytes(data, i)
                    if eight & TOPS == 0:  # eight characters of ASCII, at the start of a piece
                        alphabetic = letters(eight)
                        numeric = digits(eight)
                        eight = (eight | alphabetic >> np.uint64(2)) & ~((numeric >> np.uint64(7)) * _NIBBLE)
                        others = ~(alphabetic | numeric) & TOPS
                        if others == 0:
                            key = _mixed(key, eight)
                            inside = True
                            count += fresh & (alphabetic != 0)
                            fresh &= alphabetic == 0
                            i += 8
                            continue
                        end = others & (~others + _ONE)  # flags the byte behind the word
                        control = (eight - _BLANKS) & ~eight  # below a blank; exact up to the first flag
                        stops = (~others | control) & TOPS & (~end + _ONE)  # the next letter, digit or control character
                        reach = np.int64(trailing_zeros(stops)) >> 3  # type: ignore[call-arg]  # 8 where there is none
                        bits = (end >> np.uint64(7)) - _ONE
                        mute = (alphabetic & bits) == 0  # no letter in the word
                        count += fresh & (not mute)
                        key = _mixed(key, eight & bits) if inside | (bits != 0) else key
                        inside = False
                        between = ((stops & (~stops + _ONE)) - _ONE) & ~bits & TOPS
                        ink = (eight ^ _BLANKS) + ~TOPS  # flags what is no blank
                        inked |= (between & ink) != 0
                        fresh = fresh & mute | ((between & ~ink) != 0)
                        i += reach
                        if stops and data[i] < 0x20:
                            fresh = True
                            i += 1
                            if read[data[i - 1]] == LINE_END:
                                ended = True
                                break
                        continue
                at = i
                point, i = decode(data, i)
                before += i - at - 1
                code = read[point] if point < KNOWN else point | LETTER | ALONE if point < 0x40000 else DROPPED
                point = code & _POINT
                inked |= code != SPACE and code != LINE_END
                if point > BETWEEN:
                    if code & ALONE and (inside or few):
                        key, held, few, inside = _mixed(key, held), _NONE, _NONE, False
                    count += fresh and code & LETTER != 0
                    fresh = code & ALONE != 0 or (fresh and code & LETTER == 0)
                    for byte in _utf8(point):
                        if byte:
                            held |= np.uint64(byte) << few * _EIGHT
                            few += np.uint64(1)
                            if few == _EIGHT:
                                key, held, few, inside = _mixed(key, held), _NONE, _NONE, True
                    if code & ALONE:
                        key, held, few, inside = _mixed(key, held), _NONE, _NONE, False
                elif code != DROPPED:
                    if inside or few:
                        key, held, few, inside = _mixed(key, held), _NONE, _NONE, False
                    fresh |= code != BETWEEN
                    if code == LINE_END:
                        ended = True
                        break
            if inside or few:
                key = _mixed(key, held)
            ends[n] = i - before - ended
            if ended and data[i - 1] == 0x0D and i < stop and data[i] == 0x0A:
                i += 1
            nexts[n], words[n], blank[n] = i - before, count, not inked and key == _SEED
            keys[n] = _NONE if key == _SEED else _finished(key)
            n += 1
    return rows[:n], starts[:n], ends[:n], nexts[:n], keys[:n], words[:n], blank[:n]


@lent
def _utf8(point):  # type: ignore[no-untyped-def]
    """A code point's bytes as UTF-8, with zeros before them."""
    tail = np.uint32(0x80) | point & np.uint32(0x3F)
    if point < 0x80:
        return np.uint32(0), np.uint32(0), np.uint32(0), point
    if point < 0x800:
        return np.uint32(0), np.uint32(0), np.uint32(0xC0) | point >> np.uint32(6), tail
    middle = np.uint32(0x80) | point >> np.uint32(6) & np.uint32(0x3F)
    if point < 0x10000:
        return np.uint32(0), np.uint32(0xE0) | point >> np.uint32(12), middle, tail
    return np.uint32(0xF0) | point >> np.uint32(18), np.uint32(0x80) | point >> np.uint32(12) & np.uint32(0x3F), middle, tail


@compiled
def paragraph_table(rows, keys, words, blank, least):  # type: ignore[no-untyped-def]
    """rows, first and last line and key of every run of lines without a blank one that has two or more lines with a key,
    and `least` words in them."""
    most = len(rows) // 2 + 1
    of, first, last, whole = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.uint64)
    n, i = 0, 0
    while i < len(rows):
        begin, keyed, spelled, key = i, 0, 0, _SEED
        while i < len(rows) and rows[i] == rows[begin] and not blank[i]:
            if keys[i]:
                key = _mixed(key, keys[i])
                keyed += 1
                spelled += words[i]
            i += 1
        if keyed > 1 and spelled >= least:
            of[n], first[n], last[n], whole[n] = rows[begin], begin, i - 1, _finished(key)
            n += 1
        if i == begin:
            i += 1
    return of[:n], first[:n], last[:n], whole[:n]


@compiled
def first_of_text(rows, keys):  # type: ignore[no-untyped-def]
    """Whether no earlier entry of the same row has the same key; `rows` ascend."""
    most, run = 1, 0
    for i in range(len(rows)):
        run = run + 1 if i and rows[i] == rows[i - 1] else 1
        most = max(most, run)
    slots = 2
    while slots < 2 * most:
        slots *= 2
    last = np.uint64(slots - 1)
    held, owner = np.empty(slots, np.uint64), np.full(slots, -1, np.int64)
    new = np.empty(len(rows), np.bool_)
    for i in range(len(rows)):
        slot = keys[i] & last
        while owner[slot] == rows[i] and held[slot] != keys[i]:
            slot = (slot + np.uint64(1)) & last
        new[i] = owner[slot] != rows[i]
        held[slot], owner[slot] = keys[i], rows[i]
    return new


@compiled
def cut_spans(rows, starts, ends, nexts, blank, cut):  # type: ignore[no-untyped-def]
    """begins, stops of what goes with each line that is cut (others: the line itself); see `dedup.lines` for the rule."""
    begins, stops = starts.copy(), nexts.copy()
    a = 0
    while a < len(rows):
        b = a
        while b < len(rows) and rows[b] == rows[a]:
            b += 1
        kept, first = -1, -1  # the last line that stays and has ink, and the first one cut after it
        alone = True
        for i in range(a, b):
            if cut[i]:
                first = i if first < 0 else first
                if alone:
                    stops[i] = _after_blanks(nexts, blank, i, b)
            elif blank[i]:
                alone = True
            else:
                kept, first, alone = i, -1, False
        if first >= 0:  # nothing stays after it
            begins[first] = ends[kept] if kept >= 0 else 0
            for i in range(first, b):
                if cut[i]:
                    stops[i] = _after_blanks(nexts, blank, i, b)
        a = b
    return begins, stops


@lent
def _after_blanks(nexts, blank, i, stop):  # type: ignore[no-untyped-def]
    while i + 1 < stop and blank[i + 1]:
        i += 1
    return nexts[i]
