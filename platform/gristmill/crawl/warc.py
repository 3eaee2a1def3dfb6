"""The pages of a shard: WARC responses, resources and WET conversions, and the files of a folder.

Only 2xx responses whose payload is HTML or plain text become pages (WARC 1.1, ISO 28500:2017). Whatever else a
record of content holds (another status or media type, a broken coding, a digest that does not fit) comes as a problem,
which is a row in quarantine. Records that are no content (requests, metadata, revisits, warcinfo) are counted.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from gristmill.crawl.archive import Headers, Located, records
from gristmill.crawl.folders import mime_of
from gristmill.crawl.remote import changed, is_remote, local_copy
from gristmill.crawl.responses import Refused, Response, charset_of, decoded, digest_matches, is_damaged, parse_response, too_large
from gristmill.crawl.sources import Slice, registered_state, shard_source, slice_sha256
from gristmill.crawl.urls import canonical_url, capture_id, doc_id, file_url, host_of
from gristmill.errors import SourceError
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake

VERSION = "1"

CONTENT = ("response", "resource", "conversion")
HTML = frozenset({"text/html", "application/xhtml+xml"})
PLAIN = frozenset({"text/plain", "text/markdown"})

HEADER_BYTES = 65_536
"""Room for the HTTP header of a record, beyond the largest page."""

MAGIC = {
    b"%PDF-": "application/pdf",
    b"PK\x03\x04": "application/zip",
    b"\x89PNG\r\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"\x1f\x8b\x08": "application/gzip",
    b"RIFF": "audio/video",
    b"OggS": "audio/video",
    b"\x7fELF": "application/x-executable",
    b"wOFF": "font/woff",
    b"wOF2": "font/woff2",
}
"""First bytes of what servers send as text by mistake."""

BOMS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")


@dataclass(frozen=True)
class Page:
    """A record that can be extracted: the columns of the table `records`, and what the extraction needs."""

    doc_id: str
    capture: str
    url: str
    host: str
    warc: str
    offset: int
    length: int
    kind: str
    payload_digest: str
    fetched_at: datetime | None
    status: int | None
    mime: str
    charset: str | None
    payload: bytes


@dataclass(frozen=True)
class Problem:
    """A row of the table `quarantine`."""

    capture: str
    stage: str
    url: str | None
    warc: str
    offset: int
    error: str
    message: str


def read_shard(lake: Lake, shard: str, max_bytes: int, counts: Counter[str]) -> Iterator[Page | Problem]:
    """Everything in a shard, in the order of its files; SourceError when a file is not the one that was registered.

    `counts` gets the number of records by what became of them.
    """
    crawl = shard.split("/")[0]
    for part in shard_source(lake, shard):
        path = local_copy(lake, part.uri, part.state)
        if slice_sha256(path, part.start, part.end) != part.sha256:
            raise changed(part.uri)
        if part.relative is not None:
            yield _read_file(crawl, part, path, max_bytes, counts)
            continue
        for located in records(path, part.start, part.end, partial(_worth_reading, max_bytes)):
            if not part.per_record:
                located = replace(located, offset=part.start, length=part.end - part.start)
            if found := _read_record(part.uri, located, max_bytes, counts):
                yield found


def read_pages(lake: Lake, shard: str, known: pl.DataFrame, max_bytes: int, check: bool = True) -> Iterator[Page | Problem]:
    """The pages of `known` (contract `records` of the shard) with their payloads, in the order of its files.

    What `records` says of a page is taken from there, and the payload is held against its digest: a page that is another
    by now does not come. Without `check` it is not: for records that the same code read from the very bytes that are registered
    now, whose hash is compared here in any case.
    """
    rows = {(row["warc"], row["offset"]): row for row in known.iter_rows(named=True)}
    for part in shard_source(lake, shard):
        path = local_copy(lake, part.uri, part.state)
        if slice_sha256(path, part.start, part.end) != part.sha256:
            raise changed(part.uri)
        if part.relative is not None:
            yield _read_file(shard.split("/")[0], part, path, max_bytes, Counter())
            continue
        for located in records(path, part.start, part.end, partial(_worth_reading, max_bytes)):
            if not part.per_record:  # the offset does not tell its records apart
                located = replace(located, offset=part.start, length=part.end - part.start)
                if found := _read_record(part.uri, located, max_bytes, Counter()):
                    yield found
                continue
            row = rows.get((part.uri, located.offset))
            if row is None or located.headers is None or located.block is None:
                continue
            payload, _, charset, _ = _payload(row["kind"], located.headers, located.block, max_bytes, check=False)
            if not check or _sha256(payload) == row["payload_digest"]:
                yield Page(**row, charset=charset, payload=payload)


def read_records(lake: Lake, shard: str, max_bytes: int) -> tuple[pl.DataFrame, pl.DataFrame, Counter[str]]:
    """The tables `records` and `quarantine` of a shard, and counts of what was passed over.

    A capture that stands twice in the shard, in a file made by concatenation, is one capture: its first place counts.
    """
    counts: Counter[str] = Counter()
    pages: list[dict[str, Any]] = []
    problems: list[dict[str, Any]] = []
    columns = CONTRACTS["records"].schema
    for found in read_shard(lake, shard, max_bytes, counts):
        if isinstance(found, Page):
            pages.append({name: getattr(found, name) for name in columns})
        else:
            problems.append(vars(found))
    table = pl.DataFrame(pages, schema=columns).sort("doc_id", "capture", "warc", "offset")
    return table.unique(["doc_id", "capture"], keep="first", maintain_order=True), quarantine(problems), counts


def quarantine(problems: list[dict[str, Any]]) -> pl.DataFrame:
    """The table `quarantine`: one row per capture and stage."""
    table = pl.DataFrame(problems, schema=CONTRACTS["quarantine"].schema)
    return table.sort("capture", "stage", "warc", "offset").unique(["capture", "stage"], keep="first", maintain_order=True)


def recompute_digest(lake: Lake, row: Mapping[str, Any]) -> str:
    """The payload digest of a row of `records`, from its source as it is now; SourceError when it is not there."""
    return read_again(lake, row).payload_digest


def read_again(lake: Lake, row: Mapping[str, Any]) -> Page:
    """The page of a row of `records`, from its source as it is now; SourceError when it is not there. No stated digest is
    compared: whether the payload is the one that was read then is for the caller to see."""
    uri = row["warc"]
    if row["kind"] == "file":
        try:
            payload = Path(uri).read_bytes()
        except OSError as error:
            raise SourceError(
                f"cannot be read: {error.strerror or error}", where=uri, fix="Restore the file, or register the folder again."
            ) from None
        return Page(
            **{**{name: row[name] for name in CONTRACTS["records"].schema}, "payload_digest": _sha256(payload)},
            charset=None,
            payload=payload,
        )
    path = local_copy(lake, uri, registered_state(lake, uri) if is_remote(uri) else "")
    limit = 1 << 40  # what was read once is read again, whatever the limit is now
    for located in records(path, row["offset"], row["offset"] + row["length"], partial(_worth_reading, limit)):
        found = _read_record(uri, located, limit, Counter(), check=False)
        if isinstance(found, Page) and found.capture == row["capture"]:
            return found
    raise SourceError(
        f"holds no record {row['capture']} of {row['url']} at bytes {row['offset']:,} to {row['offset'] + row['length']:,}",
        where=uri,
        fix="The file was replaced or damaged: register it again with `gristmill crawl add`.",
    )


def _worth_reading(max_bytes: int, headers: Headers, content_length: int) -> bool:
    return headers.get("warc-type", "").lower() in CONTENT and content_length <= max_bytes + HEADER_BYTES


def _read_record(warc: str, located: Located, max_bytes: int, counts: Counter[str], check: bool = True) -> Page | Problem | None:
    """The page or the problem that a record is; None for one that is no content. `check` compares the stated digests."""
    headers = located.headers
    if headers is None:
        counts["broken"] += 1
        capture = capture_id(Path(warc).name, str(located.offset))
        return Problem(capture, "record", None, warc, located.offset, located.error, located.message)
    kind = headers.get("warc-type", "unknown").lower()
    target = headers.get("warc-target-uri", "").strip().removeprefix("<").removesuffix(">")
    if kind not in CONTENT or (kind == "resource" and not target.lower().startswith(("http://", "https://", "ftp://"))):
        counts[kind] += 1  # a resource of another scheme is a crawler's log or screenshot
        return None
    identity = headers.get("warc-record-id") or f"{Path(warc).name}:{located.offset}"
    capture = capture_id(identity, target, headers.get("warc-date", ""))
    stage, url = "record", None
    try:
        if located.error:
            raise Refused(located.error, located.message)
        url = _canonical(target)
        fetched_at = _date(headers.get("warc-date", ""))
        if located.block is None:
            raise too_large(located.content_length, max_bytes)
        if "warc-segment-number" in headers:
            raise Refused("Segmented", "the record is a segment of a larger one")
        stage = "response"
        payload, mime, charset, status = _payload(kind, headers, located.block, max_bytes, check)
        stage = "payload"
        mime = _text_mime(payload, mime, charset)
    except Refused as refused:
        counts[refused.error] += 1
        return Problem(capture, stage, url, warc, located.offset, refused.error, refused.message)
    if "warc-truncated" in headers:
        counts["cut short by the crawler"] += 1
    digest = _sha256(payload)
    return Page(
        doc_id=doc_id(url, digest),
        capture=capture,
        url=url,
        host=host_of(url),
        warc=warc,
        offset=located.offset,
        length=located.length,
        kind=kind,
        payload_digest=digest,
        fetched_at=fetched_at,
        status=status,
        mime=mime,
        charset=charset,
        payload=payload,
    )


def _payload(kind: str, headers: Headers, block: bytes, max_bytes: int, check: bool) -> tuple[bytes, str | None, str | None, int | None]:
    """Payload after decoding, stated media type and charset, HTTP status."""
    content_type = headers.get("content-type", "")
    if kind == "response" or "application/http" in content_type:
        response = parse_response(block)
        if not 200 <= response.status < 300:
            raise Refused("Status", f"HTTP status {response.status}")
        cut = "warc-truncated" in headers
        if response.mime and response.mime not in HTML | PLAIN:
            raise Refused("NotText", f"the media type is {response.mime}")
        body = decoded(response, max_bytes, cut)
        damaged = check and not cut and is_damaged(headers, block, response, body)
        mime, charset, status = response.mime, response.charset, response.status
    else:
        response = Response(0, {"content-type": content_type}, block)
        body, mime, charset, status = block, response.mime, charset_of(content_type), None
        block_digest = headers.get("warc-block-digest") or headers.get("warc-payload-digest")
        damaged = check and digest_matches(block_digest, block) is False
        if len(body) > max_bytes:
            raise too_large(len(body), max_bytes)
    if damaged:
        stated = headers.get("warc-payload-digest") or headers.get("warc-block-digest")
        raise Refused("DigestMismatch", f"the bytes do not fit the stated digest {stated}")
    return body, mime, charset, status


def _text_mime(payload: bytes, mime: str | None, charset: str | None) -> str:
    """The media type, guessed when none is stated; Refused for anything but HTML and text."""
    if mime and mime not in HTML | PLAIN:
        raise Refused("NotText", f"the media type is {mime}")
    for magic, name in MAGIC.items():
        if payload.startswith(magic):
            raise Refused("NotText", f"stated as {mime or 'nothing'}, but it begins like {name}")
    if b"\0" in payload[:4_096] and not payload.startswith(BOMS) and not (charset or "").startswith(("utf-16", "utf-32")):
        raise Refused("NotText", f"stated as {mime or 'nothing'}, but it has NUL bytes")
    if mime:
        return mime
    return "text/html" if re.search(rb"<(?:!doctype html|html|head|body)\b", payload[:2_048], re.IGNORECASE) else "text/plain"


def _read_file(crawl: str, part: Slice, path: Path, max_bytes: int, counts: Counter[str]) -> Page | Problem:
    assert part.relative is not None
    url = file_url(crawl, part.relative)
    payload = path.read_bytes()
    digest = _sha256(payload)
    capture = capture_id(url, digest)
    mime = mime_of(part.relative) or "text/plain"
    try:
        if len(payload) > max_bytes:
            raise too_large(len(payload), max_bytes)
        _text_mime(payload, None, None)
    except Refused as refused:
        counts[refused.error] += 1
        return Problem(capture, "payload", url, part.uri, 0, refused.error, refused.message)
    return Page(doc_id(url, digest), capture, url, crawl, part.uri, 0, len(payload), "file", digest, None, None, mime, None, payload)


def _canonical(target: str) -> str:
    try:
        return canonical_url(target)
    except ValueError as error:
        raise Refused("BadUrl", str(error)) from None


def _date(value: str) -> datetime | None:
    """A WARC-Date in UTC. WARC 1.1 allows less precision (2016, 2016-01) and more (nanoseconds)."""
    text = value.strip()
    for missing, length in (("-01-01", 4), ("-01", 7)):
        if len(text) == length:
            text += missing
    if "." in text:
        text = re.sub(r"(\.\d{6})\d+", r"\1", text)
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("BadDate", f"WARC-Date {value!r} is no date") from None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)


def _sha256(payload: bytes) -> str:
    return f"sha256:{hashlib.sha256(payload).hexdigest()}"
