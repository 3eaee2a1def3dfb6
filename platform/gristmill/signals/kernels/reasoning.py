"""Words, cues and factoids of English texts: one pass over the UTF-8 bytes of a whole column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gristmill.signals.kernels.base import MIX, ODD, class_of, compiled, decode
from gristmill.signals.segment import DIGIT, FORMAT, KNOWN, LETTER, LINE_END, MARK, SPACE

WORDS, CUES, FACTOIDS, N_COUNTS = range(4)

SLOTS = 1024  # of the table of cues: four times as many as there are cues


def cue_table(cues: tuple[bytes, ...]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_], np.uint64]:
    """Open addressing: the key of each cue, and which slots are used; and the key of `since`, which counts by what follows it."""
    keys, used = np.zeros(SLOTS, np.uint64), np.zeros(SLOTS, np.bool_)
    for cue in cues:
        key = phrase_key(cue)
        slot = int(key) % SLOTS
        while used[slot]:
            if keys[slot] == key:
                raise ValueError(f"the cue {cue!r} is there twice, or hashes as another one")
            slot = (slot + 1) % SLOTS
        keys[slot], used[slot] = key, True
    return keys, used, phrase_key(b"since")


def phrase_key(phrase: bytes) -> np.uint64:
    key = np.uint64(0)
    for word in phrase.split(b" "):
        key = np.uint64(joined(key, np.uint64(word_key(np.frombuffer(word, np.uint8)))))
    return key


@compiled
def word_key(word):  # type: ignore[no-untyped-def]
    key = ODD
    for byte in word:
        key = mixed(key, np.uint32(byte))
    return key


@compiled
def mixed(key, point):  # type: ignore[no-untyped-def]
    key = (key ^ np.uint64(point)) * MIX
    return key ^ (key >> np.uint64(29))


@compiled
def joined(phrase, word):  # type: ignore[no-untyped-def]
    """The key of a phrase and one word more; the phrase of no words has key 0."""
    key = (phrase * ODD + word) * MIX
    return key ^ (key >> np.uint64(31))


@compiled
def has(keys, used, key):  # type: ignore[no-untyped-def]
    slot = key % np.uint64(SLOTS)
    while used[slot]:
        if keys[slot] == key:
            return True
        slot = (slot + np.uint64(1)) % np.uint64(SLOTS)
    return False


@compiled
def reasoning_counts(data, offsets, wanted, classes, folded, keys, used, since, marks):  # type: ignore[no-untyped-def]
    """int64 [texts, N_COUNTS]; zeros for a text that is not wanted."""
    counts = np.zeros((len(offsets) - 1, N_COUNTS), np.int64)
    for row in range(len(offsets) - 1):
        if not wanted[row]:
            continue
        words = cues = factoids = 0
        in_word = numeric = capital = small = inner = False  # of the open word: its first character; a small letter; a capital after one
        fresh = True  # nothing of the sentence came before the open word
        starts = True  # the next word begins a sentence or a line
        in_name = in_number = False  # the word before was part of a name, of a number, which may go on
        key = last = before = np.uint64(0)  # of the open word and the two before it
        free = 0  # how many of those two stand right before it and are in no cue
        pending = equation = False  # `since` was the last word; this line has an equation
        previous = np.uint32(32)
        i, stop = offsets[row], offsets[row + 1]
        while True:
            if i < stop:
                point, i = decode(data, i)
                flags = class_of(classes, point)
                at_end = False
            else:
                point, flags, at_end = np.uint32(10), np.uint8(SPACE | LINE_END), True
            kind = flags & 15
            if kind == FORMAT or (kind == MARK and in_word):
                continue
            if kind in (LETTER, DIGIT):
                lowered = folded[point] if kind == LETTER and point < KNOWN else point
                if not in_word:
                    in_word, numeric, capital, small, inner = True, kind == DIGIT, lowered != point, False, False
                    fresh, starts = starts, False
                    key = ODD
                elif lowered != point:
                    inner |= small
                elif kind == LETTER:
                    small = True
                key = mixed(key, lowered)
                previous = point
                continue
            if in_word:
                in_word = False
                words += 1
                name = capital and small and not inner and not fresh
                if pending and not name and not numeric:
                    cues += 1
                pending = False
                factoids += (numeric and not in_number) or (name and not in_name)
                in_number, in_name = numeric, name
                one = joined(np.uint64(0), key)
                if (free >= 2 and has(keys, used, joined(joined(joined(np.uint64(0), before), last), key))) or (
                    free >= 1 and has(keys, used, joined(joined(np.uint64(0), last), key))
                ):
                    cues += 1
                    free = 0
                elif one == since:
                    pending = True
                    free = 0
                elif has(keys, used, one):
                    cues += 1
                    free = 0
                else:
                    free = min(free + 1, 2)
                before, last = last, key
            if kind == SPACE:
                in_number = False
                if flags & LINE_END:
                    starts, in_name, equation = True, False, False
                    if at_end:
                        cues += pending
                        break
                elif point == 0x20 and previous == 0x3D and not equation and i >= offsets[row] + 3 and data[i - 3] == 0x20:
                    equation = True
                    cues += 1
            else:
                inside = i < stop and ((0x61 <= (data[i] | 0x20) <= 0x7A) or 0x30 <= data[i] <= 0x39)  # a letter or digit follows
                joins = point == 0x2E or point == 0x2C or point == 0x3A or point == 0x2F or point == 0x2D or point == 0x2013
                if not joins:
                    in_number = False
                if point != 0x2D and point != 0x27 and point != 0x2019:  # Jean-Luc
                    in_name = False
                if point == 0x2E and inside:
                    previous = point
                    continue  # e.g, 3.5, os.path
                free = 0
                if point == 0x2E or point == 0x21 or point == 0x3F or point == 0x3A or point == 0x22 or point == 0x201C or point == 0x2022:
                    starts = True
                for mark in marks:
                    cues += point == mark
            previous = point
        counts[row, WORDS], counts[row, CUES], counts[row, FACTOIDS] = words, cues, factoids
    return counts
