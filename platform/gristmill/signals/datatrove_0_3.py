"""What datatrove's Gopher filters computed of words up to release 0.3, which made FineWeb (Penedo et al. 2024).

As `signals.datatrove`, but for the words, which are NLTK's: `chunk.treebank` (set it to the peer's own and every value
is the peer's). Marks are those of `datatrove.MARKS` and control characters, without what ends a sentence in other scripts,
and a stop word counts as often as it occurs. What no word is needed for (lines, paragraphs) is `signals.datatrove`'s.

Every signal is 0 for a text without tokens.
"""

from __future__ import annotations

from gristmill.signals import treebank
from gristmill.signals.chunk import Chunk, References, Values
from gristmill.signals.datatrove import character_flags, share, token_signals
from gristmill.signals.repetition import DUPLICATE_SIGNALS, TOP_SIGNALS

VERSION = f"1-{treebank.VERSION}"
READS = frozenset({"text"})
SIGNALS = {
    **TOP_SIGNALS,
    **DUPLICATE_SIGNALS,
    "word_count": "tokens that are not marks alone",
    "mean_word_length": "characters per such token",
    "hash_to_word": "`#` signs per token",
    "ellipsis_to_word": "ellipses (... or U+2026) per token",
    "alphabetic_word_share": "share of tokens with a letter",
    "stop_word_count": "tokens that are the, be, to, of, and, that, have, with",
}


def compute(chunk: Chunk, references: References) -> Values:
    from gristmill.signals.kernels import datatrove as k

    counts, of_tokens = token_signals(chunk, chunk.treebank)
    of_text = k.text_counts(*chunk.bytes, character_flags())
    return {
        **of_tokens,
        "word_count": counts[:, k.WORDS_0_3],
        "mean_word_length": share(counts[:, k.CHARS_0_3], counts[:, k.WORDS_0_3]),
        "hash_to_word": share(of_text[:, k.HASHES], chunk.treebank.counts),
        "ellipsis_to_word": share(of_text[:, k.ELLIPSES], chunk.treebank.counts),
        "stop_word_count": counts[:, k.STOP_WORD_OCCURRENCES],
    }
