"""What C4 counts of a text's lines, in the order in which it asks."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import compiled
from gristmill.signals.line_phrases import CURLY_BRACKET, JAVASCRIPT, LOREM_IPSUM, POLICY

LINES, SHORT, LONG_WORD, UNTERMINATED, SAYS_JAVASCRIPT, SAYS_POLICY, N_COUNTS = range(7)
SENTENCES, LOREM, CURLY, N_FOUND = range(4)
_NEVER = -1


@compiled
def page_counts(rows, solid, words, longest, terminal, phrases, sentences, documents, fewest_words, longest_word):  # type: ignore[no-untyped-def]
    """int64 [documents, N_COUNTS] of the lines of each kind, and int64 [2, documents, N_FOUND] of lines however they end (1) or in
    a terminal mark (0): the sentences of those that C4 keeps, and which line (-1: none) is the first that says lorem ipsum
    or holds a curly bracket where C4 comes to ask."""
    counts = np.zeros((documents, N_COUNTS), np.int64)
    found = np.zeros((2, documents, N_FOUND), np.int64)
    found[:, :, LOREM] = _NEVER
    found[:, :, CURLY] = _NEVER
    for line in range(len(rows)):
        row, says = rows[line], phrases[line]
        short, long = words[line] < fewest_words, longest[line] > longest_word
        count = counts[row]
        filled = solid[line] > 0
        count[LINES] += filled
        count[SHORT] += filled and short
        count[LONG_WORD] += long
        count[UNTERMINATED] += filled and not terminal[line]
        count[SAYS_JAVASCRIPT] += says & JAVASCRIPT != 0
        count[SAYS_POLICY] += says & POLICY != 0
        if short or long:
            continue
        for any_end in range(0 if terminal[line] else 1, 2):
            out = found[any_end, row]
            if says & LOREM_IPSUM and out[LOREM] == _NEVER:
                out[LOREM] = line
            if says & JAVASCRIPT:
                continue
            if says & CURLY_BRACKET and out[CURLY] == _NEVER:
                out[CURLY] = line
            if not says & POLICY:
                out[SENTENCES] += sentences[line]
    return counts, found
