"""How much of a text is Markdown: golden values, and agreement with what the edits remove."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.edits.markdown import find_markdown_edits
from gristmill.signals.compute import compute_families
from gristmill.signals.registry import FAMILIES

NAMES = list(FAMILIES["markdown"])


def rows(*texts: str) -> list[list[float]]:
    frame = pl.DataFrame({"doc_id": [str(n) for n in range(len(texts))], "text": texts}, schema={"doc_id": pl.String, "text": pl.String})
    return [list(row) for row in compute_families(["markdown"], frame)["markdown"].drop("doc_id").rows()]


GOLDEN = {
    # syntax, headings, list items, lines of code, table rows, quotes, links per word
    "": [0, 0, 0, 0, 0, 0, 0],
    "\n \n\t\n": [0, 0, 0, 0, 0, 0, 0],
    "plain text": [0, 0, 0, 0, 0, 0, 0],
    "# Head\n\ntext": [round(2 / 12, 6), 0.5, 0, 0, 0, 0, 0],
    "# head\nof code": [0, 0.5, 0, 0, 0, 0, 0],                            # a line that looks like one
    "- a\n* b\n+ c\n1. d\n2) e\n-f\n1.g\n": [0, 0, round(5 / 7, 6), 0, 0, 0, 0],
    "- \n1234567890. x\n    - deep": [0, 0, 0, 0, 0, 0, 0],
    "```\n# a\n\n- b\n```\nend": [0, 0, 0, 0.8, 0, 0, 0],                  # kept: a heading would come out
    "```\nx\n```\n": [round(8 / 10, 6), 0, 0, 1, 0, 0, 0],
    "| a | b |\n|---|---|\n| c": [round(10 / 23, 6), 0, 0, 0, round(2 / 3, 6), 0, 0],
    "> a\n>> b\n>\n>>> c\nd": [round(7 / 18, 6), 0, 0, 0, 0, 0.6, 0],
    "[a](b) and ![c](d) e": [round(11 / 20, 6), 0, 0, 0, 0, 0, 0.5],
}  # fmt: skip


@pytest.mark.parametrize("text", GOLDEN, ids=ascii)
def test_golden(text: str) -> None:
    assert rows(text) == [GOLDEN[text]]


SYNTAX = ["#", "*", "**", "_", "`", "```", "[", "](", ")", ">", "-", "1.", "|---|", "<!--", "-->", "a", "b_c", "é", "中", " ", "\n", "\n\n"]
MARKDOWN = st.lists(st.sampled_from(SYNTAX), max_size=30).map("".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(MARKDOWN, max_size=4))
def test_syntax_is_what_the_edits_remove(texts: list[str]) -> None:
    found = rows(*texts)
    assert found == [rows(text)[0] for text in texts]
    for text, row in zip(texts, found, strict=True):
        edits = find_markdown_edits(pl.DataFrame({"doc_id": ["a"], "text": [text]}))
        assert row[0] == round(int((edits["end"] - edits["start"]).sum()) / max(len(text), 1), 6)
        assert all(0 <= value <= 1 for value in row[:6]) and row[6] >= 0
        assert sum(row[1:6]) <= 1 + 1e-5  # a line is one thing
