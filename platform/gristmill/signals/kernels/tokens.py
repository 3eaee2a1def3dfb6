"""Tokens of every text as spans: one pass over the UTF-8 bytes, as `signals.tokens` says."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.addresses import is_address
from gristmill.signals.kernels.base import compiled, decode, lent
from gristmill.signals.kernels.eights import bytes_key, short_key
from gristmill.signals.kernels.sixtyfours import WIDTH, among, below, first_of, last_of
from gristmill.signals.segment import KNOWN
from gristmill.signals.tokens import (
    ALPHA,
    BEFORE_STOP,
    CUT_ONCE,
    CUT_TWICE,
    DIGIT,
    ICON,
    LONGEST,
    LOWER,
    MERGED,
    PREFIX,
    QUOTE,
    SPACE,
    SUFFIX,
    UNIT,
    UPPER,
    pair_of,
)

_pair = lent(pair_of)
_IDEOGRAPH = np.uint16(ALPHA | LOWER | UPPER | BEFORE_STOP)
_NO = -1
_NONE = np.uint64(0)
_KNOWN_RUNS = 1 << 15


@lent
def _flags_of(flags, point):  # type: ignore[no-untyped-def]
    if point < KNOWN:
        return flags[point]
    return _IDEOGRAPH if point < 0x40000 else np.uint16(0)


@lent
def _find(keys, key):  # type: ignore[no-untyped-def]
    """Slot of an exception, or _NO."""
    mask = len(keys) - 1
    at = np.int64(key & np.uint64(mask))
    while keys[at] != 0:
        if keys[at] == key:
            return at
        at = at + 1 & mask
    return _NO


@lent
def _may_be(lengths, first, last, length):  # type: ignore[no-untyped-def]
    """Whether an exception has these ends and this length, perhaps."""
    return length <= LONGEST and lengths[_pair(np.int64(first), np.int64(last))] >> length & 1 != 0


@lent
def _exception(data, at, a, b, keys, kinds):  # type: ignore[no-untyped-def]
    """Slot of the exception that the run's code points a to b are, or _NO."""
    slot = _find(keys, bytes_key(data, at[a], at[b]))
    return slot if slot >= 0 and not kinds[slot] & UNIT else _NO


@lent
def _prefix(points, flags, a, b):  # type: ignore[no-untyped-def]
    """Code points that come off the front of points[a:b]."""
    point = points[a]
    if flags[a] & PREFIX:
        return 1
    if point == 0x2B:
        return 0 if a + 1 < b and flags[a + 1] & DIGIT else 1
    if point == 0x2E:
        n = 1
        while a + n < b and points[a + n] == 0x2E:
            n += 1
        return n if n > 1 else 0
    if a + 1 < b and points[a + 1] == 0x24 and (point == 0x41 or point == 0x43):  # A$, C$
        return 2
    if a + 2 < b and points[a + 2] == 0x24 and point == 0x55 and points[a + 1] == 0x53:  # US$
        return 3
    return 0


@lent
def _suffix(data, at, points, flags, a, b, keys, kinds):  # type: ignore[no-untyped-def]
    """Code points that come off the end of points[a:b]: of all that may, the most."""
    if a >= b:
        return 0
    point, flag = points[b - 1], flags[b - 1]
    if (
        not flag & (SUFFIX | ALPHA)
        and not (point == 0x2E or point == 0x2B or point == 0x25 or point == 0xB2 or point == 0xB3)
        and not flag & PREFIX
    ):
        return 0
    for n in range(min(4, b - a - 1), 0, -1):  # a unit or a currency after a digit
        if flags[b - n - 1] & DIGIT:
            slot = _find(keys, bytes_key(data, at[b - n], at[b]))
            if slot >= 0 and kinds[slot] & UNIT:
                return n
    if b - a > 1 and (point == 0x73 or point == 0x53) and (points[b - 2] == 0x27 or points[b - 2] == 0x2019):  # 's
        return 2
    if flag & SUFFIX:
        return 2 if point == 0x2026 and b - a > 1 and points[b - 2] == 0x2026 else 1
    if point == 0x2E:
        n = 1
        while b - n > a and points[b - n - 1] == 0x2E:
            n += 1
        if n > 1:
            return n
        if b - a > 1 and flags[b - 2] & BEFORE_STOP:
            return 1
        if b - a > 2 and flags[b - 2] & UPPER and flags[b - 3] & UPPER:
            return 1
        if b - a > 2 and points[b - 3] == 0xB0 and (points[b - 2] == 0x43 or points[b - 2] == 0x46 or points[b - 2] == 0x4B):  # degrees
            return 1
        return 0
    return 1 if point == 0x2B and b - a > 1 and flags[b - 2] & DIGIT else 0


