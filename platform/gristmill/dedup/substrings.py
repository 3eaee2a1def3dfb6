"""Long repeated substrings: a run of words that stands in two places or more goes from all but the first.

Lee et al. 2022 (Deduplicating Training Data Makes Language Models Better, section 4.1): any two substrings of 50 tokens that are equal are
duplicates. They build a suffix array of the whole corpus; we find the same runs by hashing, shard by shard.

**What goes.** A window is `words` consecutive words of a document. Of the places that hold the same window, the first stays, by the
documents' order of survival and then by position; every word of the others goes. Cut windows that overlap or touch are one
cut. That is a property of the set of documents: order, shards and batches have no say. No text is lost here: follow a cut word to the
same word of its window's first place, and on from there if that is cut in turn; each step leads to an earlier place, so it
ends at a word that stays. (So text that repeats itself with a period keeps one period, and a document named as twin may
keep a part of what is cut in another document still.) What is lost is
what another level cuts of the place that stays, or curation with the document that holds it: cuts are made before quality is judged, as
in Llama 3, so that a score does not decide which copy is read. Google's code instead removes every copy or one by position, and cuts bytes,
which may leave half a character; ours are whole words.

**Words** are those of `signals.segment`: runs between white space, as written; a letter of a script without spaces is a word. Format
characters do not count. White space between words does not either, so that a passage wrapped elsewhere is the same.

**How they are found** (winnowing: Schleimer, Wilkerson and Aiken 2003). A window of w words has w - n + 1 n-grams; the one with the
smallest hash is chosen, the last one of several. Which one depends on the window's words alone. So two equal windows
choose the same n-gram at the same distance from their starts, in two places, and its key stands in two documents or twice in
one: *no repeat is missed*. Neighbouring windows mostly choose the same place: for n = w / 2, one word in 13 begins a
chosen n-gram. These fingerprints are stored by shard; the fan-in keeps those that two places share, opens only documents that hold one,
hashes only windows whose chosen n-gram is shared, and compares the words themselves of what has equal hashes. Two
windows with one 64-bit hash and different words cost a repeat that is not found, never a cut that is no repeat.

Memory: one shard's texts, one range of keys and a few dozen bytes a document; what spans shards lies in the scratch folder. Documents
are read three times at most: for their windows, as what stays, and as what is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gristmill.dedup.spill import RANGES, Numbers, Spill, by_key
from gristmill.lake.contracts import CONTRACTS
from gristmill.signals import segment
from gristmill.signals.chunk import Chunk, chunks

VERSION = f"1-{segment.VERSION}"
RULE = "dedup.substring"
CUTS = CONTRACTS["cuts"].schema
FINGERPRINTS: dict[str, pl.DataType | type[pl.DataType]] = {"doc_id": pl.String, "key": pl.UInt64, "places": pl.Int64}

MEMORY = 1 << 30  # bytes that one range of keys and its sorting may take
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)

Rows = npt.NDArray[np.int64]
Texts = Callable[[str, pl.Series], pl.DataFrame]
"""(shard, doc_ids) -> doc_id, text of these documents of the shard, in any order."""


def gram_words(words: int) -> int:
    """Words of the n-grams that fingerprints are made of, for windows of `words`."""
    return (words + 1) // 2


def fingerprints(texts: pl.DataFrame, words: int) -> pl.DataFrame:
    """(doc_id, text) -> doc_id, key, places: the chosen n-grams of each document, and at how many of its places each is chosen."""
    from gristmill.dedup.word_kernels import chosen_grams, distinct_grams, gram_hashes

    parts = [pl.DataFrame(schema=FINGERPRINTS)]
    for chunk in chunks(texts):
        found = chunk.words
        hashes = gram_hashes(found.keys, found.bounds, gram_words(words))
        chosen = chosen_grams(hashes, found.bounds, words, gram_words(words))
        rows, keys, places = distinct_grams(hashes, chosen, found.bounds)
        parts.append(pl.DataFrame({"doc_id": chunk.frame["doc_id"].gather(rows), "key": keys, "places": places}, schema=FINGERPRINTS))
    return pl.concat(parts)


def substring_cuts(
    documents: pl.DataFrame,
    prints: Callable[[str], pl.LazyFrame],
    texts_of: Texts,
    words: int,
    scratch: Path,
    memory: int = MEMORY,
) -> Iterator[tuple[str, pl.DataFrame]]:
    """(shard, contract `cuts` of rule dedup.substring) for every shard that has any.

    `documents`: doc_id (unique), shard, rank (the order of survival, lowest first; ties by doc_id). `prints(shard)`: its
    `fingerprints`; those of other documents are passed over. `scratch`: a folder for what spans shards, empty again
    afterwards. A cut's `documents` are the places that hold its most repeated window; its `twin` is the first document, in
    the order of survival, that is the first place of one of its windows (it may be the same document).
    """
    order = _Order.of(documents)
    shared = _shared(order, prints, scratch, memory)
    repeats = _repeats(order, shared, texts_of, words, scratch, memory)
    runs, wanted = _runs(order, repeats, words, scratch)
    quotes, quoted = _quotes(order, wanted, texts_of, scratch)
    yield from _cuts(order, runs, quotes, quoted, texts_of)


@dataclass(frozen=True)
class _Order:
    """The documents by rank. A place is row << 32 | word, row being the document's place in this order: places sort as they survive."""

    doc_ids: pl.Series
    shards: list[str]
    shard: npt.NDArray[np.int32]  # of each row, as its number in `shards`

    @classmethod
    def of(cls, documents: pl.DataFrame) -> _Order:
        ordered = documents.sort("rank", "doc_id")
        shards = ordered["shard"].unique().sort().to_list()
        codes = ordered["shard"].cast(pl.Enum(shards)).to_physical() if shards else ordered["shard"]
        return cls(ordered["doc_id"], shards, codes.cast(pl.Int32).to_numpy())

    @property
    def groups(self) -> int:
        """Shards are taken up in so many groups: a file each."""
        return max(1, min(RANGES, len(self.shards)))

    def group(self, rows: Numbers) -> Rows:
        """The group of the documents' shards."""
        return self.shard[rows.astype(np.int64)].astype(np.int64) * self.groups // max(1, len(self.shards))

    def by_shard(self, records: Numbers, rows: Numbers) -> Iterator[tuple[str, Numbers]]:
        """The records of each shard, sorted by all their columns; rows[i] is the document of record i."""
        codes = self.shard[rows.astype(np.int64)]
        for code in np.unique(codes).tolist():
            some = records[codes == code]
            yield self.shards[code], some[np.lexsort(some.T[::-1])]

    def members(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """doc_id, row of every shard's documents."""
        rows = np.argsort(self.shard, kind="stable")
        ends = np.searchsorted(self.shard[rows], np.arange(len(self.shards) + 1))
        for code, shard in enumerate(self.shards):
            some = rows[ends[code] : ends[code + 1]]
            yield shard, pl.DataFrame({"doc_id": self.doc_ids.gather(some), "row": some.astype(np.uint64)})

    def read(self, shard: str, rows: Numbers, texts_of: Texts) -> Iterator[tuple[Chunk, Numbers]]:
        """Texts of the given documents, in chunks in their order, and the row of each text."""
        distinct = np.unique(rows)
        asked = pl.DataFrame({"doc_id": self.doc_ids.gather(distinct), "row": distinct})
        texts = texts_of(shard, asked["doc_id"]).select("doc_id", "text").join(asked, on="doc_id").sort("row")
        for chunk in chunks(texts):
            yield chunk, chunk.frame["row"].to_numpy()


def _shared(order: _Order, prints: Callable[[str], pl.LazyFrame], scratch: Path, memory: int) -> Spill:
    """(row, key) of fingerprints that stand in two places or more, by group of shards."""
    total = sum(int(prints(shard).select(pl.len()).collect().item()) for shard in order.shards)
    keyed = Spill.sized(scratch, "fingerprints", 2, total, memory)
    for shard, members in order.members():
        found = prints(shard).join(members.lazy(), on="doc_id").select("key", "row", "places").collect()
        keys, rows = found["key"].to_numpy(), found["row"].to_numpy()
        keyed.add(np.column_stack([keys, rows << np.uint64(1) | (found["places"].to_numpy() > 1)]), keyed.range_of(keys))
    shared = Spill(scratch, "shared", 2, order.groups)
    for part in keyed.each():
        at, begins = by_key(part[:, 0])
        part = part[at]
        several = _sizes(begins) > 1
        several |= part[:, 1] & np.uint64(1) == 1
        rows = part[several, 1] >> np.uint64(1)
        shared.add(np.column_stack([rows, part[several, 0]]), order.group(rows))
    keyed.close()
    return shared


def _repeats(order: _Order, shared: Spill, texts_of: Texts, words: int, scratch: Path, memory: int) -> Spill:
    """(place, first place, places) of every window that is not the first of its kind, by group of shards."""
    from gristmill.dedup.word_kernels import chosen_grams, gram_hashes

    length = gram_words(words)
    windows = Spill.sized(scratch, "windows", 2, shared.rows * words, memory)
    for group in shared.each():
        for shard, records in order.by_shard(group, group[:, 0]):
            known = np.unique(records[:, 1])
            for chunk, rows in order.read(shard, records[:, 0], texts_of):
                found = chunk.words
                grams = gram_hashes(found.keys, found.bounds, length)
                chosen = chosen_grams(grams, found.bounds, words, length)
                at = np.flatnonzero(chosen >= 0)
                at = at[_among(known, grams[chosen[at]])]
                hashes = gram_hashes(found.keys, found.bounds, words)[at]
                of = np.searchsorted(found.bounds, at, side="right") - 1
                windows.add(
                    np.column_stack([hashes, rows[of] << _HALF | (at - found.bounds[of]).astype(np.uint64)]), windows.range_of(hashes)
                )
    shared.close()
    repeats = Spill(scratch, "repeats", 3, order.groups)
    for part in windows.each():
        part = part[np.lexsort((part[:, 1], part[:, 0]))]
        begins = np.diff(part[:, 0], prepend=~part[:1, 0]) != 0
        sizes = _sizes(begins)
        firsts = part[begins, 1][begins.cumsum() - 1]
        later = ~begins
        repeats.add(np.column_stack([part[later, 1], firsts[later], sizes[later]]), order.group(part[later, 1] >> _HALF))
    windows.close()
    return repeats


def _runs(order: _Order, repeats: Spill, words: int, scratch: Path) -> tuple[Spill, Spill]:
    """Windows that follow each other, in both places: (place, first place, words, places, number) by group of the shard of the place, and
    (first place, words, number, group of the run) by group of the shard of the first place. Numbers ascend from group to group."""
    runs, wanted = Spill(scratch, "runs", 5, order.groups), Spill(scratch, "wanted", 4, order.groups)
    for group, part in enumerate(repeats.each()):
        part = part[np.argsort(part[:, 0])]
        begins = np.ones(len(part), np.bool_)
        begins[1:] = (np.diff(part[:, 0]) != 1) | (np.diff(part[:, 1]) != 1)
        starts = np.flatnonzero(begins)
        lengths = np.diff(np.append(starts, len(part))) + words - 1
        most = np.maximum.reduceat(part[:, 2], starts) if len(starts) else part[:, 2]
        numbers = np.arange(runs.rows, runs.rows + len(starts))
        place, first = part[starts, 0], part[starts, 1]
        runs.add(np.column_stack([place, first, lengths, most, numbers]).astype(np.uint64), np.full(len(starts), group))
        wanted.add(np.column_stack([first, lengths, numbers, np.full(len(starts), group)]).astype(np.uint64), order.group(first >> _HALF))
    repeats.close()
    return runs, wanted


def _quotes(order: _Order, wanted: Spill, texts_of: Texts, scratch: Path) -> tuple[Spill, Path]:
    """The words of every run as they stand in its first place, in one file, and (number, start, end in the file) by group of the run."""
    quotes, quoted = Spill(scratch, "quotes", 3, order.groups), scratch / "quoted"
    size = 0
    with quoted.open("wb") as file:
        for group in wanted.each():
            for shard, records in order.by_shard(group, group[:, 0] >> _HALF):
                for chunk, rows in order.read(shard, records[:, 0] >> _HALF, texts_of):
                    some = records[np.isin(records[:, 0] >> _HALF, rows)]
                    letters, stops = _spelled(chunk, rows, some[:, 0], some[:, 1])
                    file.write(letters.data)
                    bounds = np.append(0, stops) + size
                    quotes.add(np.column_stack([some[:, 2], bounds[:-1], bounds[1:]]).astype(np.uint64), some[:, 3].astype(np.int64))
                    size += len(letters)
    wanted.close()
    return quotes, quoted


def _cuts(order: _Order, runs: Spill, quotes: Spill, quoted: Path, texts_of: Texts) -> Iterator[tuple[str, pl.DataFrame]]:
    from gristmill.dedup.word_kernels import equal_bytes

    first_copies = np.memmap(quoted, np.uint8, "r") if quoted.stat().st_size else np.empty(0, np.uint8)
    for group, known in zip(runs.each(), quotes.each(), strict=True):
        known = known[np.argsort(known[:, 0])]
        for shard, records in order.by_shard(group, group[:, 0] >> _HALF):
            parts = [pl.DataFrame(schema=CUTS)]
            for chunk, rows in order.read(shard, records[:, 0] >> _HALF, texts_of):
                some = records[np.isin(records[:, 0] >> _HALF, rows)]
                quote = known[np.searchsorted(known[:, 0], some[:, 4])]
                letters, stops = _spelled(chunk, rows, some[:, 0], some[:, 2])
                same = equal_bytes(letters, stops, np.asarray(first_copies), quote[:, 1].astype(np.int64), quote[:, 2].astype(np.int64))
                parts.append(_spans(order, chunk, rows, some[same]))
            if (cuts := pl.concat(parts)).height:
                yield shard, cuts
    runs.close()
    quotes.close()
    quoted.unlink()


def _spans(order: _Order, chunk: Chunk, rows: Numbers, runs: Numbers) -> pl.DataFrame:
    """Verified runs, sorted by place, as cuts in characters; runs that overlap or touch are one.

    The white space on one side of a cut goes with it: that behind, or that before it where the one behind has more line ends
    or the text ends there.
    """
    from gristmill.dedup.word_kernels import characters, line_feeds

    if not len(runs):
        return pl.DataFrame(schema=CUTS)
    words, (data, offsets) = chunk.words, chunk.bytes
    of = np.searchsorted(rows, runs[:, 0] >> _HALF)
    begin = words.bounds[of] + (runs[:, 0] & _LOW).astype(np.int64)
    end = begin + runs[:, 2].astype(np.int64)  # ascends with `begin` inside a document
    starts = np.flatnonzero(np.append(True, (np.diff(of) != 0) | (begin[1:] > end[:-1])))
    lasts = np.append(starts[1:], len(runs)) - 1
    of, first, last = of[starts], begin[starts], end[lasts] - 1
    opens, closes = first == words.bounds[of], last + 1 == words.bounds[of + 1]
    before = np.where(opens, offsets[of], words.ends[first - 1])  # where the white space before the cut begins
    behind = np.where(closes, offsets[of + 1], words.starts[np.minimum(last + 1, len(words.starts) - 1)])
    begins, stops = words.starts[first], words.ends[last]
    from_before = ~opens & (closes | (line_feeds(data, stops, behind) > line_feeds(data, before, begins)))
    begins = np.where(from_before | opens, before, begins)
    stops = np.where(from_before & ~closes, stops, behind)
    at = characters(data, offsets, of.repeat(2), np.column_stack([begins, stops]).ravel()).reshape(-1, 2)
    twins = np.minimum.reduceat(runs[:, 1] >> _HALF, starts)
    return pl.DataFrame(
        {
            "doc_id": chunk.frame["doc_id"].gather(of),
            "start": at[:, 0],
            "end": at[:, 1],
            "rule": pl.repeat(RULE, len(of), eager=True, dtype=pl.String),
            "documents": np.maximum.reduceat(runs[:, 3], starts).astype(np.int64),
            "twin": order.doc_ids.gather(twins),
            "similarity": pl.repeat(None, len(of), eager=True, dtype=pl.Float64),
        }
    ).sort("doc_id", "start")


def _spelled(chunk: Chunk, rows: Numbers, places: Numbers, lengths: Numbers) -> tuple[Any, Any]:
    """The bytes of runs of words, and where each ends; `rows` are the chunk's, ascending."""
    from gristmill.dedup.word_kernels import spelled

    words = chunk.words
    firsts = words.bounds[np.searchsorted(rows, places >> _HALF)] + (places & _LOW).astype(np.int64)
    return spelled(words.data, words.starts, words.ends, firsts, firsts + lengths.astype(np.int64), segment.tables().classes)  # type: ignore[no-any-return]


def _sizes(begins: npt.NDArray[np.bool_]) -> Rows:
    """The size of the group that each entry is in; a group begins where `begins` says."""
    starts = np.flatnonzero(begins)
    return np.diff(np.append(starts, len(begins))).repeat(np.diff(np.append(starts, len(begins))))


def _among(known: Numbers, asked: Numbers) -> npt.NDArray[np.bool_]:
    """Which of `asked` are in the sorted `known`."""
    at = np.searchsorted(known, asked)
    return known[np.minimum(at, len(known) - 1)] == asked if len(known) else np.zeros(len(asked), np.bool_)
