"""Repeated lines and paragraphs: what more than n documents of a bucket hold goes from all of them, whole.

Llama 3 (Grattafiori et al. 2024, section 3.1.1) removes lines that appear more than six times in a bucket of thirty million
documents, "similar to ccNet" (Wenzek et al. 2020, section 3.1). Every occurrence goes, so the order of the documents has no
say; a document's bucket is the hash of its doc_id, so their shards have none either.

- A **line** is what `str.splitlines` cuts. It is read as CCNet's paper says: lower case (case folding), every decimal digit as `0`,
  no accents (combining diacritical marks, also those of composed letters; vowel signs and Hangul stay), no format characters, and
  white space, punctuation and symbols as one blank between words: `f(X,  1)` is `f x 0`. A letter of a script without spaces is a word by
  itself. A line of which nothing is left ("---", "}", a fence) has no key.
- A **paragraph** is a run of lines between blank ones, two of which at least have a key; it is read as its lines' keys in order (wrapped
  elsewhere it is another one).
- What has fewer than `settings.min_words` words (between white space, with a letter in them) is neither counted nor cut. Neither
  paper has a minimum, and without one short lines do harm: of what went from 584 pages, plays and modules (3.1% of the text), most was
  who speaks in a play, stage directions, numbers in tables, `else:` and imports. From six words on it was 0.09%: notices, licences and
  copyright lines, and nothing else. A menu of short lines goes as a paragraph.
- We count documents, Llama 3 and CCNet occurrences: a line repeated inside one document is that document's own affair (signal
  `repetition.dup_line_frac`). A repeated paragraph's long lines are repeated lines; with both units on, paragraphs add the short ones.
- CCNet's code leaves ASCII punctuation and accents where its paper does not, and takes punctuation out without a blank. Its key is SHA-1's
  first 64 bits, ours a hash of our own, of 64 bits too: among m different lines any two share one with probability m^2 / 2^65.

A line goes with its line end, and blank lines go with what they set apart: where nothing stands between two blank lines any more, those
after it go too. Where nothing is left after what is cut, everything behind the last line that stays goes, its line end included.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gristmill.lake.contracts import CONTRACTS
from gristmill.recipe.dedup import Lines
from gristmill.signals import segment
from gristmill.signals.chunk import Chunk, chunks

VERSION = f"1-{segment.VERSION}"

UNITS = ("line", "paragraph")
RULES = {"line": "dedup.line", "paragraph": "dedup.paragraph"}

TEXT_COUNTS = CONTRACTS["text_counts"].schema
CUTS = CONTRACTS["cuts"].schema

KEYS_AT_ONCE = 1 << 24  # rows of `text_counts` that `repeated` adds up at a time: about a gigabyte
_DIACRITICS = ((0x0300, 0x036F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F))  # Unicode's blocks of that name


class LineTable(NamedTuple):
    """Every line of a chunk, in order: its text's row, its first character, the one after it and the one after its line end; its key
    (0: none), its words with a letter, and whether it is white space only."""

    rows: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    nexts: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]
    words: npt.NDArray[np.int32]
    blank: npt.NDArray[np.bool_]


def text_counts(texts: pl.DataFrame, settings: Lines, units: Collection[str] = UNITS) -> pl.DataFrame:
    """(doc_id, text) -> the contract `text_counts`: in how many of these documents each line and paragraph stands, by bucket."""
    from gristmill.dedup.line_kernels import first_of_text, paragraph_table

    found: dict[str, list[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]]] = {unit: [] for unit in UNITS if unit in units}
    for chunk in chunks(texts):
        lines = line_table(chunk)
        of = buckets(chunk.frame["doc_id"], settings.buckets)
        for unit, seen in found.items():
            if unit == "line":
                counted = lines.words >= settings.min_words
                rows, keys = lines.rows[counted], lines.keys[counted]
            else:
                rows, _, _, keys = paragraph_table(lines.rows, lines.keys, lines.words, lines.blank, settings.min_words)
            new = first_of_text(rows, keys)
            seen.append((of[rows[new]], keys[new]))
    return pl.concat([pl.DataFrame(schema=TEXT_COUNTS), *(part for unit, seen in found.items() for part in _counted(unit, seen))])


def repeated(counts: pl.LazyFrame, max_documents: int, keys_at_once: int = KEYS_AT_ONCE) -> pl.DataFrame:
    """unit, bucket, key, documents of what more than `max_documents` documents of a bucket hold, sorted by the first three.

    `counts` are the `text_counts` of all shards. They are added up range by range of the keys, so that memory is bounded by
    `keys_at_once` and by what is repeated; files sorted by key are read once, others once a range.
    """
    ranges = max(1, -(-int(counts.select(pl.len()).collect().item()) // keys_at_once))
    edges = [(i << 64) // ranges for i in range(ranges)] + [(1 << 64) - 1]
    key = pl.col("key")
    parts = [pl.DataFrame(schema=TEXT_COUNTS)]
    for i, (low, high) in enumerate(pairwise(edges)):
        within = key.ge(pl.lit(low, pl.UInt64)) & (key.le if i == ranges - 1 else key.lt)(pl.lit(high, pl.UInt64))
        some = counts.filter(within) if ranges > 1 else counts
        added = some.group_by("unit", "bucket", "key").agg(pl.col("documents").sum()).filter(pl.col("documents") > max_documents)
        parts.append(added.select(*TEXT_COUNTS).collect(engine="streaming"))
    return pl.concat(parts).sort("unit", "bucket", "key")


def line_cuts(texts: pl.DataFrame, found: pl.DataFrame, settings: Lines) -> pl.DataFrame:
    """(doc_id, text) and what is `repeated` -> the contract `cuts` of these documents: rules dedup.line and dedup.paragraph, with the
    documents of the bucket that hold it. The spans of two lines do not overlap; a paragraph's spans those of its lines.

    `found` is looked through for every chunk of text: narrow it to the keys of the shard's own `text_counts` where it is large.
    """
    from gristmill.dedup.line_kernels import cut_spans, paragraph_table

    parts = [pl.DataFrame(schema=CUTS)]
    for chunk in chunks(texts):
        lines = line_table(chunk)
        doc_ids = chunk.frame["doc_id"]
        of = buckets(doc_ids, settings.buckets)
        line_documents = _documents("line", of[lines.rows], np.where(lines.words >= settings.min_words, lines.keys, 0), found)
        rows, first, last, keys = paragraph_table(lines.rows, lines.keys, lines.words, lines.blank, settings.min_words)
        documents = _documents("paragraph", of[rows], keys, found)
        held = documents > 0
        rows, first, last, documents = rows[held], first[held], last[held], documents[held]
        depth = np.zeros(len(lines.rows) + 1, np.int64)
        np.add.at(depth, first, 1)
        np.add.at(depth, last + 1, -1)
        cut = (line_documents > 0) | (depth.cumsum()[:-1] > 0)
        begins, stops = cut_spans(lines.rows, lines.starts, lines.ends, lines.nexts, lines.blank, cut)
        at = np.flatnonzero(line_documents)
        parts.append(_cuts("line", doc_ids, lines.rows[at], begins[at], stops[at], line_documents[at]))
        parts.append(_cuts("paragraph", doc_ids, rows, begins[first], stops[last], documents))
    return pl.concat(parts).sort("doc_id", "start", "rule")


def line_table(chunk: Chunk) -> LineTable:
    from gristmill.dedup import line_kernels

    return LineTable(*line_kernels.line_table(*chunk.bytes, _read_as()))


def buckets(doc_ids: pl.Series, count: int) -> npt.NDArray[np.int64]:
    """The bucket of each document, below `count`: by its doc_id alone."""
    if count == 1:
        return np.zeros(len(doc_ids), np.int64)
    digests = (hashlib.blake2b(f"bucket {doc_id}".encode(), digest_size=8).digest() for doc_id in doc_ids)
    return np.fromiter((int.from_bytes(digest, "big") % count for digest in digests), np.int64, len(doc_ids))


def _counted(unit: str, seen: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]]) -> list[pl.DataFrame]:
    """The counts of (bucket, key), one frame a bucket."""
    of, keys = (np.concatenate(parts) for parts in zip(*seen, strict=True))
    order = np.argsort(of, kind="stable") if len(of) and of.max() else slice(None)
    of, keys = of[order], keys[order]
    frames = []
    for part in np.split(np.arange(len(of)), np.flatnonzero(np.diff(of)) + 1):
        distinct, documents = np.unique(keys[part], return_counts=True)
        columns = {"unit": unit, "bucket": of[part[:1]].repeat(len(distinct)), "key": distinct, "documents": documents}
        frames.append(pl.DataFrame(columns, schema=TEXT_COUNTS))
    return frames


def _documents(unit: str, of: npt.NDArray[np.int64], keys: npt.NDArray[np.uint64], found: pl.DataFrame) -> npt.NDArray[np.int64]:
    """How many documents of its bucket hold each key; 0 where it is not among the repeated."""
    asked = pl.DataFrame({"bucket": of, "key": keys}, schema={"bucket": pl.UInt32, "key": pl.UInt64})
    known = found.filter(pl.col("unit") == unit).select("bucket", "key", "documents")
    return asked.join(known, on=["bucket", "key"], how="left", maintain_order="left")["documents"].fill_null(0).to_numpy()


def _cuts(
    unit: str,
    doc_ids: pl.Series,
    rows: npt.NDArray[np.int64],
    begins: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    documents: npt.NDArray[np.int64],
) -> pl.DataFrame:
    return pl.DataFrame({"doc_id": doc_ids.gather(rows), "start": begins, "end": stops, "documents": documents}).select(
        "doc_id",
        "start",
        "end",
        pl.lit(RULES[unit]).alias("rule"),
        "documents",
        pl.lit(None, pl.String).alias("twin"),
        pl.lit(None, pl.Float64).alias("similarity"),
    )


@cache
def _read_as() -> npt.NDArray[np.uint32]:
    """What every code point below `segment.KNOWN` is read as (see `line_kernels`)."""
    from gristmill.dedup.line_kernels import ALONE, BETWEEN, DROPPED, LETTER, LINE_END, SPACE

    classes = segment.tables().classes
    kind = classes & 15
    read = np.full(segment.KNOWN, DROPPED, np.uint32)
    read[kind == segment.OTHER] = BETWEEN
    for point in np.flatnonzero(np.isin(kind, (segment.LETTER, segment.DIGIT, segment.MARK))).tolist():
        read[point] = _plain(point)
    read[kind == segment.LETTER] |= LETTER
    read[classes & segment.UNSPACED != 0] |= ALONE
    read[kind == segment.SPACE] = SPACE
    read[0x7F] = BETWEEN  # DEL, as the kernel's loop over ASCII has it
    read[classes & segment.LINE_END != 0] = LINE_END
    return read


def _plain(point: int) -> int:
    """A letter, digit or mark in lower case without accents; 0 for an accent by itself."""
    char = chr(point)
    if unicodedata.category(char) == "Nd":
        return ord("0")
    for form in (char.casefold(), char):  # one that takes several characters (sharp s) stays as it is
        base = [each for each in unicodedata.normalize("NFD", form) if not any(low <= ord(each) <= high for low, high in _DIACRITICS)]
        if not base:
            return 0
        if len(base) == 1:
            return ord(base[0])
        if len(form) == 1:
            return ord(form)
    return point
