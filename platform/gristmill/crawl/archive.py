"""WARC files as bytes: where the records are, and how to go on after a broken one.

A record is addressed by the offset and length of its gzip member (WARC 1.1, annex D: one record, one member) or of
its own bytes in an uncompressed file. A file whose members hold several records cannot be cut or addressed so; it
stays whole, and its records are told apart by their identifiers.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from fastwarc.warc import ArchiveIterator

VERSION = "1"

GZIP = b"\x1f\x8b\x08"
PLAIN = b"WARC/"
SUFFIXES = (".warc", ".warc.gz", ".wet", ".wet.gz", ".warc.zst")
"""Names by which the archives in a folder are known."""

Headers = dict[str, str]
"""Header fields by lower-case name; of a repeated one, the first."""


@dataclass
class Located:
    """A record, or a place where there should have been one, and how many bytes of the file it takes."""

    offset: int
    length: int
    headers: Headers | None  # None when no record could be read here
    content_length: int = 0  # what the header says
    block: bytes | None = None  # the record's block; None when it was passed over
    error: str = ""  # set when the record is broken
    message: str = ""


Keep = Callable[[Headers, int], bool]
"""Whether a record with these headers and this content length is read, not passed over."""


class _Range:
    """The bytes [start, end) of a file as a stream of their own."""

    def __init__(self, data: mmap.mmap, start: int, end: int):
        self._data, self._start, self._end, self._at = data, start, end, start

    def read(self, size: int = -1) -> bytes:
        stop = self._end if size < 0 else min(self._at + size, self._end)
        chunk = self._data[self._at : stop]
        self._at = stop
        return chunk

    def tell(self) -> int:
        return self._at - self._start

    def seek(self, offset: int, whence: int = 0) -> int:
        target = {0: self._start, 1: self._at, 2: self._end}[whence] + offset
        self._at = min(max(target, self._start), self._end)
        return self.tell()

    def close(self) -> None:
        """The map belongs to the reader."""


def records(path: Path, start: int = 0, end: int | None = None, keep: Keep | None = None) -> Iterator[Located]:
    """The records of [start, end) in order; a broken one comes as an error, and the next readable one follows it."""
    size = path.stat().st_size
    end = size if end is None else min(end, size)
    if start >= end:
        return
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        pending: Located | None = None
        for found in _scan(data, start, end, keep or (lambda headers, length: False)):
            if pending is not None:
                pending.length = max(found.offset - pending.offset, 0)
                yield pending
            pending = found
        if pending is not None:
            pending.length = end - pending.offset
            yield pending


def record_starts(path: Path) -> tuple[list[int], bool]:
    """Offsets of the readable records, and whether each of them can be read from its offset on."""
    starts = [found.offset for found in records(path) if found.headers is not None]
    if not starts:
        return starts, True
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        rising = all(a < b for a, b in pairwise(starts))
        return starts, rising and all(_begins(data, offset) for offset in starts)


def _scan(data: mmap.mmap, start: int, end: int, keep: Keep) -> Iterator[Located]:
    """Records with their offsets (lengths still open)."""
    at: int | None = start
    while at is not None:
        last: int | None = None  # offset of the record being read
        trouble = ""
        try:
            for record in ArchiveIterator(_Range(data, at, end), parse_http=False):
                last = at + record.stream_pos
                headers = {name.lower(): value for name, value in reversed(record.headers.to_tuples())}
                length = record.content_length
                if not keep(headers, length):
                    yield Located(last, 0, headers, length)
                    continue
                block = record.reader.read()
                if "content-length" not in headers:  # FastWARC takes a header that is cut off for a whole one
                    yield Located(last, 0, headers, length, None, "Truncated", "the header has no Content-Length")
                elif len(block) < length:
                    message = f"the record ends after {len(block):,} of {length:,} bytes"
                    yield Located(last, 0, headers, length, None, "Truncated", message)
                else:
                    yield Located(last, 0, headers, length, block)
        except (OSError, ValueError) as error:
            trouble = str(error)
        broken = at if last is None else _end_of(data, last, end)
        if not trouble and (broken is None or data[at : at + 3] != GZIP):
            return
        if broken is None:  # the member of the last record is damaged, or holds several records
            broken = last if last is not None else at
        if broken >= end:
            return
        at = _next_start(data, broken + 1, end)
        if at is None and _is_padding(data, broken, end):
            return
        yield Located(broken, 0, None, error="Unreadable", message=trouble or "what follows the last record is none")


def _end_of(data: mmap.mmap, offset: int, end: int) -> int | None:
    """Where the record at `offset` ends; None when nothing tells."""
    if data[offset : offset + len(PLAIN)] == PLAIN:
        return _plain_end(data, offset, end)
    inflate, at = zlib.decompressobj(31), offset
    try:
        while at < end and not inflate.eof:
            chunk = data[at : min(at + 65_536, end)]
            inflate.decompress(chunk)
            at += len(chunk)
    except zlib.error:
        return None
    return at - len(inflate.unused_data) if inflate.eof else None


def _plain_end(data: mmap.mmap, offset: int, end: int) -> int:
    """Where the header of an uncompressed record ends, and its block too where another record follows there."""
    blank = data.find(b"\r\n\r\n", offset, end)
    head = data[offset : blank if blank >= 0 else end]
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            stop = blank + 4 + int(value)
            if data[stop : stop + 4] == b"\r\n\r\n" and (_begins(data, stop + 4) or _is_padding(data, stop + 4, end)):
                return stop + 4
    return min(offset + len(head), end)  # its length is wrong: the next record may begin inside what it claims


def _is_padding(data: mmap.mmap, at: int, end: int) -> bool:
    return not data[at : min(end, at + 65_536)].strip(b"\0\r\n")


def _next_start(data: mmap.mmap, at: int, end: int) -> int | None:
    """The next offset from `at` on where a record can be read; None when there is none."""
    while True:
        places = [place for mark in (GZIP, PLAIN) if (place := data.find(mark, at, end)) >= 0]
        if not places:
            return None
        if _begins(data, min(places)):
            return min(places)
        at = min(places) + 1


def _begins(data: mmap.mmap, offset: int) -> bool:
    """Whether a gzip member that opens with a WARC version, or the line of a WARC version and a WARC header, is at `offset`."""
    head = data[offset : offset + 4_096]
    if head.startswith(GZIP):
        try:
            return zlib.decompressobj(31).decompress(head, len(PLAIN)) == PLAIN
        except zlib.error:
            return False
    line_start = offset == 0 or data[offset - 1 : offset] == b"\n"
    return line_start and head.startswith(PLAIN) and b"\nwarc-type:" in head.lower()
