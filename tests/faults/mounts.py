"""Disks of a test's own: small ones, and read-only ones. Mounting needs root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Disk:
    """A file system of a few megabytes in memory."""

    def __init__(self, path: Path):
        self.path = path

    @contextmanager
    def full(self, but: int = 0) -> Iterator[None]:
        """With `but` bytes free."""
        ballast = self.path / "ballast"
        with ballast.open("wb") as file:
            about = os.statvfs(self.path)
            file.write(bytes(max(0, about.f_bavail * about.f_frsize - but)))
        try:
            yield
        finally:
            ballast.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        mount("-o", "remount,ro", str(self.path))
        try:
            yield
        finally:
            mount("-o", "remount,rw", str(self.path))

    def litter(self) -> list[str]:
        """What was half-written and never took its name."""
        names = [str(path.relative_to(self.path)) for path in self.path.rglob("*")]
        return [name for name in names if ".part" in name or "#" in name]


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[Disk]:
    """Skips where this user may not mount."""
    path.mkdir()
    try:
        mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a disk of its own needs the right to mount: {error}")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
