"""The verdicts that only the final view can give: documents that hold what a model is examined with, and documents that cuts left empty.

Both drop kept documents alone; whatever was dropped before keeps its reason.
"""

from __future__ import annotations

import polars as pl

from gristmill.dedup.items import HELD_OUT
from gristmill.recipe import Decontamination

VERSION = "1"

TOO_SHORT = "dedup.min_chars"
CONTAMINATED = "contamination."
"""What the rules begin with: `contamination.held_out`, or `contamination.<file>` by the items' name in the recipe."""


def judge(verdicts: pl.DataFrame, contamination: pl.DataFrame, splits: pl.DataFrame, settings: Decontamination) -> pl.DataFrame:
    """The contract `verdicts`: a kept document of the train split goes if it holds `min_overlap` of an item's n-grams, or more.

    All of one shard. The first rule is that of the largest overlap, which is its value; every kind of item that fires is in
    `fired`. Held-out documents stay whatever they hold: they are what the others are measured against.
    """
    trained_on = splits.filter(pl.col("split") == "train").select("doc_id")
    rule = pl.format(f"{CONTAMINATED}{{}}", pl.col("item").str.split("/").list.first())
    too_much = contamination.filter(pl.col("overlap") >= settings.min_overlap).join(trained_on, on="doc_id", how="semi")
    if not settings.held_out:
        too_much = too_much.filter(~pl.col("item").str.starts_with(f"{HELD_OUT}/"))
    worst = (
        too_much.with_columns(rule.alias("rule"))
        .sort("doc_id", pl.col("overlap") * -1, "rule")
        .group_by("doc_id", maintain_order=True)
        .agg(pl.col("rule").unique(maintain_order=True).alias("rules"), pl.col("overlap").first().alias("found"))
    )
    return _dropped(verdicts, worst, settings.min_overlap)


def too_short(verdicts: pl.DataFrame, lengths: pl.DataFrame, min_chars: int) -> pl.DataFrame:
    """The contract `verdicts`: a kept document goes if its final view has fewer than `min_chars` characters.

    `lengths`: doc_id and n_chars, of the final view.
    """
    short = lengths.filter(pl.col("n_chars") < min_chars).select(
        "doc_id", pl.lit([TOO_SHORT]).alias("rules"), pl.col("n_chars").cast(pl.Float64).alias("found")
    )
    return _dropped(verdicts, short, min_chars)


def _dropped(verdicts: pl.DataFrame, found: pl.DataFrame, limit: float) -> pl.DataFrame:
    """`verdicts` after the rules of `found` (doc_id, rules, found: the value of the first)."""
    joined = verdicts.join(found, on="doc_id", how="left", maintain_order="left")
    falls = pl.col("kept") & pl.col("rules").is_not_null()
    return joined.with_columns(
        kept=pl.col("kept") & ~falls,
        first_rule=pl.when(falls).then(pl.col("rules").list.first()).otherwise("first_rule"),
        value=pl.when(falls).then("found").otherwise("value"),
        threshold=pl.when(falls).then(pl.lit(float(limit))).otherwise("threshold"),
        fired=pl.when(falls).then(pl.concat_list("fired", "rules")).otherwise("fired"),
    ).select(verdicts.columns)
