"""Splits: by cluster, with the shares of the recipe, and blind to everything else."""

import polars as pl

from gristmill.dedup.splits import side, split
from gristmill.lake.contracts import conform
from gristmill.recipe import Split

CLUSTERS = pl.DataFrame({"doc_id": ["a", "b", "b"], "cluster": ["a", "a", "a"]})


def test_copies_fall_on_the_same_side() -> None:
    for shares in (Split(validation=0.3, test=0.3), Split(validation=0.5, test=0.4)):
        found = conform("splits", split(pl.Series(["c", "b", "a"]), CLUSTERS, shares))
        assert found["cluster"].to_list() == ["a", "a", "c"]
        assert found["split"].to_list() == [side("a", shares), side("a", shares), side("c", shares)]


def test_shares() -> None:
    sides = [side(f"{i:x}", Split(validation=0.1, test=0.2)) for i in range(20_000)]
    assert abs(sides.count("validation") - 2_000) < 4 * 2_000**0.5
    assert abs(sides.count("test") - 4_000) < 4 * 4_000**0.5
    assert {side(f"{i:x}", Split(validation=0.0, test=0.0)) for i in range(100)} == {"train"}


GOLDEN_TEST, GOLDEN_VALIDATION = [8, 38], [32]


def test_golden() -> None:
    """Pinned: another answer moves documents between training and test in every lake that exists (raise VERSION)."""
    assert [i for i in range(60) if side(f"{i:032x}", Split(validation=0.05, test=0.05)) == "test"] == GOLDEN_TEST
    assert [i for i in range(60) if side(f"{i:032x}", Split(validation=0.05, test=0.05)) == "validation"] == GOLDEN_VALIDATION


def test_nothing_kept() -> None:
    assert conform("splits", split(pl.Series([], dtype=pl.String), CLUSTERS, Split())).is_empty()
