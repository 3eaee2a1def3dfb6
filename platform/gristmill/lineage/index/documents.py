"""The index of documents: by doc_id and by URL, the shards that hold them. Pages that were refused are in it by their URL.

Rows (ROW) lie in Parquet files, sorted: `doc/<bucket>.parquet` by doc_id, the bucket being the id's first hex digits, and
`url/<bucket>.parquet` by URL, the bucket being those of a hash of the host, so that a host's pages lie side by side. As many
digits as keep a bucket within BUCKET_ROWS. A look-up reads one row group of one file.

Made out of core: every shard is read once and its rows are dealt to the buckets in a scratch folder; each bucket is then
sorted by itself.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from gristmill.crawl.urls import host_of
from gristmill.lake.contracts import TIME

VERSION = "1"

BUCKET_ROWS = 2_000_000
GROUP_ROWS = 10_000  # of a row group: what a look-up reads
ROW: dict[str, Any] = {
    "doc_id": pl.String,  # empty where a page was refused before it had one
    "url": pl.String,
    "shard": pl.String,
    "capture": pl.String,  # of a refused page without doc_id; empty otherwise
    "fetched_at": TIME,
}
ABOUT = "about.json"
ORDERS = {"doc": ["doc_id", "shard", "url", "capture"], "url": ["url", "doc_id", "shard", "capture"]}


def rows_of_shard(shard: str, records: pl.DataFrame, quarantine: pl.DataFrame) -> pl.DataFrame:
    """ROW of one shard: a row for each of its documents (`records`), with its last capture there, one for each page refused with a URL."""
    documents = records.group_by("doc_id", "url").agg(pl.col("fetched_at").max()).with_columns(capture=pl.lit(""))
    refused = quarantine.filter(pl.col("url").is_not_null()).join(records, on="capture", how="anti")
    without = refused.select("url", "capture", doc_id=pl.lit(""), fetched_at=pl.lit(None, TIME))
    both = pl.concat([documents.select("url", "capture", "doc_id", "fetched_at"), without])
    return both.with_columns(shard=pl.lit(shard)).select(list(ROW))


def write_index(shards: Iterable[pl.DataFrame], rows: int, folder: Path) -> int:
    """Writes the index of the shards' rows (ROW) under `folder` and returns how many there are. `rows`: about how many are to come."""
    shutil.rmtree(folder, ignore_errors=True)
    digits, parts, written = digits_for(rows), folder / "parts", 0
    for n, frame in enumerate(shards):
        written += frame.height
        for order in ORDERS:
            rest = frame.filter(pl.col("doc_id") != "") if order == "doc" else frame
            for bucket, part in _dealt(rest, order, digits):
                target = parts / order / bucket
                target.mkdir(parents=True, exist_ok=True)
                part.write_ipc(target / f"{n}.arrow")
    for order, by in ORDERS.items():
        (folder / order).mkdir(parents=True, exist_ok=True)
        for part_folder in sorted((parts / order).iterdir()) if (parts / order).exists() else []:
            whole = pl.concat([pl.read_ipc(path) for path in sorted(part_folder.iterdir())]).unique().sort(by)
            whole.write_parquet(folder / order / f"{part_folder.name}.parquet", compression="zstd", row_group_size=GROUP_ROWS)
    shutil.rmtree(parts, ignore_errors=True)
    (folder / ABOUT).write_text(json.dumps({"digits": digits, "rows": written}))
    return written


def digits_for(rows: int) -> int:
    """Hex digits of a bucket's name."""
    digits = 0
    while rows > BUCKET_ROWS * 16**digits:
        digits += 1
    return digits


def bucket_of_doc(doc_id: str, digits: int) -> str:
    return doc_id[:digits] or "all"


def bucket_of_url(url: str, digits: int) -> str:
    return bucket_of_host(host_of(url), digits)


def bucket_of_host(host: str, digits: int) -> str:
    return hashlib.blake2b(host.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()[:digits] or "all"


def _dealt(frame: pl.DataFrame, order: str, digits: int) -> Iterable[tuple[str, pl.DataFrame]]:
    if frame.is_empty():
        return []
    if not digits:
        return [("all", frame)]
    if order == "doc":
        dealt = frame.with_columns(bucket=pl.col("doc_id").str.slice(0, digits))
    else:
        host = pl.col("url").str.extract(r"^[^:/]*://([^/?#]*)", 1).fill_null("")
        named = {each: bucket_of_url(url, digits) for url, each in frame.select("url", host=host).unique("host").iter_rows()}
        dealt = frame.with_columns(bucket=host.replace_strict(named, return_dtype=pl.String))
    return [(str(name), part.drop("bucket")) for (name,), part in dealt.group_by("bucket", maintain_order=True)]
