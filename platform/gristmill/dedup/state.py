"""What a run leaves for the next one, and what has changed since: the tables that make clustering incremental.

Each is a pure function of the members, so that a run that started from nothing leaves the same ones:

- `clustered`: every document of every shard, with a digest of all that its fate depends on (settings included: other
  settings are other documents) and the component of related documents that it is in, named by its smallest doc_id;
- `near_edges`: the proven pairs of normalised texts that share a small band, with the first such band's key;
- `band_groups`: the texts of large bands, whose pairs are not written down;
- `semantic_edges`: the semantic pairs of texts that members have.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.dedup.election import order_of_survival
from gristmill.dedup.keys import absent, hexes, parse
from gristmill.dedup.members import CHARS, DOC, PRIORITY, ROWS_AT_ONCE, SHARD, TIME_, WIDTH, Documents
from gristmill.dedup.spill import Numbers, Spill, by_key
from gristmill.recipe.dedup import Dedup

SCHEMAS: dict[str, dict[str, pl.DataType | type[pl.DataType]]] = {
    "clustered": {"doc_id": pl.String, "shard": pl.String, "digest": pl.UInt64, "component": pl.String},  # component: null if alone
    "near_edges": {"left": pl.String, "right": pl.String, "key": pl.UInt64, "similarity": pl.Float64},
    "band_groups": {"key": pl.UInt64, "normal_hash": pl.String},
    "semantic_edges": {"left": pl.String, "right": pl.String, "similarity": pl.Float64},
}
GONE = 1 << 32  # the number of a shard that is no more
RANKED = [PRIORITY, CHARS, TIME_]  # what an order of survival may name

State = Mapping[str, pl.LazyFrame]
"""SCHEMAS by name, and the contract `clusters`, of an earlier run."""


def empty(table: str) -> pl.LazyFrame:
    return pl.LazyFrame(schema=SCHEMAS[table])


def seed(settings: Dedup, version: str) -> np.uint64:
    """What every document's digest begins with: all settings that a document's cluster depends on."""
    read = settings.model_dump_json(include={"levels", "survivor", "minhash"})
    return np.uint64(int.from_bytes(hashlib.blake2b(f"{version} {read}".encode(), digest_size=8).digest(), "big"))


def digests(rows: Numbers, start: np.uint64) -> Numbers:
    """64 bits of each document's row, its shard apart."""
    from gristmill.dedup.cluster_kernels import row_digests

    return np.asarray(row_digests(np.ascontiguousarray(rows), SHARD, start))


