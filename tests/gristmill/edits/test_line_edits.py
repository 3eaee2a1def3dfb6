"""Lines and citation marks as edits: spans by hand, and the clean view against a plain C4 clean."""

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill import views
from gristmill.edits.citations import find_citations
from gristmill.edits.lines import find_line_edits
from gristmill.edits.spans import SCHEMA, apart_from
from gristmill.errors import RecipeError
from gristmill.policy.profiles import refinedweb
from gristmill.policy.profiles.c4 import ANY_END_LINE_RULES, LINE_RULES
from gristmill.policy.rules import Rule

CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
SHORT = Rule(name="short", signal="line.word_count", when="<", threshold=2, action="edit")


def documents(*texts: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"doc_id": [str(n) for n in range(len(texts))], "text": texts, "text_hash": ["-"] * len(texts)},
        schema={"doc_id": pl.String, "text": pl.String, "text_hash": pl.String},
    )


def spans(edits: pl.DataFrame) -> list[tuple[int, int, str]]:
    return edits.select("start", "end", "rule").rows()


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a b\nx\nc d", [(4, 6)]),
        ("x\na b\n", [(0, 2)]),
        ("a b\nx", [(3, 5)]),                    # the line end before it
        ("a b\nx\n\ny", [(3, 5), (5, 6), (6, 8)]),
        ("a b\nx\n", [(4, 6)]),
        ("x\r\ny", [(0, 3), (3, 4)]),            # nothing stays
        ("x\r\ny\r\n", [(0, 3), (3, 6)]),
        ("é😀\u2028a b", [(0, 3)]),
        ("\n", [(0, 1)]),
        ("\nx", [(0, 1), (1, 2)]),
        ("", []),
    ],
)  # fmt: skip
def test_a_line_goes_with_its_line_end(text: str, expected: list[tuple[int, int]]) -> None:
    edits = find_line_edits(documents(text), [SHORT])
    assert [(start, end) for start, end, _ in spans(edits)] == expected


def test_the_first_rule_that_fires_names_the_edit() -> None:
    text = "one javascript\nenable javascript now.\nno end here\nAll is well now."
    edits = find_line_edits(documents(text), LINE_RULES)
    assert spans(edits) == [(0, 15, "c4.terminal_punctuation"), (15, 38, "c4.javascript"), (38, 50, "c4.terminal_punctuation")]
    assert edits.schema == SCHEMA


def test_the_line_corrections_of_refinedweb_leave_blank_lines_alone() -> None:
    text = "HOME AND GARDEN\n\n2024\n12 likes\nGarden\nSign in to vote\nRoses want sun.\n"
    edits = find_line_edits(documents(text), refinedweb.LINE_RULES)
    assert edits["rule"].to_list() == [
        f"refinedweb.{of}" for of in ("uppercase_lines", "number_lines", "counter_lines", "lone_words", "menu_lines")
    ]
    assert views.clean(documents(text), edits)["text"].to_list() == ["\nRoses want sun.\n"]


def test_no_rule_no_document_no_edit() -> None:
    assert find_line_edits(documents("x"), []).is_empty()
    assert find_line_edits(documents(), LINE_RULES).schema == SCHEMA


def test_a_signal_that_no_line_has_is_an_error() -> None:
    with pytest.raises(RecipeError, match="word_cuont"):
        find_line_edits(documents("x"), [Rule(name="typo", signal="line.word_cuont", when="<", threshold=2, action="edit")])


def test_citation_marks() -> None:
    edits = find_citations(documents("é[1] x[] [edit][citation needed] [a] [[2]] [١٢] [1 [Edit]", "none"))
    assert [(start, end) for start, end, _ in spans(edits)] == [(1, 4), (6, 8), (9, 15), (15, 32), (38, 41), (43, 47)]
    assert edits["rule"].unique().to_list() == ["strip.citations"]


def test_a_removed_line_swallows_what_is_in_it() -> None:
    def rows(*found: tuple[str, int, int, str, str]) -> pl.DataFrame:
        return pl.DataFrame(found, schema=SCHEMA, orient="row")

    lines = rows(("a", 5, 10, "", "line"), ("a", 10, 12, "", "line"), ("b", 0, 3, "", "line"))
    others = rows(
        ("a", 0, 2, "x", "s"), ("a", 3, 6, "y", "s"), ("a", 7, 8, "z", "s"), ("a", 9, 14, "w", "s"), ("a", 20, 21, "", "s"),
        ("b", 3, 3, "i", "s"),
        ("b", 0, 0, "j", "s"), ("c", 1, 2, "", "s"),
    )  # fmt: skip
    assert apart_from(lines, others).rows() == [
        ("a", 0, 2, "x", "s"), ("a", 3, 5, "y", "s"), ("a", 5, 10, "", "line"), ("a", 10, 12, "", "line"), ("a", 12, 14, "w", "s"),
        ("a", 20, 21, "", "s"), ("b", 0, 3, "", "line"), ("b", 3, 3, "i", "s"), ("c", 1, 2, "", "s"),
    ]  # fmt: skip
    assert apart_from(rows(), others).height == others.height
    assert apart_from(lines, rows()).rows() == lines.rows()


def test_a_span_around_a_removed_one_keeps_both_sides() -> None:
    def rows(*found: tuple[str, int, int, str, str]) -> pl.DataFrame:
        return pl.DataFrame(found, schema=SCHEMA, orient="row")

    found = apart_from(rows(("a", 4, 6, "", "line")), rows(("a", 2, 9, "x", "s")))
    assert found.rows() == [("a", 2, 4, "x", "s"), ("a", 4, 6, "", "line"), ("a", 6, 9, "", "s")]


def c4_clean(text: str, punctuation: bool) -> str:
    """The lines that stay, without citation marks, with their own line ends."""
    kept, last_stays = [], True
    for whole in text.splitlines(keepends=True):
        line = whole.splitlines()[0]
        words, read = line.split(), CITATION.sub("", line.strip())
        lower = read.lower()
        last_stays = not (
            any(len(word) > 1000 for word in words)
            or (punctuation and (not read.endswith((".", "?", "!", '"', "'")) or read.endswith("...")))
            or len(words) < 3
            or "javascript" in lower
            or any(phrase in lower for phrase in POLICY)
        )
        if last_stays:
            kept.append((CITATION.sub("", line), whole[len(line) :]))
    if kept and not last_stays and whole == line:  # the text does not end in a line end, and will not
        kept[-1] = (kept[-1][0], "")
    return "".join(line + end for line, end in kept)


PIECES = st.sampled_from(
    ["a ", "b ", "word ", "Terms of Use ", "javascript ", "[1]", "[edit]", "[citation needed]", "[", ".", '"', "...", " ", "\n", "\n",
     "\r\n", "\r", "\u2028",
     "\x85", "é ", "中 ", "x" * 1001, "\u3000"]
)  # fmt: skip


@given(st.lists(st.one_of(st.text(max_size=80), st.lists(PIECES, max_size=40).map("".join)), max_size=4), st.booleans())
@settings(max_examples=300, deadline=None)
def test_the_clean_view_is_a_plain_c4_clean(texts: list[str], punctuation: bool) -> None:
    pages = documents(*texts)
    edits = apart_from(find_line_edits(pages, LINE_RULES if punctuation else ANY_END_LINE_RULES), find_citations(pages))
    cleaned = views.clean(pages, edits)["text"].to_list()
    assert cleaned == [c4_clean(text, punctuation) for text in texts]
