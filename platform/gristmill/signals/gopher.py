"""The Gopher quality signals: Rae et al. 2021, "Scaling Language Models", Appendix A1.1, Quality Filtering.

| paper | signal | paper's rule |
|---|---|---|
| number of words | word_count | 50 to 100,000 |
| mean word length | mean_word_length | 3 to 10 characters |
| symbol-to-word ratio, hash | hash_to_word | at most 0.1 |
| symbol-to-word ratio, ellipsis | ellipsis_to_word | at most 0.1 |
| lines starting with a bullet point | bullet_line_share | at most 90% |
| lines ending with an ellipsis | ellipsis_line_share | at most 30% |
| words with an alphabetic character | alphabetic_word_share | at least 80% |
| the, be, to, of, and, that, have, with | stop_word_count | at least two of them |

The paper says neither what a word is nor how a line counts. Here: `signals.segment` says what a word is; a line is
what `str.splitlines` makes one, and lines of white space alone do not count; a bullet is one of `• ‣ ⁃ ◦ ▪ ● - *`;
an ellipsis is `…` or three full stops, six being two; a stop word may be written in capitals and have punctuation
around it ("The", "(that)").

datatrove (0.10) differs: spaCy's tokens, of which punctuation counts for the alphabetic share and the symbol ratios but
not for count and length; bullets `•` and `-`; blank lines in the denominators; stop words case-sensitive; hash and
ellipsis ratios under one reason. Every signal is 0 for a text without words.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from gristmill.signals.segment import columns, tables

VERSION = "1"


def gopher(clean: pl.DataFrame) -> pl.DataFrame:
    """doc_id and the eight signals, one row per row of `clean` (doc_id, text)."""
    from gristmill.signals import kernels as k

    classes = tables().classes
    parts = [k.gopher_counts(data, offsets, classes) for data, offsets in columns(clean["text"])]
    counts = np.concatenate(parts) if parts else np.zeros((0, k.N_COUNTS), np.int64)

    def share(of: int, among: int) -> np.ndarray:
        return np.round(counts[:, of] / np.maximum(counts[:, among], 1), 6)

    return pl.DataFrame(
        {
            "doc_id": clean["doc_id"],
            "gopher.word_count": counts[:, k.WORDS].astype(np.float64),
            "gopher.mean_word_length": share(k.CHARS, k.WORDS),
            "gopher.hash_to_word": share(k.HASHES, k.WORDS),
            "gopher.ellipsis_to_word": share(k.ELLIPSES, k.WORDS),
            "gopher.bullet_line_share": share(k.BULLET_LINES, k.LINES),
            "gopher.ellipsis_line_share": share(k.ELLIPSIS_LINES, k.LINES),
            "gopher.alphabetic_word_share": share(k.ALPHABETIC_WORDS, k.WORDS),
            "gopher.stop_word_count": counts[:, k.STOP_WORDS].astype(np.float64),
        }
    )
