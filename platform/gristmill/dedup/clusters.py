"""Duplicate clusters: which documents are copies of one another, and the one that survives.

Two documents are the `same` (one doc_id in several shards), `exact` (equal clean text), `near` (Jaccard of their shingle
sets at or above the threshold) or `semantic` (cosine of their vectors at or above the threshold) copies.

Survivors are chosen in declared order: source priority (higher first), longest clean text, earliest fetch, smallest
doc_id. Within a connected component the first document survives and takes every document that is *itself* near
enough to it; the first of the rest survives next, and so on. So no chain of small steps can merge documents that
differ (transitive closure wiped out whole sources elsewhere: marin-community/marin issue 6854), each loser names a
survivor that it measurably resembles, and no two survivors of a component are known duplicates.

Nothing depends on sharding, order or row numbers: components do not, and the order of survival is total.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gristmill.dedup.near import ShingleSets, near_pairs
from gristmill.lake.contracts import TIME

VERSION = "1"

MEMBERS: dict[str, pl.DataType | type[pl.DataType]] = {
    "doc_id": pl.String,
    "shard": pl.String,
    "text_hash": pl.String,
    "priority": pl.Int64,  # of the shard's source
    "n_chars": pl.Int64,  # of the clean text
    "fetched_at": TIME,
}
"""One row for every kept document of every shard."""


def duplicate_clusters(members: pl.DataFrame, signatures: pl.LazyFrame, semantic: pl.DataFrame, near_threshold: float) -> pl.DataFrame:
    """The contract `clusters`: every member of a cluster of two or more, the survivor too (kind `survivor`, similarity 1).

    `members` as MEMBERS; `signatures` has text_hash, bands and shingles of at least the members; `semantic` are pairs
    of text hashes above their threshold (`semantic.semantic_pairs`). Kind and similarity say how a document relates to
    its survivor, the strongest kind first.
    """
    documents = _ranked(members)
    texts = documents.group_by("text_hash").agg(pl.col("rank").min()).sort("rank")  # row = order of survival
    kept = signatures.join(texts.lazy().select("text_hash"), on="text_hash", how="semi").unique("text_hash")
    near, sets = near_pairs(kept, near_threshold)
    taken = pl.concat(
        [
            texts.select(
                "text_hash", pl.col("text_hash").alias("survivor_text"), pl.lit("exact").alias("kind"), pl.lit(1.0).alias("similarity")
            ),
            *_taken(texts["text_hash"], near, semantic, sets, near_threshold),
        ]
    ).unique("text_hash", keep="last", maintain_order=True)
    best = (
        documents.sort("rank")
        .unique("text_hash", keep="first")
        .select(
            pl.col("text_hash").alias("survivor_text"),
            pl.col("doc_id").alias("survivor"),
            pl.col("shard").alias("survivor_shard"),
        )
    )
    rows = (
        members.select("doc_id", "shard")
        .join(documents.select("doc_id", "text_hash"), on="doc_id")  # a document's text is that of the shard which owns it
        .join(taken, on="text_hash")
        .join(best, on="survivor_text")
        .with_columns(pl.col("doc_id").min().over("survivor").alias("cluster"), pl.len().over("survivor").alias("size"))
        .filter(pl.col("size") > 1)
    )
    own = pl.col("doc_id") == pl.col("survivor")
    return rows.select(
        "doc_id",
        "shard",
        pl.when(own & (pl.col("shard") == pl.col("survivor_shard")))
        .then(pl.lit("survivor"))
        .when(own)
        .then(pl.lit("same"))
        .otherwise("kind")
        .alias("kind"),
        "cluster",
        "survivor",
        "survivor_shard",
        "similarity",
    ).sort("doc_id", "shard")


def _ranked(members: pl.DataFrame) -> pl.DataFrame:
    """One row per doc_id, as the shard that owns it has it (source priority, earliest fetch, shard key), and its rank of survival."""
    owned = members.sort(
        pl.col("priority") * -1,
        "fetched_at",
        "shard",
        nulls_last=True,
    ).unique("doc_id", keep="first", maintain_order=True)
    ordered = owned.sort(pl.col("priority") * -1, pl.col("n_chars") * -1, "fetched_at", "doc_id", nulls_last=True)
    return ordered.with_row_index("rank")


def _taken(texts: pl.Series, near: pl.DataFrame, semantic: pl.DataFrame, sets: ShingleSets, threshold: float) -> Iterator[pl.DataFrame]:
    """text_hash, survivor_text, kind, similarity of every text that does not survive. `texts` are in order of survival."""
    edges = pl.concat([near.select("left", "right"), semantic.select("left", "right")])
    if edges.is_empty():
        return
    names = pl.concat([edges["left"], edges["right"]]).unique()
    nodes = texts.filter(texts.is_in(names.implode()))  # still in order of survival
    row = {name: i for i, name in enumerate(nodes)}
    cosine: dict[tuple[int, int], float] = {}
    for left, right, value in semantic.iter_rows():
        i, j = row[left], row[right]
        cosine[min(i, j), max(i, j)] = value
    shingled = np.array([sets.row.get(name, -1) for name in nodes], dtype=np.int64)
    links = np.array([[row[left], row[right]] for left, right in edges.iter_rows()], dtype=np.int64)
    graph = coo_array((np.ones(len(links), dtype=np.int8), (links[:, 0], links[:, 1])), shape=(len(nodes), len(nodes)))
    _, component = connected_components(graph, directed=False)
    order = np.argsort(component, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(component[order])) + 1):
        yield from _elect(group, nodes, shingled, sets, cosine, threshold)


def _elect(
    rest: NDArray[np.int64],
    nodes: pl.Series,
    shingled: NDArray[np.int64],
    sets: ShingleSets,
    cosine: dict[tuple[int, int], float],
    threshold: float,
) -> Iterator[pl.DataFrame]:
    """Rounds of survival in one component; `rest` are ascending rows of `nodes`."""
    while len(rest) > 1:
        survivor, rest = rest[0], rest[1:]
        jaccard = np.zeros(len(rest))
        comparable = (shingled[rest] >= 0) & (shingled[survivor] >= 0)
        jaccard[comparable] = sets.jaccard(np.full(comparable.sum(), shingled[survivor]), shingled[rest[comparable]])
        cosines = np.array([cosine.get((survivor, other), np.nan) for other in rest])
        near, semantic = jaccard >= threshold, ~np.isnan(cosines)
        near &= comparable
        taken = near | semantic
        if taken.any():
            yield pl.DataFrame(
                {
                    "text_hash": nodes.gather(rest[taken]),
                    "survivor_text": pl.repeat(nodes[int(survivor)], int(taken.sum()), eager=True),
                    "kind": np.where(near, "near", "semantic")[taken],
                    "similarity": np.where(near, jaccard, cosines)[taken],
                },
                schema_overrides={"kind": pl.String},
            )
        rest = rest[~taken]
