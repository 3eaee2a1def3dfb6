"""Signals of lines: golden values counted by hand, and a plain reference over any text."""

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals import line_phrases
from gristmill.signals.chunk import Chunk
from gristmill.signals.lines import LINE_SIGNALS, line_signals

CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


def table(*texts: str) -> pl.DataFrame:
    return line_signals(Chunk(pl.DataFrame({"text": texts}, schema={"text": pl.String})))


def one(line: str) -> dict[str, float]:
    found = table(line)
    assert found.height == 1
    return {name.removeprefix("line."): value for name, value in found.row(0, named=True).items()}


def test_places_are_characters_and_lines_are_those_of_splitlines() -> None:
    text = "é€😀\r\n\nx\u2028 y \x85z"
    found = table("", text, "\n", "last")
    assert found.select("row", "start", "end", "next").rows() == [
        (1, 0, 3, 5), (1, 5, 5, 6), (1, 6, 7, 8), (1, 8, 11, 12), (1, 12, 13, 13), (2, 0, 0, 1), (3, 0, 4, 4),
    ]  # fmt: skip


def test_every_signal_is_there_and_zero_for_a_blank_line() -> None:
    found = table(" \t\u3000\n")
    assert found.columns == ["row", "start", "end", "next", *LINE_SIGNALS]
    assert set(found.select(*LINE_SIGNALS).row(0)) == {0.0}


@pytest.mark.parametrize(
    "line, words, longest",
    [("a bb  ccc", 3, 3), ("  x\u00a0y\u3000z ", 3, 1), ("e\u0301e\u0301 😀", 2, 4), ("see [citation needed] it", 4, 9), ("a[12]b", 1, 6),
     ("a\u200bb\x00c", 1, 5), ("你好 世界", 2, 2)],
)  # fmt: skip
def test_words(line: str, words: int, longest: int) -> None:
    assert (one(line)["word_count"], one(line)["longest_word"]) == (words, longest)


@pytest.mark.parametrize(
    "line, ends",
    [("So.", 1), ("So!", 1), ("So?", 1), ('"So"', 1), ("so'", 1), ("so...", 0), ("so ..", 1), ("so....", 0), ("so…", 0), ("so。", 0),
     ("so:", 0),
     ("So. \t", 1), ("So.[1]", 1), ("So. [1]", 0), ("So[1]...", 0), ("..[1].", 0), ("[1]", 0), (" .", 1), ("So.[edit][citation needed]", 1),
     ("So.[2", 0), ("So.[٣]", 1)],
)  # fmt: skip
def test_terminal_punctuation_as_c4_reads_it(line: str, ends: int) -> None:
    assert one(line)["terminal_punctuation"] == ends


@pytest.mark.parametrize(
    "line, signal, there",
    [("Enable JavaScript!", "javascript", 1), ("java script", "javascript", 0), ("javaſcript", "javascript", 0),
     ("JAVASCR\u0130PT", "javascript", 0),
     ("We use cooKies", "policy_phrase", 1), ("we use coo\u212aies", "policy_phrase", 1), ("we use  cookies", "policy_phrase", 0),
     ("our Privacy[1] Policy", "policy_phrase", 1), ("lorem[edit] ipsum", "lorem_ipsum", 1), ("lorem [edit] ipsum", "lorem_ipsum", 0),
     ("xLorem Ipsumx", "lorem_ipsum", 1), ("lo lorem ipsum", "lorem_ipsum", 1), ("a{", "curly_bracket", 1), ("}", "curly_bracket", 0)],
)  # fmt: skip
def test_phrases(line: str, signal: str, there: int) -> None:
    assert one(line)[signal] == there


