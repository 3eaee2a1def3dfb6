"""From WARC to verdicts under the profile `fineweb`, extraction included: pages per second of processor time.

Ours: records, documents (extraction in a guarded child), edits, signals and verdicts in a new lake, so that nothing is
cached. Against datatrove's WARC reader, Trafilatura and FineWeb's filters, run by its own interpreter on the same file
(its language and URL filters, which need files from elsewhere, are left out in its favour), and against the extractor
alone: FastWARC and Resiliparse with our options in a bare loop. Ours and the extractor read several copies of each page that
differ in a comment, since a shard holds gigabytes and what a process costs to start is spread over them; datatrove reads one, in
parts. Processor time is that of all processes: what a core does in a second. All run in turns of about as long, and of each the best
turn counts (of datatrove the best of each part): what others on the machine take from a turn only ever adds to it.
"""

import io
import json
import resource
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from fastwarc.warc import ArchiveIterator, WarcRecord
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from assets.crawl import READING, make_documents, make_raw_crawl, source_version
from assets.filters import make_edits, make_filtered_shards, make_signals
from assets.takedown import make_tombstones
from benchmarks.run import report
from conformance import peers
from conformance.pages import demo_warc
from gristmill.crawl.sources import register
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Inputs, Workspace
from gristmill.lineage.plan.plan import SOURCE
from gristmill.recipe import Recipe

RECIPE = Recipe.model_validate(
    {
        "policy": {"profiles": ["fineweb"]},
        "edits": {"mask": []},  # FineWeb masks personal data behind its filters, where nothing is measured any more
        "signals": {"families": ["c4", "datatrove", "fineweb", "language", "url"]},
    }
)
COPIES = 9
PARTS = 3  # of the pages, for datatrove: it would need two minutes for all of them
TURNS = 12  # of half a minute: a neighbour may disturb the most of them
STEPS = {
    "raw_crawl": make_raw_crawl,
    "tombstones": make_tombstones,
    "documents": make_documents,
    "edits": make_edits,
    "signals": make_signals,
    "filtered_shards": make_filtered_shards,
}


def run(measure):
    warc = demo_warc()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copies.warc.gz"
        write_copies(warc, path, COPIES)
        parts = [Path(folder) / f"part-{part}.warc.gz" for part in range(PARTS)]
        for number, part in enumerate(parts):
            write_copies(warc, part, 1, number, PARTS)
        pages = extractor_alone(path)  # also the number of pages
        to_verdicts(path)  # compiles
        ours, alone, theirs = [], [], [[] for _ in parts]
        for turn in range(TURNS):
            ours.append(_cpu(lambda: to_verdicts(path)))
            alone.append(_cpu(lambda: extractor_alone(path)))
            theirs[turn % PARTS].append(_datatrove(parts[turn % PARTS], Path(folder) / "seconds.json"))
            print(f"turn {turn + 1} of {TURNS}: {ours[-1]:.1f}, {alone[-1]:.1f} and {theirs[turn % PARTS][-1]:.1f} s", file=sys.stderr)
    rate, peer = pages / min(ours), f"datatrove {peers.DATATROVE.version} with Trafilatura"
    report("crawl_to_verdict", "pages/s and core", rate, pages / COPIES / sum(map(min, theirs)), peer)
    report("crawl_to_verdict", "pages/s and core", rate, pages / min(alone), "FastWARC and Resiliparse in a bare loop")


def write_copies(warc: Path, path: Path, copies: int, first: int = 0, step: int = 1) -> None:
    """Every `step`-th page of `warc` from the `first` on, some times, each copy with a URL and a payload of its own."""
    with path.open("wb") as out:
        writer = WARCWriter(out, gzip=True, warc_version="WARC/1.1")
        for copy in range(copies):
            with warc.open("rb") as stream:
                for record in islice(_pages(stream), first, None, step):
                    body = record.reader.read() + f"<!-- copy {copy} -->".encode()
                    headers = StatusAndHeaders("200 OK", [("Content-Type", record.http_headers["Content-Type"])], protocol="HTTP/1.1")
                    url = f"{record.headers['WARC-Target-URI']}?copy={copy}"
                    writer.write_record(writer.create_warc_record(url, "response", payload=io.BytesIO(body), http_headers=headers))


def to_verdicts(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Lake(folder), RECIPE)
        workspace.record_code("raw_crawl", "1", READING, [])
        for shard in register(workspace.lake, workspace.recipe, "docs-1", [str(path)]):
            source = Inputs(source={SOURCE: source_version(workspace, shard)})
            for asset, make in STEPS.items():
                workspace.store(asset, shard, make(workspace, shard), "1", source if asset == "raw_crawl" else None)


def extractor_alone(path: Path) -> int:
    pages = 0
    with path.open("rb") as stream:
        for record in _pages(stream):
            body = record.reader.read()
            html = bytes_to_str(body, detect_encoding(body))
            extract_plain_text(html, main_content=True, preserve_formatting=True, alt_texts=False, comments=False)
            pages += 1
    return pages


def _pages(stream: BinaryIO) -> Iterator[WarcRecord]:
    for record in ArchiveIterator(stream, parse_http=True):
        if record.headers["WARC-Type"] == "response" and "html" in (record.http_content_type or ""):
            yield record


def _datatrove(path: Path, answer: Path) -> float:
    """Processor seconds of its chain, by its own account: without its imports."""
    peers.run(peers.DATATROVE, "crawl", str(path), str(answer))
    return json.loads(answer.read_text())["cpu"]


def _cpu(function) -> float:
    """Processor seconds of this process and of the children that end meanwhile."""
    before = _used()
    function()
    return _used() - before


def _used() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
