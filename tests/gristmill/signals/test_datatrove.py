"""datatrove's counts: values by hand, and plain Python that reads as its filters are described."""

import re
import string

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals import datatrove_0_3
from gristmill.signals.chunk import Chunk, References
from gristmill.signals.chunk import given as pieces
from gristmill.signals.datatrove import MARKS, SIGNALS, STOP_WORDS, compute


def signals(text: str, words: list[str] | None = None) -> dict[str, float]:
    chunk = Chunk(pl.DataFrame({"text": [text]}))
    if words is not None:
        chunk.tokens = pieces([words])
        chunk.treebank = chunk.tokens
    found = {name: float(values[0]) for name, values in compute(chunk, References()).items()}
    return found | {f"{name}_0_3": float(values[0]) for name, values in datatrove_0_3.compute(chunk, References()).items()}


def test_empty() -> None:
    assert signals("") == dict.fromkeys([*SIGNALS, *(f"{name}_0_3" for name in datatrove_0_3.SIGNALS)], 0.0)


def test_marks_are_no_words_but_count_below_the_line() -> None:
    found = signals("# The end... (of) 3 words!")  # # The end ... ( of ) 3 words !
    assert found["word_count"] == 5
    assert found["mean_word_length"] == (3 + 3 + 2 + 1 + 5) / 5
    assert found["hash_to_word"] == 1 / 10
    assert found["ellipsis_to_word"] == 1 / 10
    assert found["alphabetic_word_share"] == 4 / 10


def test_what_ends_a_sentence_in_other_scripts_is_a_word_to_0_3() -> None:
    found = signals("शब्द । word")
    assert (found["word_count"], found["word_count_0_3"]) == (2, 3)
    assert (found["mean_word_length"], found["mean_word_length_0_3"]) == (4, 3)


def test_stop_words_are_tokens_in_lower_case() -> None:
    found = signals("The the that's the end to (be).")
    assert found["stop_word_count"] == 4  # the, that, to, be
    assert found["stop_word_count_0_3"] == 5


def test_lines_are_counted_blank_ones_too() -> None:
    found = signals(
        " • a...\n\n- b …\r\n* c\n--\n. .."
    )  # "- b …", then "* c" with no bullet of datatrove's, then "--"; ". .." is no ellipsis
    assert found["bullet_line_share"] == 3 / 6
    assert found["ellipsis_line_share"] == 2 / 6


def test_newlines_cut_lines_and_paragraphs_as_they_stand() -> None:
    text = "\n\na\n\na\nb\n\na \n"
    found = signals(text)
    assert found["duplicate_paragraph_share"] == 1 / 3  # a, "a\nb", a: stripped at the end of the text
    assert found["duplicate_paragraph_char_share"] == 1 / len(text)
    assert found["duplicate_line_share"] == 2 / 6  # "", a, a, b, "a ", ""
    assert found["duplicate_line_char_share"] == 1 / len(text)


def test_a_top_gram_may_pass_the_text() -> None:
    assert signals("a " * 50)["top_2gram_char_share"] == 3 * 49 / 100
    assert signals("a " * 50)["top_4gram_char_share"] == 7 * 47 / 100


def test_grams_that_read_alike_are_alike() -> None:
    words = ["ab", "c", "x", "y", "z", "w", "a", "bc", "x", "y", "z"]
    assert signals("x" * 12, words)["duplicate_5gram_char_share"] == 6 / 12


TEXT = st.text("ab#•-*.… \n\r\t\u2028\xa0é漢।T1", max_size=60)
TOKENS = st.lists(
    st.one_of(st.sampled_from([*STOP_WORDS, "The", "ab", "a", "b", "#", "...", "।", "\x00", "1", "٣", "é", "漢字"]), TEXT), max_size=40
)


@settings(max_examples=300, deadline=None)
@given(TEXT, TOKENS)
def test_plain_python(text: str, raw: list[str]) -> None:
    words = [stripped for word in raw if (stripped := word.strip())]
    found = signals(text, words)
    for name, value in _plainly(text, words).items():
        assert found[name] == pytest.approx(value, abs=1e-12), name


def _plainly(text: str, words: list[str]) -> dict[str, float]:
    size, tokens, lines = max(len(text), 1), max(len(words), 1), text.splitlines()
    marks_0_3 = {*MARKS, *map(chr, [*range(9), 11, 12, *range(13, 32), *range(127, 160)])}
    said = [word for word in words if not set(word) <= marks_0_3 | {"।"}]
    said_0_3 = [word for word in words if not set(word) <= marks_0_3]
    paragraphs, pieces_of_lines = _repeats(re.split(r"\n{2,}", text.strip())), _repeats(re.split(r"\n+", text))
    return {
        "char_count": len(text),
        "duplicate_paragraph_share": paragraphs[0],
        "duplicate_paragraph_char_share": paragraphs[1] / size,
        "duplicate_line_share": pieces_of_lines[0],
        "duplicate_line_char_share": pieces_of_lines[1] / size,
        "word_count": len(said),
        "mean_word_length": sum(map(len, said)) / max(len(said), 1),
        "word_count_0_3": len(said_0_3),
        "mean_word_length_0_3": sum(map(len, said_0_3)) / max(len(said_0_3), 1),
        "hash_to_word": text.count("#") / tokens,
        "ellipsis_to_word": (text.count("...") + text.count("…")) / tokens,
        "bullet_line_share": sum(line.lstrip().startswith(("•", "-")) for line in lines) / max(len(lines), 1),
        "ellipsis_line_share": sum(line.rstrip().endswith(("...", "…")) for line in lines) / max(len(lines), 1),
        "alphabetic_word_share": sum(any(map(str.isalpha, word)) for word in words) / tokens,
        "stop_word_count": len({*words} & {*STOP_WORDS}),
        "stop_word_count_0_3": sum(word in STOP_WORDS for word in words),
    }


def _repeats(things: list[str]) -> tuple[float, int]:
    again = [thing for i, thing in enumerate(things) if thing in things[:i]]
    return len(again) / len(things), sum(map(len, again))


def test_marks() -> None:
    assert set(string.punctuation) <= set(MARKS)
    assert len(set(MARKS)) == len(MARKS)
