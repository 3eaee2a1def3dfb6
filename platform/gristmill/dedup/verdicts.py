"""Verdicts after deduplication: a shard's filter verdicts, and a reason for every document that a copy of it outlived."""

from __future__ import annotations

import polars as pl

from gristmill.recipe.dedup import Dedup

VERSION = "2"

KINDS = ("same", "url", "payload", "exact", "near", "semantic")  # strongest first


def thresholds(settings: Dedup) -> dict[str, float]:
    """The least similarity of each kind."""
    return {**dict.fromkeys(KINDS, 1.0), "near": settings.minhash.threshold, "semantic": settings.semantic.threshold}


def deduplicate(verdicts: pl.DataFrame, clusters: pl.DataFrame, settings: Dedup) -> pl.DataFrame:
    """The contract `verdicts`: losers get the rule `dedup.<kind>`, their similarity to the survivor and the threshold.

    `verdicts` and `clusters` are one shard's; rows of documents that lose nothing stay as they are, but for the threshold: the
    filters' own table says that, and here it would change with every edit that flips nothing.
    """
    threshold = thresholds(settings)
    losers = clusters.filter(pl.col("kind") != "survivor").select(
        "doc_id",
        "similarity",
        pl.format("dedup.{}", "kind").alias("rule"),
        pl.col("kind").replace_strict(threshold, return_dtype=pl.Float64).alias("limit"),
    )
    lost = pl.col("rule").is_not_null()
    return verdicts.join(losers, on="doc_id", how="left", maintain_order="left").select(
        "doc_id",
        (pl.col("kept") & ~lost).alias("kept"),
        pl.coalesce("rule", "first_rule").alias("first_rule"),
        pl.coalesce("similarity", "value").alias("value"),
        pl.col("limit").alias("threshold"),
        pl.when(lost).then(pl.concat_list("fired", pl.concat_list("rule"))).otherwise("fired").alias("fired"),
        "weight",
        "policy",
    )
