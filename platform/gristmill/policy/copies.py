"""Which rows of a shard are copies of a document that another shard owns: a count of documents takes each `doc_id` once.

The owner is the shard whose copy `duplicate_clusters` lets survive; where it names none (not made yet, or the rules drop
the document everywhere), the first shard in key order. One pass over the `doc_id` columns hashes them to 64 bits and sorts
the hashes in a scratch folder, range by range; the rows of those that come twice are looked up and compared. Memory holds
one range and one shard's hashes, whatever the crawl; no text is touched. Two documents pass for one when their hashes are
equal: one pair in a crawl of five thousand million.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.dedup.spill import RANGES, Numbers, Spill, by_key
from gristmill.lake.hashing import mapping_hash
from gristmill.lake.workspace import Workspace
from gristmill.policy import stored

MEMORY = 1 << 30  # bytes, of which one range takes an eighth
ELECTED = np.uint64(0xFFFFFFFF)  # in place of a row: this shard owns the document
BATCH = 1 << 20  # rows of `clusters` at once
REMEMBERED = 4  # answers that are kept, eight bytes a copy
VERSION = "1"  # of what is kept


class Copies:
    """Per shard, the rows that another shard owns."""

    def __init__(self, places: Numbers, shards: Sequence[str]) -> None:
        """`places`: shard's number << 32 | row, ascending."""
        self._places, self._numbers = places, {shard: number for number, shard in enumerate(shards)}

    @property
    def count(self) -> int:
        return len(self._places)

    def of(self, shard: str) -> NDArray[np.int64]:
        """Row numbers, ascending."""
        first = np.uint64(self._numbers[shard]) << np.uint64(32)
        begin, end = np.searchsorted(self._places, np.array([first, first | ELECTED]))
        return (self._places[begin:end] & ELECTED).astype(np.int64)

    def distinct(self, shard: str, frame: pl.DataFrame) -> pl.DataFrame:
        """The shard's rows that it owns, each with its number as `row`."""
        frame, left_out = frame.with_row_index("row"), self.of(shard)
        if not len(left_out):
            return frame
        owned = np.ones(frame.height, np.bool_)
        owned[left_out] = False
        return frame.filter(pl.Series(owned))


@contextmanager
def copies(workspace: Workspace, shards: Sequence[str]) -> Iterator[Copies]:
    """Finds the copies among all rows of `signals`, or remembers them where neither these nor the clusters have changed since;
    the answer lasts as long as the block."""
    if len(shards) < 2:
        yield Copies(np.zeros(0, np.uint64), shards)
        return
    tables = {shard: workspace.output("signals", shard).tables[stored.PAGES] for shard in shards}
    same = workspace.output("duplicate_clusters").tables["clusters"].hash if workspace.has("duplicate_clusters") else ""
    holding = {f"{number} {shard}": tables[shard].hash for number, shard in enumerate(shards)}
    known = workspace.lake.cache_folder / "copies" / mapping_hash({"": f"{VERSION} {same}", **holding})
    with tempfile.TemporaryDirectory(prefix="gristmill-copies-") as name:
        path = known
        if not known.exists():
            path = Path(name) / "places"
            _find(workspace, shards, sum(table.rows for table in tables.values()), path)
            with suppress(OSError):  # a disk that is full or read-only: it is found again next time
                path = _remember(path, known)
        yield Copies(np.memmap(path, np.uint64, "r") if path.stat().st_size else np.zeros(0, np.uint64), shards)


def _remember(path: Path, known: Path) -> Path:
    """Keeps the file, and those of the last few answers beside it: other recipes read the same lake."""
    known.parent.mkdir(parents=True, exist_ok=True)
    partial = known.with_name(f"{known.name}.{os.getpid()}.part")
    try:
        shutil.copyfile(path, partial)
        partial.replace(known)
    finally:
        partial.unlink(missing_ok=True)
    for old in sorted(known.parent.iterdir(), key=lambda each: each.stat().st_mtime)[:-REMEMBERED]:
        old.unlink(missing_ok=True)
    return known


