"""Signals of a line: what rules with the action `edit` read, before the clean view exists.

| rule | signal | defined by |
|---|---|---|
| at least 3 words (JMLR's text: 5) | word_count | Raffel et al. 2020, section 2.2 |
| no word over 1,000 characters | longest_word | C4's code |
| ends in a terminal punctuation mark | terminal_punctuation | Raffel et al. 2020, section 2.2 |
| no "javascript" | javascript | Raffel et al. 2020, section 2.2 |
| no "terms of use", "privacy policy", ... | policy_phrase | Raffel et al. 2020, section 2.2, and C4's code |
| not mainly upper case | uppercase_share | Penedo et al. 2023, RefinedWeb, appendix G.2 |
| not only numbers | number_share | same |
| no counter ("3 likes") | counter | same |
| more than one word | lone_word | same |
| at most 10 words and a menu's phrase | menu_phrase | same |

A line is what `str.splitlines` cuts, a word what `str.split` does, length is in code points. As in C4's code, citation
marks (`[1]`, `[]`, `[edit]`, `[citation needed]`) count as part of words and characters but are not there for
terminal_punctuation and the phrases, and white space around the line is not either; what stood before a mark at the
line's end is ("Foo. [1]" ends in a blank). Terminal punctuation is `. ? ! " '`, and three full stops are none; the paper
has no `'`, C4's code and datatrove do. Phrases are found in upper and lower case alike.

RefinedWeb names the kinds of line and one example each. Our patterns: a counter is numbers with a noun of
`line_phrases.COUNTED_NOUNS`, one or several ("1.2k views · 3 comments"), and nothing else; a menu's phrase stands at the
line's start (`line_phrases.AT_START`), end (`AT_END`) or anywhere. RefinedWeb cuts the phrase out of the line, we
remove the line. Shares are of the characters that are not white space (DCLM's are of all).

A blank line has 0 everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gristmill.signals import characters, line_phrases
from gristmill.signals.chunk import Chunk

VERSION = f"1-{characters.VERSION}"

LINE_SIGNALS: dict[str, str] = {
    "line.word_count": "words between white space",
    "line.longest_word": "characters of the longest word",
    "line.terminal_punctuation": "1 where the line ends in . ? ! or a quotation mark, and not in ...",
    "line.javascript": "1 where it says javascript",
    "line.policy_phrase": "1 where it speaks of terms of use, a privacy or cookie policy, or the use of cookies",
    "line.lorem_ipsum": "1 where it says lorem ipsum",
    "line.curly_bracket": "1 where it holds a {",
    "line.uppercase_share": "share of its characters that are upper-case letters",
    "line.number_share": "share of its characters that are numbers",
    "line.counter": '1 where it is a counter, as "3 likes"',
    "line.lone_word": "1 where it is a single word",
    "line.menu_phrase": "1 where it has at most 10 words and a menu's phrase (sign in, read more, items in cart)",
}

_TERMINAL = np.isin(np.arange(256), list(b".?!\"'"))
_MENU_WORDS = 10
_NOUNS = "|".join(f"{noun}s?" for noun in line_phrases.COUNTED_NOUNS)
_COUNTER = re.compile(rf"\W*(?:\d[\d.,]*(?:\s?[kmb])?\s+(?:{_NOUNS})\b\W*)+", re.IGNORECASE)
_MENU = re.compile(
    rf"\A\W*(?:{'|'.join(line_phrases.AT_START)})\b|\b(?:{'|'.join(line_phrases.AT_END)})\W*\Z|\b(?:{'|'.join(line_phrases.ANYWHERE)})\b",
    re.IGNORECASE,
)


class Lines(NamedTuple):
    """Every line of a chunk, in order. `rows`: its text; `starts`, `ends`, `nexts`: its first character, the one after
    it and the one after its line end; `spans`: its bytes without white space around; `counts`: see the kernel."""

    rows: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    nexts: npt.NDArray[np.int64]
    spans: npt.NDArray[np.int64]
    word_counts: npt.NDArray[np.int32]
    longest_words: npt.NDArray[np.int32]
    solid_chars: npt.NDArray[np.int32]
    uppercase: npt.NDArray[np.int32]
    numeric: npt.NDArray[np.int32]
    terminal: npt.NDArray[np.bool_]
    phrases: npt.NDArray[np.uint8]

    def say(self, phrase: int) -> npt.NDArray[np.bool_]:
        """Whether each line holds a phrase of `line_phrases`."""
        return (self.phrases & phrase) != 0


def lines_of(data: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> Lines:
    """The lines of a byte column of texts."""
    from gristmill.signals.kernels.lines import line_table

    rows, ends, spans, tails, counts, found = line_table(data, offsets, characters.flags(), *line_phrases.automaton())
    terminal = _TERMINAL[tails & 0xFF] & (tails != 0x2E2E2E)
    starts, stops, nexts = ends
    words, longest, solid, upper, numeric = counts
    return Lines(rows, starts, stops, nexts, spans, words, longest, solid, upper, numeric, terminal, found)


def line_signals(chunk: Chunk, names: Iterable[str] = LINE_SIGNALS) -> pl.DataFrame:
    """row (of the chunk), start, end, next (characters; `next` is after the line end) and the named signals (Float64), one row per line."""
    lines = chunk.line_table
    solid = np.maximum(lines.solid_chars, 1)
    values: dict[str, Callable[[], npt.NDArray[Any]]] = {
        "line.word_count": lambda: lines.word_counts,
        "line.longest_word": lambda: lines.longest_words,
        "line.terminal_punctuation": lambda: lines.terminal,
        "line.javascript": lambda: lines.say(line_phrases.JAVASCRIPT),
        "line.policy_phrase": lambda: lines.say(line_phrases.POLICY),
        "line.lorem_ipsum": lambda: lines.say(line_phrases.LOREM_IPSUM),
        "line.curly_bracket": lambda: lines.say(line_phrases.CURLY_BRACKET),
        "line.uppercase_share": lambda: lines.uppercase / solid,
        "line.number_share": lambda: lines.numeric / solid,
        "line.counter": lambda: _matching(chunk, lines.say(line_phrases.COUNTED) & (lines.numeric > 0), _COUNTER.fullmatch),
        "line.lone_word": lambda: lines.word_counts == 1,
        "line.menu_phrase": lambda: _matching(chunk, lines.say(line_phrases.MENU), _MENU.search),
    }
    places = {"row": lines.rows, "start": lines.starts, "end": lines.ends, "next": lines.nexts}
    return pl.DataFrame({**places, **{name: values[name]().astype(np.float64) for name in names}})


def _matching(chunk: Chunk, may: npt.NDArray[np.bool_], pattern: Callable[[str], object]) -> npt.NDArray[np.bool_]:
    """Which of the lines that may match a pattern do: short ones alone, so few that they are looked at one by one."""
    lines, data = chunk.line_table, chunk.bytes.data
    found = np.zeros(len(lines.rows), np.bool_)
    for line in np.flatnonzero(may & (lines.word_counts <= _MENU_WORDS)):
        first, last = lines.spans[line]
        found[line] = pattern(data[first:last].tobytes().decode()) is not None
    return found
