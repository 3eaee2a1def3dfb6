"""The Gopher signals: golden values counted by hand, a plain reference, and properties on any text."""

import math
import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals.compute import compute_families
from gristmill.signals.registry import FAMILIES
from gristmill.signals.segment import FORMAT, KNOWN, tables

NAMES = list(FAMILIES["gopher"])
STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}


def signals(*texts: str) -> list[dict[str, float]]:
    frame = pl.DataFrame({"doc_id": [str(n) for n in range(len(texts))], "text": texts}, schema={"doc_id": pl.String, "text": pl.String})
    return compute_families(["gopher"], frame)["gopher"].rename(lambda name: name.removeprefix("gopher.")).drop("doc_id").to_dicts()


def row(text: str) -> list[float]:
    return [signals(text)[0][name] for name in NAMES]


GOLDEN = {
    # words, mean length, #/word, .../word, bullet lines, ellipsis lines, alphabetic, stop words
    "": [0, 0, 0, 0, 0, 0, 0, 0],
    " \n\t\u2028\x00\u200b": [0, 0, 0, 0, 0, 0, 0, 0],
    "The end.": [2, 3.5, 0, 0, 0, 0, 1, 1],
    "the THE (that) with, be.": [5, 4, 0, 0, 0, 0, 1, 4],
    "the-end to's of2 thé and\u0301": [5, 4, 0, 0, 0, 0, 1, 0],
    "#a #b c # 1 | - x y z": [10, 1.2, 0.3, 0, 0, 0, 0.6, 0],
    "a... b\u2026\nc ......\n\nd": [5, 2.8, 0, 0.8, 0, 0.666667, 0.8, 0],
    "- a\n  \u2022 b\n* c\nd - e\r\n": [9, 1, 0, 0, 0.75, 0, 0.555556, 0],
    "你好。abc 中文 def": [6, 1.833333, 0, 0, 0, 0, 1, 0],
    "（你）x": [2, 2, 0, 0, 0, 0, 1, 0],
    "สวัสดี": [4, 1, 0, 0, 0, 0, 1, 0],                     # four letters, two vowel signs
    "한국어 문장": [2, 2.5, 0, 0, 0, 0, 1, 0],
    "שלום עולם": [2, 4, 0, 0, 0, 0, 1, 0],
    "e\u0301te\u0301 été": [2, 3, 0, 0, 0, 0, 1, 0],        # decomposed as composed
    "co\u00adop \u200d x": [2, 2.5, 0, 0, 0, 0, 1, 0],      # soft hyphen and joiner are passed over
    "\U00020000\U00020001": [2, 1, 0, 0, 0, 0, 1, 0],
    "😀 a": [2, 1, 0, 0, 0, 0, 0.5, 0],
}  # fmt: skip


@pytest.mark.parametrize("text", GOLDEN, ids=ascii)
def test_golden(text: str) -> None:
    assert row(text) == GOLDEN[text]


def test_one_line_of_many_megabytes() -> None:
    text = "word " * 1_000_000 + "x" * 1_000_000
    found = signals(text)[0]
    assert found["word_count"] == 1_000_001
    assert found["mean_word_length"] == round(5_000_000 / 1_000_001, 6)


SPACED = st.text(st.sampled_from("thebwixTHE.#\u2026-*\u2022 \n\r\té1_9，\u00ad\u0301"), max_size=60)


def reference(text: str) -> list[float]:
    """The same for scripts with spaces, in plain Python."""
    text = text.replace("\u00ad", "")
    words, lines = text.split(), [line for line in text.splitlines() if line.strip()]
    n, m = max(len(words), 1), max(len(lines), 1)
    found = set()
    for word in words:
        core = re.sub(r"^[^\w\u0301]*|[^\w\u0301]*$", "", word.replace("_", "-").lower())
        found |= {core} & STOP_WORDS
    return [
        len(words),
        round(sum(char != "\u0301" for word in words for char in word) / n, 6),
        round(text.count("#") / n, 6),
        round((text.count("...") + text.count("\u2026")) / n, 6),
        round(sum(line.strip()[0] in "•-*" for line in lines) / m, 6),
        round(sum(line.strip().endswith(("...", "\u2026")) for line in lines) / m, 6),
        round(sum(any(char.isalpha() for char in word) for word in words) / n, 6),
        len(found),
    ]


@settings(max_examples=400, deadline=None)
@given(SPACED)
def test_as_a_plain_reference_says(text: str) -> None:
    assert row(text) == reference(text)


ANY = st.text(max_size=40)


@settings(deadline=None)
@given(st.lists(ANY, max_size=6))
def test_finite_for_any_text_and_one_by_one_as_together(texts: list[str]) -> None:
    together = signals(*texts)
    assert all(math.isfinite(value) and value >= 0 for found in together for value in found.values())
    assert together == [signals(text)[0] for text in texts]
    assert list(reversed(together)) == signals(*reversed(texts))


@settings(deadline=None)
@given(ANY, ANY)
def test_words_of_two_lines_add_up(first: str, second: str) -> None:
    a, b, both = signals(first, second, first + "\n" + second)
    assert both["word_count"] == a["word_count"] + b["word_count"]
    assert max(a["stop_word_count"], b["stop_word_count"]) <= both["stop_word_count"] <= a["stop_word_count"] + b["stop_word_count"]
    for name in NAMES[1:4]:
        assert both[name] * both["word_count"] == pytest.approx(a[name] * a["word_count"] + b[name] * b["word_count"], abs=1e-3)


def test_every_code_point_has_a_class() -> None:
    classes, folded = tables()
    assert classes.shape == folded.shape == (KNOWN,)
    assert (classes & 15).max() == 5 and classes[0xAD] & 15 == FORMAT
    assert (folded[folded] == folded).all()  # folding twice is folding once