@lent
def _infix(points, flags, p, a, b):  # type: ignore[no-untyped-def]
    """Code points of points[a:b] at p that are cut out."""
    point = points[p]
    if flags[p] & ICON or point == 0x2026:
        return 1
    before = flags[p - 1] if p > a else np.uint16(0)
    after = flags[p + 1] if p + 1 < b else np.uint16(0)
    if point == 0x2E:
        n = 1
        while p + n < b and points[p + n] == 0x2E:
            n += 1
        if n > 1:
            return n
        return 1 if before & (LOWER | QUOTE) and after & (UPPER | QUOTE) else 0
    operator = point == 0x2B or point == 0x2D or point == 0x2A or point == 0x5E
    if operator and before & DIGIT and (after & DIGIT or (p + 1 < b and points[p + 1] == 0x2D)):
        return 1
    if point == 0x2C:
        return 1 if before & ALPHA and after & ALPHA else 0
    if not before & (ALPHA | DIGIT):
        return 0
    if point == 0x2D or point == 0x2013 or point == 0x2014 or point == 0x7E:
        if after & ALPHA:
            return 1
        n, most = 1, 3 if point == 0x2D else 2 if point == 0x2014 else 1
        while n < most and p + n < b and points[p + n] == point:
            n += 1
            if p + n < b and flags[p + n] & ALPHA:
                return n
        return 0
    if (point == 0x3A or point == 0x3C or point == 0x3E or point == 0x3D or point == 0x2F) and after & ALPHA:
        return 1
    return 0


@lent
def _cut(data, at, points, flags, m, numbers, stops, keys, kinds, cuts, lengths, out, tail):  # type: ignore[no-untyped-def]
    """Writes the ends (code points of the run) of the tokens of points[:m] to `out`; how many there are.

    `numbers`, `stops`: whether the run has digits, full stops. `at`: the byte of each code point. `tail`: room for the ends that come off
    behind. The rules are asked only where they can apply: a call with arrays costs more than most of them.
    """
    lo, hi, n, n_tail, slot = 0, m, 0, 0, _NO
    while lo < hi:
        if _may_be(lengths, points[lo], points[hi - 1], hi - lo):
            slot = _exception(data, at, lo, hi, keys, kinds)
            if slot >= 0:
                break
        pre, suf, point = 0, 0, points[lo]
        if not flags[lo] & (ALPHA | DIGIT) or point == 0x41 or point == 0x43 or point == 0x55:
            pre = _prefix(points, flags, lo, hi)
        if pre and lo + pre < hi and _may_be(lengths, points[lo + pre], points[hi - 1], hi - lo - pre):
            slot = _exception(data, at, lo + pre, hi, keys, kinds)
            if slot >= 0:
                lo += pre
                out[n] = lo
                n += 1
                break
        point = points[hi - 1]
        if lo + pre < hi and (numbers or not flags[hi - 1] & ALPHA or point == 0x73 or point == 0x53):
            suf = _suffix(data, at, points, flags, lo + pre, hi, keys, kinds)
        left = hi - suf
        if suf and lo < left and _may_be(lengths, points[lo], points[left - 1], left - lo):
            slot = _exception(data, at, lo, left, keys, kinds)
            if slot >= 0:
                tail[n_tail] = hi
                n_tail += 1
                hi -= suf
                break
        if not pre and not suf:
            break
        if pre:
            lo += pre
            out[n] = lo
            n += 1
        if suf:
            tail[n_tail] = hi
            n_tail += 1
            hi -= suf
    if lo < hi:
        if slot >= 0:
            kind, cut, p = kinds[slot], np.int64(cuts[slot]), lo
            if kind & (CUT_ONCE | CUT_TWICE):
                while at[p] - at[lo] < cut & 255:
                    p += 1
                out[n] = p
                n += 1
            if kind & CUT_TWICE:
                while at[p] - at[lo] < cut >> 8:
                    p += 1
                out[n] = p
                n += 1
        elif not stops or not is_address(points, flags, lo, hi):
            start, p = lo, lo + 1  # an infix at the very front cuts nothing off
            if not flags[lo] & (ALPHA | DIGIT):
                p = lo + max(1, _infix(points, flags, lo, lo, hi))
            while p < hi:
                if flags[p] & (ALPHA | DIGIT):
                    p += 1
                    continue
                length = _infix(points, flags, p, lo, hi)
                if length:
                    if p > start:
                        out[n] = p
                        n += 1
                    start = p + length
                    if start < hi:
                        out[n] = start
                        n += 1
                p += max(length, 1)
        out[n] = hi
        n += 1
    while n_tail:
        n_tail -= 1
        out[n] = tail[n_tail]
        n += 1
    return n if n < 3 else _joined(data, at, points, keys, kinds, lengths, out, n)


