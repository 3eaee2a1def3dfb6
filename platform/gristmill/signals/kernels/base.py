"""What the compiled loops share: how they are compiled and cached, and how they read a code point.

Compiled by Numba on first use and cached on disk (`kernels.cache`). Importing a kernel imports Numba.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core import config

from gristmill.signals.kernels.cache import folder_of
from gristmill.signals.segment import FORMAT, KNOWN, LETTER, UNSPACED

ODD = np.uint64(0x9E3779B97F4A7C15)
MIX = np.uint64(0xBF58476D1CE4E5B9)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return _cached(function)


def lent(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `compiled`, for what a kernel calls for every word: it makes no array and counts no references to those that it is lent."""
    return _cached(function, _nrt=False)


def _cached(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    config.CACHE_DIR = str(folder_of(Path(function.__code__.co_filename)))  # type: ignore[attr-defined]  # read as the function is wrapped
    return numba.njit(cache=True, nogil=True, **options)(function)  # type: ignore[no-any-return]


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
