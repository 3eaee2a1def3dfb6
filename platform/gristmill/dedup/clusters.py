"""Duplicate clusters: which documents are copies of one another, and the one that survives.

Documents are the `same` (one doc_id in several shards), of one `url`, of one `payload`, `exact` (equal normalised text),
`near` (a band in common and Jaccard of their shingle sets at or above the threshold) or `semantic` (a pair of texts that is
handed in) copies. Who survives: `gristmill.dedup.election`.

Nothing depends on sharding, order or row numbers: relations hold between contents, and the order of survival is total.
With the tables that an earlier run left (`gristmill.dedup.state`) only components that gained, lost or
changed a document, an edge or a band are elected again, and everything comes out as if made from nothing, the tables too.

Everything that spans shards lies on disk, cut by key range; what is in memory is ten bytes a document and a granted
amount for the range, block or batch at work. docs/scale.md has the sum.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.dedup import election, minhash, near, state
from gristmill.dedup.components import Components
from gristmill.dedup.keyed import Keyed
from gristmill.dedup.keys import absent, hexes
from gristmill.dedup.members import DOC, ROWS_AT_ONCE, SHARD, WIDTH, Documents, Shard
from gristmill.dedup.near import NearPairs
from gristmill.dedup.semantic_edges import SemanticPairs
from gristmill.dedup.sketches import Sketches
from gristmill.dedup.spill import Numbers, Spill, by_key
from gristmill.lake.contracts import CONTRACTS
from gristmill.recipe.dedup import Dedup

VERSION = f"2-{near.VERSION}-{election.VERSION}-{minhash.VERSION}"

SPREAD = np.uint64(0x9E3779B97F4A7C15)
MEMORY = 1 << 30  # bytes for what is at work, beside what there is of every document


@dataclass(frozen=True)
class Clustering:
    """`tables`: the contract `clusters` and `state.SCHEMAS`, unsorted, lazily read from scratch. `counts`: what was recomputed."""

    tables: dict[str, pl.LazyFrame]
    counts: dict[str, int]

    @property
    def clusters(self) -> pl.LazyFrame:
        return self.tables["clusters"]


def duplicate_clusters(
    shards: Sequence[Shard],
    semantic: pl.LazyFrame,
    settings: Dedup,
    scratch: Path,
    previous: state.State | None = None,
    memory: int = MEMORY,
) -> Clustering:
    """Clusters of all shards' members.

    `semantic` are pairs of text_hashes (left, right, similarity) above their threshold; those of texts that no member has are
    left out. `previous` are the tables of an earlier run over any members under any settings. The result lives in `scratch`,
    which must outlive it; `memory` bounds the bytes at work and changes nothing else.
    """
    folder = Path(tempfile.mkdtemp(prefix="clusters-", dir=scratch))
    out = _Parts(folder)
    documents = Documents(folder / "documents", shards, settings)
    start = state.seed(settings, VERSION)
    changes = state.Changes(documents, previous, start, settings.survivor, folder, memory)
    keyed = Keyed(documents, folder, memory)
    found = NearPairs(documents, keyed.texts, settings, previous, folder, memory)
    meant = SemanticPairs(documents, keyed.exact_texts, semantic if "semantic" in settings.levels else None, previous, folder)
    changes.spread()

    components = Components(documents.count, folder)
    for links in (keyed.links, found.edges, meant.edges):
        components.join(_touched(links, documents.touched))
    components.join(_chained(found.large, documents.touched, folder, memory))
    components.flatten()
    several = np.zeros(documents.count, dtype=np.bool_)
    for part in changes.extras.chunks(ROWS_AT_ONCE):
        several[part[:, 0].astype(np.int64)] = True
    components.linked |= several & documents.touched

    elected = 0
    for done in _elections(documents, components, found, meant, changes, settings, folder, memory):
        out.add("clusters", done.clusters)
        out.add("clustered", _clustered(documents, done.clustered, start))
        elected += done.components
    for first in range(0, documents.count, ROWS_AT_ONCE):
        some = slice(first, first + ROWS_AT_ONCE)
        rows = first + np.flatnonzero(documents.touched[some] & ~components.linked[some])
        out.add("clustered", _clustered(documents, np.column_stack([rows, np.zeros((len(rows), 2), np.uint64)]).astype(np.uint64), start))
    for name, frame in (*found.tables(), *meant.tables()):
        out.add(name, frame)
    if previous is not None:
        for name in ("clusters", "clustered"):
            out.keep(name, previous[name].select(list(out.schemas[name])).join(changes.replaced(), on="doc_id", how="anti"))
    counts = {
        "documents": documents.count,
        "documents new or changed": int(documents.fresh.sum()),
        "documents gone": len(changes.gone),
        "texts new": int((documents.representative & documents.text_fresh).sum()),
        "keys grouped": keyed.groups_touched,
        "bands grouped": found.bands_touched,
        "pairs proposed": found.pairs_proposed,
        "near edges": found.edges.rows,
        "near edges new": found.edges_new,
        "texts in large bands": found.large.rows,
        "semantic edges": meant.edges.rows,
        "semantic edges new": meant.new,
        "components elected": elected,
        "documents elected": int(documents.touched.sum()),
    }
    for path in folder.iterdir():
        if path.suffix != ".parquet":
            path.unlink()
    return Clustering({name: out.scan(name) for name in out.schemas}, counts)


def _touched(links: Spill, touched: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    for part in links.chunks(ROWS_AT_ONCE):
        left, right = part[:, 0].astype(np.int64), part[:, 1].astype(np.int64)
        yield left[touched[left]], right[touched[left]]


def _chained(large: Spill, touched: NDArray[np.bool_], folder: Path, memory: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Links from one text of a large band to the next: they are elected together, whether near or not."""
    ranged = Spill.sized(folder, "chained", 2, large.rows, memory)
    for part in large.chunks(ROWS_AT_ONCE):
        part = part[touched[part[:, 1].astype(np.int64)]]
        ranged.add(part, ranged.range_of(part[:, 0]))
    for part in ranged.each():
        order, begins = by_key(part[:, 0])
        rows, inner = part[order, 1].astype(np.int64), np.flatnonzero(~begins)
        yield rows[inner - 1], rows[inner]
    ranged.close()


