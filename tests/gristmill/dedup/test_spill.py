"""Ranges on disk: nothing lost, equal keys together, and the sorts and sieves that work on one of them."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.dedup import cluster_kernels
from gristmill.dedup.spill import Spill, by_key, groups, several

U64 = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize("memory", [1 << 10, 1 << 14, 1 << 30])
def test_what_goes_in_comes_out(tmp_path: Path, memory: int) -> None:
    draw = np.random.default_rng(0)
    rows = draw.integers(0, 2**64, (5_000, 3), dtype=np.uint64)
    spill = Spill.sized(tmp_path, "t", 3, len(rows), memory)
    for part in np.array_split(rows, 7):
        spill.add(part, spill.range_of(part[:, 0]))
    ranges = list(spill.each())
    assert spill.rows == 5_000 and (len(ranges) == 1) == (memory == 1 << 30)
    ends = [(part[:, 0].min(), part[:, 0].max()) for part in ranges if len(part)]
    assert all(a[1] < b[0] for a, b in pairwise(ends))  # ranges of keys, in order
    assert sorted(map(tuple, np.concatenate(ranges))) == sorted(map(tuple, rows))
    assert sorted(map(tuple, np.concatenate(list(spill.chunks(11))))) == sorted(map(tuple, rows))
    assert max(map(len, spill.chunks(11))) == 11
    spill.close()
    assert not list(tmp_path.iterdir())


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3) | U64, st.integers(0, 2)), max_size=60))
def test_equal_keys_stand_together(pairs: list[tuple[int, int]]) -> None:
    keys = np.array(pairs, dtype=np.uint64).reshape(-1, 2)
    for some in (keys, keys[:, 0]):
        order, begins = by_key(some)
        ordered = [tuple(np.atleast_1d(key)) for key in some[order]]
        assert ordered == sorted(ordered)
        assert begins.tolist() == [i == 0 or ordered[i] != ordered[i - 1] for i in range(len(ordered))]
        for start, end in zip(*groups(begins), strict=True):
            assert end - start > 1 and len(set(ordered[start:end])) == 1
        assert sum(end - start for start, end in zip(*groups(begins), strict=True)) == sum(ordered.count(key) > 1 for key in ordered)
        stable = [i for key in sorted(set(ordered)) for i in range(len(some)) if tuple(np.atleast_1d(some[i])) == key]
        assert order.tolist() == stable


@settings(deadline=None)
@given(st.lists(st.integers(0, 20) | U64, max_size=80), st.sets(st.integers(0, 20) | U64, max_size=20))
def test_sieves(values: list[int], wanted: set[int]) -> None:
    keys, ordered = np.array(values, dtype=np.uint64), np.array(sorted(wanted), dtype=np.uint64)
    assert all(found for value, found in zip(values, several(keys), strict=True) if values.count(value) > 1)
    assert cluster_kernels.among(keys, ordered, 6).tolist() == [value in wanted for value in values]


def test_the_sieve_spares_most() -> None:
    keys = np.random.default_rng(0).integers(0, 2**63, 100_000, dtype=np.uint64)
    assert several(keys).mean() < 0.15
