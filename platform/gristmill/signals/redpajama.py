"""RedPajama-v2's natural-language signals: Weber et al. 2024, "RedPajama: an Open Dataset for Training LLMs", section 4.2 and appendix D.

| RedPajama-v2 | signal |
|---|---|
| rps_doc_unigram_entropy | unigram_entropy |
| rps_doc_frac_unique_words | unique_word_share |
| rps_doc_stop_word_fraction | stop_word_share |
| rps_doc_frac_all_caps_words | all_caps_word_share |
| rps_doc_mean_word_length | mean_word_length; and its median, as Dolma's Gopher rules have it |
| rps_lines_numerical_chars_fraction | digit_share, of the document in place of each line |
| rps_doc_symbol_to_word_ratio | `gopher.hash_to_word` and `gopher.ellipsis_to_word`; here symbol_share, of all symbols |

The rest of its list is in other families: word count, ellipsis lines, bullet lines and words without a letter in `gopher`,
repeated n-grams in `repetition`, banned words in `dirty_words`.

Words are `segment`'s. A word's **plain form** is its letters, digits and marks, lower-cased ("Don't," is `dont`); words of
punctuation alone have none. In nats, over the n words with a plain form, of which c(w) have the form w:

    unigram_entropy = - sum over forms w of c(w)/n ln(c(w)/n) = ln n - 1/n sum c(w) ln c(w)

unique_word_share, stop_word_share and both lengths are over the same n words; all_caps_word_share is over all words: those
whose cased letters are all capitals ("NASA", "I", "X11"). digit_share and symbol_share are over all characters that are
neither white space nor format characters: decimal digits and other numerals; and what is no letter, digit or mark.

stop_word_share has a list for English, German, French, Spanish and Italian, RedPajama's five languages, by the
document's `language`; documents in other languages are read with the English one, and a rule on it should except them.
The lists are our own: articles, pronouns, prepositions, conjunctions, auxiliary verbs and particles.

RedPajama-v2 removes ASCII punctuation alone from a word, decomposes it (NFD; here composed and decomposed spellings
are two words), divides stop words by all words, and has null where the text has no word. Every signal here is 0 then.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gristmill.signals import segment
from gristmill.signals.chunk import Chunk, References, Values
from gristmill.signals.stop_words import STOP_WORDS

VERSION = f"1-{segment.VERSION}"
READS = frozenset({"text", "documents"})
SIGNALS = {
    "unigram_entropy": "entropy in nats of the document's word distribution",
    "unique_word_share": "distinct words per word",
    "stop_word_share": "share of words that are function words of the document's language",
    "all_caps_word_share": "share of words in capitals",
    "digit_share": "share of characters that are digits",
    "symbol_share": "share of characters that are neither letter, digit nor mark",
    "mean_word_length": "letters, digits and marks per word",
    "median_word_length": "median of the words' lengths",
}

LONGEST = 1_000  # characters: in the median, longer words count as this long

CAPITAL, SMALL = 1, 2


class _Tables(NamedTuple):
    """Per code point: what it is in a plain form, and whether it is a capital or a small letter."""

    plain: npt.NDArray[np.uint32]
    case: npt.NDArray[np.uint8]


def compute(chunk: Chunk, references: References) -> Values:
    from gristmill.signals.kernels import language as k

    classes = segment.tables().classes
    plain, case = _tables()
    lists, of_row = _stop_words(chunk.frame)
    counts, entropy, median = k.language_counts(*chunk.words, classes, plain, case, *lists, of_row, LONGEST)

    def share(of: int, among: int) -> npt.NDArray[np.float64]:
        return counts[:, of] / np.maximum(counts[:, among], 1)

    return {
        "unigram_entropy": entropy,
        "unique_word_share": share(k.DISTINCT, k.PLAIN),
        "stop_word_share": share(k.STOP, k.PLAIN),
        "all_caps_word_share": share(k.ALL_CAPS, k.WORDS),
        "digit_share": share(k.DIGITS, k.CHARS),
        "symbol_share": share(k.SYMBOLS, k.CHARS),
        "mean_word_length": share(k.PLAIN_CHARS, k.PLAIN),
        "median_word_length": median,
    }


@cache
def _tables() -> _Tables:
    classes, folded = segment.tables()
    plain = np.where(classes & 15 == segment.LETTER, folded, np.arange(segment.KNOWN, dtype=np.uint32))
    case = np.zeros(segment.KNOWN, np.uint8)
    for point in range(segment.KNOWN):
        char = chr(point)
        case[point] = CAPITAL if char.isupper() else SMALL if char.islower() or char.istitle() else 0
    return _Tables(plain, case)


@cache
def _lists() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Keys of all lists, each sorted, and where each list begins."""
    from gristmill.signals.kernels.words import point_keys

    keys = [np.sort(point_keys(*segment.column(pl.Series(sorted(words))))) for words in STOP_WORDS.values()]
    return np.concatenate(keys), np.concatenate([[0], np.cumsum([len(of) for of in keys])]).astype(np.int64)


def _stop_words(frame: pl.DataFrame) -> tuple[tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]], npt.NDArray[np.int64]]:
    """The lists, and which of them each document is read with."""
    languages = frame["language"] if "language" in frame.columns else pl.Series(["en"] * frame.height, dtype=pl.String)
    number = {language: at for at, language in enumerate(STOP_WORDS)}
    of_row = languages.replace_strict(number, default=number["en"], return_dtype=pl.Int64).fill_null(number["en"])
    return _lists(), of_row.to_numpy(writable=True)  # always: Numba compiles anew for arrays that are read-only
