"""Repeated n-grams, lines and paragraphs of every text.

All nine n-gram rules walk one list of places: a gram can occur twice only where the grams one piece shorter do, at its
first piece and at its second, so after the pairs the list is short. Tables are open-addressed, made once for the longest
text and cleared as far as a text uses them.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import MIX, ODD, class_of, compiled, decode, lent
from gristmill.signals.kernels.eights import bytes_key, eight_bytes, store_eight
from gristmill.signals.kernels.sixtyfours import WIDTH, most_line_ends, printed
from gristmill.signals.kernels.tables import slot_of, table_size
from gristmill.signals.segment import FORMAT, LINE_END, SPACE

TOP = (2, 3, 4)  # columns 0 to 2: characters of the most frequent gram, with spaces between, times its occurrences
DUPLICATE = (5, 6, 7, 8, 9, 10)  # columns 3 to 8: characters of grams that were there before
PARAGRAPHS, DUPLICATE_PARAGRAPHS, DUPLICATE_PARAGRAPH_CHARS, LINES, DUPLICATE_LINES, DUPLICATE_LINE_CHARS, N_COUNTS = range(7)

_WIDEST_TOP, _WIDEST = TOP[-1], DUPLICATE[-1]
_KEYS_A_WORD = 4  # of bits: see `_bits`
_EIGHTS = (0, 0, 0, 0, 0, 2, 2, 3, 4, 4, 4)  # by the pieces of a joined gram: how many times eight bytes of it are looked at first
_AHEAD = 8 * max(_EIGHTS)  # bytes that may be read past the last gram


@lent
def _grams(keys, widest, dolma, before, grams, places, slots, table, tallies, firsts, out):  # type: ignore[no-untyped-def]
    """The columns of one text up to grams of `widest` pieces, by the sequence of their keys. `dolma`: see `dolma_ngram_counts`."""
    n = len(keys)
    for g in range(2, min(_WIDEST_TOP, n) + 1):
        out[g - 2] = before[g] + (0 if dolma else g - 1)  # of grams that occur once, the first counts
    for i in range(n):
        grams[i] = keys[i]
    live = _perhaps_twice(keys, slots, table, places)
    for g in range(2, widest + 1):
        if g > 2:
            kept = 0
            for j in range(live - 1):  # the shorter grams here and one piece on must occur twice
                i = places[j]
                places[kept] = i
                kept += places[j + 1] == i + 1
            live = kept
        if not live:
            return
        size = table_size(live)
        table[:size] = 0
        tallies[:size] = 0
        most, earliest = 1, n
        for j in range(live):
            i = places[j]
            key = (grams[i] ^ np.uint64(g)) * ODD + keys[i + g - 1]
            key ^= key >> np.uint64(29)
            grams[i] = key
            key = key * MIX | np.uint64(1)
            at = slot_of(table, size, key)
            slots[j] = at
            table[at] = key  # without asking what was there, which could not be foreseen
            tally = tallies[at]
            tallies[at] = tally + np.int32(1)
            if g <= _WIDEST_TOP:
                first = i if tally == 0 else firsts[at]
                firsts[at] = first
                if tally >= most or (tally == most - 1 and first < earliest):
                    most, earliest = tally + 1, first
        kept = 0
        for j in range(live):
            at = slots[j]
            places[kept], slots[kept] = places[j], at
            kept += tallies[at] > 1
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


@lent
def _perhaps_twice(keys, marks, table, places):  # type: ignore[no-untyped-def]
    """Writes to `places` where the pairs begin that may occur twice, and some more; how many there are."""
    n = len(keys)
    seen, again, size = _bits(table, n)
    for i in range(n - 1):
        key = (keys[i] ^ np.uint64(2)) * ODD + keys[i + 1]
        mark = _mark((key ^ key >> np.uint64(29)) * MIX, size)
        marks[i] = np.int32(mark)
        _see(seen, again, mark)
    kept = 0
    for i in range(n - 1):
        places[kept] = i
        kept += _seen_again(again, marks[i])
    return kept


@lent
def _bits(table, n):  # type: ignore[no-untyped-def]
    """A bit for what has been seen, another for what has been seen again, 16 times as many as there are keys, and their number.

    They fit into a cache that a table of all keys does not fit into. They lie where the table will.
    """
    words = n // _KEYS_A_WORD + 1
    table[: 2 * words] = 0
    return table[:words], table[words : 2 * words], np.uint64(64 * words)


@lent
def _mark(key, size):  # type: ignore[no-untyped-def]
    return (key >> np.uint64(32)) * size >> np.uint64(32)


@lent
def _see(seen, again, mark):  # type: ignore[no-untyped-def]
    at, bit = mark >> np.uint64(6), np.uint64(1) << (mark & np.uint64(63))
    before = seen[at]
    again[at] |= before & bit
    seen[at] = before | bit


@lent
def _seen_again(again, mark):  # type: ignore[no-untyped-def]
    return np.int64(again[np.uint64(mark) >> np.uint64(6)] >> (np.uint64(mark) & np.uint64(63)) & np.uint64(1))


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

    So "ab", "c" repeats "a", "bc". Then what is shorter by a piece need not repeat; but grams that are alike begin with the
    same eight bytes, sixteen and so on, and only where those may occur twice is anything looked up.
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
    joined = np.zeros(most_bytes + _AHEAD, np.uint8)
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
        joined[p : p + _AHEAD] = 0
        _grams(keys[a:b], _WIDEST_TOP, False, before, grams, places, slots, table, tallies, firsts, out[row])
        _joined_duplicates(joined, n, before, at_byte, grams, places, slots, table, out[row])
    return out


@lent
def _joined_duplicates(joined, n, before, at_byte, grams, places, marks, table, out):  # type: ignore[no-untyped-def]
    """The columns of DUPLICATE of one text. `grams`: for each piece the key of the bytes that it and the following begin with."""
    live, eights = max(n - DUPLICATE[0] + 1, 0), 0
    for i in range(live):
        grams[i], places[i] = ODD, i
    for g in DUPLICATE:
        while live and eights < _EIGHTS[g]:
            eights += 1
            for j in range(live):
                i = places[j]
                grams[i] = _further(grams[i], joined, at_byte[i] + 8 * eights - 8)
            if eights > 1:
                live = _begin_alike(grams, at_byte, n, g, 8 * eights, places, live, marks, table)
        size = table_size(live)
        table[:size] = 0
        free = 0
        for j in range(live):
            i = places[j]
            if i + g > n:
                break
            if i < free:
                continue
            a, b = at_byte[i], at_byte[i + g]
            key, done = grams[i], a + 8 * eights
            if done > b:
                key, done = ODD, a
            while done + 8 <= b:
                key = _further(key, joined, done)
                done += 8
            rest = eight_bytes(joined, done) & ((np.uint64(1) << np.uint64(8 * (b - done))) - np.uint64(1))
            key = (key ^ rest ^ np.uint64(b - a) << np.uint64(56)) * ODD
            key = (key ^ key >> np.uint64(31)) * MIX | np.uint64(1)
            at = slot_of(table, size, key)
            if table[at] == key:
                out[g - 2] += before[i + g] - before[i]
                free = i + g
            else:
                table[at] = key


@lent
def _further(key, joined, at):  # type: ignore[no-untyped-def]
    key = (key ^ eight_bytes(joined, at)) * MIX
    return key ^ key >> np.uint64(29)


@lent
def _begin_alike(grams, at_byte, n, g, length, places, live, marks, table):  # type: ignore[no-untyped-def]
    """Leaves of the places those where the first `length` bytes perhaps occur twice, or where a gram is shorter; how many."""
    seen, again, size = _bits(table, live)
    for j in range(live):
        mark = _mark(grams[places[j]], size)
        marks[j] = np.int32(mark)
        _see(seen, again, mark)
    kept = 0
    for j in range(live):
        i = places[j]
        short = i + g <= n and at_byte[i + g] - at_byte[i] < length
        places[kept] = i
        kept += short or _seen_again(again, marks[j])
    return kept


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
        most = max(most, most_line_ends(data, offsets[row], offsets[row + 1]) + 1)
    size = table_size(most)
    line_table, paragraph_table = np.empty(size, np.uint64), np.empty(size, np.uint64)
    for row in range(texts):
        i, stop = offsets[row], offsets[row + 1]
        size = table_size(most_line_ends(data, i, stop) + 1)
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
                    skipped = printed(data, i, stop) if skipped == WIDTH else 0
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
