"""Tables for every width: no name is cut, and what does not fit beside goes below or is named as left out."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from gristmill.counting import counted, unit
from gristmill.tables import Column, Row, fold, print_table

URL = "http://docs.example.org/reference/a-long-folder/another-one/page.html"
DOC = "464b9c6ee13989fc6d2a9705a0ed61f5"
COLUMNS = [Column("slot", right=True), Column("topic"), Column("document", long=True, ends="/"), Column("doc_id", long=True, ends="/")]
ROWS = [Row(["1", "software_development", URL, DOC]), Row(["12", "history", "synthetic/stories", DOC[::-1]], "dim")]


def printed(columns: list[Column], rows: list[Row], width: int, title: str = "") -> str:
    console = Console(width=width, file=io.StringIO(), color_system=None)
    print_table(columns, rows, console, title)
    return console.file.getvalue()


def test_a_wide_terminal_has_one_line_a_row():
    text = printed(COLUMNS, ROWS, 160)
    assert f"software_development  {URL}" in text and sum(DOC in line and URL in line for line in text.splitlines()) == 1


@pytest.mark.parametrize("width", [50, 80])
def test_a_narrow_one_has_what_is_long_below_and_whole(width: int):
    text = printed(COLUMNS, ROWS, width)
    assert DOC in text and DOC[::-1] in text and "software_development" in text
    assert URL in "".join(line.strip() for line in text.splitlines()).replace("document ", "")
    assert max(map(len, text.splitlines())) <= width


def test_one_long_column_needs_no_label_and_two_short_ones_share_a_line():
    assert "\n  a sentence of words\n" in printed([Column("asset"), Column("why", long=True)], [Row(["a" * 30, "a sentence of words"])], 34)
    columns = [Column("id"), Column("who", long=True), Column("why", long=True)]
    assert "\n  who Ann  why " in printed(columns, [Row(["t1" * 10, "Ann", "x " * 20])], 62)


def test_what_may_be_spared_is_left_out_and_named():
    columns = [Column("source"), Column("tokens", right=True), Column("p", right=True, spare=1), Column("documents", right=True, spare=2)]
    rows = [Row(["web", "1,234", "0.0123", "99"]), Row(["all", "5,678", "0.5", "100"], "bold", last=True)]
    assert "left out" not in printed(columns, rows, 60) and "99" in printed(columns, rows, 60)
    narrow = printed(columns, rows, 26, "Scores")
    assert "0.0123" in narrow and "99" not in narrow and "For want of room without:" in narrow and "documents" in narrow
    least = printed(columns, rows, 18)
    assert "0.0123" not in least and "1,234" in least


def test_a_cell_of_several_lines_is_one_line_where_the_table_does_not_fit():
    text = printed([Column("asset"), Column("cost", right=True), Column("why", long=True)], [Row(["x" * 30, "1 s\n5 rows", "w " * 30])], 60)
    assert "1 s, 5 rows" in text


@given(st.text("ab./ -", max_size=80), st.integers(1, 40))
def test_folding_loses_nothing_but_spaces_and_keeps_styles(text: str, room: int):
    styled = Text(text)
    styled.stylize("bold")
    lines = fold(styled, room, "./").split("\n", allow_blank=True)
    assert "".join(line.plain for line in lines).replace(" ", "") == text.replace(" ", "")
    assert all(len(line) <= max(room, 1) for line in lines) or len(text) <= room
    assert all(line.spans for line in lines if line.plain)


def test_words_are_broken_at_spaces_and_keys_behind_their_ends():
    assert fold(Text("now policy.thresholds.gopher.lines"), 24, ".").plain == "now\npolicy.thresholds.\ngopher.lines"


def test_counts():
    assert [counted(n, "copy", "copies") for n in (0, 1, 1234)] == ["0 copies", "1 copy", "1,234 copies"]
    assert [counted(1, "document"), counted(2, "document")] == ["1 document", "2 documents"]
    assert [unit(1, "rows"), unit(2, "rows")] == ["row", "rows"]
