"""The graded sample: stratified by source, by hash, the same whatever the order."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.errors import GristmillError
from gristmill.quality.sample import stratified


def candidates(counts: dict[str, int], splits: tuple[str, ...] = ("train", "train", "train", "validation", "test")) -> pl.DataFrame:
    rows = [
        {"doc_id": f"{source}{i:05d}", "shard": f"{source}/0", "source": source, "split": splits[i % len(splits)]}
        for source, n in counts.items()
        for i in range(n)
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(("doc_id", "shard", "source", "split"), pl.String))


def test_sources_share_equally_and_a_small_one_gives_all_it_has():
    chosen = stratified(candidates({"web": 500, "code": 200, "prose": 10}), 100)
    assert dict(chosen.group_by("source").len().iter_rows()) == {"prose": 8, "web": 46, "code": 46}


def test_the_test_split_is_never_graded():
    assert "test" not in set(stratified(candidates({"web": 300}), 300)["split"])


def test_a_fifth_is_held_out_of_the_validation_split():
    chosen = stratified(candidates({"web": 500}), 100)
    assert chosen.filter(pl.col("split") == "validation").height == 20


def test_weights_stand_for_the_whole_source():
    chosen = stratified(candidates({"web": 500, "code": 100}), 60)
    assert dict(chosen.group_by("source").agg(pl.col("weight").sum().round(6)).iter_rows()) == {"web": 400.0, "code": 80.0}


def test_any_prefix_is_stratified_too():
    chosen = stratified(candidates({"web": 500, "code": 200, "prose": 100}), 90)
    assert dict(chosen.head(9).group_by("source").len().iter_rows()) == {"web": 3, "code": 3, "prose": 3}


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 80))
def test_order_and_sharding_do_not_matter(chance, size):
    pool = candidates({"web": 60, "code": 25})
    rows = pool.rows()
    chance.shuffle(rows)
    shuffled = pl.DataFrame(rows, schema=pool.schema, orient="row")
    assert stratified(shuffled, size).equals(stratified(pool, size))
    assert stratified(pool, size).height == min(size, 68)


def test_nothing_to_grade_says_where_to_look():
    with pytest.raises(GristmillError, match="no document to grade"):
        stratified(candidates({"web": 3}, ("test",)), 10)
