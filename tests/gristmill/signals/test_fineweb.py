"""The FineWeb signals: golden values, a plain reference, and a peer's own lines and words."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals.characters import TERMINAL, flags
from gristmill.signals.chunk import Chunk, References
from gristmill.signals.chunk import given as pieces
from gristmill.signals.fineweb import SIGNALS, compute


def chunk(*texts: str) -> Chunk:
    return Chunk(pl.DataFrame({"text": texts}, schema={"text": pl.String}))


def signals(text: str) -> dict[str, float]:
    return {name: float(values[0]) for name, values in compute(chunk(text), References()).items()}


def test_terminals() -> None:
    marks = flags() & TERMINAL != 0
    assert marks.sum() == 159
    assert all(marks[ord(char)] for char in ".!?。！？｡।؟") and not any(marks[ord(char)] for char in "\"'…:;,")


@pytest.mark.parametrize(
    "text, punctuation, short, duplicate, breaks",
    [
        ("", 0, 0, 0, 0),
        (" \n\n\u3000", 0, 0, 0, 0),
        ("One two.", 1, 1, 0, 0),
        ("aa.\nb", 0.5, 1, 0, 1 / 3),                         # aa . b
        ("ab.\n\n cd\nab.\n", 2 / 3, 1, 3 / 8, 3 / 5),        # the blank line is a line break and no line
        ('He said "no."\n…\n...', 1 / 3, 1, 0, None),         # no quotation mark, no ellipsis
        ("x" * 30 + "\n" + "x" * 31 + "\n" + "é" * 31, 0, 1 / 3, 0, 2 / 3),
        ("好。\r\n好。\u2028ok", 2 / 3, 1, 2 / 6, 2 / 5),
    ],
)  # fmt: skip
def test_golden(text: str, punctuation: float, short: float, duplicate: float, breaks: float | None) -> None:
    found = signals(text)
    assert found["line_punctuation_share"] == pytest.approx(punctuation)
    assert found["short_line_share"] == pytest.approx(short)
    assert found["duplicate_line_char_share"] == pytest.approx(duplicate)
    if breaks is not None:
        assert found["newline_to_word"] == pytest.approx(breaks)


def test_the_forms_of_datatrove_0_3_count_blank_lines_and_quotes() -> None:
    found = signals('A line that says "no."\n\n' + "y" * 31 + "!\nz。")
    assert found["all_line_quoted_punctuation_share"] == 0.5
    assert found["all_short_line_share"] == 0.75


def test_a_peers_lines_and_words_replace_ours() -> None:
    pages = chunk("ignored", "ignored too")
    pages.lines = pieces([["one. ", "  ", "two", "two"], [""]])
    pages.tokens = pieces([["one", ".", "two", "two"], []])
    found = compute(pages, References())
    assert found["line_punctuation_share"].tolist() == [0, 0]  # the blank behind the full stop is the line's
    assert found["duplicate_line_char_share"].tolist() == [3 / 13, 0]
    assert found["newline_to_word"].tolist() == [3 / 4, 0]
    assert found["all_short_line_share"].tolist() == [1, 1]


def reference(text: str) -> dict[str, float]:
    lines = [line.strip() for line in text.strip().splitlines()]
    filled = [line for line in lines if line]
    seen: set[str] = set()
    repeated = 0
    for line in filled:
        repeated += len(line) if line in seen else 0
        seen.add(line)
    ends = sum(ord(line[-1]) < len(flags()) and bool(flags()[ord(line[-1])] & TERMINAL) for line in filled)
    return {
        "line_punctuation_share": ends / max(len(filled), 1),
        "short_line_share": sum(len(line) <= 30 for line in filled) / max(len(filled), 1),
        "duplicate_line_char_share": repeated / max(sum(map(len, lines)), 1),
        "all_line_quoted_punctuation_share": sum(line.endswith((".", "'", '"', "!", "?")) for line in lines) / max(len(lines), 1),
        "all_short_line_share": sum(len(line) <= 30 for line in lines) / max(len(lines), 1),
    }


PIECES = st.sampled_from(
    ["line. ", "line", "。", '"', "…", "\n", "\n\n", "\r\n", "\u2028", " ", "\u3000", "x" * 29, "é", "😀", "\x1f", "\x00"]
)


@given(st.lists(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=30).map("".join)), max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_text_against_a_plain_reference(texts: list[str]) -> None:
    pages = chunk(*texts)
    found = compute(pages, References())
    assert set(found) == set(SIGNALS)
    for row, text in enumerate(texts):
        expected = reference(text)
        assert {name: found[name][row] for name in expected} == pytest.approx(expected)
        assert 0 <= found["newline_to_word"][row] <= len(text)
        given_lines = chunk(text)
        given_lines.lines = pieces([[line.strip() for line in text.strip().splitlines()]])
        assert all(values[0] == found[name][row] for name, values in compute(given_lines, References()).items())
