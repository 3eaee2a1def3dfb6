"""Collects what there is to see of duplicates: the sources that lose most, the largest clusters with their differences, one document.

Rows are read by key; text is opened for the documents that are shown and no others, and personal data in it is masked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from gristmill.dedup import overview
from gristmill.dedup.shown.differences import Difference, difference
from gristmill.dedup.shown.parts import Contaminated, Cut, contaminated, cut_most, cuts_of, hits_of
from gristmill.errors import GristmillError
from gristmill.lake.workspace import Workspace
from gristmill.texts import masked_texts

TOP = 20  # clusters, cut texts and contaminated documents that are shown
TWINS = 5  # of a cluster among others
COMPARED = 2  # of them, side by side with the survivor
PLACES, LONGEST = 12, 60  # of a difference: places shown, words of a change
EQUAL = ("same", "exact")  # twins that differ in no word, or in none that counts


@dataclass(frozen=True)
class Twin:
    """A document of a cluster; `differs` where it was compared with the survivor."""

    doc_id: str
    shard: str
    source: str
    url: str
    kind: str
    similarity: float
    differs: Difference | None = None


@dataclass(frozen=True)
class Cluster:
    """A survivor and those that it outlived, the least similar first; `more` are not listed. `copies` counts a document in two shards
    twice."""

    cluster: str
    documents: int
    copies: int
    kinds: dict[str, int]
    least: float
    survivor: Twin
    twins: list[Twin]
    more: int


@dataclass(frozen=True)
class Duplicates:
    """`documents` were kept by filters; `sources` as `overview.lost_by_source`; `source` where only what one source lost is shown."""

    documents: int
    kinds: dict[str, int]
    sizes: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    source: str | None
    n_clusters: int
    clusters: list[Cluster]
    cuts: list[dict[str, Any]] = field(default_factory=list)
    cut_most: list[Cut] = field(default_factory=list)
    contamination: list[dict[str, Any]] = field(default_factory=list)
    contaminated: list[Contaminated] = field(default_factory=list)

    @property
    def lost(self) -> int:
        return sum(self.kinds.values())


@dataclass(frozen=True)
class Document:
    """What deduplication says of one document; no cluster where it has no copy."""

    doc_id: str
    cluster: Cluster | None
    cuts: list[Cut]
    contaminated: list[Contaminated]


def duplicates(workspace: Workspace, top: int = TOP, source: str | None = None) -> Duplicates:
    """What stands now; with `source` the clusters in which that source lost documents, and its own cuts and contaminated documents.
    Stages that were not made are left out, but for `duplicate_clusters` (LakeError)."""
    clusters = _clusters(workspace)
    counted = _kept(workspace)
    recipe = workspace.recipe
    if source is not None and source not in recipe.sources.groups:
        raise GristmillError(f"no source named {source!r}", where="--source", fix=f"The recipe's: {', '.join(recipe.sources.groups)}.")
    losing = clusters
    if source is not None:
        own = _of(workspace, "filtered_shards", source)
        losers = clusters.filter((pl.col("kind") != "survivor") & pl.col("shard").is_in(own)).select("cluster").unique()
        losing = clusters.join(losers, on="cluster", how="semi")
    chosen = overview.largest(losing, top)
    cuts, most = cut_most(workspace, _of(workspace, "repeated_spans", source), top)
    files, items = contaminated(workspace, _of(workspace, "contamination", source), top)
    documents = int(counted["documents"].sum())
    return Duplicates(
        documents=documents,
        kinds=overview.by_kind(clusters),
        sizes=overview.sizes(clusters, documents),
        sources=overview.lost_by_source(counted, clusters, recipe.source_of).to_dicts(),
        source=source,
        n_clusters=int(losing.select(pl.col("cluster").n_unique()).collect().item()),
        clusters=_shown(workspace, chosen, clusters, TWINS, COMPARED),
        cuts=cuts,
        cut_most=most,
        contamination=files,
        contaminated=items,
    )


def cluster(workspace: Workspace, name: str, twins: int = TOP) -> Cluster:
    """One cluster by its name, or what it begins with, with all differences of the first `twins`."""
    clusters = _clusters(workspace)
    named = clusters.filter(pl.col("cluster").str.starts_with(name)).select(pl.col("cluster").unique().sort()).collect()["cluster"]
    if len(named) > 1:
        raise GristmillError(
            f"{len(named):,} clusters begin with {name!r}", where="--cluster", fix=f"For example {named[0]} and {named[1]}."
        )
    chosen = overview.largest(clusters.filter(pl.col("cluster").is_in(named.implode())), 1)
    if chosen.is_empty():
        raise GristmillError(
            f"no cluster named {name!r}", where="--cluster", fix="A cluster is named by its smallest doc_id; --doc takes any."
        )
    return _shown(workspace, chosen, clusters, twins, twins)[0]


def document(workspace: Workspace, doc_id: str, twins: int = TOP) -> Document:
    """A document's cluster, what was cut out of it and the items that it quotes."""
    clusters = _clusters(workspace)
    shards = [shard for shard in workspace.partitions("documents") if _holds(workspace, shard, doc_id)]
    if not shards:
        raise GristmillError(f"no document {doc_id!r}", where="--doc", fix="A doc_id has 32 hex digits; `--json` prints those of clusters.")
    of = clusters.filter(pl.col("doc_id") == doc_id).select("cluster").head(1)
    chosen = overview.largest(clusters.join(of, on="cluster", how="semi"), 1)
    found = _shown(workspace, chosen, clusters, twins, twins, first=doc_id)
    return Document(doc_id, found[0] if found else None, cuts_of(workspace, shards, doc_id), hits_of(workspace, shards, doc_id))


