"""Excerpts are told by shingles alone, with their ends cut off and inside of tables; other texts are not."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.crawl.tombstones import Sketch, sketched
from gristmill.lineage.takedown.quotes import Quotes, strings

TEXT = " ".join(f"word{n} of{n % 7} the{n % 5}" for n in range(40))


@pytest.fixture(scope="module")
def quotes() -> Quotes:
    known = sketched(pl.DataFrame({"doc_id": ["x"], "text": [TEXT], "text_hash": [""]})).row(0)
    return Quotes([Sketch(known[1], tuple(known[2]))])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, len(TEXT) - 80), st.integers(80, 300))
def test_any_passage_of_some_length_is_one(quotes: Quotes, start: int, length: int):
    passage = TEXT[start : start + length]
    if passage.count(" ") >= 12:
        assert quotes.among([f"{passage}…"]) == 1
        assert (
            quotes.among([f"| url | text |\n|---|---|\n| a | {passage} |\n| b | something else that is quite long enough to count |"]) == 1
        )


def test_other_texts_and_short_ones_are_none(quotes: Quotes):
    assert quotes.among(["", None, "word1", "a completely different sentence with more than enough words in it"]) == 0
    assert quotes.among([TEXT, "no", TEXT[:200]]) == 2
    assert Quotes([]).among([TEXT]) == 0


def test_strings_are_found_wherever_they_are():
    assert list(strings({"a": ["x", {"b": "y", "c": 3}], "d": None})) == ["x", "y"]
