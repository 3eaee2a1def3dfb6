"""Lists of words in texts: what is a hit, for dirty words and for toxicity; and a plain reference."""

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals import toxicity
from gristmill.signals.chunk import References
from gristmill.signals.compute import compute_families


def signals(text: str, *entries: str, family: str = "dirty_words", of: str = "dirty_words") -> dict[str, float]:
    frame = pl.DataFrame({"doc_id": ["a"], "text": [text]})
    found = compute_families([family], frame, References(lists={of: frozenset(entries)}))[family]
    return {name.removeprefix(f"{family}."): value for name, value in found.drop("doc_id").row(0, named=True).items()}


def counts(text: str, *entries: str) -> tuple[float, float, float]:
    found = signals(text, *entries)
    return found["count"], found["distinct"], found["share"]


@pytest.mark.parametrize(
    ("text", "entries", "expected"),
    [
        ("", ["dust"], (0, 0, 0)),
        ("dust", [], (0, 0, 0)),
        ("Dust, dust and DUST!", ["dust"], (3, 1, 0.75)),
        ("dusty, industrial, dust1", ["dust"], (0, 0, 0)),                            # whole words
        ("du\u00adst du\u200dst", ["dust"], (2, 1, 1)),                               # hidden characters
        ("big dust. Big\n  dust big-dust big. Dust", ["big dust"], (3, 1, 0.75)),     # a full stop parts
        ("big big dust", ["big dust", "big"], (2, 2, 1)),                             # from the left, the longest
        ("big dust storm", ["dust storm", "big dust"], (1, 1, 0.666667)),             # no overlap
        ("big dust", ["big dust storm"], (0, 0, 0)),
        ("a big dust here", ["big dust storm", "dust"], (1, 1, 0.25)),                # back to the shorter one
        ("d*st d * st dst", ["d*st"], (2, 1, 0.8)),
        ("a a a", ["a$$"], (0, 0, 0)),
        ("a55 a66", ["a55"], (1, 1, 0.5)),                                            # digits are themselves
        ("灰尘满天。尘", ["尘"], (2, 1, 0.4)),                                          # without spaces: anywhere
        ("满天灰尘", ["灰尘"], (1, 1, 0.5)),
        ("ฝุ่นมาก", ["ฝุ่น"], (1, 1, 0.4)),
        ("пыль Пыль пыльный", ["пыль"], (2, 1, 0.666667)),
        ("ΣΚΌΝΗΣ σκόνης", ["σκόνης"], (2, 1, 1)),                                     # both small sigmas
        ("🖕 🖕🏽 x 🖕\ufe0f", ["🖕"], (3, 1, 0)),                                       # no term is hit
        ("x", ["-", "", " "], (0, 0, 0)),
        ("x y", ["X", "x ", "y"], (2, 2, 1)),                                         # one entry in two spellings
    ],
)  # fmt: skip
def test_hits(text: str, entries: list[str], expected: tuple[float, float, float]) -> None:
    assert counts(text, *entries) == expected


def test_two_lists_apart() -> None:
    frame = pl.DataFrame({"doc_id": ["a"], "text": ["dust and smut"]})
    references = References(lists={"dirty_words": frozenset({"dust"}), "adult_words": frozenset({"smut", "dust"})})
    assert compute_families(["dirty_words"], frame, references)["dirty_words"].row(0) == ("a", 0.333333, 1, 1, 0.666667, 2)


def test_toxicity_is_a_share_that_saturates() -> None:
    assert signals("x", family="toxicity") == {"score": 0, "count": 0}
    words = "word " * 98
    assert signals(words + "dust dust", "dust", family="toxicity", of="toxic_words") == {"score": 0.5, "count": 2}
    assert signals("dust", "dust", family="toxicity", of="toxic_words")["score"] == round(1 / 1.02, 6)
    assert signals("You are worthless.", family="toxicity")["count"] == 1  # the seed list
    assert signals("You are worthless.", "dust", family="toxicity", of="toxic_words")["count"] == 0  # replaced


def test_the_seed_list_is_small_and_lower_case() -> None:
    assert len(toxicity.SEED) < 60 and all(entry == entry.lower().strip() for entry in toxicity.SEED)


WORDS = st.sampled_from(["a", "b", "ab", "."])


def reference(text: list[str], entries: list[list[str]]) -> tuple[int, int, float]:
    """Hits from the left, the longest first, over words that are known."""
    hits, found, covered, at = 0, set(), 0, 0
    while at < len(text):
        best = max((entry for entry in entries if entry and text[at : at + len(entry)] == entry), key=len, default=None)
        if best:
            hits, covered = hits + 1, covered + sum(piece != "." for piece in best)
            found.add(tuple(best))
        at += len(best) if best else 1
    return hits, len(found), round(covered / max(sum(piece != "." for piece in text), 1), 6)


@settings(max_examples=200, deadline=None)
@given(st.lists(WORDS, max_size=20), st.lists(st.lists(WORDS, max_size=4), max_size=4))
def test_as_a_plain_reference_says(text: list[str], entries: list[list[str]]) -> None:
    assert counts(" ".join(text).upper(), *(" ".join(entry) for entry in entries)) == reference(text, entries)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60), st.lists(st.text(max_size=6), max_size=4))
def test_any_text_and_list(text: str, entries: list[str]) -> None:
    found = signals(text, *entries)
    assert 0 <= found["share"] <= 1 and found["distinct"] <= found["count"] and found["distinct"] <= len(entries)


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("abé1"), min_size=1, max_size=5), st.text(st.sampled_from("abé1 .-\n"), max_size=40))
def test_a_word_is_found_as_often_as_it_stands_alone(word: str, text: str) -> None:
    assert counts(text, word)[0] == len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", text))


def test_long_texts_and_entries_of_one_word_repeated() -> None:
    assert counts("a " * 200_000 + "b", " ".join("a" * 300) + " b")[0] == 1
    assert counts("a" * 1_000_000, "a")[0] == 0
