"""Profiles decide as the peers they are named after did when `make conformance` recorded them; no peer is installed here."""

from collections import Counter
from functools import cache
from typing import Any

import pytest

from conformance import golden
from conformance.compare import ALL, OWN, Conformance, agreement, compare
from conformance.profiles import CONFORMANCES
from conformance.report import ENOUGH

CASES = [pytest.param(each, id=each.profile) for each in CONFORMANCES]


@cache
def recorded(name: str) -> dict[str, dict[str, Any]]:
    return golden.read(golden.FOLDER / f"{name}.json.xz")


def decisions(of: Conformance) -> tuple[list[tuple[str, str]], list[dict[str, Any]]]:
    found = recorded(f"{of.peer.name}-{of.peer.version}")
    return [(name, decision["text"]) for name, decision in found.items()], list(found.values())


@pytest.mark.parametrize("of", CASES)
def test_most_texts_are_what_they_were_when_recorded(of: Conformance) -> None:
    found, known = recorded(f"{of.peer.name}-{of.peer.version}"), golden.texts()
    assert [name for name in known if name not in found and not name.startswith("manual/")] == []
    assert len(found) > 0.95 * len(known)  # the manual is another one with another release of Python


@pytest.mark.parametrize("of", CASES)
def test_every_decision_is_the_peers_when_given_its_own_pieces(of: Conformance) -> None:
    texts, theirs = decisions(of)
    rows = compare(of, texts, theirs, ALL)
    assert [row for row in rows if row.theirs != row.ours] == []
    assert {row.part for row in rows} == {*of.parts, "chain"}


@pytest.mark.parametrize("of", CASES)
def test_our_segmentation_decides_as_the_peers_does(of: Conformance) -> None:
    texts, theirs = decisions(of)
    for part in (*of.parts, "chain"):
        documents, kept, reason = agreement(row for row in compare(of, texts, theirs, OWN) if row.part == part)
        assert kept >= ENOUGH * documents and reason >= ENOUGH * documents, part


@pytest.mark.parametrize("of", CASES)
def test_every_reason_that_the_golden_texts_can_give_is_given(of: Conformance) -> None:
    """A rule that no golden text breaks is held to nothing."""
    rare = {"empty", "gopher_long_doc", "word_count > 100000"}  # 100,000 words are too long for a golden text
    given = Counter(row.theirs for row in compare(of, *decisions(of), ALL))
    assert {reason for part in of.parts.values() for reason in part.reasons.values()} - set(given) <= rare | GRAMS


GRAMS = {f"fraction_of_characters_in_duplicate_{n}grams > {round(0.2 - n / 100, 2)}" for n in range(5, 11)}


def test_golden_files_are_small() -> None:
    assert sum(path.stat().st_size for path in golden.FOLDER.iterdir()) < 1_000_000
