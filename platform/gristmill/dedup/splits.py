"""Train, validation and test: by hash of a document's duplicate cluster, before anything is learned from any document.

A document alone is its own cluster. Copies fall on the same side whichever of them survives, and no later
stage moves a document: neither sharding nor order nor the other clusters have a say.
"""

from __future__ import annotations

import hashlib

import polars as pl

from gristmill.recipe import Split

VERSION = "1"


def split(doc_ids: pl.Series, clusters: pl.DataFrame, shares: Split) -> pl.DataFrame:
    """The contract `splits` of the documents; `clusters` has doc_id and cluster of those that have copies."""
    known = clusters.select("doc_id", "cluster").unique("doc_id")
    rows = (
        pl.DataFrame({"doc_id": doc_ids})
        .join(known, on="doc_id", how="left")
        .with_columns(pl.coalesce("cluster", "doc_id").alias("cluster"))
    )
    sides = pl.Series("split", [side(cluster, shares) for cluster in rows["cluster"]], dtype=pl.String)
    return rows.with_columns(sides).select("doc_id", "cluster", "split")


def side(cluster: str, shares: Split) -> str:
    """Where a cluster falls: its hash as a fraction of 2^64, test first, then validation, the rest is train."""
    place = int.from_bytes(hashlib.blake2b(f"split {cluster}".encode(), digest_size=8).digest(), "big") / 2**64
    if place < shares.test:
        return "test"
    return "validation" if place < shares.test + shares.validation else "train"
