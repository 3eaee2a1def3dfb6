"""fastText's prediction for one line: the mean of the rows of its words and n-grams, then down the tree over the labels."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import compiled

SEED, PRIME, SIGN = np.uint32(2_166_136_261), np.uint32(16_777_619), np.uint32(0xFFFFFF00)
OPEN, CLOSE = np.uint8(ord("<")), np.uint8(ord(">"))  # around a word whose n-grams are taken
END = 0  # the number of the word </s>, which ends every line
WHITE = np.uint64(1 << 0 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 32)  # what parts words: NUL, \t, \n, \v, \f, \r, blank
LABEL = np.frombuffer(b"__label__", np.uint8)  # what begins with it is no word
LABEL_SIZE = 9
WIDTH = 16  # of a row; known beforehand, a row is added in an instruction or two
SMALL = 1e-5  # added before each logarithm


@compiled
def best_label(line, words, word_bounds, word_slots, held, places, rows, nodes, left, right, shortest, longest):  # type: ignore[no-untyped-def]
    """Number of the likeliest label and its probability; -1 where there is none. `line`: UTF-8 bytes; a line end ends it."""
    n_words = len(word_bounds) - 1
    flat = rows.ravel()
    total = np.zeros(WIDTH, np.float32)
    buckets, mask = np.uint32(len(places)), np.int64(len(word_slots) - 1)
    word = np.empty(len(line) + 2, np.uint8)
    word[0] = OPEN
    taken, at, ended = 0, 0, False
    while not ended:
        while at < len(line) and line[at] < 33 and line[at] != 10 and WHITE >> np.uint64(line[at]) & np.uint64(1):
            at += 1
        size = 1
        whole = SEED
        while at < len(line) and not (line[at] < 33 and WHITE >> np.uint64(line[at]) & np.uint64(1)):
            byte = np.uint32(line[at])
            whole = np.uint32((whole ^ (byte if byte < 128 else byte | SIGN)) * PRIME)
            word[size] = line[at]
            size, at = size + 1, at + 1
        number = np.int64(END)
        if size > 1:
            slot = np.int64(whole) & mask
            number = np.int64(-1)
            while word_slots[slot] >= 0:
                each = word_slots[slot]
                first, length = word_bounds[each], word_bounds[each + 1] - word_bounds[each]
                if length == size - 1:
                    same = True
                    for j in range(length):
                        if words[first + j] != word[1 + j]:
                            same = False
                            break
                    if same:
                        number = np.int64(each)
                        break
                slot = slot + 1 & mask
            if size > LABEL_SIZE and word[1] == LABEL[0] and word[2] == LABEL[0] and np.array_equal(word[1 : 1 + LABEL_SIZE], LABEL):
                continue
        if number >= 0:
            taken += 1
            for k in range(WIDTH):
                total[k] += flat[number * WIDTH + k]
        if number == END:
            ended = True  # at the line's end, or where the text says </s>
            continue
        word[size] = CLOSE
        stop = size + 1
        i = 0
        while i < stop:
            value, j, n = SEED, i, 1
            next_i = stop
            while j < stop and n <= longest:
                byte = np.uint32(word[j])
                value = np.uint32((value ^ (byte if byte < 128 else byte | SIGN)) * PRIME)
                j += 1
                while j < stop and word[j] & 0xC0 == 0x80:
                    value = np.uint32((value ^ (np.uint32(word[j]) | SIGN)) * PRIME)
                    j += 1
                if n == 1:
                    next_i = j
                if n >= shortest and not (n == 1 and (i == 0 or j == stop)):
                    bucket = value % buckets
                    if held[bucket >> np.uint32(3)] >> (bucket & np.uint32(7)) & 1:
                        taken += 1
                        first = (n_words + np.int64(places[bucket])) * WIDTH
                        for k in range(WIDTH):
                            total[k] += flat[first + k]
                n += 1
            i = next_i
    mean = np.float32(1.0 / taken)
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
