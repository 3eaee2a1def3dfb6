"""The declared order of survival over frames: what `election` does over numbers, for stages that need a rank and no cluster."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

VERSION = "1"

ORDER = {
    "priority": pl.col("priority") * -1,
    "longest": pl.col("n_chars") * -1,
    "earliest": pl.col("fetched_at"),
    "latest": pl.col("fetched_at").dt.epoch("us") * -1,
}


def ranked(documents: pl.LazyFrame, survivor: Sequence[str]) -> pl.LazyFrame:
    """doc_id, shard, rank (0 survives all others) of documents with priority, n_chars and fetched_at; unknown times come last,
    ties end at doc_id."""
    ordered = documents.sort(*(ORDER[preference] for preference in survivor), "doc_id", nulls_last=True)
    return ordered.with_row_index("rank").select("doc_id", "shard", pl.col("rank").cast(pl.Int64))
