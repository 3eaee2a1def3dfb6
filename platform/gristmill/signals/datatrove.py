"""What datatrove's GopherRepetitionFilter and GopherQualityFilter compute (0.10; for 0.3 see `signals.datatrove_0_3`).

After Rae et al. 2021, "Scaling Language Models", Appendix A1.1 and table A1, as datatrove reads it: the filters behind
FineWeb (Penedo et al. 2024). Words are `chunk.tokens`; set it to the peer's own words and every value is the peer's.

| signal | is | datatrove's limit |
|---|---|---|
| duplicate_paragraph_share, ..._char_share | paragraphs between two newlines or more, of the stripped text | 0.30, 0.20 |
| duplicate_line_share, ..._char_share | lines between one newline or more, of the whole text | 0.30, 0.20 |
| top_2gram_char_share ... | as in `signals.repetition`, over tokens; may pass 1, as occurrences may overlap | 0.20, 0.18, 0.16 |
| duplicate_5gram_char_share ... | as there, but alike is what reads alike without spaces: "ab c" repeats "a bc" | 0.15 to 0.10 |
| word_count, mean_word_length | tokens that are not marks alone | 50 to 100,000; 3 to 10 |
| hash_to_word, ellipsis_to_word | `#`; `...` and U+2026, per token, marks too | 0.1, 0.1 |
| bullet_line_share, ellipsis_line_share | of `str.splitlines`, blank lines too; bullets are U+2022 and `-` | 0.9, 0.3 |
| alphabetic_word_share | of all tokens, marks too, those with a letter (`str.isalpha`) | 0.8 |
| stop_word_count | how many of the, be, to, of, and, that, have, with occur as tokens; lower case alone | 2 |

Only what was there before counts as a duplicate. Where a text ends (or begins) in newlines, an empty line stands behind
(before) them. Marks are the punctuation that datatrove lists (MARKS), control characters but tab and newline, and, from 0.4
on, what ends a sentence in other scripts (`characters.TERMINAL`). 0.3 has no such terminals among its marks
(word_count_0_3, mean_word_length_0_3) and counts every occurrence of a stop word (stop_word_occurrences); its tokens are
NLTK's.

Every signal is 0 for a text without tokens but those of lines and paragraphs, which count as they do in any text: a
text of newlines is two empty lines, the second of which was there before.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import numpy.typing as npt

from gristmill.signals import characters, tokens
from gristmill.signals.chunk import Chunk, References, Spans, Values, given
from gristmill.signals.repetition import DUPLICATE_SIGNALS, LINE_SIGNALS, TOP_SIGNALS, gram_shares, line_shares
from gristmill.signals.segment import KNOWN

VERSION = f"1-{tokens.VERSION}"
READS = frozenset({"text"})
SIGNALS = {
    "char_count": "characters",
    **LINE_SIGNALS,
    **TOP_SIGNALS,
    **DUPLICATE_SIGNALS,
    "word_count": "tokens that are not marks alone",
    "mean_word_length": "characters per such token",
    "hash_to_word": "`#` signs per token",
    "ellipsis_to_word": "ellipses (... or U+2026) per token",
    "bullet_line_share": "share of lines, blank ones too, that start with a bullet or hyphen",
    "ellipsis_line_share": "share of lines, blank ones too, that end in an ellipsis",
    "alphabetic_word_share": "share of tokens with a letter",
    "stop_word_count": "distinct tokens among the, be, to, of, and, that, have, with",
}

MARKS = "!/—”:％１〈&(、━\\【#%「」，】；+^]~“《„';’{|∶´[=-`*．（–？！：$～«〉,><》)?）。…@_.\"}►»"
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")


def compute(chunk: Chunk, references: References) -> Values:
    from gristmill.signals.kernels import datatrove as k

    lines = k.newline_counts(*chunk.bytes, character_flags())
    counts, of_tokens = token_signals(chunk, chunk.tokens)
    of_text = k.text_counts(*chunk.bytes, character_flags())
    return {
        "char_count": chunk.n_chars,
        **line_shares(lines, chunk.n_chars),
        **of_tokens,
        "word_count": counts[:, k.WORDS],
        "mean_word_length": share(counts[:, k.CHARS], counts[:, k.WORDS]),
        "hash_to_word": share(of_text[:, k.HASHES], chunk.tokens.counts),
        "ellipsis_to_word": share(of_text[:, k.ELLIPSES], chunk.tokens.counts),
        "bullet_line_share": share(of_text[:, k.BULLET_LINES], of_text[:, k.TEXT_LINES]),
        "ellipsis_line_share": share(of_text[:, k.ELLIPSIS_LINES], of_text[:, k.TEXT_LINES]),
        "stop_word_count": counts[:, k.STOP_WORDS],
    }


def token_signals(chunk: Chunk, words: Spans) -> tuple[npt.NDArray[np.int64], Values]:
    """What the kernel counts of each text's tokens, and the signals of them that all releases have."""
    from gristmill.signals.kernels import datatrove as k
    from gristmill.signals.kernels.repetition import joined_ngram_counts

    counts = k.word_counts(*words, character_flags(), given([STOP_WORDS]).keys)
    grams = gram_shares(joined_ngram_counts(*words), chunk.n_chars)
    return counts, {**grams, "alphabetic_word_share": share(counts[:, k.ALPHABETIC], words.counts)}


def share(some: npt.NDArray[np.int64], of: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return some / np.maximum(of, 1)


@cache
def character_flags() -> npt.NDArray[np.uint8]:
    """Per code point below KNOWN: what it is to `str.isalpha`, `str.isspace`, `str.splitlines`, and whether it is a mark."""
    from gristmill.signals.kernels import datatrove as k

    of_lines = characters.flags()
    flags = np.zeros(KNOWN, np.uint8)
    flags[of_lines & characters.SPACE != 0] |= k.SPACE
    flags[of_lines & characters.LINE_END != 0] |= k.LINE_END
    flags[of_lines & characters.TERMINAL != 0] |= k.TERMINAL
    for point in range(KNOWN):
        if unicodedata.category(chr(point))[0] == "L":
            flags[point] |= k.ALPHA
    for point in (*map(ord, MARKS), *range(9), 11, 12, *range(13, 32), *range(127, 160)):
        flags[point] |= k.MARK
    return flags
