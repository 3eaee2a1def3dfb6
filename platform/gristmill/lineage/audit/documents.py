"""Claims about chosen documents, each from what it was made from: payload, text, edits and signals."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import polars as pl

from gristmill import views
from gristmill.counting import counted
from gristmill.crawl.documents import extract_documents
from gristmill.crawl.warc import Page, read_again
from gristmill.edits.clean import find_clean_edits
from gristmill.edits.personal import find_masks
from gristmill.lake.cache import KeyedCache
from gristmill.lake.workspace import Workspace
from gristmill.lineage.audit.scope import UNREADABLE, Finding, Scope, differing, lacking
from gristmill.naming import named
from gristmill.signals.chunk import References
from gristmill.signals.compute import compute_families
from gristmill.signals.registry import MODULES

PAYLOADS = "payloads match their digests"
TEXTS = "extraction gives the stored text"
EDITS = "edits follow from the text"
SIGNALS = "signals follow from the text"


def sources(scope: Scope) -> Iterator[Finding]:
    """The WARC record, or source file, of every chosen document read again; then its text extracted again."""
    together = scope.shards if scope.documents is not None else []  # a few pages of each: one worker extracts them all
    for shards in [together] if together else [[shard] for shard in scope.shards]:
        pages: dict[str, list[Page]] = {shard: [] for shard in shards}
        for shard in shards:
            yield scope.check(PAYLOADS, named("raw_crawl", shard), lambda s=shard, p=pages: _payloads(scope, s, p[s]))  # type: ignore[misc]
        with tempfile.TemporaryDirectory() as folder:  # not the lake's cache: that is part of what is to be checked
            if len(shards) > 1:
                with suppress(*UNREADABLE):  # said of the shard, below
                    records = pl.concat([_records(scope.workspace, shard, _ids(pages[shard])) for shard in shards])
                    _extracted(scope, records.unique(["doc_id", "capture"]), [page for shard in shards for page in pages[shard]], folder)
            for shard in shards:
                yield scope.check(TEXTS, named("documents", shard), lambda s=shard, p=pages, f=folder: _texts(scope, s, p[s], f))  # type: ignore[misc]


def _payloads(scope: Scope, shard: str, pages: list[Page]) -> tuple[str, str]:
    lake, ids = scope.as_read("documents", shard), scope.chosen(shard)
    rows, problems = _records(lake, shard, ids), []
    for row in rows.iter_rows(named=True):
        try:
            page = read_again(scope.workspace.lake, row)
        except UNREADABLE as error:
            problems.append(f"{row['doc_id']}: {' '.join(str(error).split())}")
            continue
        if page.payload_digest != row["payload_digest"]:
            problems.append(f"{row['doc_id']} {row['url']}: now {page.payload_digest}, recorded as {row['payload_digest']}")
        else:
            pages.append(page)
    if problem := _strangers(scope, shard, ids, rows["doc_id"]):
        problems.insert(0, problem)
    return _told(problems), f"{rows.height} captures of {rows['doc_id'].n_unique()} documents"


def _texts(scope: Scope, shard: str, pages: list[Page], folder: str) -> tuple[str, str]:
    lake, ids = scope.as_read("documents", shard), scope.chosen(shard)
    records = _records(lake, shard, ids)
    if problem := _strangers(scope, shard, ids, records["doc_id"]):
        return problem, ""
    if problem := _untold(scope, lake, shard):
        return problem, ""
    if len(ids) and not pages:
        return f"none of {counted(len(ids), 'document')} was extracted again, e.g. {ids[0]}: no payload matches its digest", ""
    again, refused = _extracted(scope, records.join(_ids(pages).to_frame(), on="doc_id", how="semi"), pages, folder)
    if refused.height:
        row = refused.row(0, named=True)
        return f"{refused.height} documents give no text now, e.g. {row['url']}: {row['error']}, {row['message']}", ""
    stored = _of(scope.workspace, "documents", shard, _ids(pages))
    return differing(stored, again, ["doc_id"]), f"{again.height} texts extracted again"


def _strangers(scope: Scope, shard: str, ids: pl.Series, recorded: pl.Series) -> str:
    """Documents that stand in the shard's table and have no record in its crawl: nothing beneath them could be compared."""
    lost = lacking(ids, recorded, f"that documents[{shard}] holds have no record in raw_crawl[{shard}]")
    return f"{lost}; {scope.way_out('documents', shard, scope.outputs['documents', shard].tables['documents'])}" if lost else ""


