"""The Gopher repetition signals: Rae et al. 2021, "Scaling Language Models", Appendix A1.1, table A1.

| paper | signal | paper's limit |
|---|---|---|
| duplicate line fraction | duplicate_line_share | 0.30 |
| duplicate paragraph fraction | duplicate_paragraph_share | 0.30 |
| duplicate line character fraction | duplicate_line_char_share | 0.20 |
| duplicate paragraph character fraction | duplicate_paragraph_char_share | 0.20 |
| top 2-, 3-, 4-gram character fraction | top_2gram_char_share ... | 0.20, 0.18, 0.16 |
| duplicate 5- to 10-gram character fraction | duplicate_5gram_char_share ... duplicate_10gram_char_share | 0.15 to 0.10 |

What the paper leaves open, here as in datatrove: only what was there before counts as a duplicate, not its first
occurrence. Duplicate n-grams are found by one walk over the words: an n-gram that was there before adds its characters
and the walk goes on behind it, so nothing is counted twice; any other is remembered and the walk goes on at the next word.
The top n-gram is the most frequent one, of several the first; its characters, with one space between the words, count
for every occurrence, and an n-gram that occurs once counts too. All character shares are of the characters of the text,
white space included, and are at most 1 (overlapping occurrences, "a a a", would pass it).

Otherwise than in datatrove (see `signals.datatrove` for its own counts): words are `segment`'s; n-grams are alike if their
words are, not if they read alike without the spaces; a line is what `str.splitlines` makes one, without the white space
around it, blank lines do not count, and a paragraph is what stands between blank lines. Dolma and DCLM count first
occurrences as well (`signals.dolma`); NeMo Curator takes unique shares. Every signal is 0 for a text without words.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals import segment
from gristmill.signals.chunk import Chunk, References, Values

VERSION = f"1-{segment.VERSION}"
READS = frozenset({"text"})
TOP_SIGNALS = {f"top_{n}gram_char_share": f"share of characters in the most frequent {n}-gram" for n in (2, 3, 4)}
DUPLICATE_SIGNALS = {f"duplicate_{n}gram_char_share": f"share of characters in {n}-grams that were there before" for n in range(5, 11)}
LINE_SIGNALS = {
    "duplicate_paragraph_share": "share of paragraphs that were there before",
    "duplicate_paragraph_char_share": "share of characters in paragraphs that were there before",
    "duplicate_line_share": "share of lines that were there before",
    "duplicate_line_char_share": "share of characters in lines that were there before",
}
SIGNALS = {**LINE_SIGNALS, **TOP_SIGNALS, **DUPLICATE_SIGNALS}


def compute(chunk: Chunk, references: References) -> Values:
    from gristmill.signals.kernels import repetition as k

    words = chunk.words
    lines = k.line_counts(*chunk.bytes, segment.tables().classes)
    grams = k.ngram_counts(words.chars, words.keys, words.bounds)
    values = {**line_shares(lines, chunk.n_chars), **gram_shares(grams, chunk.n_chars)}
    return {name: np.minimum(value, 1.0) for name, value in values.items()}


def gram_shares(counts: np.ndarray, n_chars: np.ndarray) -> Values:
    """The n-gram signals of the kernels' counts [texts, 9]."""
    names = (*TOP_SIGNALS, *DUPLICATE_SIGNALS)
    return {name: counts[:, column] / np.maximum(n_chars, 1) for column, name in enumerate(names)}


def line_shares(counts: np.ndarray, n_chars: np.ndarray) -> Values:
    """The line and paragraph signals of the kernels' counts [texts, N_COUNTS]."""
    from gristmill.signals.kernels import repetition as k

    return {
        "duplicate_paragraph_share": counts[:, k.DUPLICATE_PARAGRAPHS] / np.maximum(counts[:, k.PARAGRAPHS], 1),
        "duplicate_paragraph_char_share": counts[:, k.DUPLICATE_PARAGRAPH_CHARS] / np.maximum(n_chars, 1),
        "duplicate_line_share": counts[:, k.DUPLICATE_LINES] / np.maximum(counts[:, k.LINES], 1),
        "duplicate_line_char_share": counts[:, k.DUPLICATE_LINE_CHARS] / np.maximum(n_chars, 1),
    }
