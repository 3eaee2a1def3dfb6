"""Documents: the text of every page, once, with its language and all its captures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import polars as pl

from gristmill.crawl.content import VERSION as CONTENT_VERSION
from gristmill.crawl.content import Extractor, extractor_version
from gristmill.crawl.extract import VERSION as EXTRACT_VERSION
from gristmill.crawl.extract import Extraction, Request, extract_all
from gristmill.crawl.language import CODE, SAMPLE_CHARS, identify
from gristmill.crawl.language import VERSION as LANGUAGE_VERSION
from gristmill.crawl.warc import HTML, Page, Problem, quarantine
from gristmill.lake.cache import KeyedCache
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.hashing import text_hash
from gristmill.recipe import Extraction as Settings

VERSION = f"1.{CONTENT_VERSION}.{EXTRACT_VERSION}+{LANGUAGE_VERSION}"

OF_PAGE = ("doc_id", "url", "host", "text", "text_hash", "language", "language_score", "extractor")
"""What is known of a page by itself; what its captures say of it is joined."""

BATCH_BYTES = 64_000_000
"""Payloads held at a time: with each batch the extractor comes to rest and the cache is written."""


def extract_documents(
    records: pl.DataFrame,
    found: Iterable[Page | Problem],
    settings: Settings,
    cache_of: Callable[[str], KeyedCache],
    advance: Callable[[int], None] = lambda pages: None,
) -> tuple[pl.DataFrame, pl.DataFrame, Counter[str]]:
    """`records`, and its pages read again, as the tables `documents` and `quarantine`, and counts.

    One row per doc_id: captures of a document differ in time and place, not in payload. Its charset is the one
    that its earliest capture states.
    """
    ordered = records.sort("doc_id", "fetched_at", "capture", nulls_last=True)
    first = dict(ordered.unique("doc_id", keep="first", maintain_order=True).select("doc_id", "capture").iter_rows())
    about = ordered.group_by("doc_id", maintain_order=True).agg(captures=pl.col("capture").sort(), fetched_at=pl.col("fetched_at").min())
    rows: list[tuple[Any, ...]] = []
    problems: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    pages: dict[str, Page] = {}
    with Extraction(settings.timeout_seconds, [settings.extractor]) as extraction:

        def flush() -> None:
            done, refused, cached = extract_all([_request(page, settings) for page in pages.values()], extraction, cache_of)
            counts["cached"] += cached
            for page in pages.values():
                request = _request(page, settings)
                text, why = done.get(request.key), refused.get(request.key)
                if text:
                    rows.append(_row(page, text, request.extractor))
                else:
                    error, message = (why.error, why.message) if why else ("Empty", "no text was found in the page")
                    problems.append(vars(Problem(page.capture, "extract", page.url, page.warc, page.offset, error, message)))
                    counts[error] += 1
            advance(len(pages))
            pages.clear()

        held = 0
        for page in found:
            if isinstance(page, Page) and first.get(page.doc_id) == page.capture and page.doc_id not in pages:
                del first[page.doc_id]
                pages[page.doc_id] = page
                held += len(page.payload)
                if held > BATCH_BYTES:
                    flush()
                    held = 0
        flush()
        counts["worker restarts"] = max(extraction.restarts, 0)
    schema = CONTRACTS["documents"].schema
    table = pl.DataFrame(rows, schema={name: schema[name] for name in OF_PAGE} | {"text": pl.Binary}, orient="row")
    table = table.with_columns(pl.col("text").cast(pl.String)).with_columns(
        n_bytes=pl.col("text").str.len_bytes().cast(schema["n_bytes"]), n_chars=pl.col("text").str.len_chars().cast(schema["n_chars"])
    )
    return table.join(about, on="doc_id", how="inner").select(*schema), quarantine(problems), counts


def _request(page: Page, settings: Settings) -> Request:
    extractor: Extractor = settings.extractor if page.mime in HTML else "plain"
    charset = page.charset or ("utf-8" if page.kind == "conversion" else None)
    return Request(page.payload_digest, page.payload, charset, extractor)


def _row(page: Page, text: bytes, extractor: Extractor) -> tuple[Any, ...]:
    """The columns OF_PAGE."""
    if page.kind == "file" and page.mime == "text/x-code":
        language, score = CODE
    else:
        language, score = identify(text[: 4 * SAMPLE_CHARS].decode(errors="ignore"))  # no character has more than four bytes
    return page.doc_id, page.url, page.host, text, text_hash(text), language, score, extractor_version(extractor)
