"""Shingles, band keys and the hash of the normalised text, compiled: see `dedup.minhash` for what they are."""

from __future__ import annotations

import numpy as np

from gristmill.dedup.normal_kernels import word_keys
from gristmill.signals.kernels.base import MIX, ODD, compiled, lent

LAST = np.uint64(0x94D049BB133111EB)
TILE = 4096  # shingles that all permutations read while they are in the first cache
FULL = 64  # shingles that one turn of the vector loop takes
HALF = np.uint32(1 << 31)
_30, _27, _31, _32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)


@lent
def mix(x):  # type: ignore[no-untyped-def]
    """SplitMix64's finaliser (Steele, Lea and Flood 2014): every bit of the input moves every bit of the output."""
    x = (x ^ x >> _30) * MIX
    x = (x ^ x >> _27) * LAST
    return x ^ x >> _31


@compiled
def sign_texts(data, offsets, table, n, multipliers, bands, rows):  # type: ignore[no-untyped-def]
    """Of every text: normal (uint64 [texts, 2]), counts (int64 [texts]), shingles (uint32, end to end), keys (uint64 [texts, bands])."""
    texts = len(offsets) - 1
    longest = np.int64(1)
    for row in range(texts):
        longest = max(longest, offsets[row + 1] - offsets[row])
    words, found, spare = np.empty(longest, np.uint64), np.empty(longest, np.uint32), np.empty(longest, np.uint32)
    out = np.empty(offsets[-1] - offsets[0] + 1, np.uint32)  # what is not written to costs no memory
    normal, counts = np.empty((texts, 2), np.uint64), np.zeros(texts, np.int64)
    keys, least, tile = np.zeros((texts, bands), np.uint64), np.empty(bands * rows, np.uint32), np.empty(TILE, np.uint32)
    digits = np.empty(4 * 256, np.int64)
    filled = 0
    for row in range(texts):
        many = word_keys(data, offsets[row], offsets[row + 1], table, words)
        normal_hash(words, many, normal[row])
        shingled = shingles_of(words, many, n, found)
        if shingled == 0:
            continue
        counts[row] = sorted_distinct(found, spare, shingled, digits, out[filled:])
        least_of(out[filled : filled + counts[row]], multipliers, tile, least)
        band_keys(least, bands, rows, keys[row])
        filled += counts[row]
    return normal, counts, out[:filled].copy(), keys


@lent
def normal_hash(words, many, out):  # type: ignore[no-untyped-def]
    """128 bits of a sequence of word keys, in two lanes; zeros where there is no word."""
    if many == 0:
        out[:] = 0
        return
    x, y = np.uint64(many), ~np.uint64(many)
    for w in range(many):
        x = (x ^ words[w]) * MIX
        x ^= x >> _32
        y = (y + words[w]) * ODD
        y ^= y >> _31
    out[0], out[1] = mix(x), mix(y)


@lent
def shingles_of(words, many, n, out):  # type: ignore[no-untyped-def]
    """Writes the hash of every run of n words, in order; how many there are."""
    if many < n:
        return 0
    leaving = np.uint64(1)
    for _ in range(n):
        leaving *= ODD
    rolling = np.uint64(0)
    for w in range(n):
        rolling = rolling * ODD + words[w]
    out[0] = np.uint32(mix(rolling) >> _32)
    for w in range(n, many):
        rolling = rolling * ODD + words[w] - words[w - n] * leaving
        out[w - n + 1] = np.uint32(mix(rolling) >> _32)
    return many - n + 1


@lent
def sorted_distinct(values, spare, many, starts, out):  # type: ignore[no-untyped-def]
    """Sorts values[:many] (both arrays are overwritten) byte by byte, and writes each value once; how many there are."""
    starts[:] = 0
    for i in range(many):
        value = values[i]
        starts[np.uint32(value & np.uint32(255))] += 1
        starts[np.uint32(256) + (value >> np.uint32(8) & np.uint32(255))] += 1
        starts[np.uint32(512) + (value >> np.uint32(16) & np.uint32(255))] += 1
        starts[np.uint32(768) + (value >> np.uint32(24))] += 1
    for digit in range(4):
        at = np.int64(0)
        for bin_ in range(256 * digit, 256 * digit + 256):
            size = starts[bin_]
            starts[bin_] = at
            at += size
    for digit in range(4):
        first, shift = np.uint32(256 * digit), np.uint32(8 * digit)
        source, target = (values, spare) if digit % 2 == 0 else (spare, values)
        for i in range(many):
            value = source[i]
            bin_ = first + (value >> shift & np.uint32(255))
            target[starts[bin_]] = value
            starts[bin_] += 1
    kept = 0
    for i in range(many):
        if i == 0 or values[i] != values[i - 1]:
            out[kept] = values[i]
            kept += 1
    return kept


@lent
def least_of(shingles, multipliers, tile, least):  # type: ignore[no-untyped-def]
    """The least value in each of the orders that `dedup.minhash` describes, the four kinds of them one after the other.

    `shingles` has one at least; `tile` (uint32 [TILE]) is room to work in: filled up with the last shingle, it leaves the
    inner loop nothing to do after its vector instructions.
    """
    least[:] = np.uint32(0xFFFFFFFF)
    each = len(multipliers)
    for start in range(0, len(shingles), TILE):
        size = min(TILE, len(shingles) - start)
        for s in range(size):
            tile[s] = shingles[start + s]
        while size % FULL:
            tile[size] = tile[size - 1]
            size += 1
        for p in range(each):
            low, high, lowest, highest = _extremes(tile[:size], multipliers[p])
            _keep(least, p, low)
            _keep(least, p + each, np.uint32(~high))
            _keep(least, p + 2 * each, np.uint32(np.uint32(lowest) ^ HALF))
            _keep(least, p + 3 * each, np.uint32(~(np.uint32(highest) ^ HALF)))


@lent
def _keep(least, p, value):  # type: ignore[no-untyped-def]
    if p < len(least):
        least[p] = min(least[p], value)


@lent
def _extremes(shingles, multiplier):  # type: ignore[no-untyped-def]
    """Least and greatest product, as unsigned and as signed numbers."""
    low, high, lowest, highest = np.uint32(0xFFFFFFFF), np.uint32(0), np.int32(0x7FFFFFFF), np.int32(-0x80000000)
    for s in range(len(shingles)):
        value = np.uint32(shingles[s] * multiplier)
        signed = np.int32(value)
        low = value if value < low else low
        high = value if value > high else high
        lowest = signed if signed < lowest else lowest
        highest = signed if signed > highest else highest
    return low, high, lowest, highest


@lent
def band_keys(least, bands, rows, out):  # type: ignore[no-untyped-def]
    """A key per band from its rows' least values; it holds the band's number, so that no two bands share one."""
    for band in range(bands):
        key = np.uint64(band)
        for row in range(rows):
            key = mix(key ^ np.uint64(least[band * rows + row]))
        out[band] = key


@compiled
def bands_of(shingles, ends, multipliers, bands, rows):  # type: ignore[no-untyped-def]
    """Band keys (uint64 [sets, bands]) of sets of shingles; set i is shingles[ends[i] : ends[i + 1]], and has at least one."""
    keys, least = np.empty((len(ends) - 1, bands), np.uint64), np.empty(bands * rows, np.uint32)
    tile = np.empty(TILE, np.uint32)
    for i in range(len(ends) - 1):
        least_of(shingles[ends[i] : ends[i + 1]], multipliers, tile, least)
        band_keys(least, bands, rows, keys[i])
    return keys
