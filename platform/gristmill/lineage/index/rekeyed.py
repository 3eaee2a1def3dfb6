"""Tables of lineage under another key, so that they can be looked up from a document's side: see their contracts."""

from __future__ import annotations

import polars as pl

from gristmill.lake.contracts import CONTRACTS

VERSION = "1"


def placements(provenance: pl.DataFrame) -> pl.DataFrame:
    """Contract `placements`: where each document lies in a phase's sequences."""
    return provenance.select(list(CONTRACTS["placements"].schema))


def steps(batches: pl.DataFrame) -> pl.DataFrame:
    """Contract `steps`: which step of a model's training saw each sequence."""
    return batches.select(list(CONTRACTS["steps"].schema))


def twins(clusters: pl.DataFrame) -> pl.DataFrame:
    """Contract `twins`: the copies that each survivor outlived."""
    return clusters.filter(pl.col("kind") != "survivor").select(list(CONTRACTS["twins"].schema))