@lent
def _joined(data, at, points, keys, kinds, lengths, out, n):  # type: ignore[no-untyped-def]
    """Makes one token of neighbours that together are an exception; how many tokens are left."""
    kept, start, j = 0, 0, 0
    while j < n:
        best, k = j, j + 1
        while k < n and out[k] - start <= LONGEST:
            if _may_be(lengths, points[start], points[out[k] - 1], np.int64(out[k] - start)):
                slot = _exception(data, at, start, out[k], keys, kinds)
                if slot >= 0 and kinds[slot] & MERGED:
                    best = k
            k += 1
        start = out[best]
        out[kept] = start
        kept += 1
        j = best + 1
    return kept


@lent
def _plain(data, a, b, alike, flags, keys, kinds, lengths):  # type: ignore[no-untyped-def]
    """How many tokens the ASCII run data[a:b] is: 1 for letters or digits alone, 2 with one mark behind; 0 if it has to be cut.

    `alike`: how many letters, or how many digits, it begins with.
    """
    length, first, last = b - a, np.int64(data[a]), np.int64(data[b - 1])
    exceptional = _may_be(lengths, first, last, length)
    if alike == length:
        if exceptional:
            at = _find(keys, bytes_key(data, a, b))
            if at >= 0 and not kinds[at] & UNIT:
                return 0
        return 1
    if length == 1:
        return 1
    if exceptional or alike < length - 1:
        return 0
    before = np.int64(data[b - 2])
    if not (flags[last] & SUFFIX or (last == 0x2E and flags[before] & BEFORE_STOP)):
        return 0
    if _may_be(lengths, first, before, length - 1):
        at = _find(keys, bytes_key(data, a, b - 1))
        if at >= 0 and not kinds[at] & UNIT:
            return 0
    return 2


@lent
def _runs(data, i, stop):  # type: ignore[no-untyped-def]
    """Of the bytes at i, up to `stop`: the runs of ASCII that end there, letters, digits (bits), and of how many bytes.

    A run with other characters ends it: that one has to be looked at a code point at a time.
    """
    space = among(data, i, 0x20, 0x20) | among(data, i, 0x09, 0x0D) | among(data, i, 0x1C, 0x1F)
    wide = min(first_of(among(data, i, 0x80, 0xFF)), stop - i)
    if wide < stop - i:
        wide = last_of(space & below(wide)) + 1
    capitals, smalls = among(data, i, 0x41, 0x5A), among(data, i, 0x61, 0x7A)
    return ~space & below(wide), capitals | smalls, among(data, i, 0x30, 0x39), wide


@lent
def _run(data, i, stop, flags):  # type: ignore[no-untyped-def]
    """Code points of the run at i."""
    m = 0
    while i < stop:
        point, i = decode(data, i)
        if _flags_of(flags, point) & SPACE:
            break
        m += 1
    return m


@lent
def _cut_run(data, i, m, flags, keys, kinds, cuts, lengths, points, sorts, at, out, tail):  # type: ignore[no-untyped-def]
    """How many tokens the m code points at byte i are; see `_cut`."""
    numbers = stops = False
    for j in range(m):
        at[j] = i
        point, i = decode(data, i)
        sort = _flags_of(flags, point)
        points[j], sorts[j] = point, sort
        numbers = numbers or sort & DIGIT != 0
        stops = stops or point == 0x2E
    at[m] = i
    return _cut(data, at, points, sorts, m, numbers, stops, keys, kinds, cuts, lengths, out, tail)


@lent
def _recalled(data, a, b, flags, keys, kinds, cuts, lengths, points, sorts, at, out, tail, known, ends):  # type: ignore[no-untyped-def]
    """How many tokens the ASCII run data[a:b] of at most 64 bytes is, and where they end: a byte each, of the first to the eighth.

    More than eight are in `out` instead. `known`, `ends`: the runs that were cut last, since most of them come again.
    """
    key = bytes_key(data, a, b)
    slot = np.int64(key >> np.uint64(32)) & (_KNOWN_RUNS - 1)
    if known[slot] == key:
        return last_of(ends[slot]) // 8 + 1, ends[slot]
    pieces, packed = _cut_run(data, a, b - a, flags, keys, kinds, cuts, lengths, points, sorts, at, out, tail), _NONE
    if pieces <= 8:
        for j in range(pieces):
            packed |= np.uint64(out[j]) << np.uint64(8 * j)
        known[slot], ends[slot] = key, packed
    return pieces, packed


