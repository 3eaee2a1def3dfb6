"""How many sentences a line has."""

from __future__ import annotations

import numpy as np

from gristmill.signals.characters import CLOSER, SPACE, TERMINAL, WORD
from gristmill.signals.kernels.base import compiled, decode
from gristmill.signals.kernels.lines import citation_end, flags_of

_LONGEST = 7  # letters of an abbreviation


_WORDS = """
mr mrs ms dr prof rev hon gen col capt lt sgt gov sen rep st mt ft jr sr vs vol vols pp ed eds fig figs eq eqs sec ch cf al ca approx
dept est inc ltd corp co bros univ assn jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri ph min max tel ave blvd
rd ext viz resp incl
"""
_ABBREVIATIONS = np.array(sorted(int.from_bytes(word.encode("ascii"), "big") for word in _WORDS.split()), np.int64)


@compiled
def sentence_counts(data, spans, flags):  # type: ignore[no-untyped-def]
    """int64 per line: sentences of data[spans[line, 0] : spans[line, 1]], as `signals.c4` defines them."""
    out = np.zeros(len(spans), np.int64)
    for line in range(len(spans)):
        i, stop = spans[line, 0], spans[line, 1]
        if i == stop:
            continue
        sentences, wordy = 0, False  # wordy: the open sentence holds a letter or digit
        letters, core, before = 0, np.int64(0), np.uint8(0)  # of the word before: its letters so far, in lower case
        while i < stop:
            b = data[i]
            if b < 0x80:
                point, i = np.uint32(b), i + 1
                kind = flags[b]
            else:
                point, i = decode(data, i)
                kind = flags_of(flags, point)
            if kind & WORD:
                wordy = True
                letters = letters + 1 if before & WORD else 1
                if letters == 1:
                    core = np.int64(0)
                core = core << np.int64(8) | np.int64(b | 0x20)
                if b >= 0x80 or letters > _LONGEST:
                    core, letters = np.int64(0), _LONGEST + 1
                before = kind
                continue
            if not kind & TERMINAL:
                before = kind
                continue
            alone = b == 0x2E  # a single full stop
            abbreviates = False
            if alone and before & WORD:
                at = np.searchsorted(_ABBREVIATIONS, core)
                listed = at < len(_ABBREVIATIONS) and _ABBREVIATIONS[at] == core
                abbreviates = bool(listed or (letters == 1 and core >= 0x61 and core <= 0x7A))
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
            before, letters = np.uint8(0), 0
            if i < stop:
                if spaced and not flags_of(flags, point) & SPACE:
                    continue
                if alone and abbreviates:
                    continue
            if wordy:
                sentences += 1
                wordy = False
        out[line] = max(sentences + wordy, 1)
    return out
