"""HTTP responses as they stand in archives: header, transfer and content coding, digests.

Archives keep what went over the wire, and some writers keep a decoded body under the header of the coded one. So a
coding that the body plainly does not have is taken as undone already; one that breaks in the middle is an error.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import zlib
from dataclasses import dataclass
from functools import cached_property

from fastwarc.stream_io import BrotliReader, ZstdReader

from gristmill.crawl.archive import GZIP, Headers

VERSION = "1"


class Refused(Exception):
    """A record that becomes a quarantine row: `error` is its class, `message` says what was found."""

    def __init__(self, error: str, message: str):
        self.error, self.message = error, message
        super().__init__(error, message)


@dataclass(frozen=True)
class Response:
    status: int
    headers: Headers
    body: bytes  # as archived

    @cached_property
    def mime(self) -> str | None:
        value = self.headers.get("content-type", "").split(";")[0].strip().lower()
        return value if "/" in value else None

    @property
    def charset(self) -> str | None:
        return charset_of(self.headers.get("content-type", ""))


_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_STATUS = re.compile(r"HTTP/\d(?:\.\d)?\s+(\d{3})\b")


def charset_of(content_type: str) -> str | None:
    found = _CHARSET.search(content_type)
    return found.group(1).lower() if found else None


def parse_response(block: bytes) -> Response:
    """The HTTP response in a record's block."""
    head, blank, body = block.partition(b"\r\n\r\n")
    if not blank or block.find(b"\n\n", 0, len(head) + 1) >= 0:
        head, blank, body = block.partition(b"\n\n")
    lines = head.decode("latin-1").splitlines()
    status = _STATUS.match(lines[0]) if lines else None
    if not status:
        raise Refused("NotHttp", f"the block does not begin with a status line: {block[:60]!r}")
    headers: Headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return Response(int(status.group(1)), headers, body)


def decoded(response: Response, limit: int, cut: bool = False) -> bytes:
    """The body without transfer and content coding; Refused over `limit` bytes. A `cut` body (WARC-Truncated) gives what it has."""
    body = response.body
    if "chunked" in response.headers.get("transfer-encoding", "").lower():
        body = _dechunked(body, cut)
    for coding in reversed([each.strip().lower() for each in response.headers.get("content-encoding", "").split(",")]):
        if coding in ("gzip", "x-gzip"):
            body = _inflated(body, 31, limit, cut) if body.startswith(GZIP) else body
        elif coding == "deflate":
            body = _deflated(body, limit, cut)
        elif coding in ("br", "zstd"):
            body = _streamed(body, coding, limit)
        elif coding not in ("", "identity", "none", "utf-8"):
            raise Refused("UnknownCoding", f"Content-Encoding {coding!r} is not one that can be undone")
    if len(body) > limit:
        raise too_large(len(body), limit)
    return body


def too_large(size: int, limit: int) -> Refused:
    return Refused("TooLarge", f"{size:,} bytes or more; extraction.max_bytes is {limit:,}")


_CHUNK = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")


def _dechunked(body: bytes, cut: bool) -> bytes:
    pieces: list[bytes] = []
    at = 0
    while True:
        line = _CHUNK.match(body, at)
        if line is None:
            if at == 0:
                return body  # undone by the writer
            if cut or not body[at:].strip():
                return b"".join(pieces)
            raise Refused("BrokenCoding", f"no chunk header at byte {at:,} of a chunked body")
        size = int(line.group(1), 16)
        if size == 0:
            return b"".join(pieces)
        piece = body[line.end() : line.end() + size]
        pieces.append(piece)
        if len(piece) < size:
            if cut:
                return b"".join(pieces)
            raise Refused("BrokenCoding", f"the chunk at byte {at:,} has {len(piece):,} of {size:,} bytes")
        at = line.end() + size
        at += 2 if body[at : at + 2] == b"\r\n" else 1 if body[at : at + 1] == b"\n" else 0
        if at >= len(body):
            return b"".join(pieces)  # without the last chunk; several writers leave it out


def _inflated(body: bytes, window: int, limit: int, cut: bool) -> bytes:
    pieces, size = [], 0
    while body:
        inflate = zlib.decompressobj(window)
        try:
            piece = inflate.decompress(body, limit + 1 - size)
        except zlib.error as error:
            raise Refused("BrokenCoding", f"the compressed body is damaged: {error}") from None
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise too_large(size, limit)
        if not inflate.eof:
            if cut:
                break
            raise Refused("BrokenCoding", "the compressed body ends too early")
        body = inflate.unused_data if inflate.unused_data.startswith(GZIP) else b""
    return b"".join(pieces)


def _deflated(body: bytes, limit: int, cut: bool) -> bytes:
    """`deflate` is zlib by the standard and bare deflate by custom."""
    try:
        return _inflated(body, 15, limit, cut)
    except Refused as zlib_error:
        if zlib_error.error == "TooLarge":
            raise
        try:
            return _inflated(body, -15, limit, cut)
        except Refused as bare_error:
            if bare_error.error != "TooLarge" and body.lstrip()[:1] == b"<":
                return body
            raise


def _streamed(body: bytes, coding: str, limit: int) -> bytes:
    if not body:
        return body
    try:
        reader = (BrotliReader if coding == "br" else ZstdReader)(io.BytesIO(body))
        out = reader.read(limit + 1)
    except (OSError, ValueError) as error:
        if body.lstrip()[:1] == b"<":
            return body  # undone by the writer
        raise Refused("BrokenCoding", f"the compressed body ({coding}) is damaged: {error}") from None
    if len(out) > limit:
        raise too_large(len(out), limit)
    return out


def digest_matches(stated: str | None, data: bytes) -> bool | None:
    """Whether a WARC digest field fits `data`; None when it is absent or of an unknown kind."""
    name, _, value = (stated or "").strip().rstrip("=").partition(":")
    if name.lower() not in ("sha1", "sha256", "sha512", "md5") or not value:
        return None
    computed = hashlib.new(name.lower(), data, usedforsecurity=False).digest()
    if len(value) == 2 * len(computed):
        return value.lower() == computed.hex()
    try:
        wanted = base64.b32decode(value.upper() + "=" * (-len(value) % 8))
    except (binascii.Error, ValueError):
        return None
    return wanted == computed if len(wanted) == len(computed) else None


def is_damaged(record: Headers, block: bytes, response: Response, body: bytes) -> bool:
    """Whether the stated digests say that the bytes are not those that were archived.

    Writers differ in what they take the payload digest of (with or without transfer and content coding), and some
    get it wrong; so a record is damaged only if no reading of the payload fits and no matching block digest vouches for it.
    """
    stated = record.get("warc-payload-digest")
    if digest_matches(stated, response.body):
        return False
    vouched = digest_matches(record.get("warc-block-digest"), block)
    if vouched or digest_matches(stated, response.body) is None:
        return vouched is False
    return not any(digest_matches(stated, form) for form in (_dechunked(response.body, cut=True), body))
