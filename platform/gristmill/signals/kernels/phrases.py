"""Entries of a list, words or phrases, found in texts: see `signals.phrases` for what is compared with what."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import MIX, ODD, class_of, compiled, decode
from gristmill.signals.segment import DIGIT, FORMAT, KNOWN, LETTER, MARK, SPACE, UNSPACED

TERMS, COVERED, HITS, DISTINCT, N_COUNTS = range(5)
_INSIDE = np.int32(-1)  # a sequence that only begins an entry


@compiled
def _pieces(data, start, stop, classes, lowered, silent, keys, terms):  # type: ignore[no-untyped-def]
    """Writes the key of every piece of data[start:stop], and whether it is a term; how many there are."""
    n, i, opened, unspaced, key = 0, start, False, False, np.uint64(0)
    while i < stop:
        point, i = decode(data, i)
        flags = class_of(classes, point)
        kind = flags & 15
        if kind == FORMAT:
            continue
        new_unit = flags & UNSPACED != 0
        letter = np.uint64(lowered[point]) if point < KNOWN else np.uint64(point)
        if kind in (LETTER, DIGIT) or (kind == MARK and opened):
            if opened and (new_unit or (unspaced and kind != MARK)):
                keys[n], terms[n] = key ^ key >> np.uint64(31), True
                n += 1
                opened = False
            if not opened:
                opened, key, unspaced = True, np.uint64(0), new_unit
            key = (key ^ (letter + np.uint64(1))) * ODD
            key = (key ^ key >> np.uint64(29)) * MIX
            continue
        if kind == MARK:  # of a symbol
            continue
        if opened:
            keys[n], terms[n] = key ^ key >> np.uint64(31), True
            n += 1
            opened = False
        if kind != SPACE and not (point < 128 and silent[point]) and not (0x2010 <= point <= 0x2015 or point == 0x2019):
            key = (letter + np.uint64(1)) * ODD
            key = (key ^ key >> np.uint64(29)) * MIX
            keys[n], terms[n] = ~(key ^ key >> np.uint64(31)), False
            n += 1
    if opened:
        keys[n], terms[n] = key ^ key >> np.uint64(31), True
        n += 1
    return n


@compiled
def _longer(key, piece):  # type: ignore[no-untyped-def]
    """Key of a sequence with one more piece; never 0, which marks a free slot."""
    key = (key ^ piece) * ODD
    key = (key ^ key >> np.uint64(29)) * MIX
    key ^= key >> np.uint64(31)
    return key if key != np.uint64(0) else np.uint64(1)


@compiled
def _slot(table, key):  # type: ignore[no-untyped-def]
    """Where `key` is, or the free slot where it would be."""
    mask = np.int64(len(table) - 1)
    slot = np.int64(key & np.uint64(mask))
    while table[slot] != np.uint64(0) and table[slot] != key:
        slot = slot + 1 & mask
    return slot


@compiled
def index(data, offsets, classes, lowered, silent):  # type: ignore[no-untyped-def]
    """Hash table of the entries and of what they begin with: keys, and the entry's number or _INSIDE."""
    longest = 1
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    keys, terms = np.empty(longest, np.uint64), np.empty(longest, np.bool_)
    size = 2
    while size < 2 * (offsets[-1] - offsets[0]) + 2:  # a piece has at least one byte
        size *= 2
    table, entries = np.zeros(size, np.uint64), np.full(size, _INSIDE, np.int32)
    for row in range(len(offsets) - 1):
        n = _pieces(data, offsets[row], offsets[row + 1], classes, lowered, silent, keys, terms)
        key = np.uint64(0)
        for i in range(n):
            key = _longer(key, keys[i])
            slot = _slot(table, key)
            table[slot] = key
            if i == n - 1 and entries[slot] == _INSIDE:  # two spellings of one entry are one
                entries[slot] = row
    return table, entries


@compiled
def phrase_counts(data, offsets, classes, lowered, silent, table, entries, n_entries):  # type: ignore[no-untyped-def]
    """int64 [texts, N_COUNTS]: terms, terms inside hits, hits, distinct entries. Hits do not overlap: from the left, the longest."""
    counts = np.zeros((len(offsets) - 1, N_COUNTS), np.int64)
    longest = 1
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    keys, terms = np.empty(longest, np.uint64), np.empty(longest, np.bool_)
    last_hit = np.full(n_entries + 1, -1, np.int64)  # the text that last had the entry
    for row in range(len(offsets) - 1):
        n = _pieces(data, offsets[row], offsets[row + 1], classes, lowered, silent, keys, terms)
        out = counts[row]
        at = 0
        while at < n:
            key, end, entry, i = np.uint64(0), at, _INSIDE, at
            while i < n:
                key = _longer(key, keys[i])
                slot = _slot(table, key)
                if table[slot] == np.uint64(0):
                    break
                i += 1
                if entries[slot] != _INSIDE:
                    end, entry = i, entries[slot]
            if end > at:
                out[HITS] += 1
                out[DISTINCT] += last_hit[entry] != row
                last_hit[entry] = row
            for i in range(at, max(end, at + 1)):
                out[TERMS] += terms[i]
                out[COVERED] += terms[i] and end > at
            at = max(end, at + 1)
    return counts
