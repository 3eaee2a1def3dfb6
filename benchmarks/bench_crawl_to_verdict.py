"""From WARC to verdicts under the profile `fineweb`, extraction included: pages per second of processor time.

Ours: records, documents (extraction in a guarded child), edits, signals and verdicts in a new lake, so that nothing is
cached. Against datatrove's WARC reader, Trafilatura and FineWeb's filters, run by its own interpreter on the same file
(its language and URL filters, which need files from elsewhere, are left out in its favour), and against the extractor
alone: FastWARC and Resiliparse with our options in a bare loop. Ours and the extractor read several copies of each page that
differ in a comment, since a shard holds gigabytes and what a process costs to start is spread over them; datatrove reads one.
Processor time is that of all processes: what a core does in a second. All run in turns, and of each the best turn counts: what
others on the machine take from a turn only ever adds to it.
"""

import io
import json
import resource
import tempfile
from pathlib import Path

from fastwarc.warc import ArchiveIterator
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
COPIES = 18
TURNS = 5  # a turn takes half a minute: the best of three may have been disturbed
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
        write_copies(warc, path)
        pages = extractor_alone(path)  # also the number of pages
        to_verdicts(path)  # compiles
        answer = Path(folder) / "seconds.json"
        rates: dict[str, list[float]] = {"ours": [], "alone": [], "theirs": []}
        for _ in range(TURNS):
            rates["ours"].append(pages / _cpu(lambda: to_verdicts(path)))
            rates["alone"].append(pages / _cpu(lambda: extractor_alone(path)))
            peers.run(peers.DATATROVE, "crawl", str(warc), str(answer))
            theirs = json.loads(answer.read_text())
            rates["theirs"].append(theirs["pages"] / theirs["cpu"])
    ours, alone, theirs = (max(rates[who]) for who in ("ours", "alone", "theirs"))
    report(
        "crawl_to_verdict",
        "pages/s and core",
        ours,
        theirs,
        f"datatrove {peers.DATATROVE.version} with Trafilatura",
    )
    report("crawl_to_verdict", "pages/s and core", ours, alone, "FastWARC and Resiliparse in a bare loop")


def write_copies(warc: Path, path: Path) -> None:
    """The pages of `warc` COPIES times, each copy with a URL and a payload of its own."""
    with path.open("wb") as out:
        writer = WARCWriter(out, gzip=True, warc_version="WARC/1.1")
        for copy in range(COPIES):
            with warc.open("rb") as stream:
                for record in ArchiveIterator(stream, parse_http=True):
                    if record.headers["WARC-Type"] != "response" or "html" not in (record.http_content_type or ""):
                        continue
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
        for record in ArchiveIterator(stream, parse_http=True):
            if record.headers["WARC-Type"] == "response" and "html" in (record.http_content_type or ""):
                body = record.reader.read()
                html = bytes_to_str(body, detect_encoding(body))
                extract_plain_text(html, main_content=True, preserve_formatting=True, alt_texts=False, comments=False)
                pages += 1
    return pages


def _cpu(function) -> float:
    """Processor seconds of this process and of the children that end meanwhile."""
    before = _used()
    function()
    return _used() - before


def _used() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
