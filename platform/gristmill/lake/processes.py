"""Processes by an identity that is theirs alone: whether one can be seen from here, and whether it lives.

A process id is given out again, and means somebody else on another host, after a restart of the machine, and in another
container; two containers may even have one host name. So an identity is the host's name, the id, when the process started, and the
namespace in which its id counts. Whether a process lives is only said of one whose host, boot and namespace are ours.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """`started` is in the kernel's ticks since the machine booted, and which boot ("ticks@boot"); it and `namespace` are "" where
    they are not known."""

    host: str
    pid: int
    started: str = ""
    namespace: str = ""

    @classmethod
    def of(cls, pid: int) -> Process:
        """The process that has this id here and now."""
        return cls(socket.gethostname(), pid, started(pid), _namespace())

    @classmethod
    def here(cls) -> Process:
        return cls.of(os.getpid())

    @classmethod
    def parse(cls, text: str) -> Process:
        """From `str` of one. ValueError when it is none."""
        where, start, namespace = (*text.split(" "), "", "")[:3]
        host, _, pid = where.rpartition(":")
        return cls(host, int(pid), start, namespace)

    def __str__(self) -> str:
        return f"{self.host}:{self.pid} {self.started} {self.namespace}".rstrip()

    @property
    def is_visible(self) -> bool:
        """Whether it would be seen from here if it lived."""
        boot = self.started.partition("@")[2]
        return self.host == socket.gethostname() and _may_be(boot, _boot()) and _may_be(self.namespace, _namespace())

    @property
    def is_alive(self) -> bool:
        """Of one that is visible."""
        return is_alive(self.pid, self.started)


def is_alive(pid: int, start: str = "") -> bool:
    """Whether the process lives; with `start`, whether it is still the one that started then. One that ended and that nobody waited
    for (a zombie: containers without an init) is dead."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    now = started(pid)
    return now != "zombie" and (not start or now in ("", start))


def started(pid: int) -> str:
    """When a process started: ticks@boot; "" where that cannot be told."""
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "zombie" if ticks[0] == "Z" else f"{ticks[19]}@{_boot()}" if _boot() else ""


def _may_be(one: str, other: str) -> bool:
    return not one or not other or one == other


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


@cache
def _namespace() -> str:
    """Of process ids, as in `pid:[4026531836]`."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
