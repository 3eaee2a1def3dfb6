"""Texts of a shard's documents out of the lake, in the view that a stage sees (`views`)."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from gristmill import views
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.workspace import Workspace


def clean_texts(workspace: Workspace, shard: str, doc_ids: Iterable[str] | None = None) -> pl.DataFrame:
    """doc_id, text, text_hash of the clean view: of the documents named, or of all; in the order of `documents`."""
    return views.clean(_rows(workspace, "documents", shard, doc_ids), _rows(workspace, "edits", shard, doc_ids))


def final_texts(workspace: Workspace, shard: str, doc_ids: Iterable[str] | None = None) -> pl.DataFrame:
    """As `clean_texts`, of the final view. Documents that deduplication dropped have no cuts: theirs is the clean one, masked."""
    wanted = None if doc_ids is None else list(doc_ids)
    return views.final(*(_rows(workspace, asset, shard, wanted) for asset in ("documents", "edits", "repeated_spans")))


def masked_texts(workspace: Workspace, shard: str, doc_ids: Iterable[str]) -> pl.DataFrame:
    """As `clean_texts`, with personal data masked: what may be shown of any document, kept or not."""
    wanted = list(doc_ids)
    return views.final(_rows(workspace, "documents", shard, wanted), _rows(workspace, "edits", shard, wanted), CONTRACTS["cuts"].empty())


def _rows(workspace: Workspace, asset: str, shard: str, doc_ids: Iterable[str] | None) -> pl.DataFrame:
    """`asset`'s first table; of documents only what views need."""
    table = workspace.scan(asset, shard, "documents" if asset == "documents" else None)
    if asset == "documents":
        table = table.select(views.COLUMNS)
    if doc_ids is not None:
        wanted = pl.LazyFrame({"doc_id": list(doc_ids)}, schema={"doc_id": pl.String})
        table = table.join(wanted, on="doc_id", how="semi", maintain_order="left")
    return table.collect()
