"""Pairs: proven by true Jaccard, complete up to the promise of banding, never quadratic in a large band."""

import polars as pl
import pytest

from gristmill.dedup import near

ROW = pl.Schema({"text_hash": pl.String, "bands": pl.List(pl.UInt64), "shingles": pl.List(pl.UInt64)})


def pairs(rows: list[tuple[str, list[int], list[int]]], threshold: float = 0.5) -> list[tuple[str, str, float]]:
    return near.near_pairs(pl.LazyFrame(rows, schema=ROW, orient="row"), threshold)[0].rows()


def test_a_shared_band_is_a_hint_and_jaccard_the_proof() -> None:
    rows = [("a", [1, 2], [1, 2, 3, 4]), ("b", [1, 9], [1, 2, 3, 5]), ("c", [7, 2], [4, 8, 9]), ("d", [5], [1, 2, 3, 4])]
    assert pairs(rows) == [("a", "b", 0.6)]  # c shares a band and not enough; d is equal and shares no band


def test_threshold_is_inclusive_and_sets_may_be_empty() -> None:
    assert pairs([("a", [1], [1, 2]), ("b", [1], [1])], 0.5) == [("a", "b", 0.5)]
    assert pairs([("a", [], []), ("b", [], [])], 0.0) == []
    assert pairs([], 0.5) == []


@pytest.mark.parametrize("size", [near.LARGE_BAND, near.LARGE_BAND + 1, 200])
def test_a_large_band_is_joined_through_representatives(size: int) -> None:
    alike = [(f"a{i:03}", [1], [*range(50), 1_000 + i]) for i in range(size)]
    other = [(f"b{i:03}", [1], [*range(500, 550), 2_000 + i]) for i in range(size)]
    found = pairs(alike + other)
    linked = {name for left, right, _ in found for name in (left, right)}
    assert len(linked) == 2 * size and all(left[0] == right[0] for left, right, _ in found)
    if size > near.LARGE_BAND:
        assert len(found) == 2 * (size - 1)  # a star each


def test_shuffled_rows_give_the_same_pairs() -> None:
    frame = pl.DataFrame([(f"t{i:03}", [i % 3, 10 + i % 5], [*range(i % 7, 20), 100 + i]) for i in range(150)], schema=ROW, orient="row")
    expected = near.near_pairs(frame.lazy(), 0.6)[0]
    for seed in range(3):
        assert near.near_pairs(frame.sample(fraction=1, shuffle=True, seed=seed).lazy(), 0.6)[0].equals(expected)
