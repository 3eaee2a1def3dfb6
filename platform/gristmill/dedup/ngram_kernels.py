"""Word n-grams as 64-bit keys, and the look-up of those that a reference holds.

A key is a polynomial over the words' hashes modulo 2^64, rolled on word by word and mixed (Karp and Rabin 1987). Its low eight
bits say how many words it is made of: 0 for n, else the number, for the one key of an item that has fewer than n.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import MIX, ODD, compiled, lent

BASE = np.uint64(0xD1342543DE82EF95)  # odd, so that no word is multiplied away; Steele and Vigna 2021
LENGTH_BITS = 8
LONGEST_SHORT = (1 << LENGTH_BITS) - 1  # words that the low bits of a key can say

_LENGTH = np.uint64(LONGEST_SHORT)


@lent
def _key(rolled, code):  # type: ignore[no-untyped-def]
    key = (rolled ^ rolled >> np.uint64(32)) * MIX
    key = (key ^ key >> np.uint64(29)) * ODD
    return (key ^ key >> np.uint64(32)) & ~_LENGTH | np.uint64(code)


@lent
def _power(n):  # type: ignore[no-untyped-def]
    """BASE^(n - 1), by which the word that leaves a window of n was multiplied."""
    power = np.uint64(1)
    for _ in range(n - 1):
        power *= BASE
    return power


@compiled
def ngram_keys(words, bounds, n, shortest):  # type: ignore[no-untyped-def]
    """Keys of every text's n-grams in order, and their bounds; text i has the words bounds[i] to bounds[i + 1].

    A text of fewer than n words has one key of all of them if they are at least `shortest`.
    """
    texts = len(bounds) - 1
    keys, ends = np.empty(len(words) + texts, np.uint64), np.zeros(texts + 1, np.int64)
    power, filled = _power(n), 0
    for row in range(texts):
        first, stop = bounds[row], bounds[row + 1]
        size = min(n, stop - first)
        if size == n or shortest <= size <= LONGEST_SHORT:
            rolled = np.uint64(0)
            for w in range(first, first + size):
                rolled = rolled * BASE + words[w]
            keys[filled] = _key(rolled, 0 if size == n else size)
            filled += 1
            for w in range(first + size, stop):
                rolled = (rolled - words[w - n] * power) * BASE + words[w]
                keys[filled] = _key(rolled, 0)
                filled += 1
        ends[row + 1] = filled
    return keys[:filled].copy(), ends


@compiled
def set_bits(keys, shift, bits):  # type: ignore[no-untyped-def]
    """Sets the bit of every key: the one that its upper bits number."""
    for i in range(len(keys)):
        at = keys[i] >> shift
        bits[at >> np.uint64(6)] |= np.uint64(1) << (at & np.uint64(63))


@compiled
def hits(words, bounds, n, lengths, keys, heads, head_shift, bits, bit_shift):  # type: ignore[no-untyped-def]
    """Text, row of `keys` and first word of every n-gram that is among `keys` (sorted; equal ones are all reported).

    heads[p] is the first key whose upper bits are p or more. Most n-grams fall on a bit of `bits` that is not set.
    """
    room, found = 1024, 0
    rows, places, firsts = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    for row in range(len(bounds) - 1):
        first, stop = bounds[row], bounds[row + 1]
        for size in lengths:
            if stop - first < size:
                continue
            code, power, rolled = 0 if size == n else size, _power(size), np.uint64(0)
            for w in range(first, stop):
                if w - first >= size:
                    rolled -= words[w - size] * power
                rolled = rolled * BASE + words[w]
                if w - first < size - 1:
                    continue
                key = _key(rolled, code)
                at = key >> bit_shift
                if not bits[at >> np.uint64(6)] >> (at & np.uint64(63)) & np.uint64(1):
                    continue
                head = key >> head_shift
                for p in range(heads[head], heads[head + np.uint64(1)]):
                    if keys[p] == key:
                        if found == room:
                            room *= 2
                            rows, places, firsts = _grown(rows, room), _grown(places, room), _grown(firsts, room)
                        rows[found], places[found], firsts[found] = row, p, w - size + 1
                        found += 1
    return rows[:found].copy(), places[:found].copy(), firsts[:found].copy()


@compiled
def _grown(values, room):  # type: ignore[no-untyped-def]
    larger = np.empty(room, values.dtype)
    larger[: len(values)] = values
    return larger


@compiled
def characters(data, starts, ends):  # type: ignore[no-untyped-def]
    """Code points in each data[starts[i] : ends[i]]."""
    counts = np.zeros(len(starts), np.int64)
    for row in range(len(starts)):
        for i in range(starts[row], ends[row]):
            counts[row] += data[i] & 0xC0 != 0x80
    return counts
