"""The compiled loops behind the signal families: one pass over the UTF-8 bytes of a whole column.

Compiled by Numba on first use and cached on disk, beside this file or, where that is read-only, in the user's cache
folder or a temporary one (NUMBA_CACHE_DIR decides where it is set). Importing this module imports Numba.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core import config

from gristmill.signals.segment import DIGIT, FORMAT, KNOWN, LETTER, LINE_END, MARK, OTHER, SPACE, UNSPACED

WORDS, CHARS, HASHES, ELLIPSES, LINES, BULLET_LINES, ELLIPSIS_LINES, ALPHABETIC_WORDS, STOP_WORDS, N_COUNTS = range(10)

_STOP_WORDS = tuple(int.from_bytes(word, "big") for word in (b"the", b"be", b"to", b"of", b"and", b"that", b"have", b"with"))
_SPOILT = 1 << 40  # a core that can be no stop word
_ODD = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder to cache in: read-only package, no home
        config.CACHE_DIR = str(_own_folder())  # type: ignore[attr-defined]
        return numba.njit(cache=True, nogil=True)(function)


def _own_folder() -> Path:
    """A temporary folder that nobody else can write to: what it caches is loaded as code."""
    folder = Path(tempfile.gettempdir()) / f"gristmill-kernels-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    about = folder.lstat()
    safe = folder.is_dir() and not folder.is_symlink() and about.st_uid == os.getuid() and not about.st_mode & 0o077
    return folder if safe else Path(tempfile.mkdtemp(prefix="gristmill-kernels-"))


@_compiled
def _decode(data, i):  # type: ignore[no-untyped-def]
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


@_compiled
def _class(classes, point):  # type: ignore[no-untyped-def]
    """Class and flags of a code point."""
    if point < KNOWN:
        return classes[point]
    return np.uint8(LETTER | UNSPACED) if point < 0x40000 else np.uint8(FORMAT)


@_compiled
def gopher_counts(data, offsets, classes):  # type: ignore[no-untyped-def]
    """int64 [texts, N_COUNTS]; the column STOP_WORDS holds how many distinct stop words occur."""
    counts = np.zeros((len(offsets) - 1, N_COUNTS), np.int64)
    for row in range(len(offsets) - 1):
        words = chars = hashes = ellipses = lines = bullets = trailing = alphabetic = stops = 0
        in_word = wordy = alpha = False  # wordy: the open word holds a letter or digit; alpha: a letter
        unspaced = False  # the open word's last letter is of a script without spaces
        core, closed = 0, False  # stop word candidate: its ASCII letters; closed by punctuation after them
        line_open, ends_in_ellipsis, dots = False, False, 0
        i, stop = offsets[row], offsets[row + 1]
        while True:
            if i < stop:
                point, i = _decode(data, i)
                flags = _class(classes, point)
                at_end = False
            else:
                point, flags, at_end = np.uint32(10), np.uint8(SPACE | LINE_END), True
            kind = flags & 15
            if kind == FORMAT:
                continue
            new_unit = kind == LETTER and flags & UNSPACED != 0
            breaks = in_word and wordy and (new_unit or (unspaced and kind in (LETTER, DIGIT)))
            if in_word and (kind == SPACE or breaks):
                alphabetic += alpha
                for bit in range(8):
                    if core == _STOP_WORDS[bit]:
                        stops |= 1 << bit
                in_word = False
            if kind == SPACE:
                dots = 0
                if flags & LINE_END:
                    lines += line_open
                    trailing += line_open and ends_in_ellipsis
                    line_open = False
                if at_end:
                    break
                continue
            if not in_word:
                in_word, wordy, alpha, unspaced, core, closed = True, False, False, False, 0, False
                words += 1
            if not line_open:
                line_open = True
                bullets += (
                    point == 0x2D or point == 0x2A or point == 0x2022 or point == 0x2023 or point == 0x2043
                    or point == 0x25E6 or point == 0x25AA or point == 0x25CF
                )  # fmt: skip
            chars += kind != MARK
            if point == 0x2E:
                dots += 1
                if dots % 3 == 0:
                    ellipses += 1
                ends_in_ellipsis = dots >= 3
            else:
                dots = 0
                ends_in_ellipsis = point == 0x2026
                ellipses += point == 0x2026
                hashes += point == 0x23
            if kind in (LETTER, DIGIT):
                wordy = True
                unspaced = new_unit
                alpha = alpha or kind == LETTER
                letter_of_core = kind == LETTER and point < 128 and not closed and core < 1 << 24
                core = core << 8 | int(point | np.uint32(0x20)) if letter_of_core else _SPOILT
            elif kind == MARK:
                core = _SPOILT
            elif kind == OTHER and core:
                closed = True
        n_stops = 0
        for bit in range(8):
            n_stops += stops >> bit & 1
        out = counts[row]
        out[WORDS], out[CHARS], out[HASHES], out[ELLIPSES], out[LINES] = words, chars, hashes, ellipses, lines
        out[BULLET_LINES], out[ELLIPSIS_LINES], out[ALPHABETIC_WORDS], out[STOP_WORDS] = bullets, trailing, alphabetic, n_stops
    return counts


@_compiled
def _terms(data, start, stop, classes, folded, hashes, starts, ends):  # type: ignore[no-untyped-def]
    """Writes the 64-bit hash and byte span of every term of data[start:stop]; how many there are."""
    n, i, opened, key, unspaced = 0, start, False, np.uint64(0), False
    while i < stop:
        at = i
        point, i = _decode(data, i)
        flags = _class(classes, point)
        kind = flags & 15
        if kind == FORMAT:
            continue
        inside = kind in (LETTER, DIGIT, MARK)
        new_unit = flags & UNSPACED != 0
        if opened and (not inside or new_unit or (unspaced and kind != MARK)):
            hashes[n] = key ^ key >> np.uint64(31)
            ends[n] = at
            n += 1
            opened = False
        if inside:
            if not opened:
                opened, key, unspaced = True, np.uint64(0), new_unit
                starts[n] = at
            letter = np.uint64(folded[point]) if point < KNOWN else np.uint64(point)
            key = (key ^ (letter + np.uint64(1))) * _ODD  # every code point changes every higher bit
            key = (key ^ key >> np.uint64(29)) * _MIX
    if opened:
        hashes[n] = key ^ key >> np.uint64(31)
        ends[n] = stop
        n += 1
    return n


@_compiled
def term_spans(data, offsets, classes, folded):  # type: ignore[no-untyped-def]
    """Hash, first byte and byte after of every term of every text."""
    size = (offsets[-1] - offsets[0]) + 1  # a term has at least one byte
    hashes, starts, ends = np.empty(size, np.uint64), np.empty(size, np.int64), np.empty(size, np.int64)
    n = 0
    for row in range(len(offsets) - 1):
        n += _terms(data, offsets[row], offsets[row + 1], classes, folded, hashes[n:], starts[n:], ends[n:])
    return hashes[:n].copy(), starts[:n].copy(), ends[:n].copy()


@_compiled
def divergences(data, offsets, classes, folded, known, log_known, log_unknown, fewest):  # type: ignore[no-untyped-def]
    """KL(text || reference) in nats per text; 0 for texts of fewer terms than `fewest`.

    `known`: sorted hashes of the reference's terms; `log_known`: ln of their probabilities; `log_unknown`: ln of the
    probability of any other term. Terms are summed in the order of their hashes, so word order changes no bit.
    """
    longest = 1
    for row in range(len(offsets) - 1):
        longest = max(longest, offsets[row + 1] - offsets[row])
    hashes, starts, ends = np.empty(longest, np.uint64), np.empty(longest, np.int64), np.empty(longest, np.int64)
    out = np.zeros(len(offsets) - 1, np.float64)
    for row in range(len(offsets) - 1):
        n = _terms(data, offsets[row], offsets[row + 1], classes, folded, hashes, starts, ends)
        if n < fewest or n == 0:
            continue
        terms = np.sort(hashes[:n])
        total, i = 0.0, 0
        while i < n:
            j = i + 1
            while j < n and terms[j] == terms[i]:
                j += 1
            share = (j - i) / n
            at = np.searchsorted(known, terms[i])
            log_reference = log_known[at] if at < len(known) and known[at] == terms[i] else log_unknown
            total += share * (np.log(share) - log_reference)
            i = j
        out[row] = total
    return out
