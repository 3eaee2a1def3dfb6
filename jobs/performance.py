"""How long each stage took, how many documents a second, and how much memory the whole needed."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from gristmill.lake.workspace import Output, Workspace

INTERVAL = 0.5  # seconds between two looks at the process tree


class Footprint:
    """Wall time and the peak of the process tree's memory (unique set size, so that shared pages count once)."""

    def __enter__(self) -> Footprint:
        self.start, self.peak, self._done = time.monotonic(), 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        root = psutil.Process()
        while not self._done.wait(INTERVAL):
            total = 0
            for process in [root, *root.children(recursive=True)]:
                try:
                    total += process.memory_full_info().uss
                except psutil.Error:
                    continue
            self.peak = max(self.peak, total)

    def __exit__(self, *error: Any) -> None:
        self._done.set()
        self._thread.join()
        self.seconds = time.monotonic() - self.start

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"seconds": round(self.seconds, 1), "peak_memory_bytes": self.peak, "cores": os.cpu_count()}))


def performance_markdown(workspace: Workspace, run: Path) -> str:
    """A table of every stage from the lake's own records, and the figures of the last full run."""
    outputs: dict[str, list[Output]] = {}
    for output in workspace.outputs():
        outputs.setdefault(output.asset, []).append(output)
    lines = []
    if run.exists():
        figures = json.loads(run.read_text())
        lines += [
            f"The last `make demo` that made everything: **{figures['seconds']:,.0f} s** wall time, "
            f"**{figures['peak_memory_bytes'] / 2**30:.2f} GiB** peak memory of the process tree, on {figures['cores']} cores "
            f"({platform.machine()}, Python {platform.python_version()}).",
            "",
        ]
    lines += ["| stage | partitions | rows | seconds of work | rows per second |", "|---|---:|---:|---:|---:|"]
    for asset, made in sorted(outputs.items(), key=lambda item: -sum(output.seconds for output in item[1])):
        rows = sum(next(iter(output.tables.values())).rows for output in made if output.tables)
        seconds = sum(output.seconds for output in made)
        lines.append(f"| {asset} | {len(made)} | {rows:,} | {seconds:,.1f} | {rows / seconds if seconds else 0:,.0f} |")
    return "\n".join(lines) + "\n"