@compiled
def _room(offsets):  # type: ignore[no-untyped-def]
    """Room for a run as long as the longest text; what is not written to costs no memory."""
    m = 0
    for row in range(len(offsets) - 1):
        m = max(m, offsets[row + 1] - offsets[row] + 1)
    return np.empty(m, np.uint32), np.empty(m, np.uint16), np.empty(m, np.int64), np.empty(m, np.int32), np.empty(m, np.int32)


@compiled
def token_spans(data, offsets, room, flags, keys, kinds, cuts, lengths):  # type: ignore[no-untyped-def]
    """starts, ends (bytes, int64), chars (int32), keys (uint64) of every token, and bounds (int64 [texts + 1]).

    `room`: what they are written to, for as many tokens as there are bytes.
    """
    texts = len(offsets) - 1
    starts, ends, chars, hashes = room
    bounds = np.zeros(texts + 1, np.int64)
    points, sorts, at, out, tail = _room(offsets)
    known, known_ends = np.zeros(_KNOWN_RUNS, np.uint64), np.zeros(_KNOWN_RUNS, np.uint64)
    last_block = len(data) - WIDTH
    n = 0
    for row in range(texts):
        i, stop = offsets[row], offsets[row + 1]
        while i < stop:
            solid, letters, digits, wide = _runs(data, i, stop) if i <= last_block else (_NONE, _NONE, _NONE, 0)
            while solid or not wide:
                if wide:
                    bit = first_of(solid)
                    behind = ~below(bit)
                    begin, end = i + bit, i + first_of(~solid & behind)
                    solid &= ~below(end - i)
                    alike = max(first_of(~letters & behind), first_of(~digits & behind)) - bit
                    pieces = _plain(data, begin, end, min(alike, end - begin), flags, keys, kinds, lengths)
                    if pieces:
                        if pieces == 2:
                            end -= 1
                        starts[n], ends[n], chars[n], hashes[n] = begin, end, end - begin, bytes_key(data, begin, end)
                        n += 1
                        if pieces == 2:
                            starts[n], ends[n], chars[n], hashes[n] = end, end + 1, 1, short_key(np.uint64(data[end]), 1)
                            n += 1
                        continue
                    pieces, packed = _recalled(
                        data, begin, end, flags, keys, kinds, cuts, lengths, points, sorts, at, out, tail, known, known_ends
                    )
                    first = begin
                    for j in range(pieces):
                        after = begin + (np.int64(packed >> np.uint64(8 * j) & np.uint64(255)) if packed else np.int64(out[j]))
                        starts[n], ends[n], chars[n], hashes[n] = first, after, after - first, bytes_key(data, first, after)
                        first = after
                        n += 1
                    continue
                m = _run(data, i, stop, flags)
                pieces, first = _cut_run(data, i, m, flags, keys, kinds, cuts, lengths, points, sorts, at, out, tail), 0
                for j in range(pieces):
                    after = out[j]
                    starts[n], ends[n], chars[n] = at[first], at[after], after - first
                    hashes[n] = bytes_key(data, at[first], at[after])
                    first = after
                    n += 1
                wide = at[m] - i if m else decode(data, i)[1] - i
            i += wide
        bounds[row + 1] = n
    return starts[:n], ends[:n], chars[:n], hashes[:n], bounds


@compiled
def token_counts(data, offsets, flags, keys, kinds, cuts, lengths):  # type: ignore[no-untyped-def]
    """int64 [texts]: how many tokens `token_spans` finds."""
    counts = np.zeros(len(offsets) - 1, np.int64)
    points, sorts, at, out, tail = _room(offsets)
    last_block = len(data) - WIDTH
    known, known_ends = np.zeros(_KNOWN_RUNS, np.uint64), np.zeros(_KNOWN_RUNS, np.uint64)
    for row in range(len(offsets) - 1):
        i, stop, n = offsets[row], offsets[row + 1], 0
        while i < stop:
            solid, letters, digits, wide = _runs(data, i, stop) if i <= last_block else (_NONE, _NONE, _NONE, 0)
            if not wide:
                m = _run(data, i, stop, flags)
                if m:
                    n += _cut_run(data, i, m, flags, keys, kinds, cuts, lengths, points, sorts, at, out, tail)
                    i = at[m]
                else:
                    _, i = decode(data, i)
                continue
            while solid:
                bit = first_of(solid)
                behind = ~below(bit)
                begin, end = i + bit, i + first_of(~solid & behind)
                solid &= ~below(end - i)
                alike = max(first_of(~letters & behind), first_of(~digits & behind)) - bit
                pieces = _plain(data, begin, end, min(alike, end - begin), flags, keys, kinds, lengths)
                if not pieces:
                    pieces, _ = _recalled(
                        data, begin, end, flags, keys, kinds, cuts, lengths, points, sorts, at, out, tail, known, known_ends
                    )
                n += pieces
            i += wide
        counts[row] = n
    return counts