class Changes:
    """Compares the documents with the previous run's and marks `owner` and `fresh`.

    `old`: (count, 2) the component that each document that is as it was belongs to, (0, 0) for none. `components`: (n, 2) those
    that lost a document or had it changed. `gone`: (n, 2) doc_ids that are no more. `extras`: (row of the owner, row) of the
    other shards' copies.
    """

    def __init__(self, documents: Documents, previous: State | None, start: np.uint64, survivor: Sequence[str], scratch: Path, memory: int):
        self.documents, self._survivor = documents, survivor
        count = documents.count
        self.old = np.memmap(scratch / "components", dtype=np.uint64, mode="w+", shape=(max(count, 1), 2)) if previous else None
        self.extras = Spill(scratch, "extras", 2)
        now = Spill.sized(scratch, "now", 5 + len(RANKED), count, memory)
        for first, rows in documents.chunks():
            numbers = np.arange(first, first + len(rows), dtype=np.uint64)[:, None]
            columns = rows[:, [DOC, DOC + 1, SHARD]]
            now.add(np.hstack([columns, digests(rows, start)[:, None], numbers, rows[:, RANKED]]), now.range_of(rows[:, DOC]))
        before = Spill(scratch, "before", 6, now.ranges)
        if previous is not None:
            self._spill_old(previous["clustered"], before)
        gone, components = [np.zeros((0, 2), np.uint64)], [np.zeros((0, 2), np.uint64)]
        for i in range(now.ranges):
            here = now.read(i)
            order, begins = by_key(here[:, :2])
            here = here[order]
            self._own(here, begins)
            if self.old is None:
                documents.fresh[here[:, 4].astype(np.int64)] = True
                continue
            lost, moved = self._compare(here, before.read(i), self.old)
            gone.append(lost)
            components.append(moved)
        self.gone, self.components = np.concatenate(gone), np.unique(np.concatenate(components), axis=0)
        now.close()
        before.close()
        documents.touched |= documents.fresh & documents.owner

    def _own(self, here: Numbers, begins: NDArray[np.bool_]) -> None:
        """The owner of a doc_id: the first of its copies in the declared order of survival, then of the first shard."""
        rows, owner = here[:, 4].astype(np.int64), self.documents.owner
        owner[rows] = True
        several = ~begins | np.append(~begins[1:], False)
        if not several.any():
            return
        part = here[several]
        ranked = np.zeros((len(part), WIDTH), dtype=np.uint64)
        ranked[:, [DOC, DOC + 1, SHARD, *RANKED]] = part[:, [0, 1, 2, *range(5, 5 + len(RANKED))]]
        part = part[order_of_survival(ranked, self._survivor)]
        best = part[by_key(part[:, :2])[0]]
        first = np.ones(len(best), dtype=np.bool_)
        first[1:] = (best[1:, :2] != best[:-1, :2]).any(axis=1)
        owners = best[np.flatnonzero(first)[np.cumsum(first) - 1], 4]
        owner[best[~first, 4].astype(np.int64)] = False
        self.extras.add(np.stack([owners[~first], best[~first, 4]], axis=1))

    def _spill_old(self, clustered: pl.LazyFrame, before: Spill) -> None:
        number = pl.Series([shard.key for shard in self.documents.shards], dtype=pl.String)
        numbers = pl.LazyFrame({"shard": number, "number": np.arange(len(number), dtype=np.uint64)})
        for batch in clustered.join(numbers, on="shard", how="left").collect_batches(chunk_size=ROWS_AT_ONCE):
            doc, component = parse(batch["doc_id"]), parse(batch["component"])
            columns = [batch["number"].fill_null(GONE).to_numpy(), batch["digest"].to_numpy()]
            before.add(np.column_stack([doc, *columns, component]).astype(np.uint64), before.range_of(doc[:, 0]))

    def _compare(self, here: Numbers, there: Numbers, old: Numbers) -> tuple[Numbers, Numbers]:
        """Marks what is fresh in one range, keeps the components of the rest; doc_ids that are gone, components that were touched."""
        from gristmill.dedup.cluster_kernels import compare

        there = there[by_key(there[:, :2])[0]]
        changed = np.zeros(len(there), dtype=np.int8)  # 1 changed, 2 gone
        compare(here, there, self.documents.fresh, old, changed)
        moved = np.unique(there[changed > 0, 4:6], axis=0)
        return np.unique(there[changed == 2, :2], axis=0), moved[~absent(moved)]

    def spread(self) -> None:
        """Touches every document of a component that was touched, and of those that lost something."""
        if self.old is None:
            return
        documents, found = self.documents, [self.components]
        for start in range(0, documents.count, ROWS_AT_ONCE):
            part = np.asarray(self.old[start : start + ROWS_AT_ONCE])
            found.append(part[documents.touched[start : start + ROWS_AT_ONCE]])
        every = np.concatenate(found)
        wanted = pl.DataFrame(every[~absent(every)], schema={"high": pl.UInt64, "low": pl.UInt64}).unique()
        self.components = wanted.to_numpy().astype(np.uint64)
        for start in range(0, documents.count, ROWS_AT_ONCE):
            named = pl.DataFrame(np.array(self.old[start : start + ROWS_AT_ONCE]), schema=wanted.schema).with_row_index("row")
            rows = named.join(wanted, on=["high", "low"], how="semi")["row"].to_numpy()
            documents.touched[start + rows.astype(np.int64)] = True
        documents.touched &= documents.owner

    def replaced(self) -> pl.LazyFrame:
        """doc_id of every document whose rows of the previous tables no longer hold."""
        rows = np.flatnonzero(self.documents.touched)
        keys = np.concatenate([self.documents.table[rows, DOC : DOC + 2], self.gone])
        return pl.LazyFrame({"doc_id": hexes(keys)}, schema={"doc_id": pl.String})
