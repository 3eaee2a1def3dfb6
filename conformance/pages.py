"""Real texts to decide on: pages of the demo's crawl as our extractor reads them, and scenes and modules beside them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from assets.crawl import make_documents, make_raw_crawl
from assets.takedown import make_tombstones
from gristmill.crawl.sources import register
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.recipe import Recipe
from jobs import settings
from jobs.demo_sources import prepare

AT_MOST = {"docs-1": 400, "prose": 100, "stdlib": 100}  # of each source, the first by document id


def crawled_pages() -> pl.DataFrame:
    """The table `documents` of the sources of `make demo`, which are made where they are not there yet."""
    sources = prepare(settings.home())
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Lake(folder), Recipe())
        for source, most in AT_MOST.items():
            paths = sources[source]
            tables = []
            for shard in register(
                workspace.lake, workspace.recipe, source, [str(each) for each in (paths if isinstance(paths, list) else [paths])]
            ):
                workspace.store("raw_crawl", shard, make_raw_crawl(workspace, shard), "1")
                workspace.store("tombstones", shard, make_tombstones(workspace, shard), "1")
                workspace.store("documents", shard, make_documents(workspace, shard), "1")
                tables.append(workspace.read("documents", shard, "documents"))
            parts.append(pl.concat(tables).unique("doc_id").sort("doc_id").head(most))
    return pl.concat(parts)


def demo_warc() -> Path:
    """The WARC file of the demo's first crawl."""
    path = prepare(settings.home())["docs-1"]
    assert isinstance(path, Path)
    return path
