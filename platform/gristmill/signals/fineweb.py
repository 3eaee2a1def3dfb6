"""The FineWeb signals: Penedo et al. 2024, "The FineWeb Datasets", section 3.6, and datatrove's FineWebQualityFilter.

| paper | signal | paper's rule | datatrove 0.3 | datatrove 0.10 |
|---|---|---|---|---|
| lines ending with punctuation | line_punctuation_share | dropped at <= 0.12 | all_line_quoted_punctuation_share <= 0.12 | < 0.12 |
| characters in duplicated lines | duplicate_line_char_share | >= 0.1 | >= 0.01 | > 0.01 |
| lines shorter than 30 characters | short_line_share | >= 0.67 | all_short_line_share >= 0.67 | > 0.67 |
| (code only) line breaks per word | newline_to_word | | > 0.3 | > 0.3 |

Read on the clean view, after C4's rules about lines, as in FineWeb's pipeline. A line (`chunk.lines`) is what
`str.splitlines` cuts, without the white space around it; datatrove splits at `\\n`, which is the same after C4's rules.
Short is at most 30 characters. Duplicated are all copies after the first. Punctuation is one of `characters.TERMINAL`:
neither quotation marks nor the ellipsis. Blank lines do not count, but for the line breaks and in the `all_` signals, which are datatrove
0.3's: there the denominators count blank lines, and `. ' " ! ?` are the punctuation. Line breaks are those between the first
and the last line that are not blank; words are `chunk.tokens`, punctuation marks counted, as there.

One difference stays: where C4's citation marks stood at a line's edge behind a blank ("text. [1]"), datatrove has left that
blank in the line, which then ends in no punctuation; here it is white space around the line. Set `chunk.lines` to the peer's lines (and
`chunk.tokens` to its words) and the signals are the peer's. Every signal is 0 for a blank text.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals import characters, tokens
from gristmill.signals.chunk import Chunk, References, Values

VERSION = f"1-{characters.VERSION}-{tokens.VERSION}"
READS = frozenset({"text"})
SIGNALS = {
    "line_punctuation_share": "share of lines that end in terminal punctuation",
    "short_line_share": "share of lines of at most 30 characters",
    "duplicate_line_char_share": "characters of lines that were there before, per character of all lines",
    "newline_to_word": "line breaks per word, punctuation marks counted as words",
    "all_line_quoted_punctuation_share": "share of lines, blank ones too, that end in . ' \" ! or ?",
    "all_short_line_share": "share of lines, blank ones too, of at most 30 characters",
}

SHORT = 30


def compute(chunk: Chunk, references: References) -> Values:
    from gristmill.signals.kernels import fineweb as k

    counts = k.line_counts(*chunk.lines, characters.flags(), SHORT)

    def share(of: int, among: int) -> np.ndarray:
        return counts[:, of] / np.maximum(counts[:, among], 1)

    breaks = np.maximum(counts[:, k.LINES] - 1, 0)
    return {
        "line_punctuation_share": share(k.ENDED, k.FILLED),
        "short_line_share": share(k.SHORT_FILLED, k.FILLED),
        "duplicate_line_char_share": share(k.REPEATED_CHARS, k.CHARS),
        "newline_to_word": breaks / np.maximum(chunk.token_counts, 1),
        "all_line_quoted_punctuation_share": share(k.QUOTED, k.LINES),
        "all_short_line_share": share(k.SHORT, k.LINES),
    }
