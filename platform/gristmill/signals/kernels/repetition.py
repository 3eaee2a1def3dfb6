"""Repeated n-grams, lines and paragraphs of every text.

All nine n-gram rules walk one list of places: a gram can occur twice only where the grams one piece shorter do, at its
first piece and at its second, so after the pairs the list is short. Tables are open-addressed, made once for the longest
text and cleared as far as a text uses them.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import MIX, ODD, class_of, compiled, decode, lent
from gristmill.signals.kernels.eights import bytes_key, eight_bytes, printed, store_eight
from gristmill.signals.kernels.tables import slot_of, table_size
from gristmill.signals.segment import FORMAT, LINE_END, SPACE

TOP = (2, 3, 4)  # columns 0 to 2: characters of the most frequent gram, with spaces between, times its occurrences
DUPLICATE = (5, 6, 7, 8, 9, 10)  # columns 3 to 8: characters of grams that were there before
PARAGRAPHS, DUPLICATE_PARAGRAPHS, DUPLICATE_PARAGRAPH_CHARS, LINES, DUPLICATE_LINES, DUPLICATE_LINE_CHARS, N_COUNTS = range(7)

_WIDEST_TOP, _WIDEST = TOP[-1], DUPLICATE[-1]
_WINDOW = 16  # bytes: joined grams of so many or more begin alike if they are alike


@lent
def _grams(keys, widest, dolma, before, grams, places, slots, table, tallies, firsts, out):  # type: ignore[no-untyped-def]
    """The columns of one text up to grams of `widest` pieces, by the sequence of their keys. `dolma`: see `dolma_ngram_counts`."""
    n = len(keys)
    for g in range(2, min(_WIDEST_TOP, n) + 1):
        out[g - 2] = before[g] + (0 if dolma else g - 1)  # of grams that occur once, the first counts
    live = n
    for i in range(n):
        grams[i], places[i] = keys[i], i
    for g in range(2, widest + 1):
        kept = 0
        for j in range(live - 1):  # the shorter grams here and one piece on must occur twice
            if places[j + 1] == places[j] + 1:
                places[kept] = places[j]
                kept += 1
        live = kept
        if not live:
            return
        size = table_size(live)
        table[:size] = 0
        most, earliest = 1, n
        for j in range(live):
            i = places[j]
            key = (grams[i] ^ np.uint64(g)) * ODD + keys[i + g - 1]
            key ^= key >> np.uint64(29)
            grams[i] = key
            key = key * MIX | np.uint64(1)
            at = slot_of(table, size, key)
            slots[j] = at
            if table[at] == 0:
                table[at], tallies[at], firsts[at] = key, 1, i
            else:
                tallies[at] += 1
                if tallies[at] > most or (tallies[at] == most and firsts[at] < earliest):
                    most, earliest = tallies[at], firsts[at]
        kept = 0
        for j in range(live):
            if tallies[slots[j]] > 1:
                places[kept], slots[kept] = places[j], slots[j]
                kept += 1
        live = kept
        if g <= _WIDEST_TOP:
            if most > 1:
                out[g - 2] = (before[earliest + g] - before[earliest] + (0 if dolma else g - 1)) * most
            continue
        if dolma:
            for j in range(live):
                out[g - 2] += before[places[j] + g] - before[places[j]]
            continue
        free = 0
        for j in range(live):
            i, at = places[j], slots[j]
            if i < free:
                continue
            if tallies[at] < 0:
                out[g - 2] += before[i + g] - before[i]
                free = i + g
            else:
                tallies[at] = -1


@compiled
def ngram_counts(chars, keys, bounds, dolma=False):  # type: ignore[no-untyped-def]
    """int64 [texts, 9], see TOP and DUPLICATE: grams are alike if their pieces are.

    `dolma`: a top gram's characters are those of its pieces without spaces between, and of duplicate grams every occurrence
    counts, the first too, overlapping or not.
    """
    texts = len(bounds) - 1
    out = np.zeros((texts, len(TOP) + len(DUPLICATE)), np.int64)
    longest = _longest(bounds)
    size = table_size(longest)
    before, grams = np.zeros(longest + 1, np.int64), np.empty(longest, np.uint64)
    places, slots = np.empty(longest, np.int32), np.empty(longest, np.int32)
    table, tallies, firsts = np.empty(size, np.uint64), np.empty(size, np.int32), np.empty(size, np.int32)
    for row in range(texts):
        a, b = bounds[row], bounds[row + 1]
        for i in range(b - a):
            before[i + 1] = before[i] + chars[a + i]
        _grams(keys[a:b], _WIDEST, dolma, before, grams, places, slots, table, tallies, firsts, out[row])
    return out


@compiled
def joined_ngram_counts(data, starts, ends, chars, keys, bounds):  # type: ignore[no-untyped-def]
    """int64 [texts, 9], see TOP and DUPLICATE: the duplicate grams are alike if their pieces, written without spaces, are.

    So "ab", "c" repeats "a", "bc". Then what is shorter by a piece need not repeat; but grams of _WINDOW bytes or more begin
    with the same _WINDOW bytes, and only where those occur twice is anything looked up.
    """
    texts = len(bounds) - 1
    out = np.zeros((texts, len(TOP) + len(DUPLICATE)), np.int64)
    longest, most_bytes = _longest(bounds), 0
    for row in range(texts):
        n_bytes = 0
        for j in range(bounds[row], bounds[row + 1]):
            n_bytes += ends[j] - starts[j]
        most_bytes = max(most_bytes, n_bytes)
    size = table_size(longest)
    before, grams, at_byte = np.zeros(longest + 1, np.int64), np.empty(longest, np.uint64), np.zeros(longest + 1, np.int64)
    places, slots = np.empty(longest, np.int32), np.empty(longest, np.int32)
    table, tallies, firsts = np.empty(size, np.uint64), np.empty(size, np.int32), np.empty(size, np.int32)
    joined = np.zeros(most_bytes + _WINDOW, np.uint8)
    for row in range(texts):
        a, b = bounds[row], bounds[row + 1]
        n, p = b - a, 0
        for i in range(n):
            before[i + 1] = before[i] + chars[a + i]
            q, end = starts[a + i], ends[a + i]
            while q < end and q + 8 <= len(data):  # what is copied too much is written over
                store_eight(joined, p, eight_bytes(data, q))
                step = min(8, end - q)
                p += step
                q += step
            while q < end:
                joined[p] = data[q]
                p += 1
                q += 1
            at_byte[i + 1] = p
        joined[p : p + _WINDOW] = 0
        _grams(keys[a:b], _WIDEST_TOP, False, before, grams, places, slots, table, tallies, firsts, out[row])
        _joined_duplicates(joined, n, before, at_byte, places, slots, table, tallies, out[row])
    return out


@lent
def _joined_duplicates(joined, n, before, at_byte, places, slots, table, tallies, out):  # type: ignore[no-untyped-def]
    least = DUPLICATE[0]
    if n <= least:
        return
    size = table_size(n)
    table[:size] = 0
    for i in range(n):
        p = at_byte[i]
        key = (eight_bytes(joined, p) ^ ODD) * MIX
        key = ((key ^ key >> np.uint64(29)) + eight_bytes(joined, p + 8)) * ODD
        key = (key ^ key >> np.uint64(32)) * MIX | np.uint64(1)
        at = slot_of(table, size, key)
        slots[i] = at
        if table[at] == 0:
            table[at], tallies[at] = key, 1
        else:
            tallies[at] = 2
    live = 0
    for i in range(n - least + 1):
        if tallies[slots[i]] == 2 or at_byte[i + least] - at_byte[i] < _WINDOW:
            places[live] = i
            live += 1
    size = table_size(live)
    for g in DUPLICATE:
        table[:size] = 0
        free = 0
        for j in range(live):
            i = places[j]
            if i + g > n:
                break
            if i < free:
                continue
            key = bytes_key(joined, at_byte[i], at_byte[i + g])
            at = slot_of(table, size, key)
            if table[at] == key:
                out[g - 2] += before[i + g] - before[i]
                free = i + g
            else:
                table[at] = key


@lent
def _longest(bounds):  # type: ignore[no-untyped-def]
    longest = 0
    for row in range(len(bounds) - 1):
        longest = max(longest, bounds[row + 1] - bounds[row])
    return longest


@compiled
def line_counts(data, offsets, classes):  # type: ignore[no-untyped-def]
    """int64 [texts, N_COUNTS] of lines without the white space around them, and of paragraphs: lines between blank ones."""
    texts = len(offsets) - 1
    out = np.zeros((texts, N_COUNTS), np.int64)
    most = 1
    for row in range(texts):
        most = max(most, _line_ends(data, offsets[row], offsets[row + 1]) + 1)
    size = table_size(most)
    line_table, paragraph_table = np.empty(size, np.uint64), np.empty(size, np.uint64)
    for row in range(texts):
        i, stop = offsets[row], offsets[row + 1]
        size = table_size(_line_ends(data, i, stop) + 1)
        line_table[:size] = 0
        paragraph_table[:size] = 0
        counts = out[row]
        begin, end, chars, inner = -1, i, 0, 0  # the open line's bytes; `inner`: characters up to here, spaces at the end included
        paragraph, paragraph_chars = np.uint64(0), 0
        while True:
            if begin >= 0:
                skipped = printed(data, i, stop)
                while skipped:
                    inner += skipped
                    i += skipped
                    end, chars = i, inner
                    skipped = printed(data, i, stop) if skipped > 6 else 0
            if i < stop:
                at = i
                point, i = decode(data, i)
                flags = class_of(classes, point)
                if flags & 15 == FORMAT:
                    continue
                if flags & 15 != SPACE:
                    if begin < 0:
                        begin, inner = at, 0
                    inner += 1
                    end, chars = i, inner
                    continue
                inner += 1
                if not flags & LINE_END:
                    continue
                if point == 0x0D and i < stop and data[i] == 0x0A:
                    i += 1
                at_end = False
            else:
                at_end = True
            if begin >= 0:
                key = bytes_key(data, begin, end)
                slot = slot_of(line_table, size, key)
                counts[LINES] += 1
                if line_table[slot] == key:
                    counts[DUPLICATE_LINES] += 1
                    counts[DUPLICATE_LINE_CHARS] += chars
                line_table[slot] = key
                paragraph = (paragraph ^ key) * ODD
                paragraph ^= paragraph >> np.uint64(29)
                paragraph_chars += chars
            if paragraph_chars and (at_end or begin < 0):
                key = paragraph * MIX | np.uint64(1)
                slot = slot_of(paragraph_table, size, key)
                counts[PARAGRAPHS] += 1
                if paragraph_table[slot] == key:
                    counts[DUPLICATE_PARAGRAPHS] += 1
                    counts[DUPLICATE_PARAGRAPH_CHARS] += paragraph_chars
                paragraph_table[slot] = key
                paragraph, paragraph_chars = np.uint64(0), 0
            begin = -1
            if at_end:
                break
    return out


@lent
def _line_ends(data, i, stop):  # type: ignore[no-untyped-def]
    """At least as many as the text has."""
    n = 0
    for j in range(i, stop):
        byte = data[j]
        n += 0x0A <= byte <= 0x0D or 0x1C <= byte <= 0x1E or byte == 0x85 or byte == 0xA8 or byte == 0xA9
    return n
