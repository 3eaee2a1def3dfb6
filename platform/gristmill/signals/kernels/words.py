"""Words of every text as spans, with the hash and the length that the repetition rules need."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import MIX, ODD, class_of, compiled, decode
from gristmill.signals.kernels.eights import bytes_key, eight_bytes, short_key
from gristmill.signals.kernels.sixtyfours import WIDTH, among, below, first_of, last_of
from gristmill.signals.segment import DIGIT, FORMAT, LETTER, SPACE, UNSPACED


@compiled
def word_spans(data, offsets, room, classes):  # type: ignore[no-untyped-def]
    """starts, ends (bytes, int64), chars (int32), keys (uint64) of every word, and bounds (int64 [texts + 1]).

    Words as `segment` defines them: text i has the words bounds[i] to bounds[i + 1]. `chars` counts code points
    without format characters; `keys` hashes them as written, upper and lower case apart. `room`: what they are written to, for
    half as many words as there are bytes (one with spaces has a byte and a space, one without three bytes), one a text and one.
    """
    texts = len(offsets) - 1
    starts, ends, chars, keys = room
    bounds = np.zeros(texts + 1, np.int64)
    last_block = len(data) - WIDTH - 8  # of the last word of a block eight bytes are read
    n = 0
    for row in range(texts):
        i, stop = offsets[row], offsets[row + 1]
        while i < stop:
            if i <= last_block:  # words of printed ASCII characters
                solid = ~(among(data, i, 0x00, 0x20) | among(data, i, 0x7F, 0x7F))
                wide = min(first_of(among(data, i, 0x80, 0xFF)), stop - i)
                if wide < stop - i:
                    wide = last_of(~solid & below(wide)) + 1
                solid &= below(wide)
                while solid:
                    bit = first_of(solid)
                    length = first_of(~solid & ~below(bit)) - bit
                    begin = i + bit
                    solid &= ~below(bit + length)
                    starts[n], ends[n], chars[n] = begin, begin + length, length
                    if length < 8:
                        keys[n] = short_key(eight_bytes(data, begin) & below(8 * length), length)
                    else:
                        keys[n] = bytes_key(data, begin, begin + length)
                    n += 1
                i += wide
                if wide:
                    continue
            in_word = wordy = unspaced = silent = skipped = False
            begin, last, length = i, i, 0
            while i < stop:
                at = i
                point, i = decode(data, i)
                sort = class_of(classes, point)
                kind = sort & 15
                if kind == FORMAT:
                    skipped = True
                    continue
                new_unit = kind == LETTER and sort & UNSPACED != 0
                if in_word and (kind == SPACE or (wordy and (new_unit or (unspaced and kind in (LETTER, DIGIT))))):
                    starts[n], ends[n], chars[n] = begin, last, length
                    keys[n] = _spoken_key(data, begin, last, classes) if silent else bytes_key(data, begin, last)
                    n += 1
                    in_word = False
                if kind == SPACE:
                    break
                if not in_word:
                    in_word, wordy, unspaced, silent, begin, length = True, False, False, False, at, 0
                else:
                    silent = silent or skipped
                skipped = False
                last = i
                length += 1
                if kind in (LETTER, DIGIT):
                    wordy = True
                    unspaced = new_unit
            if in_word:
                starts[n], ends[n], chars[n] = begin, last, length
                keys[n] = _spoken_key(data, begin, last, classes) if silent else bytes_key(data, begin, last)
                n += 1
        bounds[row + 1] = n
    return starts[:n], ends[:n], chars[:n], keys[:n], bounds


@compiled
def _spoken_key(data, i, stop, classes):  # type: ignore[no-untyped-def]
    """The key of data[i:stop] without its format characters."""
    spoken, n = np.empty(stop - i, np.uint8), 0
    while i < stop:
        at = i
        point, i = decode(data, i)
        if class_of(classes, point) & 15 != FORMAT:
            for p in range(at, i):
                spoken[n] = data[p]
                n += 1
    return bytes_key(spoken, 0, n)


@compiled
def keys_of(data, offsets):  # type: ignore[no-untyped-def]
    """The key that `word_spans` gives a word, for each of many words; format characters count here."""
    keys = np.empty(len(offsets) - 1, np.uint64)
    for row in range(len(offsets) - 1):
        keys[row] = bytes_key(data, offsets[row], offsets[row + 1])
    return keys


@compiled
def point_keys(data, offsets):  # type: ignore[no-untyped-def]
    """Keys of words code point by code point, for kernels that fold each code point before they hash it."""
    keys = np.empty(len(offsets) - 1, np.uint64)
    for row in range(len(offsets) - 1):
        i, key = offsets[row], np.uint64(0)
        while i < offsets[row + 1]:
            point, i = decode(data, i)
            key = (key ^ (np.uint64(point) + np.uint64(1))) * ODD
            key = (key ^ key >> np.uint64(29)) * MIX
        keys[row] = key ^ key >> np.uint64(31)
    return keys
