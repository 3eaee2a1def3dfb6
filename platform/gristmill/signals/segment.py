"""Characters and words, for every script: what the signal kernels count.

A **word** (gopher) is a maximal run of characters that are not white space, punctuation included ("end." is one word,
a lone "|" too), as Rae et al. 2021 and Dolma read it; datatrove takes spaCy's tokens, where every punctuation mark is a
token of its own (its share of alphabetic words is far lower on the same page). In scripts that are written without
spaces (Han, Kana, Thai, Lao, Khmer, Myanmar, Tai) every letter is a word; punctuation and marks beside it belong to it.
Hangul has spaces and is treated as such. A word's length is in code points, combining marks not counted, so that
composed and decomposed text have the same length.

A **term** (KL) is a maximal run of letters, digits and marks, lower-cased, every decimal digit written as `0`; in the
scripts without spaces every letter is a term. "Don't run v1.42" is `don t run v0 00`.

White space is Unicode's, and the control characters (NUL too), U+200B and U+FEFF. Format characters (soft hyphen,
joiners, directional marks) are passed over: they neither start nor end a word and count in no length.

The tables come from the interpreter's Unicode data, whose version is part of the version of every family that
segments. Kernels (`signals.kernels`) read the UTF-8 bytes of a whole column and make no Python object per document.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

VERSION = f"1.{unicodedata.unidata_version}"

SPACE, LETTER, DIGIT, MARK, FORMAT, OTHER = range(6)
LINE_END, UNSPACED = 16, 32  # flags beside the class
KNOWN = 0x20000  # beyond: ideographs up to 0x3FFFF, then nothing in use but tags and variants

_LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # those of str.splitlines
_UNSPACED = (                                              # letters of scripts written without spaces between words
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF), (0xA9E0, 0xA9FF), (0xAA60, 0xAADF),
    (0x3005, 0x3007), (0x3021, 0x3029), (0x3040, 0x312F), (0x31A0, 0x31BF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x16FE0, 0x18DFF), (0x1AFF0, 0x1B2FF),
)  # fmt: skip

CHUNK_BYTES = 16 << 20  # text handed to a kernel at once


class Tables(NamedTuple):
    """Per code point below KNOWN: class and flags (uint8), and the lower-cased, digit-folded code point (uint32)."""

    classes: npt.NDArray[np.uint8]
    folded: npt.NDArray[np.uint32]


class Column(NamedTuple):
    """UTF-8 bytes of many texts behind each other; text i is data[offsets[i] : offsets[i + 1]]."""

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]


@cache
def tables() -> Tables:
    classes = np.full(KNOWN, OTHER, np.uint8)
    folded = np.arange(KNOWN, dtype=np.uint32)
    for point in range(KNOWN):
        if 0xD800 <= point < 0xE000:
            continue
        char = chr(point)
        category = unicodedata.category(char)
        if char.isspace() or category in ("Cc", "Zs", "Zl", "Zp") or char in "\u200b\ufeff":
            classes[point] = SPACE | (LINE_END if char in _LINE_ENDS else 0)
        elif category[0] == "L":
            classes[point] = LETTER
            lower = char.lower()
            if len(lower) == 1 and lower.lower() == lower:
                folded[point] = ord(lower)
        elif category[0] == "N":
            classes[point] = DIGIT
            if category == "Nd":
                folded[point] = ord("0")
        elif category[0] == "M":
            classes[point] = MARK
        elif category == "Cf":
            classes[point] = FORMAT
    for first, last in _UNSPACED:
        span = classes[first : last + 1]
        span[(span == LETTER) | (span == DIGIT) & (folded[first : last + 1] != ord("0"))] = LETTER | UNSPACED
    return Tables(classes, folded)


def column(texts: pl.Series) -> Column:
    """One byte column of all texts."""
    import pyarrow as pa  # here: who names a family's signals, `gristmill why` among them, needs none of it

    array = texts.rechunk().to_arrow()
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    array = array.cast(pa.large_string())
    _, offsets, data = array.buffers()
    # read-only also where there is nothing: a writable array would be another type, and every kernel compiled once more
    bounds = np.frombuffer(offsets if len(array) else bytes(8), np.int64)[array.offset : array.offset + len(array) + 1]
    return Column(np.frombuffer(data if data is not None and data.size else b"", np.uint8), bounds)


def series(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> pl.Series:
    """The texts of one byte column, which is what `column` makes of them. The bytes are not copied."""
    import pyarrow as pa

    array = pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))
    return pl.Series(array)


def fold(text: str) -> str:
    """The term that one run of letters, digits and marks is counted as."""
    classes, folded = tables()
    return "".join(
        chr(folded[point]) if point < KNOWN else char
        for char in text
        for point in [ord(char)]
        if (classes[point] & 15 if point < KNOWN else LETTER if point < 0x40000 else FORMAT) != FORMAT
    )
