"""Extraction that always ends: pages are extracted in a child process under a CPU limit.

A page that hangs, crashes or outgrows the memory limit costs its child process; the page is refused with a
reason, the next one gets a new child. The same payload is extracted once per extractor version: texts are
cached by both.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import mmap
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

import gristmill
from gristmill.crawl.content import Extractor, clean, extract, extractor_version
from gristmill.crawl.extraction_worker import READY
from gristmill.crawl.responses import Refused
from gristmill.crawl.tidy import tidied
from gristmill.errors import GristmillError
from gristmill.lake.cache import KeyedCache

VERSION = "1"

START_SECONDS = 60.0
WALL_FACTOR, WALL_SLACK_SECONDS = 10.0, 60.0
"""A child that sleeps uses no CPU time: it is ended after ten times the CPU limit and a minute."""

AHEAD = 4  # pages that a child may have been sent and not answered
SHELF_BYTES = 1 << 20
"""Memory in which the child finds them, which stays in a processor's cache. It grows for a page that does not fit."""
PIPE_BYTES = 1 << 18
"""What the pipe of answers holds, instead of 64 KiB."""
MALLOC = {"MALLOC_TRIM_THRESHOLD_": str(128 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}
"""glibc keeps what a page needed for the next one, where it would give it back to the system and ask for it again."""


@dataclass(frozen=True)
class Request:
    """A payload (with its sha256), the charset that its HTTP header states, and who extracts it."""

    digest: str
    payload: bytes
    charset: str | None
    extractor: Extractor

    @property
    def key(self) -> str:
        return f"{self.digest}:{self.extractor}:{self.charset or ''}"


class Extraction:
    """A child process for extraction, restarted when a page ends it. Use as a context manager."""

    def __init__(self, timeout_seconds: float, extractors: Iterable[Extractor]):
        self.timeout_seconds, self.extractors = timeout_seconds, list(extractors)  # extractors: loaded before the first page
        self.restarts = -1
        self._child: subprocess.Popen[bytes] | None = None
        self._shelf = _Shelf()
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__

    def __enter__(self) -> Extraction:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stop()
        self._shelf.close()
        self._errors.close()

    def texts(self, requests: Iterable[Request]) -> Iterator[tuple[Request, bytes | Refused]]:
        """Each request with its extracted text (UTF-8), or with why the page cannot be extracted, in order.

        The child is sent pages ahead of those that it has answered, so that neither waits for the other.
        """
        left = deque(requests)
        if self._child is not None and self._child.poll() is not None:
            self._stop()  # it ended before these pages; none of them is to blame
        while left:
            talk = _Talk(self._child or self._start(), self._shelf, left)
            try:
                yield from talk.answers(WALL_FACTOR * self.timeout_seconds + WALL_SLACK_SECONDS)
            finally:
                if left:
                    self._stop()  # it ended, or nobody wants the answers that are still to come
            if left:
                yield left.popleft(), self._post_mortem(talk.child)

    def _start(self) -> subprocess.Popen[bytes]:
        # The child finds the engine where this process found it, installed or not.
        paths = [str(Path(gristmill.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        of_child = [str(self.timeout_seconds), str(self._shelf.file), *self.extractors]
        command = [sys.executable, "-m", "gristmill.crawl.extraction_worker", *of_child]
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            pass_fds=[self._shelf.file],
            env={**os.environ, **MALLOC, "PYTHONPATH": os.pathsep.join(paths)},
        )
        assert child.stdin is not None and child.stdout is not None
        if hasattr(fcntl, "F_SETPIPE_SZ"):  # Linux
            with contextlib.suppress(OSError):  # a limit of the user's: slower, nothing else
                fcntl.fcntl(child.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        if not select.select([child.stdout], [], [], START_SECONDS)[0] or child.stdout.read(len(READY)) != READY:
            child.kill()
            child.wait()
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip().splitlines()
            raise GristmillError("the extraction worker does not start", where=" ".join(command), fix=said[-1] if said else None)
        self.restarts += 1
        self._child = child
        return child

    def _post_mortem(self, child: subprocess.Popen[bytes]) -> Refused:
        if child.returncode == -signal.SIGPROF:
            return Refused("Timeout", f"extraction took more than {self.timeout_seconds:g} s of CPU time")
        return Refused("Crash", f"the extraction worker ended with status {child.returncode}")

    def _stop(self) -> None:
        if self._child is not None:
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
            try:
                self._child.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            self._child = None


class _Shelf:
    """Memory that a child sees too: what it is asked about lies there, and is not sent through a pipe."""

    def __init__(self) -> None:
        if hasattr(os, "memfd_create"):
            self.file = os.memfd_create("gristmill-pages")
        else:  # not Linux
            with tempfile.TemporaryFile() as stream:
                self.file = os.dup(stream.fileno())
        self._memory = self._of_size(SHELF_BYTES)

    def _of_size(self, size: int) -> mmap.mmap:
        os.ftruncate(self.file, size)
        return mmap.mmap(self.file, size)

    def put(self, pieces: Sequence[bytes], taken: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
        """Where the pieces lie now, one behind the other; None as long as there is no room beside the `taken` places, oldest first."""
        size = sum(map(len, pieces))
        begin = taken[-1][1] if taken else 0
        if begin + size > SHELF_BYTES:
            begin = 0
        if any(first < begin + size and begin < last for first, last in taken):
            return None
        if begin + size > len(self._memory):
            self._memory.close()
            self._memory = self._of_size(begin + size)
        at = begin
        for piece in pieces:
            self._memory[at : at + len(piece)] = piece
            at += len(piece)
        return begin, at

    def close(self) -> None:
        self._memory.close()
        os.close(self.file)


class _Talk:
    """What goes to a child and comes from it. A request leaves `left` with its answer."""

    def __init__(self, child: subprocess.Popen[bytes], shelf: _Shelf, left: deque[Request]):
        assert child.stdin is not None and child.stdout is not None
        self.child = child
        self._into, self._from = child.stdin.fileno(), child.stdout.fileno()
        self._shelf, self._left = shelf, left
        self._sent: deque[tuple[int, int]] = deque()  # where the first of `left` lie, which the child knows of
        self._hears = True
        self._coming = bytearray()

    def answers(self, wall_seconds: float) -> Iterator[tuple[Request, bytes | Refused]]:
        """Until the child ends: the next of `left` is to blame then."""
        deadline = time.monotonic() + wall_seconds
        while self._left:
            self._send()
            if not select.select([self._from], [], [], max(deadline - time.monotonic(), 0))[0]:
                self.child.send_signal(signal.SIGPROF)  # as its own timer would
                return
            piece = os.read(self._from, PIPE_BYTES)
            if not piece:
                return
            self._coming += piece
            for answer in self._whole():
                self._sent.popleft()
                request = self._left.popleft()
                yield request, answer if isinstance(answer, Refused) else _finished(answer, request.extractor)
                deadline = time.monotonic() + wall_seconds

    def _send(self) -> None:
        while self._hears and len(self._sent) < min(len(self._left), AHEAD):
            request = self._left[len(self._sent)]
            header = _header(request.charset, request.extractor)
            place = self._shelf.put((header, request.payload), self._sent)
            if place is None:
                return
            try:
                os.write(self._into, struct.pack(">QII", place[0], len(header), len(request.payload)))
            except BrokenPipeError:
                self._hears = False  # it has ended: what it answered before is still to be read
            self._sent.append(place)

    def _whole(self) -> Iterator[bytes | Refused]:
        """The answers that have come whole, texts as they were laid out."""
        at = 0
        while len(self._coming) >= at + 8:
            header, text = struct.unpack_from(">II", self._coming, at)
            begin, end = at + 8 + header, at + 8 + header + text
            if len(self._coming) < end:
                break
            about = json.loads(self._coming[at + 8 : begin]) if header else None
            yield Refused(about["error"], about["message"]) if about else bytes(self._coming[begin:end])
            at = end
        del self._coming[:at]


def _finished(laid_out: bytes, extractor: Extractor) -> bytes:
    """As `content.extract` ends."""
    return clean(laid_out.decode("utf-8", "surrogatepass")) if extractor == "plain" else tidied(laid_out)


@functools.cache
def _header(charset: str | None, extractor: Extractor) -> bytes:
    return json.dumps({"charset": charset, "extractor": extractor}).encode()


def extract_all(requests: list[Request], extraction: Extraction, cache_of: Any) -> tuple[dict[str, bytes], dict[str, Refused], int]:
    """Texts (UTF-8) and refusals by request key, and how many texts came out of the cache.

    `cache_of(name) -> KeyedCache` opens the cache of one extractor version. Refusals are not cached: a timeout says
    as much about the limit as about the page. Plain text only has to be decoded: that is done here and now.
    """
    texts: dict[str, bytes] = {}
    refused: dict[str, Refused] = {}
    cached = 0
    for request in requests:
        if request.extractor == "plain":
            texts[request.key] = extract(request.payload, request.charset, "plain")
    for extractor in sorted({request.extractor for request in requests} - {"plain"}):
        cache: KeyedCache = cache_of(f"texts-{extractor_version(extractor)}")
        mine = {request.key: request for request in requests if request.extractor == extractor}
        found = cache.get_many(mine)
        cached += len(found)
        texts.update({key: _unpacked(value) for key, value in found.items()})
        fresh: dict[str, bytes] = {}
        for request, answer in extraction.texts(request for key, request in mine.items() if key not in found):
            if isinstance(answer, Refused):
                refused[request.key] = answer
            else:
                texts[request.key] = answer
                fresh[request.key] = _packed(answer)
        cache.put_many(fresh)
    return texts, refused, cached


_ZSTD = pa.Codec("zstd")


def _packed(text: bytes) -> bytes:
    """As Zstandard behind the number of bytes: smaller than zlib's fastest, in half its time."""
    return struct.pack(">I", len(text)) + bytes(_ZSTD.compress(text, asbytes=True))


def _unpacked(value: bytes) -> bytes:
    return bytes(_ZSTD.decompress(value[4:], struct.unpack(">I", value[:4])[0], asbytes=True))
