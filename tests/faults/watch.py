"""What happens in a deployment's folders, told by the kernel (inotify) as it happens: nothing in the code knows that it is watched."""

from __future__ import annotations

import ctypes
import os
import select
import struct
import sys
from collections import Counter
from pathlib import Path

PARTIAL, PUBLISHED, VECTORS, LOGGED, WRITTEN = (
    "temporary file",
    "whole file",
    "file of vectors",
    "transaction of the log",
    "write to the log",
)
"""A temporary file of the lake appears; a whole one takes its name; LanceDB makes a file; SQLite begins a transaction on Dagster's event
log (it makes a journal for each); and writes to a file of it: of writes in quick succession the kernel tells once."""
KINDS = (PARTIAL, PUBLISHED, VECTORS, LOGGED)

MODIFY, MOVED_TO, CREATE, ISDIR = 0x2, 0x80, 0x100, 0x40000000
HEADER = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Counts events by kind under a lake and an event log. Folders that appear are watched too; what appeared in one before it was is
    counted from a listing."""

    def __init__(self, lake: Path, log: Path):
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._lake, self._log = lake, log
        self._folders: dict[int, Path] = {}
        self.seen: Counter[str] = Counter()
        for root in (lake, log):
            self._add(root, count=False)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def until_end(self, pid: int) -> None:
        """Counts until the process ends."""
        assert not self.until(PUBLISHED, sys.maxsize, pid)

    def until(self, kind: str, n: int, pid: int) -> bool:
        """Waits for the n-th event of a kind; False when the process ends before."""
        pidfd = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        poll.register(pidfd, select.POLLIN)
        try:
            while True:
                ready = {fd for fd, _ in poll.poll()}
                if self._fd in ready and self._read(kind, n):
                    return True
                if ready == {pidfd}:
                    return False
        finally:
            os.close(pidfd)

    def _read(self, kind: str, n: int) -> bool:
        """Takes what the kernel holds, up to the event that is waited for."""
        data = os.read(self._fd, 1 << 20)
        at = 0
        while at < len(data):
            watched, mask, _, length = HEADER.unpack_from(data, at)
            name = data[at + HEADER.size : at + HEADER.size + length].rstrip(b"\0").decode()
            at += HEADER.size + length
            if (folder := self._folders.get(watched)) is None:
                continue
            if mask & ISDIR:
                if mask & (CREATE | MOVED_TO):
                    self._add(folder / name, count=True)
            else:
                self._count(folder / name, mask)
            if self.seen[kind] >= n:
                return True
        return False

    def _add(self, folder: Path, count: bool) -> None:
        watched = _libc.inotify_add_watch(self._fd, os.fsencode(folder), MODIFY | MOVED_TO | CREATE)
        if watched < 0:  # gone again
            return
        self._folders[watched] = folder
        for entry in os.scandir(folder):
            if entry.is_dir():
                self._add(Path(entry.path), count)
            elif count:
                self._count(Path(entry.path), CREATE)

    def _count(self, path: Path, mask: int) -> None:
        if path.is_relative_to(self._log):
            self.seen[WRITTEN if mask & MODIFY else LOGGED] += 1
        elif mask & (CREATE | MOVED_TO):
            place = path.relative_to(self._lake).parts[0]
            if place == "vectors":
                self.seen[VECTORS] += 1
            elif place not in ("cache", "leases"):
                self.seen[PARTIAL if "#" in path.name else PUBLISHED] += 1
