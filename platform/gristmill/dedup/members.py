"""The documents that are compared, as rows of numbers on disk: 112 bytes each, in order of shard and doc_id.

A document's row number is where it stands in that file. It addresses rows inside one run and is never stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.dedup.keys import absent, hashed, hexes, parse
from gristmill.dedup.spill import Numbers, Spill, by_key
from gristmill.errors import ContractError
from gristmill.lake.contracts import TIME
from gristmill.recipe.dedup import Dedup

MEMBERS: dict[str, pl.DataType | type[pl.DataType]] = {
    "doc_id": pl.String,
    "url": pl.String,  # canonical
    "payload": pl.String,  # digest
    "normal_hash": pl.String,
    "text_hash": pl.String,
    "n_shingles": pl.Int64,
    "n_chars": pl.Int64,  # of the clean text
    "fetched_at": TIME,  # the earliest; may be null
    "priority": pl.Int64,  # of the shard's source
}
"""One row for every kept document of a shard. A null or empty url or payload is like no other."""

DOC, URL, PAYLOAD, TEXT, EXACT_TEXT, PRIORITY, CHARS, TIME_, SHARD, WIDTH = 0, 2, 4, 6, 8, 10, 11, 12, 13, 14
"""Columns of a document's row; keys take two. TEXT is the normalised text, EXACT_TEXT the clean one."""

KEYS = (URL, PAYLOAD, TEXT, EXACT_TEXT)
NO_TIME = np.iinfo(np.int64).min  # as Polars stores a null
ROWS_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class Shard:
    """A shard's kept documents (MEMBERS) and their signatures (doc_id, bands, shingles of the contract `signatures`)."""

    key: str
    members: pl.LazyFrame
    signatures: pl.LazyFrame


class Documents:
    """Every document's row, and what is known of it as the run goes on."""

    def __init__(self, path: Path, shards: Sequence[Shard], settings: Dedup):
        """Reads the members of all shards once, shard by shard; a key whose level is off is none."""
        self.shards = sorted(shards, key=lambda shard: shard.key)
        self.starts = np.zeros(len(self.shards) + 1, dtype=np.int64)
        with path.open("wb") as file:
            for i, shard in enumerate(self.shards):
                rows = _rows(shard, i, settings)
                file.write(rows.data)
                self.starts[i + 1] = self.starts[i] + len(rows)
        self.count = int(self.starts[-1])
        shape = (self.count, WIDTH)
        self.table: Numbers = np.memmap(path, dtype=np.uint64, mode="r", shape=shape) if self.count else np.zeros(shape, np.uint64)
        self.owner = np.zeros(self.count, dtype=np.bool_)  # of its doc_id: the others are `same`
        self.fresh = np.zeros(self.count, dtype=np.bool_)  # its doc_id is new, or not as it was
        self.representative = np.zeros(self.count, dtype=np.bool_)  # stands for its normalised text
        self.text_fresh = np.zeros(self.count, dtype=np.bool_)  # at representatives: no document had that text before
        self.touched = np.zeros(self.count, dtype=np.bool_)  # its component is elected again

    def chunks(self, rows: int = ROWS_AT_ONCE) -> Iterator[tuple[int, Numbers]]:
        """First row and rows, in order."""
        for start in range(0, self.count, rows):
            yield start, np.array(self.table[start : start + rows])

    def of_shard(self, i: int) -> slice:
        return slice(int(self.starts[i]), int(self.starts[i + 1]))

    def hexes(self, rows: NDArray[np.int64], column: int, name: str) -> pl.Series:
        """A key of some documents as hex digits."""
        return hexes(self.table[rows, column : column + 2], name)

    def shard_names(self, numbers: NDArray[np.int64]) -> pl.Series:
        return pl.Series([shard.key for shard in self.shards], dtype=pl.String).gather(numbers)


def _rows(shard: Shard, number: int, settings: Dedup) -> Numbers:
    lacking = [name for name in MEMBERS if name not in shard.members.collect_schema().names()]
    if lacking:
        raise ContractError(f"lack the columns {', '.join(lacking)}", where=f"members of shard {shard.key}")
    frame = shard.members.select(list(MEMBERS)).sort("doc_id").collect()
    if frame["doc_id"].null_count() or frame["doc_id"].n_unique() < frame.height:
        raise ContractError("doc_id is null, or not unique", where=f"members of shard {shard.key}")
    on = set(settings.levels)
    rows = np.zeros((frame.height, WIDTH), dtype=np.uint64)
    rows[:, DOC : DOC + 2] = parse(frame["doc_id"])
    if "url" in on:
        rows[:, URL : URL + 2] = hashed(frame["url"])
    if "exact" in on:
        rows[:, PAYLOAD : PAYLOAD + 2] = hashed(frame["payload"])
    if on & {"exact", "near"}:
        rows[:, TEXT : TEXT + 2] = parse(frame["normal_hash"])
        if "exact" not in on:  # equal texts are near if they have shingles to compare
            rows[frame["n_shingles"].to_numpy() == 0, TEXT : TEXT + 2] = 0
    if "semantic" in on:
        rows[:, EXACT_TEXT : EXACT_TEXT + 2] = parse(frame["text_hash"])
    for column, name in ((PRIORITY, "priority"), (CHARS, "n_chars")):
        rows[:, column] = frame[name].to_numpy().astype(np.int64).view(np.uint64)
    rows[:, TIME_] = frame["fetched_at"].to_physical().fill_null(NO_TIME).to_numpy().view(np.uint64)
    rows[:, SHARD] = number
    return rows


class Lookup:
    """Where keys are found: one row per key, in ranges on disk."""

    def __init__(self, spill: Spill):
        """`spill` has rows (key, key, row), ranged by the first half."""
        self._spill, self._sorted = spill, set[int]()

    def rows(self, keys: Numbers) -> NDArray[np.int64]:
        """A row that has each key (the first), -1 where there is none."""
        from gristmill.dedup.cluster_kernels import find

        out = np.full(len(keys), -1, dtype=np.int64)
        ranges = self._spill.range_of(keys[:, 0])
        for i in np.unique(ranges).tolist():
            here = np.flatnonzero((ranges == i) & ~absent(keys))
            held = self._spill.read(i)
            if i not in self._sorted:
                held = held[by_key(held[:, :2])[0]]
                self._spill.rewrite(i, held)
                self._sorted.add(i)
            place = find(held[:, :2], keys[here])
            out[here[place >= 0]] = held[place[place >= 0], 2].view(np.int64)
        return out
