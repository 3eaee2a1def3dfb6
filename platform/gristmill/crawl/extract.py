"""Extraction that always ends: pages are extracted in a child process under a CPU limit.

A page that hangs, crashes or outgrows the memory limit costs its child process; the page is refused with a
reason, the next one gets a new child. The same payload is extracted once per extractor version: texts are
cached by both.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

import gristmill
from gristmill.crawl.content import Extractor, extract, extractor_version
from gristmill.crawl.responses import Refused
from gristmill.errors import GristmillError
from gristmill.lake.cache import KeyedCache

VERSION = "1"

START_SECONDS = 60.0
WALL_FACTOR, WALL_SLACK_SECONDS = 10.0, 60.0
"""A child that sleeps uses no CPU time: it is ended after ten times the CPU limit and a minute."""


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
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__

    def __enter__(self) -> Extraction:
        return self

    def __exit__(self, *error: Any) -> None:
        self._stop()
        self._errors.close()

    def text(self, request: Request) -> str:
        """The extracted text; Refused when the page cannot be extracted."""
        if self._child is not None and self._child.poll() is not None:
            self._stop()  # it ended between two pages; the next one is not to blame
        child = self._child or self._start()
        header = json.dumps({"charset": request.charset, "extractor": request.extractor}).encode()
        try:
            assert child.stdin is not None
            child.stdin.write(struct.pack(">II", len(header), len(request.payload)) + header + request.payload)
            child.stdin.flush()
            answer = self._answer(child, WALL_FACTOR * self.timeout_seconds + WALL_SLACK_SECONDS)
        except BrokenPipeError:
            answer = None
        if answer is None:
            raise self._post_mortem(child)
        about, text = answer
        if "error" in about:
            raise Refused(about["error"], about["message"])
        return text.decode()

    def _start(self) -> subprocess.Popen[bytes]:
        # The child finds the engine where this process found it, installed or not.
        paths = [str(Path(gristmill.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
        command = [sys.executable, "-m", "gristmill.crawl.extraction_worker", str(self.timeout_seconds), *self.extractors]
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        if self._answer(child, START_SECONDS) is None:
            child.kill()
            child.wait()
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip().splitlines()
            raise GristmillError("the extraction worker does not start", where=" ".join(command), fix=said[-1] if said else None)
        self.restarts += 1
        self._child = child
        return child

    def _answer(self, child: subprocess.Popen[bytes], wall_seconds: float) -> tuple[dict[str, str], bytes] | None:
        """The header and the text that the child answers; None when it ended, or had to be ended."""
        deadline = time.monotonic() + wall_seconds
        lengths = self._read(child, 8, deadline)
        if lengths is None:
            return None
        header, text = struct.unpack(">II", lengths)
        data = self._read(child, header + text, deadline)
        return None if data is None else (json.loads(data[:header]), data[header:])

    def _read(self, child: subprocess.Popen[bytes], size: int, deadline: float) -> bytes | None:
        assert child.stdout is not None
        pieces: list[bytes] = []
        while size:
            ready, _, _ = select.select([child.stdout], [], [], max(deadline - time.monotonic(), 0))
            piece = os.read(child.stdout.fileno(), size) if ready else b""
            if not piece:
                if not ready:
                    child.send_signal(signal.SIGPROF)  # as its own timer would
                return None
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _post_mortem(self, child: subprocess.Popen[bytes]) -> Refused:
        self._stop()
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


def extract_all(requests: list[Request], extraction: Extraction, cache_of: Any) -> tuple[dict[str, str], dict[str, Refused], int]:
    """Texts and refusals by request key, and how many texts came out of the cache.

    `cache_of(name) -> KeyedCache` opens the cache of one extractor version. Refusals are not cached: a timeout says
    as much about the limit as about the page. Plain text only has to be decoded: that is done here and now.
    """
    texts: dict[str, str] = {}
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
        for key, request in mine.items():
            if key in found:
                continue
            try:
                texts[key] = extraction.text(request)
                fresh[key] = _packed(texts[key])
            except Refused as why:
                refused[key] = why
        cache.put_many(fresh)
    return texts, refused, cached


def _packed(text: str) -> bytes:
    """As Zstandard behind the number of bytes: smaller than zlib's fastest, in half its time."""
    data = text.encode()
    return struct.pack(">I", len(data)) + bytes(pa.compress(data, "zstd", asbytes=True))


def _unpacked(value: bytes) -> str:
    return bytes(pa.decompress(value[4:], struct.unpack(">I", value[:4])[0], "zstd", asbytes=True)).decode()
