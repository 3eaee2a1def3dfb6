"""The referee of near-duplicate pairs is right, generated copies are the same on every machine, and differences are told apart."""

import numpy as np
import polars as pl
import pytest

from conformance import duplicates
from conformance.copies import KINDS, copies
from conformance.duplicates import Compared, Sketches
from conformance.duplicates_report import TITLE, replaced, section, theory


def sketches(texts: list[tuple[str, str]]) -> Sketches:
    return Sketches(
        "gristmill",
        duplicates._jaccard(*duplicates._exact_shingles(pl.Series([text for _, text in texts]))),
        np.zeros((len(texts), len(texts)), np.bool_),
    )


def test_copies_come_from_the_seed_alone() -> None:
    texts = copies()
    assert texts == copies() and copies(1) != texts
    assert len({name for name, _ in texts}) == len(texts)
    assert {name.split("/")[0] for name, _ in texts} == set(KINDS)


def test_true_jaccard_of_every_pair() -> None:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    texts = [("a", " ".join(words)), ("b", " ".join(words[1:]).upper()), ("c", " ".join(words[:4])), ("d", "一二三四五六"), ("e", "")]
    assert sketches(texts).jaccard[0].tolist() == pytest.approx([0, 4 / 5, 0, 0, 0])
    assert sketches(texts).jaccard[2:].sum() == 0


def test_copies_lie_on_both_sides_of_the_threshold() -> None:
    texts = [text for text in copies() if text[0].startswith("replaced/00")]
    jaccard = sketches(texts).jaccard
    families = [name[:-2] for name, _ in texts]
    inside = np.equal.outer(families, families) & ~np.eye(len(texts), dtype=bool)
    assert 0.2 < (jaccard[inside] >= 0.7).mean() < 0.8
    assert jaccard[~inside].max() < 0.1


def test_theory_is_the_s_curve() -> None:
    assert theory(np.array([0.7, 0.75, 0.8, 0.85, 1.0])).round(2).tolist() == [0.56, 0.77, 0.92, 0.99, 1.0]


def test_differences_are_told_apart() -> None:
    names = ["a b c d e", "a set of numbers 1", "a set of numbers 2", "one with an accent é", "one with an accent e"]
    ours, theirs = np.zeros((5, 5)), np.zeros((5, 5))
    shared_ours, shared_theirs = np.zeros((5, 5), np.bool_), np.zeros((5, 5), np.bool_)
    for i, j, mine, other, by_mine, by_other in (
        (0, 1, 0.6, 0.6, True, True),  # not proven
        (1, 2, 0.2, 1.0, False, True),  # numbers
        (3, 4, 0.2, 1.0, False, True),  # accents
        (0, 3, 0.8, 0.8, False, True),  # our bands miss
        (0, 4, 0.8, 0.8, True, False),  # their bands miss
        (2, 3, 0.9, 0.1, True, False),  # words
        (2, 4, 0.9, 0.9, True, True),
    ):
        for a, b in ((i, j), (j, i)):
            ours[a, b], theirs[a, b], shared_ours[a, b], shared_theirs[a, b] = mine, other, by_mine, by_other
    systems = [Sketches("gristmill", ours, shared_ours), Sketches("peer 1", theirs, shared_theirs)]
    some = Compared("copies", [(name, name) for name in names], systems, np.zeros(1))
    text, _ = section([some])
    rows = [line.split(" | ")[2:5] for line in text.splitlines() if line.startswith("| copies | peer 1 | ") and "`" in line]
    assert rows == [
        ["peer 1", "not proven", "1"],
        ["peer 1", "our bands miss", "1"],
        ["peer 1", "numbers", "1"],
        ["peer 1", "accents", "1"],
        ["gristmill", "their bands miss", "1"],
        ["gristmill", "words", "1"],
    ]


def test_the_section_is_replaced() -> None:
    once = replaced("# Page\n\ntext\n", f"{TITLE}\n\nold\n")
    assert once == f"# Page\n\ntext\n\n{TITLE}\n\nold\n"
    assert replaced(once, f"{TITLE}\n\nnew\n") == f"# Page\n\ntext\n\n{TITLE}\n\nnew\n"
