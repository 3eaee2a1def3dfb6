"""From WARC to documents (records, digests, extraction in a guarded child, language), against the extractor alone."""

import tempfile
from pathlib import Path

from fastwarc.warc import ArchiveIterator
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str

from assets.crawl import make_documents, make_raw_crawl
from assets.takedown import make_tombstones
from benchmarks.pages import write_warc
from gristmill.crawl.sources import register
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.recipe import Recipe


def run(measure):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pages.warc.gz"
        pages = write_warc(path)
        rounds = iter(range(100))

        def ours():
            workspace = Workspace(Lake(Path(folder) / f"lake-{next(rounds)}"), Recipe())  # a new lake has no cache
            for shard in register(workspace.lake, workspace.recipe, "docs-1", [str(path)]):
                workspace.store("raw_crawl", shard, make_raw_crawl(workspace, shard), "1")
                workspace.store("tombstones", shard, make_tombstones(workspace, shard), "1")
                workspace.store("documents", shard, make_documents(workspace, shard), "1")

        def extractor_alone():
            with path.open("rb") as stream:
                for record in ArchiveIterator(stream):
                    if record.headers["WARC-Type"] == "response":
                        extract_plain_text(bytes_to_str(record.reader.read(), "utf-8"), main_content=True)

        measure("crawl", "pages/s", pages, ours, extractor_alone, "FastWARC and Resiliparse in a bare loop")
