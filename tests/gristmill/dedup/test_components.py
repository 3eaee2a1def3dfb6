"""Components: those of SciPy, whatever the chunks in which links come."""

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gristmill.dedup.components import Components


@pytest.mark.parametrize("at_once", [1, 7, 100_000])
@pytest.mark.parametrize(("nodes", "links"), [(1, 0), (50, 30), (2_000, 1_500), (2_000, 6_000)])
def test_against_scipy(tmp_path: Path, nodes: int, links: int, at_once: int) -> None:
    draw = np.random.default_rng(nodes + links)
    left, right = draw.integers(0, nodes, (2, links))
    _, expected = connected_components(coo_array((np.ones(links), (left, right)), shape=(nodes, nodes)), directed=False)
    found = Components(nodes, tmp_path, at_once)
    found.join((left[i : i + at_once], right[i : i + at_once]) for i in range(0, links, at_once))
    found.flatten()
    smallest = np.full(nodes, nodes)
    np.minimum.at(smallest, expected, np.arange(nodes))
    assert np.array_equal(found.root, smallest[expected])
    assert set(np.flatnonzero(found.linked)) == {*left, *right}


def test_a_long_path_backwards(tmp_path: Path) -> None:
    found = Components(50_000, tmp_path, 100)
    found.join([(np.arange(49_999)[::-1].copy(), np.arange(1, 50_000)[::-1].copy())])
    found.flatten()
    assert not np.asarray(found.root).any()


def test_nothing(tmp_path: Path) -> None:
    found = Components(0, tmp_path)
    found.flatten()
    assert len(found.root) == 0
