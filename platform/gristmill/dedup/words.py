"""What a word is to deduplication, and its tables: the text is normalised first, so that copies in another dress are equal.

1. Unicode NFKC (UAX #15): composed and decomposed, wide and narrow, ligatures and their letters are the same.
2. Lower case, each code point on its own: a final sigma is a sigma, and `İ` is `i`.
3. Only words count. A **word** is a maximal run of letters, marks, digits and underscores; format characters (soft hyphen,
   joiners) are passed over. In scripts that are written without spaces (`signals.segment`) every letter is a word, with
   the marks that follow it. Punctuation, layout and Markdown do not count. Digits do: two tables that differ in their
   numbers differ.

Characters are the interpreter's Unicode data's, whose version is part of VERSION. Normalising costs more than everything
else, and most texts are normal already: the tables say by UAX #15's quick check which code points NFKC changes, and only texts
that hold one of these *to an effect* (`…` and `...` are no words either way) are normalised.

Peers: datatrove lower-cases, turns every number to `0`, takes diacritics off and has spaCy cut words; text-dedup and
datasketch's examples lower-case and split at `\\W`, with a whole Chinese sentence as one word.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

from gristmill.signals import segment
from gristmill.signals.segment import KNOWN, Column, column

VERSION = f"1.{unicodedata.unidata_version}"

BREAK, LETTER, MARK, FORMAT, IDEOGRAPH = range(5)  # kinds: LETTER also digits and underscores; IDEOGRAPH is a word of its own

POINT_BITS, KIND_BITS = 21, 3  # of a table entry, from the lowest: lower-cased code point, kind, CHANGED, rank of combining class
CHANGED = 1 << POINT_BITS + KIND_BITS
CLASS_SHIFT = POINT_BITS + KIND_BITS + 1

_KINDS = {segment.LETTER: LETTER, segment.DIGIT: LETTER, segment.MARK: MARK, segment.FORMAT: FORMAT}
_HANGUL_TAILS = (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))  # composed by rule, not by table


@cache
def table() -> npt.NDArray[np.uint32]:
    """An entry for every code point below KNOWN."""
    classes = segment.tables().classes
    kinds = [IDEOGRAPH if sort & segment.UNSPACED else _KINDS.get(sort & 15, BREAK) for sort in classes.tolist()]
    kinds[ord("_")] = LETTER
    ranks = {ccc: i for i, ccc in enumerate(sorted({unicodedata.combining(chr(point)) for point in range(KNOWN)}))}
    entries = np.zeros(KNOWN, np.uint32)
    composing = set(_HANGUL_TAILS)
    for point in range(KNOWN):
        if 0xD800 <= point < 0xE000:
            continue
        char = chr(point)
        normal = unicodedata.normalize("NFKC", char)
        changed = normal != char and any(kinds[point_] != BREAK for point_ in (point, *map(ord, normal)) if point_ < KNOWN)
        entries[point] = lower(char) | kinds[point] << POINT_BITS | CHANGED * changed | ranks[unicodedata.combining(char)] << CLASS_SHIFT
        parts = unicodedata.decomposition(char).split()
        if len(parts) == 2 and not parts[0].startswith("<") and normal == char:
            composing.add(int(parts[1], 16))
    entries[sorted(composing)] |= np.uint32(CHANGED)  # may become one with what stands before it
    entries.flags.writeable = False
    return entries


def lower(char: str) -> int:
    """The code point that a code point is lower-cased to."""
    small = "σ" if char == "ς" else char.lower()
    return ord(small) if len(small) == 1 else ord(small[0])  # İ alone has a lower case of two


def normal_column(texts: pl.Series) -> Column:
    """The texts' bytes, those that NFKC changes to an effect normalised."""
    from gristmill.dedup.normal_kernels import abnormal

    raw = column(texts)
    rows = np.flatnonzero(abnormal(raw.data, raw.offsets, table()))
    if not len(rows):
        return raw
    return column(texts.scatter(rows, [unicodedata.normalize("NFKC", text) for text in texts.gather(rows)]))
