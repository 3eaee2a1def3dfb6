"""The sample that is graded: the same number of documents from every source, chosen by hash.

Equal shares per source, not proportional ones, so that a small source is graded too (the stratified hold-out of
FineWeb-Edu's classifier, Penedo et al. 2024, section 4, in the form that a mix of sources needs). A document's `weight` says how many
documents of its source it stands for, so that what is measured on the sample can be stated for the whole.
Whether a document is chosen depends on its hash and on its source's other documents, never on shards or order.
"""

from __future__ import annotations

import hashlib

import polars as pl

from gristmill.errors import GristmillError

VERSION = "1"

HOLD_OUT = 0.2  # share of the sample taken from the validation split: it is what the heads are measured on
CANDIDATES = ("doc_id", "shard", "source", "split")


def stratified(candidates: pl.DataFrame, size: int) -> pl.DataFrame:
    """At most `size` of the candidates (doc_id, shard, source, split), and the `weight` of each.

    The test split is never sampled. Rows come in the order in which a budget should be spent on them: sources
    take turns, so that any prefix is stratified too.
    """
    pool = (
        candidates.select(*CANDIDATES)
        .filter(pl.col("split") != "test")
        .with_columns(
            pl.col("doc_id").map_elements(_order, return_dtype=pl.String).alias("_order"),
        )
    )
    if pool.is_empty():
        raise GristmillError(
            "no document to grade: every survivor is in the test split, or none survived",
            where="quality_annotations",
            fix="Look at the funnel of filtered_shards and deduplicated_shards, or lower split.test.",
        )
    counts = dict(pool.group_by("source").len().iter_rows())
    shares = _equal_shares(counts, size)
    parts = []
    for source in sorted(counts):
        held, rest = (
            pool.filter((pl.col("source") == source) & ((pl.col("split") == "validation") == of_validation)).sort("_order")
            for of_validation in (True, False)
        )
        from_held = min(held.height, max(round(HOLD_OUT * shares[source]), shares[source] - rest.height))
        chosen = pl.concat([held.head(from_held), rest.head(shares[source] - from_held)]).sort("_order")
        if chosen.height:
            parts.append(chosen.with_row_index("_turn").with_columns(weight=pl.lit(counts[source] / chosen.height)))
    return pl.concat(parts).sort("_turn", "source").drop("_order", "_turn")


def _order(doc_id: str) -> str:
    return hashlib.blake2b(f"quality.sample:{doc_id}".encode(), digest_size=16).hexdigest()


def _equal_shares(counts: dict[str, int], size: int) -> dict[str, int]:
    """Documents per source: equal; what a small source lacks is shared among the larger ones."""
    shares: dict[str, int] = {}
    left = size
    for source in sorted(counts, key=lambda name: (counts[name], name)):
        shares[source] = min(counts[source], left // (len(counts) - len(shares)))
        left -= shares[source]
    return shares
