"""How many sentences a line has."""

from __future__ import annotations

import numpy as np

from gristmill.signals.characters import CLOSER, SPACE, TERMINAL, WORD
from gristmill.signals.kernels.base import compiled, decode, lent
from gristmill.signals.kernels.lines import citation_end, flags_of
from gristmill.signals.kernels.sixtyfours import WIDTH, among, below, first_of

_LONGEST = 7  # letters of an abbreviation


_WORDS = """
mr mrs ms dr prof rev hon gen col capt lt sgt gov sen rep st mt ft jr sr vs vol vols pp ed eds fig figs eq eqs sec ch cf al ca approx
dept est inc ltd corp co bros univ assn jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri ph min max tel ave blvd
rd ext viz resp incl
"""
_ABBREVIATIONS = np.array(sorted(int.from_bytes(word.encode("ascii"), "big") for word in _WORDS.split()), np.int64)


@lent
def _abbreviates(data, begin, at, flags):  # type: ignore[no-untyped-def]
    """Whether the letters and digits of data[begin:at] right before `at` are an abbreviation or a single ASCII letter."""
    core, letters = np.int64(0), 0
    while at - letters > begin and letters <= _LONGEST:
        b = data[at - letters - 1]
        if b >= 0x80:
            before = at - letters - 1
            while data[before] & 0xC0 == 0x80:
                before -= 1
            if flags_of(flags, decode(data, before)[0]) & WORD:
                return False
            break
        if not flags[b] & WORD:
            break
        core |= np.int64(b | 0x20) << np.int64(8 * letters)
        letters += 1
    if letters > _LONGEST:
        return False
    if letters == 1 and core >= 0x61 and core <= 0x7A:
        return True
    found = np.searchsorted(_ABBREVIATIONS, core)
    return found < len(_ABBREVIATIONS) and _ABBREVIATIONS[found] == core


@compiled
def sentence_counts(data, spans, flags):  # type: ignore[no-untyped-def]
    """int64 per line: sentences of data[spans[line, 0] : spans[line, 1]], as `signals.c4` defines them."""
    out = np.zeros(len(spans), np.int64)
    last_block = len(data) - WIDTH
    for line in range(len(spans)):
        i, stop = spans[line, 0], spans[line, 1]
        if i == stop:
            continue
        sentences, wordy = 0, False  # wordy: the open sentence holds a letter or digit
        begin = i  # where it began, at the earliest
        while i < stop:
            if i <= last_block:  # up to a mark, or anything that is not ASCII
                marks = among(data, i, 0x21, 0x21) | among(data, i, 0x2E, 0x2E) | among(data, i, 0x3F, 0x3F) | ~among(data, i, 0x00, 0x7F)
                wide = min(first_of(marks), stop - i)
                if not wordy:
                    words = among(data, i, 0x30, 0x39) | among(data, i, 0x41, 0x5A) | among(data, i, 0x61, 0x7A)
                    wordy = words & below(wide) != 0
                i += wide
                if wide == WIDTH or i == stop:
                    continue
            at = i
            b = data[i]
            if b < 0x80:
                point, i = np.uint32(b), i + 1
                kind = flags[b]
            else:
                point, i = decode(data, i)
                kind = flags_of(flags, point)
            if not kind & TERMINAL:
                wordy = wordy or kind & WORD != 0
                continue
            alone = b == 0x2E  # a single full stop
            spaced = b < 0x80  # only after these must white space follow
            while i < stop:  # the rest of the marks, what closes, citation marks
                point, after = decode(data, i)
                kind = flags_of(flags, point)
                if point == 0x5B:
                    after = citation_end(data, i, stop, flags)
                    if after == i:
                        break
                elif kind & TERMINAL:
                    alone = False
                    spaced = spaced and point < 0x80
                elif not kind & CLOSER:
                    break
                i = after
            came, begin = begin, i
            if i < stop:
                if spaced and not flags_of(flags, point) & SPACE:
                    continue
                if alone and _abbreviates(data, came, at, flags):
                    continue
            if wordy:
                sentences += 1
                wordy = False
        out[line] = max(sentences + wordy, 1)
    return out
