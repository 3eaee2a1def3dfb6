"""What the compiled loops share: how they are compiled and cached, and how they read a code point.

Compiled by Numba on first use and cached on disk: in NUMBA_CACHE_DIR where it is set, beside these files, or in a
temporary folder of this user where that is read-only. Numba looks at a kernel's own file alone, not at what it calls or
at constants that it imports; so the cache lies in a folder named by the hash of all of them. Importing a kernel imports Numba.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core import config

from gristmill.signals.segment import FORMAT, KNOWN, LETTER, UNSPACED

ODD = np.uint64(0x9E3779B97F4A7C15)
MIX = np.uint64(0xBF58476D1CE4E5B9)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return numba.njit(cache=True, nogil=True)(function)


def lent(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `compiled`, for what a kernel calls for every word: it makes no array and counts no references to those that it is lent."""
    return numba.njit(cache=True, nogil=True, _nrt=False)(function)  # type: ignore[call-overload,no-any-return]


def _digest() -> str:
    """What compiled code depends on: the kernels, also those of `dedup`, the tables whose constants they import, Numba."""
    here = Path(__file__).parent
    sources = [source for room in (here, here.parent, here.parents[1] / "dedup") for source in sorted(room.glob("*.py"))]
    digest = hashlib.blake2b(numba.__version__.encode(), digest_size=8)
    for source in sources:
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()


def _cache_folder() -> Path:
    beside = Path(__file__).parent / "__pycache__"
    for root in (Path(given) if (given := os.environ.get("NUMBA_CACHE_DIR")) else None, beside):
        if root is not None:
            folder = root / f"kernels-{_digest()}"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=folder):
                    return folder
            except OSError:
                continue
    return _own_folder() / _digest()


def _own_folder() -> Path:
    """A temporary folder that nobody else can write to: what it caches is loaded as code."""
    folder = Path(tempfile.gettempdir()) / f"gristmill-kernels-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    safe = folder.is_dir() and not folder.is_symlink() and about.st_uid == os.getuid() and not about.st_mode & 0o077
    return folder if safe else Path(tempfile.mkdtemp(prefix="gristmill-kernels-"))


config.CACHE_DIR = str(_cache_folder())  # type: ignore[attr-defined]


@lent
def decode(data, i):  # type: ignore[no-untyped-def]
    """Code point at byte i of valid UTF-8, and the byte after it."""
    b = np.uint32(data[i])
    if b < 0x80:
        return b, i + 1
    if b < 0xE0:
        return (b & np.uint32(0x1F)) << np.uint32(6) | np.uint32(data[i + 1]) & np.uint32(0x3F), i + 2
    if b < 0xF0:
        return (
            (b & np.uint32(0x0F)) << np.uint32(12)
            | (np.uint32(data[i + 1]) & np.uint32(0x3F)) << np.uint32(6)
            | np.uint32(data[i + 2]) & np.uint32(0x3F)
        ), i + 3
    return (
        (b & np.uint32(0x07)) << np.uint32(18)
        | (np.uint32(data[i + 1]) & np.uint32(0x3F)) << np.uint32(12)
        | (np.uint32(data[i + 2]) & np.uint32(0x3F)) << np.uint32(6)
        | np.uint32(data[i + 3]) & np.uint32(0x3F)
    ), i + 4


@lent
def class_of(classes, point):  # type: ignore[no-untyped-def]
    """Class and flags of a code point."""
    if point < KNOWN:
        return classes[point]
    return np.uint8(LETTER | UNSPACED) if point < 0x40000 else np.uint8(FORMAT)
