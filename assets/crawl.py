"""raw_crawl and documents: what the shards hold, and the text of every page."""

from collections import Counter
from collections.abc import Mapping, Sequence

import dagster as dg
import polars as pl

from assets.materialize import made_asset
from gristmill.crawl.archive import VERSION as ARCHIVE_VERSION
from gristmill.crawl.documents import VERSION as DOCUMENTS_VERSION
from gristmill.crawl.documents import extract_documents
from gristmill.crawl.folders import VERSION as FOLDERS_VERSION
from gristmill.crawl.responses import VERSION as RESPONSES_VERSION
from gristmill.crawl.sources import source_digest, source_digests
from gristmill.crawl.taken_texts import taken_down_rows
from gristmill.crawl.urls import VERSION as URLS_VERSION
from gristmill.crawl.warc import VERSION as WARC_VERSION
from gristmill.crawl.warc import read_pages, read_records
from gristmill.errors import SourceError
from gristmill.lake.workspace import Check, Made, Partition, Workspace
from gristmill.lineage.plan.plan import SOURCE
from gristmill.progress import Progress
from gristmill.recipe import Recipe

READING = f"{WARC_VERSION}.{ARCHIVE_VERSION}.{RESPONSES_VERSION}.{URLS_VERSION}.{FOLDERS_VERSION}"
"""The version of the code that makes records of a shard's bytes."""

MAX_BROKEN = 0.1
"""Share of a crawl's records that may be unreadable before its archive is at fault."""
MAX_FAILED = 0.5
"""Share of a source's pages that may give no text before the extraction is at fault."""


def source_version(workspace: Workspace, shard: str) -> str:
    return source_digest(workspace.lake, shard)


def source_versions(workspace: Workspace, shards: Sequence[str]) -> Mapping[str, str]:
    """The versions of many shards at once, for the plan; a shard that is no longer registered has none."""
    return source_digests(workspace.lake)


def make_raw_crawl(workspace: Workspace, shard: Partition) -> Made:
    assert shard is not None
    records, quarantine, counts = read_records(workspace.lake, shard, workspace.recipe.extraction.max_bytes)
    broken = quarantine.filter(quarantine["stage"] == "record").height
    return Made(
        {"records": records, "quarantine": quarantine},
        metadata={
            "records": records.height,
            "quarantined": quarantine.height,
            "broken": broken,
            "hosts": records["host"].n_unique(),
            "passed over": [{"record": name, "count": count} for name, count in sorted(counts.items())],
        },
    )


def make_documents(workspace: Workspace, shard: Partition) -> Made:
    assert shard is not None
    every = workspace.read("raw_crawl", shard, "records")
    hits = workspace.read("tombstones", shard)
    taken_down, records = taken_down_rows(every, hits), every.join(hits, on="doc_id", how="anti")
    expected = records["doc_id"].n_unique()
    with Progress(f"documents {shard}", total=expected, unit="pages") as progress:
        found = read_pages(workspace.lake, shard, records, workspace.recipe.extraction.max_bytes, check=not _as_recorded(workspace, shard))
        documents, quarantine, counts = extract_documents(records, found, workspace.recipe.extraction, workspace.cache, progress.advance)
    if documents.height + quarantine.height != expected:
        raise SourceError(
            f"{expected} documents are recorded, {documents.height + quarantine.height} were found",
            where=shard,
            fix="Its source changed while it was read: materialise raw_crawl again.",
        )
    languages = documents["language"].value_counts().sort(["count", "language"], descending=[True, False]).head(10)
    return Made(
        {"documents": documents, "quarantine": pl.concat([quarantine, taken_down])},
        metadata={
            "documents": documents.height,
            "quarantined": quarantine.height,
            "taken down": taken_down.height,
            "characters": int(documents["n_chars"].sum()),
            "from cache": counts["cached"],
            "worker restarts": counts["worker restarts"],
            "quarantine": [{"error": name, "count": n} for name, n in quarantine["error"].value_counts().sort("error").iter_rows()],
            "languages": languages.to_dicts(),
        },
    )


def _as_recorded(workspace: Workspace, shard: str) -> bool:
    """Whether this code made `raw_crawl` of the bytes that are registered now: then its digests are those of the payloads."""
    made = workspace.output("raw_crawl", shard)
    code = workspace.code("raw_crawl", made.code_version)
    return made.inputs.get(SOURCE) == source_version(workspace, shard) and code is not None and code["algorithm"] == READING


def records_found(workspace: Workspace) -> Check:
    """Every crawl has a record, and nearly all of what it holds can be read."""
    records, broken = Counter[str](), Counter[str]()
    for shard in workspace.partitions("raw_crawl"):
        about = workspace.metadata("raw_crawl", shard)
        records[shard.split("/")[0]] += about["records"]
        broken[shard.split("/")[0]] += about["broken"]
    failed = [crawl for crawl in records if broken[crawl] > MAX_BROKEN * (records[crawl] + broken[crawl]) or not records[crawl]]
    rows = [{"crawl": crawl, "records": records[crawl], "broken": broken[crawl]} for crawl in sorted(records)]
    return Check(
        bool(records) and not failed,
        {"by crawl": rows, "failed": ", ".join(sorted(failed))},
        f"every crawl holds a page, and at most {MAX_BROKEN:.0%} of its records are broken",
    )


def text_found(workspace: Workspace) -> Check:
    """No source loses half of its pages in extraction."""
    documents, failures = Counter[str](), Counter[str]()
    for shard in workspace.partitions("documents"):
        about = workspace.metadata("documents", shard)
        source = workspace.recipe.source_of(shard)
        documents[source] += about["documents"]
        failures[source] += about["quarantined"]
    failed = [name for name in documents if failures[name] >= MAX_FAILED * (documents[name] + failures[name])]
    rows = [{"source": name, "documents": documents[name], "quarantined": failures[name]} for name in sorted(documents)]
    return Check(
        bool(documents) and not failed,
        {"by source": rows, "failed": ", ".join(sorted(failed))},
        f"of each source, fewer than {MAX_FAILED:.0%} of the pages are quarantined",
    )


def crawl_assets(recipe: Recipe, shards: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    return [
        made_asset(
            recipe,
            "raw_crawl",
            group="crawl",
            make=make_raw_crawl,
            version=READING,
            sections=["extraction.max_bytes"],
            partitions=shards,
            description="The records of a shard: URL, file, offset, length, payload digest, date, status. "
            "What is no readable page is in quarantine.",
            kinds={"python", "parquet"},
            pool="cpu",
            checks={"records_found": records_found},
            source_version=source_version,
            parallel=True,
        ),
        made_asset(
            recipe,
            "documents",
            group="crawl",
            make=make_documents,
            version=f"{DOCUMENTS_VERSION}.{READING}",
            sections=["extraction"],
            deps=["raw_crawl", "tombstones"],
            partitions=shards,
            description="The main text and language of every page, once per document. "
            "Pages without text, or that cannot be extracted, are in quarantine.",
            kinds={"python", "parquet"},
            pool="cpu",
            checks={"text_found": text_found},
            parallel=True,
        ),
    ]
