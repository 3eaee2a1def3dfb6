"""Cuts of several finders put together: what of a document's clean view the final one leaves out, without overlaps.

A repeated line may lie in a repeated paragraph, and both in a repeated substring. What any of them covers goes. Spans that overlap
become one that covers them all, with what the longest says of itself (then the earliest, then the rule's name): that is what
`why` names. Spans that only touch stay apart, each with its own reason.
"""

from __future__ import annotations

import polars as pl

from gristmill.lake.contracts import CONTRACTS

VERSION = "1"
CUTS = CONTRACTS["cuts"].schema


def merged(cuts: pl.DataFrame) -> pl.DataFrame:
    """The contract `cuts` in any order and overlap -> the same, by doc_id and start, no two spans of a document overlapping.

    Spans without a character go.
    """
    found = cuts.filter(pl.col("end") > pl.col("start")).select(*CUTS).sort("doc_id", "start", "end", "rule")
    reached = pl.col("end").cum_max().shift(1).over("doc_id")
    apart = (pl.col("start") >= reached).fill_null(True)
    length = pl.col("end") - pl.col("start")
    named = [pl.col(name).first() for name in ("rule", "documents", "twin", "similarity")]
    return (
        found.with_columns(apart.cast(pl.UInt32).cum_sum().alias("group"))
        .sort("group", length * -1, "start", "rule", "documents", "twin", "similarity")
        .group_by("group", maintain_order=True)
        .agg(pl.col("doc_id").first(), pl.col("start").min(), pl.col("end").max(), *named)
        .select(*CUTS)
        .sort("doc_id", "start")
    )
