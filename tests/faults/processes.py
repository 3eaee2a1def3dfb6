"""Processes as the kernel shows them: whose child is whose, and what they were started as."""

from __future__ import annotations

import os
import select
from pathlib import Path

PATIENCE = 120  # seconds in which a process must be gone on a busy machine


def parent_of(pid: int) -> int:
    """0 when there is no such process, or only what its parent has not yet taken leave of."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(state[1]) if state[0] != "Z" else 0


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def children_of(pid: int) -> list[int]:
    return sorted(each for each in map(int, filter(str.isdecimal, os.listdir("/proc"))) if parent_of(each) == pid)


def descendants_of(pid: int) -> list[int]:
    found = children_of(pid)
    return found + [each for child in found for each in descendants_of(child)]


def spawned_by(pid: int) -> list[int]:
    """Its children that Python's multiprocessing spawned to work: pool workers, run workers, steps."""
    return [each for each in children_of(pid) if "spawn_main" in command_of(each)]


def group_of(leader: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        try:
            if parent_of(pid) and os.getpgid(pid) == leader:
                found.append(pid)
        except ProcessLookupError:
            continue
    return sorted(found)


def are_gone(pids: list[int], seconds: float = PATIENCE) -> bool:
    """Waits until none of them lives; False when one is still there after that time."""
    for pid in pids:
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            if not select.select([pidfd], [], [], seconds)[0]:
                return False
        finally:
            os.close(pidfd)
    return True