def _elections(
    documents: Documents,
    components: Components,
    near_pairs: NearPairs,
    semantic: SemanticPairs,
    changes: state.Changes,
    settings: Dedup,
    folder: Path,
    memory: int,
) -> Iterator[election.Elected]:
    """Elects in whole components, as many at once as fit."""
    touched, root, linked = documents.touched, components.root, components.linked
    people = Spill.sized(folder, "people", WIDTH + 2, int(linked.sum()), memory)

    def ranges(rows: Numbers) -> NDArray[np.int64]:
        return people.range_of(root[rows.astype(np.int64)].view(np.uint64) * SPREAD)

    for first, rows in documents.chunks():
        here = np.flatnonzero(linked[first : first + len(rows)])
        numbers = (here + first).astype(np.uint64)
        people.add(np.column_stack([rows[here], numbers, root[here + first].view(np.uint64)]), ranges(numbers))
    sides: list[Spill] = []
    for name, links, column in (
        ("near", near_pairs.edges, 0),
        ("semantic", semantic.edges, 0),
        ("bands", near_pairs.large, 1),
        ("copies", changes.extras, 0),
    ):
        side = Spill(folder, f"elect-{name}", links.width, people.ranges)
        for part in links.chunks(ROWS_AT_ONCE):
            part = part[touched[part[:, column].astype(np.int64)]]
            side.add(part, ranges(part[:, column]))
        sides.append(side)
    banded = np.zeros(documents.count, dtype=np.bool_)
    for part in sides[2].chunks(ROWS_AT_ONCE):
        banded[part[:, 1].astype(np.int64)] = True
    sketches = Sketches(documents, banded, folder, "banded", memory)
    text_kind = "exact" if "exact" in settings.levels else "near"
    for i in range(people.ranges):
        batch = election.Batch(people.read(i), *(side.read(i) for side in sides))
        if len(batch.documents):
            yield election.elect(batch, documents, sketches, settings.survivor, text_kind, near_pairs.threshold)
    for spill in (people, *sides):
        spill.close()


def _clustered(documents: Documents, rows: Numbers, start: np.uint64) -> pl.DataFrame:
    """The table `clustered` of (row, component, component)."""
    table = np.array(documents.table[rows[:, 0].astype(np.int64)])
    alone = absent(rows[:, 1:])
    component = hexes(rows[:, 1:])
    return pl.DataFrame(
        {
            "doc_id": hexes(table[:, DOC : DOC + 2]),
            "shard": documents.shard_names(table[:, SHARD].astype(np.int64)),
            "digest": state.digests(table, start),
            "component": component.set(pl.Series(alone), None) if alone.any() else component,
        },
        schema=state.SCHEMAS["clustered"],
    )


class _Parts:
    """Tables in parts on disk."""

    schemas = {"clusters": CONTRACTS["clusters"].schema, **state.SCHEMAS}

    def __init__(self, folder: Path):
        self._folder, self._paths = folder, {name: list[Path]() for name in self.schemas}
        self._kept: dict[str, pl.LazyFrame] = {}

    def add(self, table: str, frame: pl.DataFrame) -> None:
        if frame.height:
            path = self._folder / f"{table}.{len(self._paths[table])}.parquet"
            frame.write_parquet(path, compression="zstd", compression_level=1)
            self._paths[table].append(path)

    def keep(self, table: str, frame: pl.LazyFrame) -> None:
        """Rows of the earlier run that still hold."""
        self._kept[table] = frame

    def scan(self, table: str) -> pl.LazyFrame:
        frames = [pl.LazyFrame(schema=self.schemas[table]), *map(pl.scan_parquet, self._paths[table])]
        return pl.concat([*frames, self._kept[table]] if table in self._kept else frames)
