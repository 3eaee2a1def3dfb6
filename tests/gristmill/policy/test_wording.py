"""Rules, changes and numbers in words; long names broken where a reader expects it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.policy.folding import folded
from gristmill.policy.rules import Rule
from gristmill.policy.terminal import number
from gristmill.policy.wording import change, condition, exact, fires

SHORT = Rule(name="short", signal="gopher.word_count", when="<", threshold=50)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.65, "0.65"),
        (0.6500001, "0.6500001"),
        (1234567, "1,234,567"),
        (100000000, "100,000,000"),
        (1234567.25, "1,234,567.25"),
        (1e-7, "0.0000001"),
        (-0.0, "0"),
        (-1234.5, "-1,234.5"),
        (1e300, "1e+300"),
        (50, "50"),
    ],
)
def test_thresholds_are_printed_exactly(value, said) -> None:
    assert exact(value) == said


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_printed_is_the_number(value) -> None:
    assert float(exact(value).replace(",", "")) == value


def test_margins_are_printed_without_what_subtraction_leaves() -> None:
    assert [number(value) for value in (0.1 + 0.2, abs(0.65 - 0.6500001), 1234567.5, 1e-15)] == ["0.3", "0.0000001", "1,234,567.5", "1e-15"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (None, {}, "new: gopher.word_count < 50, drop"),
        (
            None,
            {"action": "down_weight", "weight": 0.5, "except_languages": ["en"], "except_sources": ["code"], "by_language": {"de": 40.0}},
            "new: gopher.word_count < 50 (de 40), down-weight 0.5, not for code, language en",
        ),
        ({}, None, "gopher.word_count < 50, now off"),
        ({}, {"threshold": 50.0000001}, "gopher.word_count < 50, now < 50.0000001"),
        ({}, {"except_sources": ["code"]}, "gopher.word_count < 50, now not for code"),
        ({"except_sources": ["code", "web"]}, {"except_sources": ["web"]}, "gopher.word_count < 50, now also for code"),
        (
            {"except_languages": ["en"], "except_sources": ["web"]},
            {"except_sources": ["code"], "threshold": 60.0},
            "gopher.word_count < 50, now < 60, now not for code, now also for web, language en",
        ),
        ({}, {"action": "down_weight", "weight": 0.25}, "gopher.word_count < 50, now down-weight 0.25 (was drop)"),
        ({"by_language": {"de": 40.0}}, {}, "gopher.word_count < 50 (de 40), now < 50"),
    ],
)
def test_a_change_says_what_changed(before, after, said) -> None:
    rules = [None if update is None else SHORT.model_copy(update=update) for update in (before, after)]
    assert change(*rules) == said


def test_conditions_hold_their_languages() -> None:
    assert condition(SHORT.model_copy(update={"by_language": {"ja": 12.5, "de": 40.0}})) == "gopher.word_count < 50 (de 40, ja 12.5)"


@pytest.mark.parametrize(
    ("moved", "counts", "said"),
    [
        ((2, 1, 0, 0), (3, 5), "starts to fire on 2 documents (1 of them dropped by other rules anyway)"),
        ((0, 0, 1, 0), (1, None), "no longer fires on 1 document"),
        ((0, 0, 0, 0), (3, 3), "fires on the same 3 documents"),
        ((0, 0, 0, 0), (0, 0), "fires on nothing, before and after"),
        ((0, 0, 0, 0), (0, None), "fired on nothing"),
        ((0, 0, 0, 0), (None, 0), "fires on nothing"),
    ],
)
def test_where_a_changed_rule_fires(moved, counts, said) -> None:
    columns = ("starts", "starts_elsewhere", "stops", "stops_elsewhere")
    row = dict(zip(columns, moved, strict=True))
    assert fires(row, dict(zip(("fired_before", "fired_after"), counts, strict=True))) == said


@given(st.text("ab/._", max_size=60), st.integers(1, 20))
def test_folding_loses_nothing_and_keeps_to_its_width(text, width) -> None:
    lines = folded(text, width).split("\n")
    assert "".join(lines) == text and all(len(line) <= width for line in lines)


def test_a_url_is_broken_behind_a_slash() -> None:
    assert folded("http://docs.example/a/long/path/page.html", 24) == "http://docs.example/a/\nlong/path/page.html"
    assert folded("gopher.duplicate_paragraph_chars", 20, "._") == "gopher.duplicate_\nparagraph_chars"
