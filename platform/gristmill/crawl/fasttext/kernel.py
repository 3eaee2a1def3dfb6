"""fastText's prediction for one line: the mean of the rows of its words and n-grams, then down the tree over the labels."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import compiled, lent
from gristmill.signals.kernels.eights import bytes_key

SEED, PRIME, SIGN = np.uint32(2_166_136_261), np.uint32(16_777_619), np.uint32(0xFFFFFF00)
OPEN, CLOSE = np.uint8(ord("<")), np.uint8(ord(">"))  # around a word whose n-grams are taken
END = 0  # the number of the word </s>, which ends every line
WHITE = np.uint64(1 << 0 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 32)  # what parts words: NUL, \t, \n, \v, \f, \r, blank
LABEL = np.frombuffer(b"__label__", np.uint8)  # what begins with it is no word
LABEL_SIZE = 9
SLOTS, POOL = 1 << 16, 1 << 20  # words that are remembered, and rows of all of them
WIDTH = 16  # of a row; known beforehand, a row is added in an instruction or two
SMALL = 1e-5  # added before each logarithm


@compiled
def capitals_and_letters(data):  # type: ignore[no-untyped-def]
    """How many of the bytes are capitals, and how many letters, of ASCII."""
    capitals, letters = 0, 0
    for byte in data:
        capitals += int(np.uint8(byte - 65) < 26)
        letters += int(np.uint8((byte | 32) - 97) < 26)
    return capitals, letters


def known_words() -> tuple[np.ndarray, ...]:
    """Room for what `best_label` remembers of words: by slot a word's key, where its rows begin and how many they are; the rows; how
    much of them is taken."""
    return np.zeros(SLOTS, np.uint64), np.zeros(SLOTS, np.int32), np.zeros(SLOTS, np.int32), np.zeros(POOL, np.int32), np.zeros(1, np.int64)


@compiled
def best_label(line, known, words, word_bounds, word_slots, held, places, rows, nodes, left, right, shortest, longest):  # type: ignore[no-untyped-def]
    """Number of the likeliest label and its probability; -1 where there is none. `line`: UTF-8 bytes; a line end ends it.

    `known`: of `known_words`, for one line after another. Most words of a line have come before, and which rows they add up is
    remembered: they are added in the same order, so the answer is the same to the last bit.
    """
    keys, firsts, counts, pool, used = known
    flat = rows.ravel()
    total = np.zeros(WIDTH, np.float32)
    word = np.empty(len(line) + 2, np.uint8)
    taken, at = 0, 0
    while True:
        while at < len(line) and line[at] != 10 and _parts(line[at]):
            at += 1
        begin = at
        while at < len(line) and not _parts(line[at]):
            at += 1
        if at == begin:
            break
        key = bytes_key(line, begin, at)
        slot = np.int64(key >> np.uint64(32)) & (SLOTS - 1)
        if keys[slot] == key:
            _add(total, flat, pool, firsts[slot], counts[slot])
            taken += counts[slot]
            continue
        most = (longest - shortest + 1) * (at - begin + 2) + 1
        room, first = pool, used[0]
        if first + most > POOL:
            keys[:], first = 0, 0
            if most > POOL:
                room = np.empty(most, np.int32)
        count = _rows_of(line, begin, at, word, room, first, words, word_bounds, word_slots, held, places, shortest, longest)
        if count < 0:
            break
        _add(total, flat, room, first, count)
        taken += count
        if most <= POOL:
            keys[slot], firsts[slot], counts[slot], used[0] = key, first, count, first + count
    for k in range(WIDTH):
        total[k] += flat[END * WIDTH + k]
    mean = np.float32(1.0 / (taken + 1))
    for k in range(WIDTH):
        total[k] *= mean
    labels = len(left) + 1
    best, best_score = np.int64(-1), np.float32(np.log(SMALL))
    waiting, scores = np.empty(2 * labels, np.int64), np.empty(2 * labels, np.float32)
    waiting[0], scores[0] = 2 * labels - 2, 0.0
    depth = 1
    while depth:
        depth -= 1
        node, score = waiting[depth], scores[depth]
        if score < best_score:
            continue
        if node < labels:
            best, best_score = node, score
            continue
        node -= labels
        product = np.float32(0.0)
        for k in range(WIDTH):
            product += nodes[node, k] * total[k]
        yes = np.float32(1.0 / np.float64(np.float32(1.0) + np.exp(-product)))
        no = np.float32(1.0 - np.float64(yes))
        for child, chance in ((right[node], yes), (left[node], no)):  # the left one is looked at first
            waiting[depth], scores[depth] = child, np.float32(score + np.float32(np.log(np.float64(chance) + SMALL)))
            depth += 1
    return best, np.exp(best_score)


@lent
def _parts(byte):  # type: ignore[no-untyped-def]
    """Whether a byte parts words."""
    return byte < 33 and WHITE >> np.uint64(byte) & np.uint64(1) != 0


@lent
def _add(total, flat, numbers, first, count):  # type: ignore[no-untyped-def]
    """Adds the rows numbers[first : first + count] to `total`, one after the other."""
    for i in range(first, first + count):
        row = np.int64(numbers[i]) * WIDTH
        for k in range(WIDTH):
            total[k] += flat[row + k]


@lent
def _rows_of(line, begin, end, word, into, first, words, word_bounds, word_slots, held, places, shortest, longest):  # type: ignore[no-untyped-def]
    """Writes to into[first:] the rows of the word line[begin:end], its own and its n-grams', and returns how many; -1 for </s>.

    `word`: room for its bytes and two more.
    """
    n_words, buckets, mask = len(word_bounds) - 1, np.uint32(len(places)), np.int64(len(word_slots) - 1)
    word[0] = OPEN
    size, whole = 1, SEED
    for at in range(begin, end):
        byte = np.uint32(line[at])
        whole = np.uint32((whole ^ (byte if byte < 128 else byte | SIGN)) * PRIME)
        word[size] = line[at]
        size += 1
    number, slot = np.int64(-1), np.int64(whole) & mask
    while number < 0 and word_slots[slot] >= 0:
        each = np.int64(word_slots[slot])
        if word_bounds[each + 1] - word_bounds[each] == size - 1 and _alike(words, word_bounds[each], word, 1, size - 1):
            number = each
        slot = slot + 1 & mask
    if size > LABEL_SIZE and _alike(LABEL, 0, word, 1, LABEL_SIZE):
        return 0
    if number == END:
        return -1
    n = first
    if number >= 0:
        into[n] = number
        n += 1
    word[size] = CLOSE
    stop = size + 1
    i = 0
    while i < stop:
        value, j, chars = SEED, i, 1
        next_i = stop
        while j < stop and chars <= longest:
            byte = np.uint32(word[j])
            value = np.uint32((value ^ (byte if byte < 128 else byte | SIGN)) * PRIME)
            j += 1
            while j < stop and word[j] & 0xC0 == 0x80:
                value = np.uint32((value ^ (np.uint32(word[j]) | SIGN)) * PRIME)
                j += 1
            if chars == 1:
                next_i = j
            if chars >= shortest and not (chars == 1 and (i == 0 or j == stop)):
                bucket = value % buckets
                if held[bucket >> np.uint32(3)] >> (bucket & np.uint32(7)) & 1:
                    into[n] = n_words + np.int64(places[bucket])
                    n += 1
            chars += 1
        i = next_i
    return n - first


@lent
def _alike(one, a, other, b, length):  # type: ignore[no-untyped-def]
    same = 0
    while same < length and one[a + same] == other[b + same]:
        same += 1
    return same == length
