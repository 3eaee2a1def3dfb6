"""MinHash signatures of texts: band keys that near-duplicates share, and the shingle sets that prove it.

Broder, "On the resemblance and containment of documents" (1997); banding as in Leskovec, Rajaraman and
Ullman, Mining of Massive Datasets, section 3.4; 5-word shingles and 14 bands of 8 rows as in FineWeb
(Penedo et al. 2024, appendix E.1). Two sets of Jaccard similarity s share a band with probability
1 - (1 - s^rows)^bands: 0.56 at 0.70, 0.77 at 0.75, 0.92 at 0.80, 0.99 at 0.85 for 14 x 8.

Words are those of `dedup.words`, of normalised text, as 64-bit keys (`normal_kernels`).

- **Shingle**: the polynomial h = k_1 P^(n-1) + ... + k_n modulo 2^64 of n words' keys, finished by SplitMix64's mixer, of which the
  upper 32 bits stay. Two different shingles share a hash with probability 2^-32: two disjoint sets of m shingles each seem to
  have m^2 / 2^32 in common (0.0002 for pages of a thousand words, 2 of 200,000 for books of a hundred thousand), so that a Jaccard
  similarity is too high by m / 2^33 on average: nothing at a threshold of two digits, for half of the memory.
- **Permutation** i is x -> a_i x modulo 2^32, a_i odd, from blake2b of the seed (for linear permutations see Bohman, Cooper and
  Frieze, "Min-wise independent linear permutations", 2000). What it permutes are hashes that are uniform already, so each
  member of a set is the least with equal probability, and the estimate is unbiased; an increment would add nothing to that.
  A 32-bit product is one vector instruction for 8 or 16 shingles, where the 61-bit prime of datatrove and datasketch needs
  wider ones. A permutation read backwards is another one: the greatest value serves as well as the least (Ji et al., "Min-max
  hash for Jaccard similarity", ICDM 2013: unbiased, its variance a little smaller). So is one that is read from the middle on,
  as one-permutation hashing reads it from many places (Li, Owen and Zhang, NIPS 2012). Of each product four orders are
  read: from 0 up, from 2^32 down, from 2^31 up and down, round the end. They stand in different bands, if there are four. Found
  pairs follow the formula above within 0.003 for sets of thirty shingles and more, and lie up to 0.01 above it for five to ten.
- **Band key**: the band's number and its rows' least values, mixed into 64 bits.
- **normal_hash**: 128 bits of the sequence of word keys; texts that differ in case, punctuation or layout share it. A text without
  a word has its `text_hash` there. It is no cryptographic hash: it tells accidents apart, not forgeries.

Everything is integer arithmetic, so a text's signature is the same on every machine and in any company. Peers: datatrove
hashes joined strings of 5 tokens (xxhash64 or sha1) and multiplies with wrap-around below its prime; rensa's R-MinHash is
Dahlgaard, Knudsen and Thorup's fast similarity sketching (2017), which is not a permutation per value.
"""

from __future__ import annotations

import hashlib
import sys
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.dedup import words
from gristmill.lake.contracts import CONTRACTS
from gristmill.recipe.dedup import MinHash
from gristmill.signals.segment import CHUNK_BYTES

VERSION = f"2.{words.VERSION}"

SIGNATURES = CONTRACTS["signatures"].schema


def sign(texts: pl.DataFrame, settings: MinHash) -> pl.DataFrame:
    """(doc_id, text, text_hash) -> the contract `signatures`, one row per document, in their order."""
    multipliers = permutations(settings)
    parts = [_sign(chunk, settings, multipliers) for chunk in _chunks(texts.select("doc_id", "text", "text_hash"))]
    return pl.concat(parts) if parts else pl.DataFrame(schema=SIGNATURES)


def permutations(settings: MinHash) -> NDArray[np.uint32]:
    """The multipliers (odd) of a fourth of bands x rows orders, rounded up; in each, four orders are read."""
    n = (settings.bands * settings.rows + 3) // 4
    drawn = b"".join(hashlib.blake2b(f"minhash {settings.seed} {i}".encode(), digest_size=4).digest() for i in range(n))
    return np.frombuffer(drawn, dtype="<u4") | np.uint32(1)


def _chunks(texts: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows in order, cut where they come to more than CHUNK_BYTES of text: what bounds the memory beside them."""
    if texts.is_empty():
        return []
    before = texts["text"].str.len_bytes().cast(pl.Int64).cum_sum().shift(1, fill_value=0).to_numpy()
    starts = np.flatnonzero(np.diff(before // CHUNK_BYTES, prepend=-1))
    return [texts[int(i) : int(j)] for i, j in zip(starts, [*starts[1:], texts.height], strict=True)]


def _sign(texts: pl.DataFrame, settings: MinHash, multipliers: NDArray[np.uint32]) -> pl.DataFrame:
    from gristmill.dedup.minhash_kernels import sign_texts

    column = words.normal_column(texts["text"])
    normal, counts, shingles, keys = sign_texts(
        column.data, column.offsets, words.table(), settings.shingle_words, multipliers, settings.bands, settings.rows
    )
    return texts.select(
        "doc_id",
        "text_hash",
        # texts without a word ("+ - + -") are not copies of one another
        pl.when(pl.Series(~normal.any(axis=1))).then("text_hash").otherwise(pl.Series(_hex(normal), dtype=pl.String)).alias("normal_hash"),
        pl.col("text").str.len_chars().cast(pl.Int64).alias("n_chars"),
        pl.Series("n_shingles", counts),
        _lists("bands", keys[counts > 0].ravel(), np.where(counts > 0, settings.bands, 0)),
        _lists("shingles", shingles, counts),
    )


def _hex(pairs: NDArray[np.uint64]) -> list[str]:
    """32 hex digits for each pair of numbers."""
    digits = pairs.astype(">u8").tobytes().hex()
    return [digits[i : i + 32] for i in range(0, len(digits), 32)]


def _lists(name: str, values: NDArray[Any], counts: NDArray[np.int64]) -> pl.Series:
    """Ragged rows as a list column."""
    import pyarrow as pa

    offsets = np.concatenate([[0], counts.cumsum()]).astype(np.int64)
    column: Any = pl.from_arrow(pa.LargeListArray.from_arrays(offsets, pa.array(values)))
    return column.alias(name)


if sys.byteorder != "little":
    raise ImportError("MinHash signatures are defined on little-endian machines")