def _clusters(workspace: Workspace) -> pl.LazyFrame:
    return workspace.scan("duplicate_clusters", table="clusters")


def _of(workspace: Workspace, asset: str, source: str | None) -> list[str]:
    """The shards of an asset, of one source or of all."""
    return [shard for shard in workspace.partitions(asset) if source is None or workspace.recipe.source_of(shard) == source]


def _kept(workspace: Workspace) -> pl.DataFrame:
    """shard, documents: how many the filters kept."""
    shards = workspace.partitions("filtered_shards")
    counts = pl.collect_all([workspace.scan("filtered_shards", shard, "verdicts").select(pl.col("kept").sum()) for shard in shards])
    return pl.DataFrame(
        {"shard": shards, "documents": [count.item() for count in counts]}, schema={"shard": pl.String, "documents": pl.Int64}
    )


def _holds(workspace: Workspace, shard: str, doc_id: str) -> bool:
    found = workspace.scan("documents", shard, "documents").filter(pl.col("doc_id") == doc_id)
    return bool(found.select(pl.len()).collect().item())


def _shown(
    workspace: Workspace, chosen: pl.DataFrame, clusters: pl.LazyFrame, twins: int, compared: int, first: str | None = None
) -> list[Cluster]:
    """The clusters of `chosen` (rows of `overview.largest`) with `twins` of each, `compared` of which are opened. `first`: a doc_id that is
    listed before the others."""
    names = chosen["cluster"].implode()
    losers = (
        clusters.filter(pl.col("cluster").is_in(names) & (pl.col("doc_id") != pl.col("survivor")))
        .sort("cluster", pl.col("doc_id") != pl.lit(first or ""), "similarity", "doc_id", "shard")
        .unique(["cluster", "doc_id"], keep="first", maintain_order=True)
        .group_by("cluster", maintain_order=True)
        .head(twins)
        .collect()
    )
    listed = {row["cluster"]: losers.filter(pl.col("cluster") == row["cluster"]).to_dicts() for row in chosen.iter_rows(named=True)}
    opened = [(row["shard"], row["doc_id"]) for rows in listed.values() for row in _compared(rows, compared)] + [
        (row["survivor_shard"], row["survivor"]) for row in chosen.iter_rows(named=True) if _compared(listed[row["cluster"]], compared)
    ]
    listed_ids = [(row["shard"], row["doc_id"]) for rows in listed.values() for row in rows]
    urls = _urls(workspace, [*listed_ids, *chosen.select("survivor_shard", "survivor").iter_rows()])
    texts = _texts(workspace, opened)
    found = []
    for row in chosen.iter_rows(named=True):
        whole = (row["survivor_shard"], row["survivor"])
        rows = listed[row["cluster"]]
        twin_rows = []
        for other in rows:
            key = (other["shard"], other["doc_id"])
            differs = difference(texts[whole], texts[key], PLACES, LONGEST) if whole in texts and key in texts else None
            twin_rows.append(_twin(workspace, *key, urls, other["kind"], other["similarity"], differs))
        kinds = {kind: row[kind] for kind in overview.KINDS if row[kind]}
        survivor = _twin(workspace, *whole, urls, "survivor", 1.0)
        counts = (row["documents"], row["copies"], kinds, row["least"])
        found.append(Cluster(row["cluster"], *counts, survivor, twin_rows, more=row["documents"] - 1 - len(rows)))
    return found


def _compared(rows: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The first of a cluster's listed twins that may differ from the survivor."""
    return [row for row in rows if row["kind"] not in EQUAL][:count]


def _twin(
    workspace: Workspace, shard: str, doc_id: str, urls: dict[str, str], kind: str, similarity: float, differs: Difference | None = None
) -> Twin:
    return Twin(doc_id, shard, workspace.recipe.source_of(shard), urls.get(doc_id, ""), kind, similarity, differs)


def _urls(workspace: Workspace, wanted: Iterable[tuple[str, str]]) -> dict[str, str]:
    """doc_id -> url, of (shard, doc_id)."""
    found: dict[str, str] = {}
    for shard, doc_ids in _by_shard(workspace, wanted):
        rows = workspace.scan("documents", shard, "documents").filter(pl.col("doc_id").is_in(doc_ids)).select("doc_id", "url")
        found.update(rows.collect().iter_rows())
    return found


def _texts(workspace: Workspace, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """(shard, doc_id) -> masked text."""
    found: dict[tuple[str, str], str] = {}
    for shard, doc_ids in _by_shard(workspace, wanted):
        if workspace.has("edits", shard):  # without them no text is masked, and none shown
            texts = masked_texts(workspace, shard, doc_ids).select("doc_id", "text")
            found.update({(shard, doc_id): text for doc_id, text in texts.iter_rows()})
    return found


def _by_shard(workspace: Workspace, wanted: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    grouped: dict[str, set[str]] = {}
    for shard, doc_id in wanted:
        grouped.setdefault(shard, set()).add(doc_id)
    return [(shard, sorted(doc_ids)) for shard, doc_ids in sorted(grouped.items()) if workspace.has("documents", shard)]


def plain(value: Any) -> Any:
    """What is shown as what JSON holds: data classes and named tuples by the names of their fields."""
    if hasattr(value, "_asdict"):
        return {key: plain(inner) for key, inner in value._asdict().items()}
    if hasattr(value, "__dataclass_fields__"):
        return {key: plain(getattr(value, key)) for key in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list | tuple) else value
