"""The words of normalised text as 64-bit keys: see `dedup.words` for what a word is.

A key is that of the lower-cased word's UTF-8 bytes, eight at a time as little-endian numbers, the last filled with zeros:
from 0 on, key = (key ^ eight) * MIX, then key ^= key >> 32, modulo 2^64. No two words of up to eight bytes share one.
"""

from __future__ import annotations

import numpy as np

from gristmill.dedup.letter_kernels import digits, letters, until
from gristmill.dedup.words import BREAK, CHANGED, CLASS_SHIFT, FORMAT, IDEOGRAPH, MARK, POINT_BITS
from gristmill.signals.kernels.base import MIX, compiled, decode, lent
from gristmill.signals.kernels.eights import TOPS, eight_bytes
from gristmill.signals.segment import KNOWN

_HALF, _EIGHT = np.uint64(32), np.uint64(8)
_UNDERSCORES, _SEVENS = np.uint64(0x5F5F5F5F5F5F5F5F), np.uint64(0x7F7F7F7F7F7F7F7F)
_FROM_CAPITAL_A, _PAST_CAPITAL_Z = np.uint64(0x3F3F3F3F3F3F3F3F), np.uint64(0x2525252525252525)
_COMPATIBILITY_IDEOGRAPHS = 0x2F800, 0x2FA20  # NFKC changes them all
_POINT = np.uint32((1 << POINT_BITS) - 1)
_BEYOND_IDEOGRAPH = np.uint32(IDEOGRAPH << POINT_BITS)
_BEYOND_FORMAT = np.uint32(FORMAT << POINT_BITS)


@lent
def entry_of(table, point):  # type: ignore[no-untyped-def]
    """Table entry of a code point; past the table the lower-cased code point is left out (it is the code point)."""
    if point < KNOWN:
        return table[point]
    return _BEYOND_IDEOGRAPH if point < 0x40000 else _BEYOND_FORMAT


@compiled
def abnormal(data, offsets, table):  # type: ignore[no-untyped-def]
    """Which texts NFKC may change to an effect (bool)."""
    out = np.zeros(len(offsets) - 1, np.bool_)
    for row in range(len(offsets) - 1):
        i, stop, last = offsets[row], offsets[row + 1], np.uint32(0)
        while i < stop:
            if i + 8 <= stop and eight_bytes(data, i) & TOPS == 0:
                i += 8
                last = np.uint32(0)
                continue
            point, i = decode(data, i)
            if point < 0x80:
                last = np.uint32(0)
                continue
            entry = entry_of(table, point)
            combining = entry >> np.uint32(CLASS_SHIFT)
            changed = entry & np.uint32(CHANGED) != 0 or np.uint32(0) < combining < last
            if changed or _COMPATIBILITY_IDEOGRAPHS[0] <= point < _COMPATIBILITY_IDEOGRAPHS[1]:
                out[row] = True
                break
            last = combining
    return out


@lent
def word_keys(data, start, stop, table, keys):  # type: ignore[no-untyped-def]
    """Writes the key of every word of data[start:stop], normal text; how many there are. `keys` has room for a word a byte."""
    n, i, last_eight = 0, start, len(data) - 8
    while i < stop:
        begin, key, ascii_word = i, np.uint64(0), False
        while i <= last_eight:
            eight = eight_bytes(data, i)
            underscores = ~(((eight ^ _UNDERSCORES) & _SEVENS) + _SEVENS)
            ends = (~(letters(eight) | digits(eight) | underscores) | eight) & TOPS
            lowered = eight | ((eight + _FROM_CAPITAL_A) & ~(eight + _PAST_CAPITAL_Z) & TOPS) >> np.uint64(2)
            if ends == 0:
                if i + 8 > stop:
                    break
                key = (key ^ lowered) * MIX
                key ^= key >> _HALF
                i += 8
                continue
            size, bits = until(ends)
            if i + size > stop or (i + size < stop and data[i + size] >= 0x80):
                break
            if size > 0:
                key = (key ^ lowered & bits) * MIX
                key ^= key >> _HALF
            i += size
            ascii_word = True
            break
        if ascii_word:
            if i > begin:
                keys[n] = key
                n += 1
            i += 1  # what ended the word, or no word began with
            continue
        n, i = _any_word(data, begin, stop, table, keys, n)
    return n


@lent
def _any_word(data, i, stop, table, keys, n):  # type: ignore[no-untyped-def]
    """As `word_keys`, code point by code point, up to the end of a run of words; their number and the byte behind."""
    key, pending, filled = np.uint64(0), np.uint64(0), np.uint64(0)
    opened = ideograph = False
    while i < stop:
        point, i = decode(data, i)
        entry = entry_of(table, point)
        kind = (entry >> np.uint32(POINT_BITS)) & np.uint32(7)
        if kind == FORMAT:
            continue
        if opened and (kind in (BREAK, IDEOGRAPH) or (ideograph and kind != MARK)):
            keys[n] = _finished(key, pending, filled)
            n += 1
            opened = False
            key, pending, filled = np.uint64(0), np.uint64(0), np.uint64(0)
        if kind == BREAK:
            break
        if not opened:
            opened, ideograph = True, kind == IDEOGRAPH
        encoded, size = _encoded(np.uint64(entry & _POINT) if point < KNOWN else np.uint64(point))
        pending |= encoded << (filled * _EIGHT)
        filled += size
        if filled >= _EIGHT:
            key = _finished(key, pending, _EIGHT)
            filled -= _EIGHT
            pending = encoded >> ((size - filled) * _EIGHT) if filled else np.uint64(0)
    if opened:
        keys[n] = _finished(key, pending, filled)
        n += 1
    return n, i


@lent
def _finished(key, pending, filled):  # type: ignore[no-untyped-def]
    """The key with the bytes that wait, if any, taken in."""
    if filled:
        key = (key ^ pending) * MIX
        key ^= key >> _HALF
    return key


@lent
def _encoded(point):  # type: ignore[no-untyped-def]
    """The UTF-8 bytes of a code point as a little-endian number, and how many they are."""
    if point < 0x80:
        return point, np.uint64(1)
    last = np.uint64(0x80) | point & np.uint64(0x3F)
    if point < 0x800:
        return np.uint64(0xC0) | point >> np.uint64(6) | last << _EIGHT, np.uint64(2)
    third = np.uint64(0x80) | point >> np.uint64(6) & np.uint64(0x3F)
    if point < 0x10000:
        return np.uint64(0xE0) | point >> np.uint64(12) | third << _EIGHT | last << np.uint64(16), np.uint64(3)
    second = np.uint64(0x80) | point >> np.uint64(12) & np.uint64(0x3F)
    return np.uint64(0xF0) | point >> np.uint64(18) | second << _EIGHT | third << np.uint64(16) | last << np.uint64(24), np.uint64(4)


@compiled
def all_word_keys(data, offsets, table):  # type: ignore[no-untyped-def]
    """Keys of the words of every text behind each other, and bounds (int64 [texts + 1])."""
    keys = np.empty(offsets[-1] - offsets[0] + 1, np.uint64)  # what is not written to costs no memory
    bounds = np.zeros(len(offsets), np.int64)
    n = 0
    for row in range(len(offsets) - 1):
        n += word_keys(data, offsets[row], offsets[row + 1], table, keys[n:])
        bounds[row + 1] = n
    return keys[:n].copy(), bounds
