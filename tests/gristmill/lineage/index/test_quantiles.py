import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from gristmill.lineage.index import quantiles

VALUES = st.lists(st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6)), min_size=1, max_size=120)


def _of(values: list[float]) -> list[float]:
    frame = pl.DataFrame({"doc_id": [f"{n:032}" for n in range(len(values))], "a.b": values})
    return quantiles.quantiles("web", len(values), frame)["quantiles"][0].to_list()


@given(values=VALUES, value=st.one_of(st.integers(-6, 6).map(float), st.floats(-1e6, 1e6)))
def test_shares_are_those_of_the_documents_to_a_step(values, value):
    below, at_most = quantiles.share_below(value, _of(values))
    array = np.array(values)
    bound = 1 / quantiles.STEPS + 1 / len(values)
    assert (array < value).mean() - bound <= below <= at_most <= (array <= value).mean() + bound
    assert below <= (array < value).mean() + bound and at_most >= (array <= value).mean() - bound


def test_a_value_that_all_share_and_values_beyond_the_sample():
    assert quantiles.share_below(0.0, _of([0.0] * 50)) == (0, 1)
    assert quantiles.share_below(-1.0, _of([0.0, 1.0])) == (0, 0)
    assert quantiles.share_below(9.0, _of([0.0, 1.0])) == (1, 1)


@given(
    shards=st.lists(st.lists(st.integers(0, 999), unique=True, max_size=60).map(sorted), min_size=1, max_size=5), size=st.integers(1, 40)
)
def test_the_sample_is_the_smallest_ids_of_all_shards(shards, size):
    sample, quantiles.SAMPLE = quantiles.SAMPLE, size
    try:
        last = quantiles.drawn(pl.Series("doc_id", [f"{n:04}" for n in shard], dtype=pl.String) for shard in shards)
    finally:
        quantiles.SAMPLE = sample
    every = sorted({f"{n:04}" for shard in shards for n in shard})
    assert last == (every[:size][-1] if every else "")


def test_signals_that_a_shard_lacks_are_counted_where_they_are():
    frame = pl.DataFrame({"doc_id": ["a", "b", "c"], "a.x": [1.0, None, 3.0], "a.y": [0.0, 0.0, 0.0]})
    found = quantiles.quantiles("web", 3, frame)
    assert found.select("signal", "sampled").rows() == [("a.x", 2), ("a.y", 3)]
    assert quantiles.quantiles("web", 0, frame.head(0)).is_empty()
