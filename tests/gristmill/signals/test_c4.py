"""The C4 signals: golden values, sentences by hand, and a plain walk over the lines as the reference."""

import re

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals.c4 import SIGNALS, compute
from gristmill.signals.chunk import Chunk, References

CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


def chunk(*texts: str) -> Chunk:
    return Chunk(pl.DataFrame({"text": texts}, schema={"text": pl.String}))


def signals(text: str) -> dict[str, float]:
    return {name: float(values[0]) for name, values in compute(chunk(text), References()).items()}


def sentences(line: str) -> int:
    return int(chunk(line).line_sentences.sum())


@pytest.mark.parametrize(
    "line, n",
    [("One. Two! Three?", 3), ("no end", 1), ("...", 1), ("Dr. No met J. Smith of the U.S. army, e.g. here.", 1),
     ("It was Fig. 3. And so on.", 2),
     ('He said "no." Then "yes!"', 2), ("v1.4 of module.Class is out", 1), ("Wait... What?!", 2),
     ("True.[1] Also true.[citation needed]", 2),
     ("你好。再见！", 2), ("नमस्ते। फिर मिलेंगे।", 2), ("a. b. cd. ef", 2), ("End. ***", 1), ("Who?Me. Yes.", 2), ("(One.) (Two.)", 2)],
)  # fmt: skip
def test_sentences(line: str, n: int) -> None:
    assert sentences(line) == n


def test_lines_are_asked_in_order() -> None:
    """A line that goes before the question comes cannot condemn the page."""
    assert signals("a {\n")["any_end_curly_bracket"] == 0  # two words
    assert signals("one two {\n")["curly_bracket"] == 0  # no terminal punctuation
    assert signals("one two {\n")["any_end_curly_bracket"] == 1
    assert signals("javascript says {.")["curly_bracket"] == 0
    assert signals("javascript says lorem ipsum.")["lorem_ipsum"] == 1  # asked before javascript
    assert signals("the terms of use {.")["curly_bracket"] == 1  # asked before the policy's phrases
    assert signals("x" * 1001 + " lorem ipsum.")["any_end_lorem_ipsum"] == 0
    assert signals("x" * 1000 + " lorem ipsum.")["lorem_ipsum"] == 1


def test_counts() -> None:
    text = "One line here. And more.\n\nEnable javascript now\nWe use cookies and javascript.\nshort\n" + "y" * 1001 + " two three.\n \n"
    assert signals(text) == {
        "sentence_count": 2, "lorem_ipsum": 0, "curly_bracket": 0, "any_end_sentence_count": 2, "any_end_lorem_ipsum": 0,
        "any_end_curly_bracket": 0, "line_count": 5, "short_line_count": 1, "longword_line_count": 1, "unterminated_line_count": 2,
        "javascript_line_count": 2, "policy_line_count": 1,
    }  # fmt: skip


def test_no_text_and_blank_text_are_zero() -> None:
    for text in ("", "\n", " \u3000\r\n\x1f"):
        assert set(signals(text).values()) == {0.0}
    assert list(compute(chunk(), References())) != [] and set(map(len, compute(chunk(), References()).values())) == {0}


def test_a_peers_sentences_replace_ours() -> None:
    pages = chunk("One two three. Four.\nfive six seven", "", "a b\na b c.")
    pages.line_sentences = np.array([7, 5, 3, 2])
    found = compute(pages, References())
    assert found["sentence_count"].tolist() == [7, 0, 2]
    assert found["any_end_sentence_count"].tolist() == [12, 0, 2]


def walk(text: str, counts: list[int], punctuation: bool) -> tuple[int, float, bool]:
    """Sentences, lorem ipsum and curly bracket over all lines, in C4's order."""
    total, lorem, curly = 0, 0.0, False
    for line, n in zip(text.splitlines(), counts, strict=True):
        words, read = line.split(), CITATION.sub("", line.strip())
        lower = read.lower()
        if any(len(word) > 1000 for word in words) or len(words) < 3:
            continue
        if punctuation and (not read.endswith((".", "?", "!", '"', "'")) or read.endswith("...")):
            continue
        if "lorem ipsum" in lower:
            lorem = lorem or (0.5 if curly else 1.0)
        if "javascript" in lower:
            continue
        curly |= "{" in read
        if not any(phrase in lower for phrase in POLICY):
            total += n
    return total, lorem, curly


PIECES = st.sampled_from(
    ["javascript ", "terms of use ", "lorem ipsum ", "[1]", "[edit]", ".", "...", '"', "{", " ", "\n", "\n", "\r\n", "\u2028", "word ",
     "two words. ", "é ", "。"]
)  # fmt: skip


@given(st.lists(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=40).map("".join)), max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_text_against_a_plain_walk(texts: list[str]) -> None:
    pages = chunk(*texts)
    found = compute(pages, References())
    assert set(found) == set(SIGNALS)
    at = 0
    for row, text in enumerate(texts):
        n = len(text.splitlines())
        counts = pages.line_sentences[at : at + n].tolist()
        assert all((count >= 1) == bool(line.strip()) for count, line in zip(counts, text.splitlines(), strict=True))
        at += n
        for prefix, punctuation in (("", True), ("any_end_", False)):
            names = ("sentence_count", "lorem_ipsum", "curly_bracket")
            assert tuple(found[prefix + name][row] for name in names) == walk(text, counts, punctuation)
