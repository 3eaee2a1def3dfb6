"""The C4 signals of a document: Raffel et al. 2020, "Exploring the Limits of Transfer Learning", section 2.2.

| paper | signal | paper's rule |
|---|---|---|
| pages with fewer than 5 sentences (JMLR's text: 3) | sentence_count | at least 5 |
| the phrase "lorem ipsum" | lorem_ipsum | not there |
| a curly bracket | curly_bracket | not there |

and lines by kind, for what the rules about lines (`signals.lines`) would remove: line_count and the counts of lines
with fewer than 3 words, with a word over 1,000 characters, without terminal punctuation, with "javascript", and with a
policy's phrases. A line counts in every kind that it is of; blank lines in none, and not in line_count.

C4 judges a page in one walk over its lines, as datatrove does (0.3 and 0.10 alike): a line that is dropped before the question comes to
it cannot condemn the page. The signals look past such lines in C4's order, whether or not the policy removes them, so
they are read on the **extracted** view: long word, terminal punctuation, fewer than 3 words, then lorem ipsum; javascript,
then the curly bracket; a policy's phrase; what is left counts its sentences. FineWeb leaves out the rule on terminal
punctuation: the signals `any_end_…` are those of C4 without it. datatrove stops at the first of lorem ipsum and the
curly bracket; both are kept here, and lorem ipsum that stands below a curly bracket is 0.5.

**Sentences** (ours; C4 took NLTK's, datatrove takes spaCy's sentencizer): within a line, a run of terminal marks
(`characters.TERMINAL`) with closing quotes, brackets and citation marks after it ends a sentence where white space or
the line's end follows; full stops of scripts that put no space there (`。`) end it in any case. A full stop ends none
after an abbreviation ("Dr.", "vs.", "Fig.") or a single ASCII letter ("J. Smith", "U.S. law", "e.g. this"). The rest of
the line is a sentence if it holds a letter or digit. A line that is not blank has at least one. On pages of
documentation 98% of the lines have as many as by spaCy's sentencizer, which cuts `module.Class` in two.
`chunk.line_sentences` can be set to a peer's counts, one per line.

The rule on bad words is the family of the words' lists. Every signal is 0 for a text without lines.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals import lines
from gristmill.signals.chunk import Chunk, References, Values

VERSION = f"1-{lines.VERSION}"
READS = frozenset({"text"})
VIEW = "extracted"
SIGNALS = {
    "sentence_count": "sentences of the lines that C4 keeps",
    "lorem_ipsum": "1 where such a line says lorem ipsum, 0.5 where one above it holds a {",
    "curly_bracket": "1 where such a line holds a {",
    "any_end_sentence_count": "sentences of the lines that C4 keeps, however they end",
    "any_end_lorem_ipsum": "lorem_ipsum of lines however they end",
    "any_end_curly_bracket": "1 where such a line holds a {, however it ends",
    "line_count": "lines that are not blank",
    "short_line_count": "lines of fewer than 3 words",
    "longword_line_count": "lines with a word of more than 1,000 characters",
    "unterminated_line_count": "lines without terminal punctuation",
    "javascript_line_count": "lines that say javascript",
    "policy_line_count": "lines with a policy's phrase",
}

FEWEST_WORDS = 3
LONGEST_WORD = 1_000


def compute(chunk: Chunk, references: References) -> Values:
    from gristmill.signals.kernels import c4 as k

    lines = chunk.line_table
    counts, found = k.page_counts(
        lines.rows,
        lines.solid_chars,
        lines.word_counts,
        lines.longest_words,
        lines.terminal,
        lines.phrases,
        chunk.line_sentences,
        chunk.frame.height,
        FEWEST_WORDS,
        LONGEST_WORD,
    )
    values: Values = {
        "line_count": counts[:, k.LINES],
        "short_line_count": counts[:, k.SHORT],
        "longword_line_count": counts[:, k.LONG_WORD],
        "unterminated_line_count": counts[:, k.UNTERMINATED],
        "javascript_line_count": counts[:, k.SAYS_JAVASCRIPT],
        "policy_line_count": counts[:, k.SAYS_POLICY],
    }
    for prefix, of in (("", found[0]), ("any_end_", found[1])):
        lorem, curly = of[:, k.LOREM], of[:, k.CURLY]
        values[f"{prefix}sentence_count"] = of[:, k.SENTENCES]
        values[f"{prefix}lorem_ipsum"] = (lorem >= 0) * np.where((curly < 0) | (lorem <= curly), 1.0, 0.5)
        values[f"{prefix}curly_bracket"] = curly >= 0
    return values
