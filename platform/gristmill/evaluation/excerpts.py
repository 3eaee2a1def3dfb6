"""Quotes documents: their URL and a short excerpt of their final view, in which personal data is masked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl

from gristmill.lake.workspace import Workspace
from gristmill.texts import masked_texts

EXCERPT = 280  # characters


def excerpts(workspace: Workspace, wanted: Iterable[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """doc_id -> url and excerpt, for rows with doc_id and shard; each shard is read once."""
    by_shard: dict[str, set[str]] = {}
    for row in wanted:
        by_shard.setdefault(row["shard"], set()).add(row["doc_id"])
    found = {}
    for shard, doc_ids in sorted(by_shard.items()):
        if not workspace.has("documents", shard):
            continue
        these = pl.LazyFrame({"doc_id": sorted(doc_ids)})
        documents = workspace.scan("documents", shard, "documents").select("doc_id", "url").join(these, on="doc_id", how="semi").collect()
        if workspace.has("edits", shard):
            texts = dict(masked_texts(workspace, shard, doc_ids).select("doc_id", "text").iter_rows())
        else:
            texts = dict.fromkeys(documents["doc_id"], "")  # no edits yet: unmasked text is not shown
        for doc_id, url in documents.iter_rows():
            found[doc_id] = {"url": url, "excerpt": excerpt(texts[doc_id])}
    return found


def excerpt(text: str, length: int = EXCERPT) -> str:
    """The start of a text on one line."""
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length and len(text) <= 4 * length else line[: length - 1].rstrip() + "…"
