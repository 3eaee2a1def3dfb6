"""Progress of long work: done, rate and time left, in the terminal and in logs."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

log = logging.getLogger("gristmill")

SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Counts units of work and says how it goes: one rewritten line on a terminal, a line every few seconds elsewhere."""

    def __init__(self, what: str, total: int | None = None, unit: str = "items"):
        self.what, self.total, self.unit, self.done = what, total, unit, 0
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Progress:
        self._start = self._last = time.monotonic()
        return self

    def advance(self, n: int = 1) -> None:
        self.done += n
        now = time.monotonic()
        if now - self._last >= (0.2 if self._terminal else SECONDS_BETWEEN_LINES):
            self._last = now
            self._say(self.line())

    def line(self) -> str:
        """`extract: 1,200/4,000 pages, 240/s, 12 s left`"""
        seconds = max(time.monotonic() - self._start, 1e-9)
        rate = self.done / seconds
        text = f"{self.what}: {self.done:,}{f'/{self.total:,}' if self.total else ''} {self.unit}, {rate:,.{0 if rate >= 10 else 1}f}/s"
        if self.total and self.done:
            text += f", {(self.total - self.done) / rate:,.0f} s left"
        return text

    def __exit__(self, *error: Any) -> None:
        if self._terminal:
            sys.stderr.write("\r\033[K")
        if error[0] is None:
            log.info("%s in %.1f s", self.line().split(", 0 s left")[0], time.monotonic() - self._start)

    def _say(self, line: str) -> None:
        if self._terminal:
            sys.stderr.write("\r\033[K" + line)
            sys.stderr.flush()
        else:
            log.info(line)
