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

from gristmill.signals import segment
from gristmill.signals.chunk import Chunk, References, Values

VERSION = f"1-{segment.VERSION}"
READS = frozenset({"text"})
SIGNALS = {
    "word_count": "words",
    "mean_word_length": "characters per word",
    "hash_to_word": "`#` signs per word",
    "ellipsis_to_word": "ellipses (... or U+2026) per word",
    "bullet_line_share": "share of lines that start with a bullet",
    "ellipsis_line_share": "share of lines that end in an ellipsis",
    "alphabetic_word_share": "share of words with an alphabetic character",
    "stop_word_count": "distinct words among the, be, to, of, and, that, have, with",
}


def compute(chunk: Chunk, references: References) -> Values:
    from gristmill.signals.kernels import gopher as k

    data, offsets = chunk.bytes
    counts = k.gopher_counts(data, offsets, segment.tables().classes)

    def share(of: int, among: int) -> np.ndarray:
        return counts[:, of] / np.maximum(counts[:, among], 1)

    return {
        "word_count": counts[:, k.WORDS],
        "mean_word_length": share(k.CHARS, k.WORDS),
        "hash_to_word": share(k.HASHES, k.WORDS),
        "ellipsis_to_word": share(k.ELLIPSES, k.WORDS),
        "bullet_line_share": share(k.BULLET_LINES, k.LINES),
        "ellipsis_line_share": share(k.ELLIPSIS_LINES, k.LINES),
        "alphabetic_word_share": share(k.ALPHABETIC_WORDS, k.WORDS),
        "stop_word_count": counts[:, k.STOP_WORDS],
    }
