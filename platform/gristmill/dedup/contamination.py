"""Contamination: which held-out documents and evaluation items a document quotes, by the word n-grams that both hold.

A word is a run of letters and digits, lower-cased; punctuation parts words, accents and other combining marks do not count, nor
do format characters; digits do. In scripts written without spaces every letter is a word. So neither layout, quotation marks,
Markdown nor a lost accent hides a copy.

- Brown et al. 2020 (GPT-3), appendix C: n-grams of 13 words; n-grams "colliding more than 10 documents" are common phrases and
  legal boilerplate and count for nothing; items shorter than 8 words are left alone. GPT-3 cut 200 characters around a single hit;
  here one hit is not enough and the document goes as a whole, since a text with holes is worse than none.
- Touvron et al. 2023 (Llama 2), section A.6, and Grattafiori et al. 2024 (Llama 3), section 5.1.4: contaminated is what has a large
  *share* of its n-grams on the other side, because a single n-gram is met by chance. Here the share is the item's: a long page is
  as contaminated by a whole question as a short one.
- datatrove (`pipeline/decont/n_grams.py`) drops at one shared 12-gram of an item's context, ending or both; lm-evaluation-harness
  (`decontamination/janitor.py`) removes punctuation inside words ("don't" is one word there, two here).

An n-gram is boilerplate when more than `MAX_TEXTS` items of different text hold it (copies of one item under several names count
once): it counts neither as shared nor as the item's. Of an item with more than `MOST_NGRAMS` a fixed sample is kept, the smallest
keys: the share is then estimated, with a standard error of at most 2.2 points.

References must fit memory: 22 bytes an n-gram when loaded, 60 while loading, 110 while the table is made (measured at 20 million,
which are 40 thousand documents of 500 words). Texts are read in chunks and cost what a chunk costs.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gristmill.dedup.items import HELD_OUT
from gristmill.errors import ContractError
from gristmill.lake.contracts import CONTRACTS
from gristmill.signals import segment
from gristmill.signals.chunk import Chunk, chunks
from gristmill.signals.segment import Column, Tables

VERSION = f"1-{segment.VERSION}"

SHORTEST = 8  # words of an item that is compared as a whole, having fewer than n; GPT-3, appendix C
MAX_TEXTS = 10  # GPT-3, appendix C, of documents; here of items
MOST_NGRAMS = 512  # of an item

BUCKET_KEYS, BITS_A_KEY = 2, 16  # of the look-up: keys that share a bucket, bits of the filter; on average

_PAIRS = {"item": pl.UInt32, "key": pl.UInt64}
_ITEMS = {"item": pl.String, "words": pl.Int64, "ngrams": pl.Int64, "distinctive": pl.Int64}


class ReferenceNgrams(NamedTuple):
    """`ngrams`: the contract `reference_ngrams`. `items`: item, words, ngrams (distinct, before any is left out), distinctive (those
    in the table); an item with none there is too short, or boilerplate, and contaminates nothing."""

    ngrams: pl.DataFrame
    items: pl.DataFrame


def reference_ngrams(items: Iterable[pl.DataFrame], n: int) -> ReferenceNgrams:
    """The distinctive n-grams of items (`items.ITEMS`), which come in frames of any size and order; ContractError where two share a
    name. An item of fewer than n words has one key of all of them if they are at least SHORTEST, else none."""
    names, pairs = [pl.DataFrame(schema=_ITEMS)], [pl.DataFrame(schema=_PAIRS)]
    before = 0
    for frame in items:
        for chunk in chunks(frame.select("item", "text")):
            counted, found = _item_ngrams(chunk, n)
            pairs.append(found.with_columns((pl.col("item") + before).cast(pl.UInt32)))
            names.append(counted)
            before += counted.height
    table = pl.concat(names)
    if (twice := table["item"].is_duplicated()).any():
        raise ContractError(f"two items are called {table['item'].filter(twice)[0]!r}", where="reference_ngrams")
    distinctive = _without_boilerplate(pl.concat(pairs))
    kept = distinctive.group_by("item").len("distinctive")
    table = table.drop("distinctive").with_row_index("row").join(kept, left_on="row", right_on="item", how="left", maintain_order="left")
    stored = distinctive.select(table["item"].gather(distinctive["item"]), "key").sort("item", "key")
    return ReferenceNgrams(stored, table.select("item", "words", "ngrams", pl.col("distinctive").fill_null(0).cast(pl.Int64)).sort("item"))


@dataclass(frozen=True)
class References:
    """A table `reference_ngrams` made ready for looking up: `load` makes it."""

    n: int
    items: pl.Series  # sorted names
    sizes: npt.NDArray[np.int64]  # n-grams of each item
    words: npt.NDArray[np.int64]  # of which an n-gram of each item consists
    keys: npt.NDArray[np.uint64]  # sorted
    owners: npt.NDArray[np.uint32]  # the item of each key
    heads: npt.NDArray[np.int64]
    head_shift: np.uint64
    bits: npt.NDArray[np.uint64]
    bit_shift: np.uint64

    @classmethod
    def load(cls, table: pl.LazyFrame, n: int) -> References:
        """From the contract `reference_ngrams`, made with the same n."""
        from gristmill.dedup.ngram_kernels import LONGEST_SHORT, set_bits

        items = table.select(pl.col("item").unique().sort()).collect()["item"]
        pairs = table.select(pl.col("item").cast(pl.Enum(items)).to_physical().cast(pl.UInt32), "key").collect().sort("key")
        keys, owners = pairs["key"].to_numpy(), pairs["item"].to_numpy()
        words = np.full(len(items), n, np.int64)
        said = (keys & np.uint64(LONGEST_SHORT)).astype(np.int64)
        words[owners[said > 0]] = said[said > 0]
        buckets, flags = (_power_of_two(len(keys) * each) for each in (1 / BUCKET_KEYS, BITS_A_KEY))
        head_shift, bit_shift = np.uint64(64 - buckets), np.uint64(64 - max(flags, 6))
        heads = np.searchsorted(keys, np.arange(1 << buckets, dtype=np.uint64) << head_shift) if len(keys) else np.zeros(2, np.int64)
        bits = np.zeros(1 << (max(flags, 6) - 6), np.uint64)
        set_bits(keys, bit_shift, bits)
        sizes = np.bincount(owners, minlength=len(items)).astype(np.int64)
        return cls(n, items, sizes, words, keys, owners, np.append(heads, len(keys)), head_shift, bits, bit_shift)


def contamination(texts: pl.DataFrame, references: References) -> pl.DataFrame:
    """The contract `contamination` of documents (doc_id, text in the final view): every item of which a document holds an n-gram.

    How large a share is too much is for the verdict to say. A held-out document is not told that it holds itself.
    """
    found = [CONTRACTS["contamination"].empty()]
    if len(references.keys):
        found += [_hits(chunk, references) for chunk in chunks(texts.select("doc_id", "text"))]
    return pl.concat(found).filter(pl.col("item") != pl.format(f"{HELD_OUT}/{{}}", "doc_id")).sort("doc_id", "item")


def _item_ngrams(chunk: Chunk, n: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """_ITEMS, and _PAIRS in which an item is its row in the chunk."""
    from gristmill.dedup.ngram_kernels import ngram_keys

    hashes, _, _, bounds = _words(chunk.bytes)
    keys, ends = ngram_keys(hashes, bounds, n, SHORTEST)
    rows = np.repeat(np.arange(chunk.frame.height, dtype=np.uint32), np.diff(ends))
    pairs = pl.DataFrame({"item": rows, "key": keys}, schema=_PAIRS).unique().sort("item", "key")
    counts = np.bincount(pairs["item"].to_numpy(), minlength=chunk.frame.height)
    counted = pl.DataFrame({"item": chunk.frame["item"], "words": np.diff(bounds), "ngrams": counts, "distinctive": counts}, schema=_ITEMS)
    return counted, pairs.group_by("item", maintain_order=True).head(MOST_NGRAMS)


def _without_boilerplate(pairs: pl.DataFrame) -> pl.DataFrame:
    """`pairs` (by item) without the keys that more than MAX_TEXTS items of different keys hold."""
    often = pairs.group_by("key").len().filter(pl.col("len") > MAX_TEXTS).select("key")
    if often.is_empty():
        return pairs
    items, keys = pairs["item"].to_numpy(), pairs["key"].to_numpy()
    starts = np.flatnonzero(np.append(True, items[1:] != items[:-1]))
    texts = np.bitwise_xor.reduceat(keys * np.uint64(0x9E3779B97F4A7C15), starts) ^ np.add.reduceat(keys, starts)
    alike = pl.DataFrame({"item": items[starts], "text": texts})
    boilerplate = (
        pairs.join(often, on="key", how="semi")
        .join(alike, on="item")
        .group_by("key")
        .agg(pl.col("text").n_unique())
        .filter(pl.col("text") > MAX_TEXTS)
    )
    return pairs.join(boilerplate, on="key", how="anti", maintain_order="left")


def _hits(chunk: Chunk, references: References) -> pl.DataFrame:
    from gristmill.dedup.ngram_kernels import characters, hits

    data, offsets = chunk.bytes
    hashes, starts, ends, bounds = _words(chunk.bytes)
    lengths = np.unique(references.words)
    places = (references.keys, references.heads, references.head_shift, references.bits, references.bit_shift)
    rows, keys, firsts = hits(hashes, bounds, references.n, lengths, *places)
    met = (
        pl.DataFrame({"row": rows, "owner": references.owners[keys], "key": keys, "first": firsts})
        .group_by("row", "owner")
        .agg(pl.col("key").n_unique().cast(pl.Int64), pl.col("first").min())
        .sort("row", "owner")
    )
    row, owner, shared, first = (met[name].to_numpy() for name in ("row", "owner", "key", "first"))
    begin, end = starts[first], ends[first + references.words[owner] - 1]
    start = characters(data, offsets[row], begin)
    return pl.DataFrame(
        {
            "doc_id": chunk.frame["doc_id"].gather(row),
            "item": references.items.gather(owner),
            "ngrams": shared,
            "overlap": np.round(shared / references.sizes[owner], 6),
            "start": start,
            "end": start + characters(data, begin, end),
        },
        schema=CONTRACTS["contamination"].schema,
    )


def _words(
    texts: Column,
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Hash, first byte and byte after of every word, and the texts' bounds among them."""
    from gristmill.signals.kernels.terms import term_spans

    hashes, starts, ends = term_spans(texts.data, texts.offsets, *_tables())
    return hashes, starts, ends, np.searchsorted(starts, texts.offsets)


@cache
def _tables() -> Tables:
    """Classes in which marks are passed over, and code points folded to their letter: lower-cased, without accents, digits as they are."""
    classes = segment.tables().classes.copy()
    classes[classes & 15 == segment.MARK] = segment.FORMAT
    folded = np.arange(segment.KNOWN, dtype=np.uint32)
    for point in np.flatnonzero((classes & 15 == segment.LETTER) | (classes & 15 == segment.DIGIT)).tolist():
        base = [each for each in unicodedata.normalize("NFKD", chr(point)) if not unicodedata.category(each).startswith("M")]
        lower = [each for each in "".join(base).lower() if not unicodedata.category(each).startswith("M")]
        if len(lower) == 1:
            folded[point] = ord(lower[0])
    return Tables(classes, folded)


def _power_of_two(count: float) -> int:
    """The exponent of the smallest power of two, two at least, that is not below `count`."""
    return max(1, int(np.ceil(np.log2(max(count, 2)))))
