"""The repetition signals: values by hand, plain Python beside the kernels, and texts made to be bad."""

from collections import Counter
from itertools import groupby

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals import segment
from gristmill.signals.chunk import Chunk, References, Spans
from gristmill.signals.chunk import given as pieces
from gristmill.signals.kernels import repetition as k
from gristmill.signals.repetition import SIGNALS, compute


def signals(text: str, words: list[str] | None = None) -> dict[str, float]:
    chunk = Chunk(pl.DataFrame({"text": [text]}))
    if words is not None:
        chunk.words = pieces([words])
    return {name: float(values[0]) for name, values in compute(chunk, References()).items()}


@pytest.mark.parametrize("text", ["", " \n\n ", "\0\n"])
def test_nothing_repeats_in_nothing(text: str) -> None:
    assert signals(text) == dict.fromkeys(SIGNALS, 0.0)


def test_top_grams() -> None:
    # 11 characters; "a b" and "b a" occur twice, "a b" first; of the 3-grams "a b a" does; no 4-gram does, so the first counts
    found = signals("a b a b a c")
    assert found["top_2gram_char_share"] == 3 * 2 / 11
    assert found["top_3gram_char_share"] == 5 * 2 / 11
    assert found["top_4gram_char_share"] == 7 * 1 / 11


def test_the_first_of_the_most_frequent_grams_counts() -> None:
    assert signals("long word long word a b a b")["top_2gram_char_share"] == 9 * 2 / 27
    assert signals("a b a b long word long word")["top_2gram_char_share"] == 3 * 2 / 27
    assert signals("a b x x x")["top_2gram_char_share"] == 3 * 2 / 9  # three times x: "x x" twice


def test_a_gram_needs_its_words() -> None:
    assert signals("word")["top_2gram_char_share"] == 0
    assert signals("one two")["top_2gram_char_share"] == 1
    assert signals("one two")["top_3gram_char_share"] == 0


def test_duplicate_grams_are_walked_over() -> None:
    # 20 words of one letter, 39 characters: the 5-grams at 0 to 4 are new (their words differ), that at 5 repeats, and so at 10 and 15
    found = signals(" ".join("abcde" * 4))
    assert found["duplicate_5gram_char_share"] == 15 / 39
    assert found["duplicate_6gram_char_share"] == 12 / 39  # at 5 and 11; from 17 on none fits
    assert found["duplicate_10gram_char_share"] == 10 / 39


def test_words_alone_decide_what_is_alike() -> None:
    text = "ab c x y z w a bc x y z"
    assert signals(text)["duplicate_5gram_char_share"] == 0  # "ab c x y z" and "a bc x y z" read alike without spaces
    joined = k.joined_ngram_counts(*pieces([text.split()]))
    assert joined[0, 3] == 6


def test_lines_and_paragraphs() -> None:
    # paragraphs: [A, B] [A, B] [C] [C] [C]; lines: A B A B C C C
    text = "Aa\nB\n\n Aa \r\nB\r\n \t \nC\u2028\u2028C\n\n\n\nC"
    found = signals(text)
    assert found["duplicate_paragraph_share"] == 3 / 5
    assert found["duplicate_paragraph_char_share"] == (3 + 2) / len(text)
    assert found["duplicate_line_share"] == 4 / 7
    assert found["duplicate_line_char_share"] == (3 + 2) / len(text)


def test_paragraphs_differ_by_where_their_lines_are_cut() -> None:
    assert signals("ab\nc\n\na\nbc")["duplicate_paragraph_share"] == 0
    assert signals("a\nb\n\nb\na")["duplicate_paragraph_share"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "word " * 100_000,
        "a " * 300_000,
        "a" * 300_000,
        "to be or not " * 50_000,
        "\n" * 300_000,
        "a\n\n" * 100_000,
        "漢" * 50_000,
        "\u0301 " * 50_000,
    ],
)
def test_shares_are_at_most_one(text: str) -> None:
    assert all(0 <= value <= 1 for value in signals(text).values())


def test_a_given_cut_is_followed() -> None:
    assert signals("xxxxxxxxxx", ["a", "b", "a", "b"])["top_2gram_char_share"] == 6 / 10


WORDS = st.lists(st.lists(st.sampled_from(["a", "b", "ab", "ba", "é", "abcdefghijklmnopq", "漢字"]), max_size=60), max_size=4)


@settings(max_examples=300, deadline=None)
@given(WORDS)
def test_ngrams_are_those_of_plain_python(texts: list[list[str]]) -> None:
    spans: Spans = pieces(texts)
    alike, joined = k.ngram_counts(*spans[3:]), k.joined_ngram_counts(*spans)
    dolma = k.ngram_counts(*spans[3:], True)
    for row, words in enumerate(texts):
        top = [_top(words, n) for n in k.TOP]
        assert alike[row].tolist() == top + [_duplicate(words, n, "|") for n in k.DUPLICATE]
        assert joined[row].tolist() == top + [_duplicate(words, n, "") for n in k.DUPLICATE]
        assert dolma[row].tolist() == [_dolma_top(words, n) for n in k.TOP] + [_dolma_repeated(words, n) for n in k.DUPLICATE]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("ab \t\n\r\u2028\x85é漢\x1c", max_size=40), max_size=4))
def test_lines_are_those_of_plain_python(texts: list[str]) -> None:
    chunk = Chunk(pl.DataFrame({"text": texts}, schema={"text": pl.String}))
    counts = k.line_counts(*chunk.bytes, segment.tables().classes)
    for row, text in enumerate(texts):
        lines = [line.strip() for line in text.splitlines()]
        paragraphs = ["\n".join(group) for filled, group in groupby(lines, bool) if filled]
        filled = [line for line in lines if line]
        again_paragraphs, again_lines = _again(paragraphs), _again(filled)
        assert counts[row].tolist() == [
            len(paragraphs), len(again_paragraphs), sum(len(p.replace("\n", "")) for p in again_paragraphs),
            len(filled), len(again_lines), sum(map(len, again_lines)),
        ]  # fmt: skip


def test_the_same_whatever_stands_beside() -> None:
    texts = [["a", "b"] * 30, [], ["c"], ["a", "b", "c"] * 9]
    together = k.joined_ngram_counts(*pieces(texts))
    assert np.array_equal(together, np.concatenate([k.joined_ngram_counts(*pieces([text])) for text in texts]))


def _grams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def _top(words: list[str], n: int) -> int:
    counted = Counter(_grams(words, n)).most_common(1)
    return len(" ".join(counted[0][0])) * counted[0][1] if counted else 0


def _duplicate(words: list[str], n: int, between: str) -> int:
    known, i, chars = set(), 0, 0
    while i + n <= len(words):
        gram = between.join(words[i : i + n])
        if gram in known:
            chars += len("".join(words[i : i + n]))
            i += n
        else:
            known.add(gram)
            i += 1
    return chars


def _dolma_top(words: list[str], n: int) -> int:
    counted = Counter(_grams(words, n)).most_common(1)
    return len("".join(counted[0][0])) * counted[0][1] if counted else 0


def _dolma_repeated(words: list[str], n: int) -> int:
    return sum(count * len("".join(gram)) for gram, count in Counter(_grams(words, n)).items() if count > 1)


def _again(things: list[str]) -> list[str]:
    return [thing for i, thing in enumerate(things) if thing in things[:i]]
