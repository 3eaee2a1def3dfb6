"""Reads the texts of a shard as tombstones know them, without leaving a trace of what is taken down.

A page is sketched once per extractor version, in a cache beside the lake: from its row in `documents` where that stands, else from
its source. What is extracted for that goes to the extraction cache only when it is known not to be taken down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import polars as pl

from gristmill.crawl.content import extractor_version
from gristmill.crawl.documents import VERSION as DOCUMENTS_VERSION
from gristmill.crawl.documents import extract_documents
from gristmill.crawl.tombstones import Tombstone, hits, sketch_version, sketched
from gristmill.crawl.warc import read_pages
from gristmill.lake.cache import KeyedCache
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.workspace import Workspace

SKETCHES: dict[str, pl.DataType | type[pl.DataType]] = {"doc_id": pl.String, "normal_hash": pl.String, "shingles": pl.List(pl.UInt32)}


class Staged:
    """An extraction cache whose new entries are written when it is known which may stay."""

    def __init__(self, cache: KeyedCache):
        self.cache, self.fresh = cache, dict[str, bytes]()

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        return self.cache.get_many(keys)

    def put_many(self, entries: Mapping[str, bytes]) -> None:
        self.fresh.update(entries)


def shard_hits(workspace: Workspace, shard: str, listed: Iterable[Tombstone]) -> pl.DataFrame:
    """The contract `tombstones` of a shard, from `raw_crawl` and, where a tombstone knows a text, the pages."""
    records, staged = workspace.read("raw_crawl", shard, "records"), dict[str, Staged]()

    def staged_cache(name: str) -> Staged:
        return staged.setdefault(name, Staged(workspace.cache(name)))

    found = hits(records, listed, lambda rest: sketches(workspace, shard, rest, staged_cache))
    down = records.join(found, on="doc_id", how="semi")["payload_digest"].to_list()
    for cache in staged.values():
        cache.cache.put_many({key: value for key, value in cache.fresh.items() if not key.startswith(tuple(down))} if down else cache.fresh)
    return found


def sketches(workspace: Workspace, shard: str, records: pl.DataFrame, cache_of: Callable[[str], object] | None = None) -> pl.DataFrame:
    """SKETCHES of the documents in `records`; those without a word, and those that cannot be extracted, are left out."""
    cache = workspace.cache(f"sketches/{shard}")
    keys = _keys(workspace, records)
    known = cache.get_many(keys.values())
    missing = {doc_id: key for doc_id, key in keys.items() if key not in known}
    if missing:
        texts, wordless = _texts(workspace, shard, records.filter(pl.col("doc_id").is_in(list(missing))), cache_of or workspace.cache)
        new = {missing[doc_id]: _packed(normal, shingles) for doc_id, normal, shingles in sketched(texts).iter_rows()}
        new |= {missing[doc_id]: b"" for doc_id in (*texts["doc_id"], *wordless) if missing[doc_id] not in new}
        cache.put_many(new)
        known |= new
    rows = [(doc_id, *_unpacked(known[key])) for doc_id, key in keys.items() if known.get(key)]
    return pl.DataFrame(rows, schema=SKETCHES, orient="row")


def _keys(workspace: Workspace, records: pl.DataFrame) -> dict[str, str]:
    """doc_id -> the key of its sketch: the text depends on the payload, the charset that the earliest capture states, the extractor."""
    made_by = f"{DOCUMENTS_VERSION} {extractor_version(workspace.recipe.extraction.extractor)} {sketch_version()}"
    first = records.sort("doc_id", "fetched_at", "capture", nulls_last=True).unique("doc_id", keep="first", maintain_order=True)
    return {doc_id: f"{doc_id} {capture} {made_by}" for doc_id, capture in first.select("doc_id", "capture").iter_rows()}


def _texts(workspace: Workspace, shard: str, records: pl.DataFrame, cache_of: Callable[[str], object]) -> tuple[pl.DataFrame, list[str]]:
    """(doc_id, text, text_hash) of the documents in `records`, and the doc_ids of those that have no text."""
    columns = ["doc_id", "text", "text_hash"]
    captures = records.group_by("doc_id").agg(captures=pl.col("capture").sort())
    extractors = [extractor_version(workspace.recipe.extraction.extractor), extractor_version("plain")]
    standing = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    if workspace.has("documents", shard):
        ours = workspace.scan("documents", shard, "documents").filter(pl.col("extractor").is_in(extractors))
        known = ours.select("doc_id", "captures").collect().join(captures, on=["doc_id", "captures"], how="semi", nulls_equal=True)
        standing = ours.select(columns).join(known.select("doc_id").lazy(), on="doc_id", how="semi").collect()
    rest = records.join(standing, on="doc_id", how="anti")
    if rest.is_empty():
        return standing, []
    found = read_pages(workspace.lake, shard, rest, workspace.recipe.extraction.max_bytes)
    documents, quarantine, _ = extract_documents(rest, found, workspace.recipe.extraction, cache_of)  # type: ignore[arg-type]
    empty = quarantine.filter(pl.col("error") == "Empty").join(rest.select("doc_id", "capture"), on="capture")["doc_id"]
    return pl.concat([standing, documents.select(columns)]), empty.to_list()


def _packed(normal_hash: str, shingles: list[int]) -> bytes:
    return bytes.fromhex(normal_hash) + np.asarray(shingles, dtype="<u4").tobytes()


def _unpacked(value: bytes) -> tuple[str, list[int]]:
    return value[:16].hex(), np.frombuffer(value[16:], dtype="<u4").tolist()


def taken_down_rows(records: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """The contract `quarantine`: one row for each document of `records` that is taken down, at its first capture."""
    by = found.group_by("doc_id").agg(message=pl.format("{} ({})", "tombstone", "by").sort().str.join(", "))
    first = records.sort("doc_id", "capture").unique("doc_id", keep="first", maintain_order=True).join(by, on="doc_id")
    told = first.with_columns(stage=pl.lit("takedown"), error=pl.lit("TakenDown"))
    return told.select(list(CONTRACTS["quarantine"].schema))