@pytest.mark.parametrize(
    "line, signal, value",
    [("AB cd", "uppercase_share", 0.5), ("ÀÉ ß中", "uppercase_share", 0.5), ("12 ½x", "number_share", 0.75), ("2024", "number_share", 1),
     ("3 likes", "counter", 1), ("1.2K views · 3 comments", "counter", 1), ("(12 Replies)", "counter", 1), ("likes 3", "counter", 0),
     ("3 likes a day", "counter", 0), ("three likes", "counter", 0), ("word", "lone_word", 1), ("two words", "lone_word", 0),
     ("Sign in", "menu_phrase", 1), ("» Log in to vote", "menu_phrase", 1), ("Sign into law", "menu_phrase", 0),
     ("We sign in blood", "menu_phrase", 0),
     ("All our news. Read more...", "menu_phrase", 1), ("Read more books", "menu_phrase", 0), ("bread more", "menu_phrase", 0),
     ("3 items in cart (£0)", "menu_phrase", 1), ("one two three four five six seven eight read more", "menu_phrase", 1),
     ("one two three four five six seven eight nine read more", "menu_phrase", 0)],
)  # fmt: skip
def test_line_corrections_of_refinedweb(line: str, signal: str, value: float) -> None:
    assert one(line)[signal] == value


def reference(line: str) -> dict[str, float]:
    words, solid = line.split(), [char for char in line if not char.isspace()]
    read = CITATION.sub("", line.strip())
    lower = read.lower()
    return {
        "word_count": len(words),
        "longest_word": max(map(len, words), default=0),
        "terminal_punctuation": read.endswith((".", "?", "!", '"', "'")) and not read.endswith("..."),
        "javascript": "javascript" in lower,
        "policy_phrase": any(phrase in lower for phrase in POLICY),
        "lorem_ipsum": "lorem ipsum" in lower,
        "curly_bracket": "{" in read,
        "uppercase_share": sum(map(str.isupper, solid)) / max(len(solid), 1),
        "number_share": sum(map(str.isnumeric, solid)) / max(len(solid), 1),
        "lone_word": len(words) == 1,
    }


PIECES = st.sampled_from(
    ["javascript", "java", "Terms of", " use", "lorem", " ipsum", "use ", "of ", "cookies", "privacy policy", "[1]", "[", "]", "[edit]",
     "[citation needed]",
     "[٣]", "...", ".", "!", '"', "'", "{", " ", "\n", "\r\n", "\r", "\u2028", "\x85", "\x1c", "\u3000", "\x1f", "\u212a", "\u0130",
     "é", "中", "😀", "A", "7"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=30).map("".join))


@given(st.lists(TEXTS, max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_text_against_a_plain_reference(texts: list[str]) -> None:
    found = table(*texts)
    expected = []
    for row, text in enumerate(texts):
        at = 0
        for line in text.splitlines(keepends=True):
            content = line.splitlines()[0]
            expected.append((row, at, at + len(content), at + len(line), reference(content)))
            at += len(line)
    assert found.select("row", "start", "end", "next").rows() == [line[:4] for line in expected]
    for name in expected[0][4] if expected else ():
        assert found[f"line.{name}"].to_list() == pytest.approx([float(line[4][name]) for line in expected]), name


def test_the_automaton_finds_what_a_search_finds() -> None:
    """Phrases inside and across each other, for each bit."""
    step, found = line_phrases.automaton()
    text = "use of use cookies; unlikely: lorem lorem ipsum; login in terms of terms of use; replies"
    state, seen = 0, []
    for at, byte in enumerate(text.encode()):
        state = int(step[state + byte])
        seen += [(at, bit) for bit in range(8) if found[state >> 7] >> bit & 1]
    expected = []
    for bit, phrases in ((0, ("lorem ipsum",)), (2, POLICY), (4, line_phrases.AT_START), (5, line_phrases.COUNTED_NOUNS)):
        expected += [(m.start() + len(p) - 1, bit) for p in phrases for m in re.finditer(f"(?={re.escape(p)})", text)]
    assert sorted(set(expected)) == sorted(seen)


def test_one_line_of_many_megabytes() -> None:
    found = one("x" * 2_000_000 + " " + "y " * 500_000)
    assert (found["word_count"], found["longest_word"]) == (500_001, 2_000_000)