def _find(workspace: Workspace, shards: Sequence[str], rows: int, path: Path) -> None:
    """Writes the copies' places, ascending. Scratch lies beside the file."""
    folder = path.parent
    path.touch()
    seen = Spill.sized(folder, "seen", 1, rows, MEMORY)

    def keys_of(shard: str) -> tuple[Numbers, Numbers]:
        keys = stored.doc_ids(workspace, shard).hash().to_numpy()
        return keys, np.sort(keys)

    for number, (_, (unsorted, keys)) in enumerate(stored.ahead(keys_of, shards)):
        unsorted.tofile(folder / str(number))
        seen.add(keys[:, None], seen.range_of(keys) if seen.ranges > 1 else None)
    several = _repeated(seen, folder / "repeated")
    if not several:
        return
    repeated = np.memmap(folder / "repeated", np.uint64, "r")
    ids = Spill.sized(folder, "ids", 2, several, MEMORY)
    for number in range(len(shards)):
        keys = np.fromfile(folder / str(number), np.uint64)
        at = np.flatnonzero(_among(keys, repeated))
        _add(ids, keys[at], at.astype(np.uint64) | np.uint64(number) << np.uint64(32))
        (folder / str(number)).unlink()
    for keys, owners in _elected(workspace, shards):
        known = _among(keys, repeated)
        _add(ids, keys[known], owners[known] << np.uint64(32) | ELECTED)
    found = Spill(folder, "found", 1, min(RANGES, len(shards)))
    for part in ids.each():
        places = _left_out(part)
        found.add(places[:, None], (places >> np.uint64(32)).astype(np.int64) * found.ranges // len(shards))
    ids.close()
    with path.open("wb") as file:
        for part in found.each():
            np.sort(part[:, 0]).tofile(file)
    found.close()


def _repeated(seen: Spill, path: Path) -> int:
    """Writes the keys that come several times, ascending, each once; how many rows have them."""
    rows = 0
    with path.open("wb") as file:
        for part in seen.each():
            keys = np.sort(part[:, 0])
            again = keys[1:][keys[1:] == keys[:-1]]
            once = again[np.append(True, again[1:] != again[:-1])] if len(again) else again
            once.tofile(file)
            rows += len(again) + len(once)
    seen.close()
    return rows


def _among(keys: Numbers, ascending: Numbers) -> NDArray[np.bool_]:
    at = np.searchsorted(ascending, keys)
    return np.asarray(ascending[np.minimum(at, len(ascending) - 1)] == keys)


def _add(ids: Spill, keys: Numbers, places: Numbers) -> None:
    ids.add(np.column_stack([keys, places]), ids.range_of(keys) if ids.ranges > 1 else None)


def _elected(workspace: Workspace, shards: Sequence[str]) -> Iterator[tuple[Numbers, Numbers]]:
    """Keys and owners' numbers of the documents in several shards that `duplicate_clusters` has survive."""
    if not workspace.has("duplicate_clusters"):
        return
    known = pl.LazyFrame({"survivor_shard": shards, "number": np.arange(len(shards), dtype=np.uint64)})
    same = workspace.scan("duplicate_clusters", None, "clusters").filter(pl.col("kind") == "same")
    for batch in same.select("survivor", "survivor_shard").join(known, on="survivor_shard").collect_batches(chunk_size=BATCH):
        yield batch["survivor"].hash().to_numpy(), batch["number"].to_numpy()


def _left_out(rows: Numbers) -> Numbers:
    """The places of one range's copies that are not the owner's."""
    order, begins = by_key(rows[:, 0])
    places, document = rows[order, 1], np.cumsum(begins) - 1
    shard, elects = places >> np.uint64(32), places & ELECTED == ELECTED
    owner = np.full(len(places), -1, np.int64)
    owner[document[elects]] = shard[elects]
    other = shard.astype(np.int64) != owner[document]
    places, document, other = places[~elects], document[~elects], other[~elects]
    order = np.lexsort((places, other, document))
    again = np.zeros(len(order), np.bool_)
    again[1:] = document[order[1:]] == document[order[:-1]]
    return places[order[again]]
