"""What Dolma's taggers gopher_v1 and gopher_v2 compute (toolkit 1.2; Soldaini et al. 2024, "Dolma", on web pages).

After Rae et al. 2021, Appendix A1.1 and table A1; what it decides otherwise than `signals.gopher`, `signals.repetition`
and `signals.datatrove`:

| signal | is |
|---|---|
| word_count, ... | words are what stands between white space (`str.split`), of which no one is cut, in any script |
| median_word_length | median where the paper has the mean; words of over 255 characters count as 255 long |
| symbol_word_share | words with a `#` or U+2026 in them; three full stops are no ellipsis |
| alphabetic_word_share | words with a letter |
| required_word_count | how often the, be, to, of, and, that, have, with stand as words, lower case and without marks |
| bullet_line_share | lines, blank ones too, whose first character is `*` or `-` |
| ellipsis_line_share | lines whose last character is U+2026 |
| duplicate_line_share | all copies of repeated lines, the first too, blank ones too |
| duplicate_line_char_share | their characters, per character of all words; may pass 1 |
| top_2gram_char_share ... | characters of the most frequent n-gram's words times its occurrences, per character of all words; may pass 1 |
| duplicate_5gram_char_share ... | characters of all occurrences of repeated n-grams per character of all n-grams |

A line stands between two newlines; for gopher_v2 (`..._v2`) several newlines are as one. There are no paragraphs. The C4
taggers are not among what Dolma's web mixes filtered by, and not here. Every signal is 0 for an empty text; a text of white
space has no words, but lines.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals import characters
from gristmill.signals.chunk import Chunk, References, Spans, Values, given
from gristmill.signals.datatrove import STOP_WORDS, character_flags
from gristmill.signals.repetition import DUPLICATE_SIGNALS, TOP_SIGNALS

VERSION = f"1-{characters.VERSION}"
READS = frozenset({"text"})
SIGNALS = {
    "word_count": "words between white space",
    "median_word_length": "median of their lengths in characters",
    "symbol_word_share": "share of words with a `#` or U+2026",
    "alphabetic_word_share": "share of words with a letter",
    "required_word_count": "words that are the, be, to, of, and, that, have, with",
    "bullet_line_share": "share of lines that start with `*` or `-`",
    "ellipsis_line_share": "share of lines that end in U+2026",
    "duplicate_line_share": "share of lines that occur twice or more",
    "duplicate_line_char_share": "characters of such lines per character of all words",
    "bullet_line_share_v2": "bullet_line_share, several newlines being as one",
    "ellipsis_line_share_v2": "ellipsis_line_share, several newlines being as one",
    "duplicate_line_share_v2": "duplicate_line_share, several newlines being as one",
    "duplicate_line_char_share_v2": "duplicate_line_char_share, several newlines being as one",
    **TOP_SIGNALS,
    **{f"duplicate_{n}gram_char_share": f"share of the characters of {n}-grams in those that occur twice or more" for n in range(5, 11)},
}


def compute(chunk: Chunk, references: References) -> Values:
    from gristmill.signals.kernels import dolma as k
    from gristmill.signals.kernels.repetition import ngram_counts

    flags, (data, offsets) = character_flags(), chunk.bytes
    words = Spans(data, *k.split_spans(data, offsets, flags))
    counts = k.word_counts(*words, flags, given([STOP_WORDS]).keys)
    grams = ngram_counts(words.chars, words.keys, words.bounds, True)
    of_all = k.gram_chars(words.chars, words.bounds)
    chars = np.maximum(counts[:, k.CHARS], 1)

    def share(of: int) -> np.ndarray:
        return counts[:, of] / np.maximum(counts[:, k.WORDS], 1)

    values: Values = {
        "word_count": counts[:, k.WORDS],
        "median_word_length": counts[:, k.MEDIAN_TWICE] / 2,
        "symbol_word_share": share(k.SYMBOL_WORDS),
        "alphabetic_word_share": share(k.ALPHABETIC),
        "required_word_count": counts[:, k.REQUIRED],
    }
    for suffix, joined in (("", False), ("_v2", True)):
        lines = k.line_counts(data, offsets, joined)
        filled = chunk.n_chars > 0
        for name, column in (("bullet", k.BULLET_LINES), ("ellipsis", k.ELLIPSIS_LINES), ("duplicate", k.DUPLICATE_LINES)):
            values[f"{name}_line_share{suffix}"] = filled * lines[:, column] / lines[:, k.LINES]
        values[f"duplicate_line_char_share{suffix}"] = lines[:, k.DUPLICATE_LINE_CHARS] / chars
    for column, name in enumerate(TOP_SIGNALS):
        values[name] = grams[:, column] / chars
    for column, name in enumerate(DUPLICATE_SIGNALS):
        values[name] = grams[:, len(TOP_SIGNALS) + column] / np.maximum(of_all[:, column], 1)
    return values
