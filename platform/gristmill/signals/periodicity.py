"""Token periodicity: a few words that repeat without end, after Dolma's and OLMo's filters of repeated token sequences.

| peer | what | rule |
|---|---|---|
| Dolma 1.7, `tokenizer_repetitions_v2r2` | sequences of period 1 to 13, three times or more in a row | drop at a length of 100 |
| OLMo 2 (2 OLMo 2 Furious, section 3.2) | the same in a training instance | mask it at 32 repetitions |

A run of period p is a maximal stretch of words in which every word equals the one p before it; it counts when the
period fits in it three times or more ("ha ha ha", "a b a b a b"). A run of period 2 is one of period 4 too, and is
counted once.

| signal | is |
|---|---|
| longest_run | words in the longest run |
| longest_run_chars | characters in the longest run, from its first word to its last, white space between them included |
| most_repeats | how often the period of a run fits in it, at most |
| run_share | share of the words that lie in some run |

Dolma and OLMo take subword tokens of GPT-NeoX or of their own; here a token is a word as `segment` has it, case
sensitive, so that the signal hangs on no tokenizer. What repeats inside one word ("======", "hahahaha") is one word
here and several tokens there. Dolma looks at blocks of 100,000 characters, each by itself, and lets a run start only
where rows of the period's width line up, so it overlooks some of three to four repetitions; here every position counts.
Every signal is 0 for a text without such a run.
"""

from __future__ import annotations

from gristmill.signals import segment
from gristmill.signals.chunk import Chunk, References, Values

VERSION = f"1-{segment.VERSION}"
READS = frozenset({"text"})
SIGNALS = {
    "longest_run": "words in the longest run of a repeated sequence of 1 to 13 words",
    "longest_run_chars": "characters in the longest such run",
    "most_repeats": "how often a repeated sequence occurs in a row, at most",
    "run_share": "share of words that lie in such a run",
}

LONGEST_PERIOD = 13
FEWEST_REPEATS = 3


def compute(chunk: Chunk, references: References) -> Values:
    from gristmill.signals.kernels.periods import period_runs

    words = chunk.words
    longest, chars, repeats, covered = period_runs(*words, LONGEST_PERIOD, FEWEST_REPEATS)
    return {
        "longest_run": longest,
        "longest_run_chars": chars,
        "most_repeats": repeats,
        "run_share": covered / words.counts.clip(1),
    }
