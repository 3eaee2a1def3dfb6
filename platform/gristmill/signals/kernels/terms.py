"""Terms and their divergence from a distribution: see `segment` for what a term is."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import MIX, ODD, class_of, compiled, decode
from gristmill.signals.segment import DIGIT, FORMAT, KNOWN, LETTER, MARK, UNSPACED


@compiled
def _terms(data, start, stop, classes, folded, hashes, starts, ends):  # type: ignore[no-untyped-def]
    """Writes the 64-bit hash and byte span of every term of data[start:stop]; how many there are."""
    n, i, opened, key, unspaced = 0, start, False, np.uint64(0), False
    while i < stop:
        at = i
        point, i = decode(data, i)
        flags = class_of(classes, point)
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
            key = (key ^ (letter + np.uint64(1))) * ODD  # every code point changes every higher bit
            key = (key ^ key >> np.uint64(29)) * MIX
    if opened:
        hashes[n] = key ^ key >> np.uint64(31)
        ends[n] = stop
        n += 1
    return n


@compiled
def term_spans(data, offsets, classes, folded):  # type: ignore[no-untyped-def]
    """Hash, first byte and byte after of every term of every text."""
    size = (offsets[-1] - offsets[0]) + 1  # a term has at least one byte
    hashes, starts, ends = np.empty(size, np.uint64), np.empty(size, np.int64), np.empty(size, np.int64)
    n = 0
    for row in range(len(offsets) - 1):
        n += _terms(data, offsets[row], offsets[row + 1], classes, folded, hashes[n:], starts[n:], ends[n:])
    return hashes[:n].copy(), starts[:n].copy(), ends[:n].copy()


@compiled
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
