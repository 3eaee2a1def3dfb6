"""Lists of words and phrases, found in texts: what `dirty_words` and `toxicity` count.

A text and an entry are cut alike into pieces, and an entry is found where its pieces follow each other in the text:

- a run of letters, digits and marks, lower-cased, is a piece, a *term*; so an entry is found as whole words alone ("ass"
  not in "class");
- in the scripts without spaces (see `segment`) every letter is a term, so an entry is found wherever its characters are,
  inside a longer word too: without a dictionary its end cannot be seen;
- every other sign is a piece by itself ("f*ck", an emoji), but for white space, hyphens, dashes, apostrophes and `_`,
  which only part terms: "son-of a  bitch" is "son of a bitch", and "cream. Pie" is not "cream pie";
- format characters and marks on a symbol (soft hyphen, joiners, variation selectors) are passed over.

Digits are themselves (the terms of `kl` fold them). Hits do not overlap: from the left, the longest entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from gristmill.signals import segment
from gristmill.signals.chunk import Chunk

VERSION = f"1-{segment.VERSION}"

_SILENT = "-'_`"  # in ASCII; the kernel has the typographic ones


def count_phrases(chunk: Chunk, entries: Iterable[str]) -> npt.NDArray[np.int64]:
    """[texts, kernels.phrases.N_COUNTS]; entries of which no piece is left are found nowhere."""
    from gristmill.signals.kernels.phrases import phrase_counts

    data, offsets = chunk.bytes
    found: npt.NDArray[np.int64] = phrase_counts(data, offsets, segment.tables().classes, *_folding(), *_index(frozenset(entries)))
    return found


@lru_cache(maxsize=1)
def _folding() -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_]]:
    """Lower case of every code point, digits kept, both small sigmas one; and the silent signs."""
    classes, folded = segment.tables()
    lowered = np.where(classes & 15 == segment.LETTER, folded, np.arange(segment.KNOWN, dtype=np.uint32))
    lowered[ord("ς")] = ord("σ")
    silent = np.zeros(128, np.bool_)
    silent[[ord(sign) for sign in _SILENT]] = True
    return lowered, silent


@lru_cache(maxsize=8)
def _index(entries: frozenset[str]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32], int]:
    from gristmill.signals.kernels.phrases import index

    data, offsets = segment.column(pl.Series(sorted(entries), dtype=pl.String))
    return *index(data, offsets, segment.tables().classes, *_folding()), len(entries)
