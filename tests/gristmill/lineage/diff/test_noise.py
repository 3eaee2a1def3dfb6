"""Noise is called noise about as often as declared, and a difference that is there is seen."""

import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.lineage.diff import noise
from gristmill.lineage.diff.noise import apart, between_runs, more_than_noise, paired

DRAWS = 400


def bits(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / (math.log(2) * sums[..., 1])


def scored(nats: np.ndarray, n_bytes: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({"doc_id": [f"{n:03}" for n in range(len(nats))], "nats": nats, "n_bytes": n_bytes})


def drawn(seed: int, documents: int, better: float = 0.0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two models' scores of the same documents: what is hard is hard for both, and the second needs `better` nats a byte less."""
    draw = np.random.default_rng([seed, documents])
    n_bytes = draw.integers(200, 4000, documents)
    hard = draw.lognormal(0.0, 0.5, documents)
    own = [n_bytes * (hard + draw.standard_t(3, documents) * 0.02) for _ in range(2)]
    return scored(own[0], n_bytes), scored(own[1] - better * n_bytes, n_bytes)


def compared(old: pl.DataFrame, new: pl.DataFrame) -> noise.Compared:
    found = paired(old, new, ["doc_id"], ["nats", "n_bytes"], bits)
    assert found is not None
    return found


@pytest.mark.parametrize("documents", [8, 40])
def test_of_builds_that_are_alike_few_are_called_different(documents, monkeypatch):
    monkeypatch.setattr(noise, "DRAWS", 1000)
    wrong = sum(compared(*drawn(seed, documents)).p <= noise.LEVEL for seed in range(DRAWS))
    spread = math.sqrt(noise.LEVEL * (1 - noise.LEVEL) / DRAWS)
    assert wrong / DRAWS < noise.LEVEL + 3 * spread
    assert wrong / DRAWS > noise.LEVEL - 3 * spread, "a test that never speaks is no test"


def test_a_difference_that_is_there_is_seen(monkeypatch):
    monkeypatch.setattr(noise, "DRAWS", 1000)
    found = [compared(*drawn(seed, 40, better=0.03)) for seed in range(50)]
    assert sum(each.p <= noise.LEVEL for each in found) > 45
    truth = -0.03 / math.log(2)
    assert sum(each.low <= truth <= each.high for each in found) > 42


def test_what_is_equal_is_not_different():
    old, _ = drawn(1, 20)
    found = compared(old, old)
    assert (found.difference, found.p, found.low, found.high) == (0.0, 1.0, 0.0, 0.0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9), st.integers(1, 50)), min_size=6, max_size=8))
def test_the_exact_test_counts_every_exchange(rows):
    n_bytes = np.array([row[2] for row in rows])
    old, new = (scored(np.array([row[side] for row in rows]), n_bytes) for side in (0, 1))
    found = compared(old, new)
    total = math.log(2) * n_bytes.sum()
    differences = [row[1] - row[0] for row in rows]
    observed = abs(sum(differences)) / total
    near = 1e-9 * max(found.old, found.new)
    signs = itertools.product((1, -1), repeat=len(rows))
    exchanged = [abs(sum(s * d for s, d in zip(sign, differences, strict=True))) / total for sign in signs]
    assert sum(e >= observed + near + 1e-15 for e in exchanged) / len(exchanged) <= found.p
    assert found.p <= sum(e >= observed - 2 * near - 1e-15 for e in exchanged) / len(exchanged)


def test_documents_that_only_one_has_do_not_count():
    old, new = drawn(3, 30)
    both = compared(old.head(20), new.tail(20))
    assert both.documents == 10
    assert both.old == pytest.approx(bits(old.slice(10, 10).select("nats", "n_bytes").sum().to_numpy()[0]))
    assert paired(old.head(9), new.tail(9), ["doc_id"], ["nats", "n_bytes"], bits) is None


def test_of_few_documents_nothing_is_more_than_noise():
    old, new = drawn(4, noise.LEAST, better=1.0)
    assert compared(old, new).p <= noise.LEVEL < compared(old.head(noise.LEAST - 1), new).p
    alone = compared(old.head(1), new)
    assert (alone.p, alone.low, alone.high) == (1.0, None, None)


def test_intervals_that_lie_apart():
    assert apart((2.0, 1.9, 2.1), (2.5, 2.4, 2.6)).p < 1e-6
    near = apart((2.0, 1.9, 2.1), (2.1, 2.0, 2.2))
    assert near.low < 0 < near.high and near.p == pytest.approx(0.166, abs=0.001)
    assert apart((2.0, None, None), (2.5, 2.4, 2.6)).p is None


def test_of_several_the_level_is_shared():
    assert more_than_noise([0.04]) == [True]
    assert more_than_noise([0.04, 0.5]) == [False, False]
    assert more_than_noise([0.03, None, 0.001, 0.5]) == [False, False, True, False]
    assert more_than_noise([0.025, 0.01]) == [True, True]


def test_what_rounds_to_nothing_has_no_sign():
    assert [noise.signed(value, ".2%") for value in (-0.00004, 0.0, 0.00004, -0.0001, 0.5)] == [
        "0.00%",
        "0.00%",
        "0.00%",
        "-0.01%",
        "+50.00%",
    ]
    assert [noise.signed(value, ".4f") for value in (-0.00004, -0.0, 1.0)] == ["0.0000", "0.0000", "+1.0000"]


def test_runs_of_several_seeds():
    assert between_runs([2.0], [2.1]) is None
    assert between_runs([2.0, 2.02], [2.1]).p > noise.LEVEL
    assert between_runs([2.0, 2.002, 1.999], [2.1, 2.101, 2.098]).p < 0.001
