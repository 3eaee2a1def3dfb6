"""Where compiled kernels lie, and what a kernel's machine code depends on.

In NUMBA_CACHE_DIR where it is set, beside these files, or in a temporary folder of this user where that is read-only.
Numba looks at a kernel's own file alone, not at what it calls or at constants that it imports. So each module of kernels
has a folder of its own, named by the hash of its source, of the engine's modules that it imports, of those that these
import, and of Numba's version: an edit compiles again what could see it, and nothing else.

Folders that nothing used for DAYS, or that are not among the newest MOST, are removed by a process that is the only one
with this cache, once a day: each holds a shared lock on `in-use` for as long as it lives.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from functools import cache
from pathlib import Path

import numba

DAYS, MOST = 14, 400
ENGINE = Path(__file__).parents[2]
_DAY = 24 * 3600


@cache
def folder_of(source: Path) -> Path:
    """The folder for what the module in the file `source` compiles; it is there, and marked as used today."""
    digest = hashlib.blake2b(numba.__version__.encode(), digest_size=8)
    for path in sorted(depends_on(source)):
        digest.update(path.name.encode() + path.read_bytes())
    folder = root() / f"kernels-{digest.hexdigest()}"
    folder.mkdir(parents=True, exist_ok=True)
    if time.time() - folder.stat().st_mtime > _DAY:
        os.utime(folder)
    return folder


@cache
def depends_on(source: Path) -> frozenset[Path]:
    """The file and the engine's modules that it imports at its top, and those that they import."""
    found, left = set[Path](), [source]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += _imports(path)
    return frozenset(found)


@cache
def _imports(source: Path) -> frozenset[Path]:
    found = []
    for node in ast.parse(source.read_bytes()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gristmill."):
            module = ENGINE.joinpath(*str(node.module).split(".")[1:])
            found += [module.with_suffix(".py"), *(module / f"{each.name}.py" for each in node.names)]
    return frozenset(path for path in found if path.exists())


@cache
def root() -> Path:
    beside = Path(__file__).parent / "__pycache__"
    for folder in (Path(given) if (given := os.environ.get("NUMBA_CACHE_DIR")) else None, beside):
        if folder is not None:
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=folder):
                    pass
            except OSError:
                continue
            return _used(folder)
    return _used(_own_folder())


def _own_folder() -> Path:
    """A temporary folder that nobody else can write to: what it caches is loaded as code."""
    folder = Path(tempfile.gettempdir()) / f"gristmill-kernels-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    safe = folder.is_dir() and not folder.is_symlink() and about.st_uid == os.getuid() and not about.st_mode & 0o077
    return folder if safe else Path(tempfile.mkdtemp(prefix="gristmill-kernels-"))


def _used(folder: Path) -> Path:
    """The folder, locked against a sweep while this process and those it forks live; swept first where none other uses it."""
    path = folder / "in-use"
    try:
        lock, ours = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), True
    except PermissionError:  # another user's, who sweeps
        lock, ours = os.open(path, os.O_RDONLY | os.O_CLOEXEC), False
    try:
        if ours and (time.time() - os.fstat(lock).st_mtime > _DAY or os.fstat(lock).st_size == 0):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass  # another process is at work with what lies here
            else:
                sweep(folder)
                os.pwrite(lock, b"swept\n", 0)
                os.utime(lock)
        fcntl.flock(lock, fcntl.LOCK_SH)
    except OSError:
        os.close(lock)  # a file system without locks: nothing is removed there
    return folder


def sweep(folder: Path) -> None:
    """Remove the caches that nothing used for DAYS, and the oldest beyond MOST. No other process may be using the folder."""
    used = sorted(((path.stat().st_mtime, path) for path in folder.glob("kernels-*") if path.is_dir()), reverse=True)
    for place, (when, path) in enumerate(used):
        if place >= MOST or time.time() - when > DAYS * _DAY:
            shutil.rmtree(path, ignore_errors=True)
