"""Constructed contrasts: each damage keeps what it says it keeps, and agreement counts right."""

from collections import Counter

import polars as pl
import pytest

from gristmill.quality import contrasts
from gristmill.quality.contrasts import KINDS, Contrast, agreement, build

PAIRS = [
    ("alpha", "one"),
    ("beta", "two"),
    ("gamma", "three"),
    ("delta", "four"),
    ("epsilon", "five"),
    ("zeta", "six"),
    ("eta", "seven"),
    ("theta", "eight"),
]
TEXT = "\n".join(f"The {a} of the {b} is a thing that we see, because the {b} needs it. Then the {a} goes away." for a, b in PAIRS)


def passages(*texts: str) -> pl.DataFrame:
    return pl.DataFrame({"doc_id": [f"{i:032x}" for i in range(len(texts))], "passage": list(texts)})


def test_every_kind_is_built_once_for_a_long_passage():
    found = build(passages(TEXT), 10)
    assert [c.kind for c in found] == list(KINDS)
    assert all(c.passage == TEXT and c.damaged != TEXT for c in found)


def test_short_passages_are_left_out_and_do_not_count():
    assert {c.doc_id for c in build(passages("Too short.", TEXT, TEXT + " More."), 1)} == {f"{1:032x}"}


def test_a_damage_is_a_function_of_the_document():
    both = build(passages(TEXT, TEXT), 2)
    assert build(passages(TEXT, TEXT), 2) == both
    first, second = both[: len(KINDS)], both[len(KINDS) :]
    assert [c.damaged for c in first] != [c.damaged for c in second]  # another document, another damage


def test_shuffling_keeps_the_words():
    damaged = {c.kind: c.damaged for c in build(passages(TEXT), 1)}
    for kind in ("shuffled_words", "shuffled_sentences"):
        assert Counter(damaged[kind].split()) == Counter(TEXT.split())
    assert damaged["shuffled_sentences"].count("\n") == TEXT.count("\n")
    assert Counter(damaged["gibberish"]) == Counter(TEXT)


@pytest.mark.parametrize("kind", ["shuffled_words", "shuffled_sentences", "gibberish", "navigation", "keyword_spam"])
def test_length_is_about_kept(kind):
    damaged = next(c.damaged for c in build(passages(TEXT), 1) if c.kind == kind)
    assert abs(len(damaged) - len(TEXT)) < 60


def test_agreement_counts_pairs_and_halves_ties():
    pairs = [Contrast("d", "a", "good", "bad"), Contrast("d", "a", "good", "same"), Contrast("d", "b", "good", "best")]
    table = agreement(pairs, {"good": 3.0, "bad": 1.0, "same": 3.0, "best": 4.0})
    assert table.rows() == [("a", 2, 0.75, 0.5), ("b", 1, 0.0, -1.0), ("all", 3, 0.375, -0.25)]


def test_agreement_of_nothing_is_unknown_not_perfect():
    assert agreement([], {}).rows() == [("all", 0, None, None)]


def test_kinds_are_named_as_their_functions():
    assert all(getattr(contrasts, name) is damage for name, damage in KINDS.items())
