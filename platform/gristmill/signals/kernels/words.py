"""Words of every text as spans, with the hash and the length that the repetition rules need."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import MIX, ODD, class_of, compiled, decode
from gristmill.signals.segment import DIGIT, FORMAT, LETTER, SPACE, UNSPACED


@compiled
def word_spans(data, offsets, classes):  # type: ignore[no-untyped-def]
    """starts, ends (bytes, int64), chars (int32), keys (uint64) of every word, and bounds (int64 [texts + 1]).

    Words as `segment` defines them: text i has the words bounds[i] to bounds[i + 1]. `chars` counts code points
    without format characters; `keys` hashes them as written, upper and lower case apart.
    """
    texts = len(offsets) - 1
    most = (offsets[-1] - offsets[0]) // 2 + texts + 1  # a spaced word has a byte and a space, an unspaced letter three bytes
    starts, ends = np.empty(most, np.int64), np.empty(most, np.int64)
    chars, keys = np.empty(most, np.int32), np.empty(most, np.uint64)
    bounds = np.zeros(texts + 1, np.int64)
    n = 0
    for row in range(texts):
        i, stop = offsets[row], offsets[row + 1]
        in_word = wordy = unspaced = False
        begin, last, length, key = i, i, 0, np.uint64(0)
        while i < stop:
            at = i
            point, i = decode(data, i)
            flags = class_of(classes, point)
            kind = flags & 15
            if kind == FORMAT:
                continue
            new_unit = kind == LETTER and flags & UNSPACED != 0
            if in_word and (kind == SPACE or (wordy and (new_unit or (unspaced and kind in (LETTER, DIGIT))))):
                starts[n], ends[n], chars[n], keys[n] = begin, last, length, key ^ key >> np.uint64(31)
                n += 1
                in_word = False
            if kind == SPACE:
                continue
            if not in_word:
                in_word, wordy, unspaced, begin, length, key = True, False, False, at, 0, np.uint64(0)
            last = i
            length += 1
            key = (key ^ (np.uint64(point) + np.uint64(1))) * ODD
            key = (key ^ key >> np.uint64(29)) * MIX
            if kind in (LETTER, DIGIT):
                wordy = True
                unspaced = new_unit
        if in_word:
            starts[n], ends[n], chars[n], keys[n] = begin, last, length, key ^ key >> np.uint64(31)
            n += 1
        bounds[row + 1] = n
    return starts[:n].copy(), ends[:n].copy(), chars[:n].copy(), keys[:n].copy(), bounds


@compiled
def keys_of(data, offsets):  # type: ignore[no-untyped-def]
    """The key that `word_spans` gives a word, for each of many words; format characters count here."""
    keys = np.empty(len(offsets) - 1, np.uint64)
    for row in range(len(offsets) - 1):
        i, key = offsets[row], np.uint64(0)
        while i < offsets[row + 1]:
            point, i = decode(data, i)
            key = (key ^ (np.uint64(point) + np.uint64(1))) * ODD
            key = (key ^ key >> np.uint64(29)) * MIX
        keys[row] = key ^ key >> np.uint64(31)
    return keys
