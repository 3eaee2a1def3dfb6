"""Counts over the words of a text: forms, capitals, digits, symbols."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import MIX, ODD, class_of, compiled, decode
from gristmill.signals.segment import DIGIT, FORMAT, KNOWN, LETTER, MARK

WORDS, ALL_CAPS, CHARS, DIGITS, SYMBOLS, PLAIN, PLAIN_CHARS, DISTINCT, STOP, N_COUNTS = range(10)


@compiled
def language_counts(data, starts, ends, chars, keys, bounds, classes, plain, case, stop_keys, stop_bounds, list_of, longest):  # type: ignore[no-untyped-def]
    """int64 [texts, N_COUNTS], the entropy of the plain forms in nats, and the median of their lengths (up to `longest`).

    `stop_keys` holds several sorted lists, number l being stop_keys[stop_bounds[l] : stop_bounds[l + 1]]; text i is read
    with list `list_of[i]`. Forms are summed in the order in which the text first has them.
    """
    texts = len(bounds) - 1
    counts = np.zeros((texts, N_COUNTS), np.int64)
    entropy, median = np.zeros(texts, np.float64), np.zeros(texts, np.float64)
    most = 1
    for row in range(texts):
        most = max(most, bounds[row + 1] - bounds[row])
    size = 2
    while size < 2 * most:
        size *= 2
    slot_row = np.full(size, -1, np.int64)  # a slot is taken if it holds this text's number
    slot_key, slot_form = np.empty(size, np.uint64), np.empty(size, np.int64)
    occurrences = np.empty(most, np.int64)  # of each form
    lengths = np.zeros(longest + 1, np.int64)
    for row in range(texts):
        out = counts[row]
        stop = stop_keys[stop_bounds[list_of[row]] : stop_bounds[list_of[row] + 1]]
        mask = np.int64(2)  # the table is as large as this text needs, so that small texts stay in cache
        while mask < 2 * (bounds[row + 1] - bounds[row]):
            mask *= 2
        mask -= 1
        forms = 0
        for word in range(bounds[row], bounds[row + 1]):
            i, key, length = starts[word], np.uint64(0), 0
            capitals = small = False
            while i < ends[word]:
                point, i = decode(data, i)
                kind = class_of(classes, point) & 15
                if kind == FORMAT:
                    continue
                out[CHARS] += 1
                if point < KNOWN:
                    capitals = capitals or case[point] == 1
                    small = small or case[point] == 2
                if kind in (LETTER, DIGIT, MARK):
                    out[DIGITS] += kind == DIGIT
                    letter = np.uint64(plain[point]) if point < KNOWN else np.uint64(point)
                    key = (key ^ (letter + np.uint64(1))) * ODD
                    key = (key ^ key >> np.uint64(29)) * MIX
                    length += 1
                else:
                    out[SYMBOLS] += 1
            out[WORDS] += 1
            out[ALL_CAPS] += capitals and not small
            if length == 0:
                continue
            key ^= key >> np.uint64(31)
            out[PLAIN] += 1
            out[PLAIN_CHARS] += length
            lengths[min(length, longest)] += 1
            at = np.searchsorted(stop, key)
            out[STOP] += at < len(stop) and stop[at] == key
            slot = np.int64(key & np.uint64(mask))
            while slot_row[slot] == row and slot_key[slot] != key:
                slot = slot + 1 & mask
            if slot_row[slot] != row:
                slot_row[slot], slot_key[slot], slot_form[slot] = row, key, forms
                occurrences[forms] = 0
                forms += 1
            occurrences[slot_form[slot]] += 1
        n = out[PLAIN]
        out[DISTINCT] = forms
        if n:
            total = 0.0
            for form in range(forms):
                total += occurrences[form] * np.log(occurrences[form])
            entropy[row] = max(0.0, np.log(n) - total / n)
            below, lower, length = 0, -1, 0
            while True:  # the lengths at places (n - 1) // 2 and n // 2
                below += lengths[length]
                if lower < 0 and below > (n - 1) // 2:
                    lower = length
                if below > n // 2:
                    median[row] = (lower + length) / 2
                    break
                length += 1
            lengths[:] = 0
    return counts, entropy, median
