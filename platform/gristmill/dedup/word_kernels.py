"""Compiled loops of the substring level: winnowed word n-grams, hashes of whole windows, the words themselves.

A text's words are keys[bounds[i] : bounds[i + 1]]. Hashes of runs of words are polynomials modulo 2^64 in an odd base, rolled from
one place to the next: windows that differ in one word alone never share one.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import MIX, ODD, class_of, compiled, decode, lent
from gristmill.signals.segment import FORMAT

_LINE_FEED = 0x0A


@lent
def _scattered(value):  # type: ignore[no-untyped-def]
    value = (value ^ value >> np.uint64(32)) * MIX
    return value ^ value >> np.uint64(29)


@compiled
def gram_hashes(keys, bounds, length):  # type: ignore[no-untyped-def]
    """The hash of the `length` words from each word on; 0 where fewer are left in its text."""
    hashes = np.zeros(len(keys), np.uint64)
    top = np.uint64(1)
    for _ in range(length - 1):
        top *= ODD
    for row in range(len(bounds) - 1):
        rolled = np.uint64(0)
        for i in range(bounds[row], bounds[row + 1]):
            if i >= bounds[row] + length:
                rolled -= keys[i - length] * top
            rolled = rolled * ODD + keys[i]
            if i >= bounds[row] + length - 1:
                hashes[i - length + 1] = _scattered(rolled)
    return hashes


@compiled
def chosen_grams(hashes, bounds, words, length):  # type: ignore[no-untyped-def]
    """For every word that begins a window of `words` words, the place of the window's chosen n-gram of `length` words: that of the
    smallest hash, the last of several; -1 where no window begins."""
    chosen = np.full(len(hashes), -1, np.int64)
    grams = words - length + 1  # in a window
    for row in range(len(bounds) - 1):
        best = np.int64(-1)
        for first in range(bounds[row], bounds[row + 1] - words + 1):
            if best < first:
                best = np.int64(first)
                for i in range(first + 1, first + grams):
                    if hashes[i] <= hashes[best]:
                        best = np.int64(i)
            elif hashes[first + grams - 1] <= hashes[best]:
                best = np.int64(first + grams - 1)
            chosen[first] = best
    return chosen


@compiled
def distinct_grams(hashes, chosen, bounds):  # type: ignore[no-untyped-def]
    """rows, keys (ascending in a row) and places of the chosen n-grams of each text: every key once, with the number of places."""
    rows, keys, places = np.empty(len(chosen), np.int64), np.empty(len(chosen), np.uint64), np.empty(len(chosen), np.int64)
    n = 0
    for row in range(len(bounds) - 1):
        first, last = n, np.int64(-1)
        for i in range(bounds[row], bounds[row + 1]):
            if chosen[i] > last:
                last = chosen[i]
                keys[n] = hashes[last]
                n += 1
        keys[first:n].sort()
        stop, n = n, first
        for i in range(first, stop):
            if i > first and keys[i] == keys[n - 1]:
                places[n - 1] += 1
            else:
                rows[n], keys[n], places[n] = row, keys[i], 1
                n += 1
    return rows[:n], keys[:n], places[:n]


@compiled
def spelled(data, starts, ends, firsts, lasts, classes):  # type: ignore[no-untyped-def]
    """The words firsts[i] to lasts[i] (without it) of each run as bytes: each without format characters and with a line feed behind
    it; and where each run ends."""
    size = 0
    for run in range(len(firsts)):
        for word in range(firsts[run], lasts[run]):
            size += ends[word] - starts[word] + 1
    letters, stops = np.empty(size, np.uint8), np.empty(len(firsts), np.int64)
    n = 0
    for run in range(len(firsts)):
        for word in range(firsts[run], lasts[run]):
            i = starts[word]
            while i < ends[word]:
                at = i
                point, i = decode(data, i)
                if class_of(classes, point) & 15 != FORMAT:
                    for p in range(at, i):
                        letters[n] = data[p]
                        n += 1
            letters[n] = _LINE_FEED
            n += 1
        stops[run] = n
    return letters[:n], stops


@compiled
def characters(data, offsets, rows, places):  # type: ignore[no-untyped-def]
    """The character, counted from the start of text rows[i], that stands at byte places[i]; rows ascend, and places in a row."""
    at = np.empty(len(rows), np.int64)
    row, byte, count = np.int64(-1), np.int64(0), np.int64(0)
    for i in range(len(rows)):
        if rows[i] != row:
            row, byte, count = rows[i], offsets[rows[i]], np.int64(0)
        while byte < places[i]:
            count += (data[byte] & 0xC0) != 0x80
            byte += 1
        at[i] = count
    return at


@compiled
def line_feeds(data, starts, stops):  # type: ignore[no-untyped-def]
    """Line feeds among the bytes [starts[i], stops[i])."""
    counts = np.zeros(len(starts), np.int64)
    for i in range(len(starts)):
        for p in range(starts[i], stops[i]):
            counts[i] += data[p] == _LINE_FEED
    return counts


@compiled
def equal_bytes(letters, stops, others, begins, ends):  # type: ignore[no-untyped-def]
    """Whether piece i of `letters` (up to stops[i], from the one before) equals others[begins[i] : ends[i]]."""
    same = np.zeros(len(stops), np.bool_)
    for i in range(len(stops)):
        start = stops[i - 1] if i else 0
        same[i] = stops[i] - start == ends[i] - begins[i]
        p = 0
        while same[i] and p < stops[i] - start:
            same[i] = letters[start + p] == others[begins[i] + p]
            p += 1
    return same