def _untold(scope: Scope, lake: Workspace, shard: str) -> str:
    """Documents of the shard's crawl that are neither in its table nor refused with a reason."""
    records = lake.scan("raw_crawl", shard, "records").select("doc_id", "capture").collect()
    refused = scope.workspace.scan("documents", shard, "quarantine").select("capture").collect()
    known = scope.workspace.scan("documents", shard, "documents").select("doc_id").collect()
    told = pl.concat([known, records.join(refused, on="capture", how="semi").select("doc_id")])
    return lacking(records["doc_id"].unique().sort(), told["doc_id"], f"of raw_crawl[{shard}] have neither a text nor a reason for none")


def _extracted(scope: Scope, records: pl.DataFrame, pages: list[Page], folder: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The tables `documents` and `quarantine` of the pages; `folder` keeps what was extracted."""
    settings = scope.workspace.recipe.extraction
    return extract_documents(records, pages, settings, lambda name: KeyedCache(Path(folder) / f"{name}.sqlite"))[:2]


def _ids(pages: list[Page]) -> pl.Series:
    return pl.Series("doc_id", sorted({page.doc_id for page in pages}), dtype=pl.String)


def _records(lake: Workspace, shard: str, ids: pl.Series) -> pl.DataFrame:
    return lake.scan("raw_crawl", shard, "records").join(ids.to_frame().lazy(), on="doc_id", how="semi").collect()


def edits(scope: Scope) -> Iterator[Finding]:
    for shard in scope.shards:
        yield scope.check(EDITS, named("edits", shard), lambda s=shard: _edits(scope, s))  # type: ignore[misc]


def _edits(scope: Scope, shard: str) -> tuple[str, str]:
    lake, source = scope.as_read("edits", shard), scope.workspace.recipe.source_of(shard)
    documents = _of(lake, "documents", shard, scope.chosen(shard, lake)).select(*views.COLUMNS, "language")
    rules = [rule for rule in lake.recipe.policy.line_rules() if source not in rule.except_sources]
    strips = [] if source in lake.recipe.edits.except_sources else lake.recipe.strips
    clean = find_clean_edits(documents, rules, strips)
    again = pl.concat([clean, find_masks(views.clean(documents, clean), lake.recipe.edits.mask)])
    stored = scope.stored("edits", shard, "edits", documents["doc_id"])
    return differing(stored, again, ["doc_id", "start", "rule"]), f"{again.height} edits of {documents.height} documents"


def signals(scope: Scope) -> Iterator[Finding]:
    for shard in scope.shards:
        yield scope.check(SIGNALS, named("signals", shard), lambda s=shard: _signals(scope, s))  # type: ignore[misc]


def _signals(scope: Scope, shard: str) -> tuple[str, str]:
    lake, recipe = scope.as_read("signals", shard), scope.workspace.recipe
    extracted = _of(lake, "documents", shard, scope.chosen(shard, lake))
    edits = _of(lake, "edits", shard, extracted["doc_id"])
    text = views.clean(extracted, edits).select("doc_id", "text")
    clean = extracted.drop("text").join(text, on="doc_id", how="left", maintain_order="left")
    of_view = {"extracted": extracted, "clean": clean}
    reads = frozenset[str]().union(*(MODULES[family].READS for family in recipe.families))
    distribution = None
    if "distribution" in reads:
        distribution = lake.scan("token_distribution").filter(pl.col("source") == recipe.source_of(shard)).sort("token").collect()
    lists: dict[str, frozenset[str]] = {name: words.read() for name, words in recipe.signals.lists.items() if f"lists.{name}" in reads}
    references = References(distribution, lists, edits if "edits" in reads else None)
    tables = scope.workspace.output("signals", shard).tables
    lacking = [family for family in recipe.families if f"signals.{family}" not in tables]
    problems = [f"the families {', '.join(lacking)} are not stored"] if lacking else []
    columns = 0
    for view, documents in of_view.items():
        families = [family for family in recipe.families if recipe.views[family] == view and family not in lacking]
        for family, again in compute_families(families, documents, references).items() if families else ():
            stored = scope.stored("signals", shard, f"signals.{family}", documents["doc_id"])
            columns += again.width - 1
            if problem := differing(stored, again, ["doc_id"]):
                problems.append(f"{family}: {problem}")
    return "; ".join(problems), f"{columns} signals of {extracted.height} documents"


def _of(lake: Workspace, asset: str, shard: str, ids: pl.Series, table: str | None = None) -> pl.DataFrame:
    """The rows of these documents in a table (by default the one that bears the asset's name), by doc_id."""
    scan = lake.scan(asset, shard, table or asset)
    return scan.join(pl.LazyFrame({"doc_id": ids}, schema={"doc_id": pl.String}), on="doc_id", how="semi").collect().sort("doc_id")


def _told(problems: list[str], most: int = 5) -> str:
    return "; ".join(problems[:most]) + (f"; and {len(problems) - most} more" if len(problems) > most else "")
