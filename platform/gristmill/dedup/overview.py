"""What deduplication did, in numbers: copies by level, sizes of clusters, what each source lost and to which clusters.

From the contract `clusters` and the number of members alone; no text is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

KINDS = ("same", "url", "payload", "exact", "near", "semantic")  # strongest first
INEXACT = ("near", "semantic")  # what a wrong threshold can take
LARGEST = 10  # clusters that metadata names
NAMED = 3  # clusters named for each source


def overview(members: pl.DataFrame, clusters: pl.DataFrame, source_of: Callable[[str], str]) -> dict[str, Any]:
    """Metadata of `duplicate_clusters`: counts by level, the histogram of sizes, each source's losses, the largest clusters.

    `members` has doc_id, shard and text (what equal texts share) of every document that filters kept.
    """
    kinds = by_kind(clusters.lazy())
    return {
        "documents": members.height,
        "left": members.height - sum(kinds.values()),
        "lost by level": kinds,
        "clusters by size": sizes(clusters.lazy(), members.height),
        "lost by source": losses(members, clusters, source_of).drop("largest").to_dicts(),
        "largest clusters": largest(clusters.lazy(), LARGEST).to_dicts(),
    }


def by_kind(clusters: pl.LazyFrame) -> dict[str, int]:
    """Documents lost, by how they relate to their survivor."""
    counts = dict(clusters.group_by("kind").len().collect().iter_rows())
    return {kind: counts.get(kind, 0) for kind in KINDS}


def sizes(clusters: pl.LazyFrame, kept: int) -> list[dict[str, Any]]:
    """Histogram: size (1, 2, 3-4, 5-8, … copies), clusters, documents. Of the `kept` documents those in no cluster are of size 1."""
    power = (64 - (pl.col("documents") - 1).bitwise_leading_zeros()).cast(pl.Int64)  # 1 for 2, 2 for 3 and 4, 3 for 5 to 8
    rows = (
        clusters.group_by("cluster")
        .agg(pl.len().cast(pl.Int64).alias("documents"))
        .group_by(power.alias("power"))
        .agg(pl.len().alias("clusters"), pl.col("documents").sum())
        .sort("power")
        .collect()
    )
    alone = kept - int(rows["documents"].sum())
    first = [{"size": "1", "clusters": alone, "documents": alone}] if alone else []
    return first + [{"size": _size(p), "clusters": c, "documents": d} for p, c, d in rows.iter_rows()]


def largest(clusters: pl.LazyFrame, count: int) -> pl.DataFrame:
    """cluster, survivor, survivor_shard, documents (distinct), copies (of them, in all shards), each of KINDS, least (the smallest
    similarity); the largest first."""
    return (
        clusters.group_by("cluster")
        .agg(
            pl.col("survivor", "survivor_shard").first(),
            pl.col("doc_id").n_unique().cast(pl.Int64).alias("documents"),
            pl.len().cast(pl.Int64).alias("copies"),
            *_kinds(),
            pl.col("similarity").min().alias("least"),
        )
        .sort(pl.col("documents", "copies") * -1, "cluster")
        .head(count)
        .collect()
    )


def lost_by_source(documents: pl.DataFrame, clusters: pl.LazyFrame, source_of: Callable[[str], str]) -> pl.DataFrame:
    """source, documents, each of KINDS, lost, share, largest; the source that loses the largest share first.

    `documents`: shard and documents, those that filters kept. `largest` are the NAMED clusters in which most of the source's documents
    are lost to inexact copies, then to any: cluster, survivor, to (the survivor's source), documents, inexact.
    """
    shards = documents.select("shard", pl.col("shard").map_elements(source_of, return_dtype=pl.String).alias("source"))
    owners = clusters.select(pl.col("survivor_shard").unique()).collect()["survivor_shard"]
    survivors = pl.DataFrame(
        {"survivor_shard": owners, "to": [source_of(each) for each in owners]}, schema={"survivor_shard": pl.String, "to": pl.String}
    )
    losers = clusters.filter(pl.col("kind") != "survivor").join(shards.lazy(), on="shard")
    counts = losers.group_by("source").agg(*_kinds(), pl.len().alias("lost")).collect()
    named = (
        losers.group_by("source", "cluster")
        .agg(
            pl.col("survivor", "survivor_shard").first(),
            pl.len().alias("documents"),
            pl.col("kind").is_in(INEXACT).sum().alias("inexact"),
        )
        .sort("source", pl.col("inexact") * -1.0, pl.col("documents") * -1.0, "cluster")
        .group_by("source", maintain_order=True)
        .head(NAMED)
        .collect()
        .join(survivors, on="survivor_shard", maintain_order="left")
        .group_by("source", maintain_order=True)
        .agg(pl.struct("cluster", "survivor", "to", "documents", "inexact").alias("largest"))
    )
    return (
        documents.join(shards, on="shard")
        .group_by("source")
        .agg(pl.col("documents").sum())
        .join(counts, on="source", how="left")
        .join(named, on="source", how="left")
        .with_columns(pl.col(*KINDS, "lost").fill_null(0).cast(pl.Int64), pl.col("documents").cast(pl.Int64))
        .with_columns((pl.col("lost") / pl.max_horizontal("documents", 1)).round(6).alias("share"))
        .sort(pl.col("share") * -1, "source")
        .select("source", "documents", *KINDS, "lost", "share", "largest")
    )


def losses(members: pl.DataFrame, clusters: pl.DataFrame, source_of: Callable[[str], str]) -> pl.DataFrame:
    """`lost_by_source`, with texts (distinct ones of the source), inexact texts (those lost to INEXACT copies) and inexact share."""
    counted = lost_by_source(members.group_by("shard").len("documents"), clusters.lazy(), source_of)
    shards = members["shard"].unique().sort()
    sources = pl.DataFrame(
        {"shard": shards, "source": [source_of(each) for each in shards]}, schema={"shard": pl.String, "source": pl.String}
    )
    lost = clusters.filter(pl.col("kind").is_in(INEXACT)).select("doc_id", "shard", pl.lit(True).alias("lost"))
    texts = (
        members.select("doc_id", "shard", "text")
        .join(sources, on="shard")
        .join(lost, on=["doc_id", "shard"], how="left")
        .group_by("source")
        .agg(
            pl.col("text").n_unique().cast(pl.Int64).alias("texts"),
            pl.col("text").filter(pl.col("lost")).n_unique().cast(pl.Int64).alias("inexact texts"),
        )
    )
    return counted.join(texts, on="source", maintain_order="left").with_columns(
        (pl.col("inexact texts") / pl.col("texts")).round(6).alias("inexact share")
    )


def excessive(found: pl.DataFrame, most: float) -> list[str]:
    """A sentence for each source of `losses` that loses more than the share `most` of its texts to inexact copies: to which clusters."""
    said = []
    for row in found.filter(pl.col("inexact share") > most).sort(pl.col("inexact share") * -1, "source").iter_rows(named=True):
        clusters = "; ".join(
            f"{each['inexact']:,} to {each['survivor']} of {each['to']} (cluster {each['cluster']})"
            for each in row["largest"]
            if each["inexact"]
        )
        said.append(
            f"{row['source']} loses {row['inexact share']:.1%} of its {row['texts']:,} texts to near or semantic copies: {clusters}"
        )
    return said


def _kinds() -> list[pl.Expr]:
    return [(pl.col("kind") == kind).sum().cast(pl.Int64).alias(kind) for kind in KINDS]


def _size(power: int) -> str:
    """2, 3-4, 5-8, … for 1, 2, 3, …"""
    return "2" if power == 1 else "1" if power == 0 else f"{2 ** (power - 1) + 1:,}-{2**power:,}"
