"""Paragraphs by meaning: where they are, and which of them go."""

import re

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.dedup.semantic_paragraphs import PARAGRAPHS, RULE, paragraph_cuts, paragraphs
from gristmill.lake.contracts import conform
from gristmill.lake.hashing import text_hash

TEXTS = st.text(st.sampled_from("ab \n\t\rж\u3000😀"), max_size=60)
PLACES = {"doc_id": pl.String, "rank": pl.Int64, "start": pl.Int64, "end": pl.Int64, "text_hash": pl.String}
PAIRS = {"left": pl.String, "right": pl.String, "similarity": pl.Float64}


def naive(doc_id: str, text: str, min_words: int) -> list[tuple[str, int, int, str, str]]:
    rows, at, lines = [], 0, []
    for line in [*text.split("\n"), ""]:
        if line.strip():
            lines.append((at, line))
        elif lines:
            start, found = lines[0][0], "\n".join(each for _, each in lines)
            if len(found.split()) >= min_words:
                rows.append((doc_id, start, start + len(found), text_hash(found), found))
            lines = []
        at += len(line) + 1
    return rows


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, max_size=5), st.integers(1, 3))
def test_paragraphs_are_where_a_plain_reading_finds_them(texts: list[str], min_words: int) -> None:
    frame = pl.DataFrame({"doc_id": [f"d{i}" for i in range(len(texts))], "text": texts}, schema={"doc_id": pl.String, "text": pl.String})
    found = paragraphs(frame, min_words)
    assert found.schema == pl.Schema(PARAGRAPHS)
    assert found.rows() == [row for i, text in enumerate(texts) for row in naive(f"d{i}", text, min_words)]
    assert all(texts[int(doc_id[1:])][start:end] == text for doc_id, start, end, _, text in found.rows())


def test_short_paragraphs_and_headings_are_left_alone() -> None:
    text = "A heading\n\n" + "one two three four\nfive six\n\n\n" + "seven"
    found = paragraphs(pl.DataFrame({"doc_id": ["d"], "text": [text]}), 5)
    assert found["text"].to_list() == ["one two three four\nfive six"]
    assert re.search("one", text).start() == found["start"][0]


def places(*rows: tuple[str, int, int, str]) -> pl.DataFrame:
    return pl.DataFrame([(d, r, s, s + 5, h) for d, r, s, h in rows], schema=PLACES, orient="row")


def test_the_first_by_rank_and_position_stays_and_is_named() -> None:
    found = paragraph_cuts(
        places(("a", 1, 0, "x"), ("b", 0, 10, "y"), ("b", 0, 0, "x"), ("c", 2, 0, "y"), ("c", 2, 9, "z")),
        pl.DataFrame([("x", "y", 0.97)], schema=PAIRS, orient="row"),
    )
    assert conform("cuts", found).equals(found)
    assert found.select("doc_id", "start", "end", "rule", "documents", "twin", "similarity").rows() == [
        ("a", 0, 5, RULE, 3, "b", 1.0),
        ("b", 10, 15, RULE, 3, "b", 0.97),
        ("c", 0, 5, RULE, 3, "b", 0.97),
    ]


def test_a_chain_does_not_merge() -> None:
    chain = pl.DataFrame([("x", "y", 0.96), ("y", "z", 0.96)], schema=PAIRS, orient="row")
    rows = (("a", 0, 0, "x"), ("b", 1, 0, "y"), ("c", 2, 0, "z"))
    assert paragraph_cuts(places(*rows), chain).select("doc_id", "twin").rows() == [("b", "a")]
    middle_first = paragraph_cuts(places(("a", 2, 0, "x"), ("b", 0, 0, "y"), ("c", 1, 0, "z")), chain)
    assert middle_first.select("doc_id", "twin").rows() == [("a", "b"), ("c", "b")]


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(1, 5))
def test_election_is_the_plain_greedy_one_in_any_order(seed: int, n: int, kinds: int) -> None:
    draw = np.random.default_rng(seed)
    at = sorted({(int(draw.integers(4)), int(draw.integers(20))) for _ in range(n)})
    rows = [(f"d{rank}", rank, start * 10, f"t{draw.integers(kinds)}") for rank, start in at]
    names = [(f"t{a}", f"t{b}") for a in range(kinds) for b in range(a + 1, kinds) if draw.random() < 0.4]
    pairs = {pair: round(0.95 + 0.001 * i, 6) for i, pair in enumerate(names)}
    survivors: list[tuple[str, int, int, str]] = []
    taken: list[tuple[str, int, str, float]] = []
    for row in rows:  # the first survivor that a later one is related to is the one that took it
        alike = {s: 1.0 if s[3] == row[3] else pairs.get((min(s[3], row[3]), max(s[3], row[3]))) for s in survivors}
        survivor = next((s for s, similarity in alike.items() if similarity), None)
        if survivor is None:
            survivors.append(row)
        else:
            taken.append((row[0], row[2], survivor[0], alike[survivor]))
    frame, links = places(*rows), pl.DataFrame([(*pair, value) for pair, value in pairs.items()], schema=PAIRS, orient="row")
    found = paragraph_cuts(frame, links)
    assert found.select("doc_id", "start", "twin", "similarity").rows() == sorted(taken)
    assert paragraph_cuts(frame.reverse(), links.reverse()).equals(found)
