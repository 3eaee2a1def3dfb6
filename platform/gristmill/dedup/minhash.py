"""MinHash signatures of texts: band keys that near-duplicates share, and the shingle sets that prove it.

Broder, "On the resemblance and containment of documents" (1997); banding as in Leskovec, Rajaraman and
Ullman, Mining of Massive Datasets, section 3.4; 5-word shingles and 14 bands of 8 rows as in FineWeb
(Penedo et al. 2024, appendix E.1). Two sets of Jaccard similarity s share a band with probability
1 - (1 - s^rows)^bands: 0.56 at 0.70, 0.77 at 0.75, 0.92 at 0.80, 0.99 at 0.85 for 14 x 8.

The text is normalised first: Unicode NFKC, lower case, and then only words count: a word is a run of
letters, marks, digits and underscores, or a single character of a script that writes no spaces (Han, kana,
Thai, Lao, Khmer, Myanmar). Punctuation, layout and Markdown do not count. Digits do: two tables that
differ in their numbers differ.

Everything is integer arithmetic modulo 2^64, so a text's signature is the same on every machine and in any
company. Words are FNV-1a hashes of their UTF-8 bytes, finished by the SplitMix64 mixer; a shingle's hash folds
its words' hashes in order; permutation i is x -> a_i x + b_i with a_i odd, a_i and b_i from blake2b of the seed.
"""

from __future__ import annotations

import hashlib
import sys
from typing import Any

import numba
import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.lake.contracts import CONTRACTS
from gristmill.recipe import MinHash

VERSION = "1"

Words64 = NDArray[np.uint64]

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
WORD = rf"[{_UNSPACED}]|[[\p{{L}}\p{{M}}\p{{N}}_]--[{_UNSPACED}]]+"

DOCUMENTS_AT_ONCE = 512  # bounds the memory that the words of a chunk take

FNV_OFFSET = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)
SHINGLE_SEED = np.uint64(0x9E3779B97F4A7C15)


def sign(texts: pl.DataFrame, settings: MinHash) -> pl.DataFrame:
    """(doc_id, text, text_hash) -> the contract `signatures`, one row per document."""
    a, b = permutations(settings)
    parts = [_sign(chunk, settings, a, b) for chunk in texts.select("doc_id", "text", "text_hash").iter_slices(DOCUMENTS_AT_ONCE)]
    return pl.concat(parts) if parts else pl.DataFrame(schema=SIGNATURES)


SIGNATURES = CONTRACTS["signatures"].schema


def permutations(settings: MinHash) -> tuple[Words64, Words64]:
    """The multipliers (odd) and increments of bands x rows permutations of the 64-bit integers."""
    n = settings.bands * settings.rows
    drawn = b"".join(hashlib.blake2b(f"minhash {settings.seed} {i}".encode(), digest_size=16).digest() for i in range(n))
    values = np.frombuffer(drawn, dtype="<u8").astype(np.uint64)
    return values[0::2] | np.uint64(1), values[1::2].copy()


def words(texts: pl.Series) -> pl.Series:
    """The normalised words of each text, in order."""
    return texts.str.normalize("NFKC").str.to_lowercase().str.extract_all(WORD)


def _sign(texts: pl.DataFrame, settings: MinHash, a: Words64, b: Words64) -> pl.DataFrame:
    found = words(texts["text"])
    ends = np.concatenate([[0], found.list.len().to_numpy().astype(np.int64).cumsum()])
    lengths, letters = _letters(found.explode().drop_nulls())
    shingles, counts = _shingles(letters, lengths, ends, settings.shingle_words)
    bands = _bands(shingles, counts, a, b, settings.bands, settings.rows)
    return texts.select(
        "doc_id",
        "text_hash",
        pl.col("text").str.len_chars().cast(pl.Int64).alias("n_chars"),
        pl.Series("n_shingles", counts),
        _lists("bands", bands, np.where(counts > 0, settings.bands, 0)),
        _lists("shingles", shingles, counts),
    )


def _letters(found: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """The words' lengths in bytes and all their UTF-8 bytes, one after the other."""
    array = found.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    starts = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1] if offsets else np.zeros(1, np.int64)
    letters = np.frombuffer(data, dtype=np.uint8) if data else np.zeros(0, np.uint8)
    return np.diff(starts), letters[starts[0] : starts[-1]]


def _lists(name: str, values: Words64, counts: NDArray[np.int64]) -> pl.Series:
    """Ragged rows as a list column."""
    import pyarrow as pa

    offsets = np.concatenate([[0], counts.cumsum()]).astype(np.int64)
    column: Any = pl.from_arrow(pa.LargeListArray.from_arrays(offsets, pa.array(values, type=pa.uint64())))
    return column.alias(name)


@numba.njit(cache=True)
def _mix(x: np.uint64) -> np.uint64:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014): every bit of the input moves every bit of the output."""
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@numba.njit(cache=True)
def _shingles(letters: NDArray[np.uint8], lengths: NDArray[np.int64], ends: NDArray[np.int64], n: int) -> tuple[Words64, NDArray[np.int64]]:
    """Sorted distinct shingle hashes of each document (words ends[d] to ends[d + 1]), end to end, and how many each has."""
    hashes = np.empty(len(lengths), np.uint64)
    at = 0
    for w in range(len(lengths)):
        h = FNV_OFFSET
        for _ in range(lengths[w]):
            h = (h ^ np.uint64(letters[at])) * FNV_PRIME
            at += 1
        hashes[w] = _mix(h)
    out = np.empty(len(lengths), np.uint64)
    counts = np.zeros(len(ends) - 1, np.int64)
    filled = 0
    for d in range(len(ends) - 1):
        first, last = ends[d], ends[d + 1] - n + 1
        if last <= first:
            continue
        found = np.empty(last - first, np.uint64)
        for w in range(first, last):
            h = SHINGLE_SEED
            for k in range(n):
                h = _mix(h ^ hashes[w + k])
            found[w - first] = h
        found.sort()
        for i in range(len(found)):
            if i == 0 or found[i] != found[i - 1]:
                out[filled] = found[i]
                filled += 1
                counts[d] += 1
    return out[:filled], counts


@numba.njit(cache=True)
def _bands(shingles: Words64, counts: NDArray[np.int64], a: Words64, b: Words64, bands: int, rows: int) -> Words64:
    """The band keys of each document that has shingles, end to end. A key holds its band's number: no two bands share one."""
    out = np.empty(np.count_nonzero(counts) * bands, np.uint64)
    start = 0
    filled = 0
    for d in range(len(counts)):
        if counts[d] == 0:
            continue
        for band in range(bands):
            key = np.uint64(band)
            for row in range(rows):
                i = band * rows + row
                least = np.uint64(0xFFFFFFFFFFFFFFFF)
                for s in range(start, start + counts[d]):
                    value = shingles[s] * a[i] + b[i]
                    least = min(least, value)
                key = _mix(key ^ least)
            out[filled] = key
            filled += 1
        start += counts[d]
    return out


if sys.byteorder != "little":
    raise ImportError("MinHash signatures are defined on little-endian machines")
