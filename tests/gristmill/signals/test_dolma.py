"""Dolma's counts: values by hand, and plain Python that reads as its taggers are described."""

import re
from collections import Counter
from statistics import median

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals.chunk import Chunk, References
from gristmill.signals.dolma import SIGNALS, STOP_WORDS, compute


def signals(text: str) -> dict[str, float]:
    return {name: float(values[0]) for name, values in compute(Chunk(pl.DataFrame({"text": [text]})), References()).items()}


def test_empty() -> None:
    assert signals("") == dict.fromkeys(SIGNALS, 0.0)


def test_words() -> None:
    found = signals("The #1 ... the, of… 42 the long")  # lengths 3 2 3 4 3 2 3 4
    assert found["word_count"] == 8
    assert found["median_word_length"] == 3
    assert found["symbol_word_share"] == 2 / 8  # three full stops are none
    assert found["alphabetic_word_share"] == 5 / 8
    assert found["required_word_count"] == 1


def test_the_median_may_lie_between() -> None:
    assert signals("a bb")["median_word_length"] == 1.5
    assert signals("x" * 300)["median_word_length"] == 255  # the most that is told apart


def test_all_copies_of_a_line_count() -> None:
    found = signals("- a\nb…\n\n- a\n\n * c")
    assert found["duplicate_line_share"] == 4 / 6  # "- a" twice, the blank line twice
    assert found["duplicate_line_char_share"] == 6 / 8
    assert found["bullet_line_share"] == 2 / 6
    assert found["ellipsis_line_share"] == 1 / 6
    assert found["duplicate_line_share_v2"] == 2 / 4
    assert found["bullet_line_share_v2"] == 2 / 4


def test_grams() -> None:
    found = signals("a b c d e a b c d e f")
    assert found["top_2gram_char_share"] == 2 * 2 / 11
    assert found["duplicate_5gram_char_share"] == 2 / 7  # "a b c d e" twice, of seven 5-grams
    assert found["duplicate_6gram_char_share"] == 0


TEXT = st.text("ab#*-…. \n\t\u2028\xa0é漢1", max_size=60)
WORDY = st.lists(st.sampled_from(["a", "b", "ab", "the", "of", "\n", "x#", "…"]), max_size=60).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(TEXT, WORDY))
def test_plain_python(text: str) -> None:
    found = signals(text)
    for name, value in _plainly(text).items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


def _plainly(text: str) -> dict[str, float]:
    if not text:
        return dict.fromkeys(SIGNALS, 0.0)
    words = text.split()
    chars = max(len("".join(words)), 1)
    values = {
        "word_count": len(words),
        "median_word_length": median(map(len, words)) if words else 0,
        "symbol_word_share": sum("#" in word or "…" in word for word in words) / max(len(words), 1),
        "alphabetic_word_share": sum(any(map(str.isalpha, word)) for word in words) / max(len(words), 1),
        "required_word_count": sum(word in STOP_WORDS for word in words),
    }
    for suffix, lines in (("", text.split("\n")), ("_v2", re.split(r"\n+", text))):
        copies = Counter(lines)
        values[f"bullet_line_share{suffix}"] = sum(line.startswith(("*", "-")) for line in lines) / len(lines)
        values[f"ellipsis_line_share{suffix}"] = sum(line.endswith("…") for line in lines) / len(lines)
        values[f"duplicate_line_share{suffix}"] = sum(copies[line] > 1 for line in lines) / len(lines)
        values[f"duplicate_line_char_share{suffix}"] = sum(len(line) for line in lines if copies[line] > 1) / chars
    for n in range(2, 11):
        grams = Counter("|".join(words[i : i + n]) for i in range(len(words) - n + 1))
        size = {gram: len(gram) - n + 1 for gram in grams}
        if n < 5:
            top = grams.most_common(1)
            values[f"top_{n}gram_char_share"] = size[top[0][0]] * top[0][1] / chars if top else 0
        else:
            everything = sum(size[gram] * count for gram, count in grams.items())
            repeated = sum(size[gram] * count for gram, count in grams.items() if count > 1)
            values[f"duplicate_{n}gram_char_share"] = repeated / max(everything, 1)
    return values
