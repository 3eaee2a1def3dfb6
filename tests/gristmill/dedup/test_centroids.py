"""Held centroids: a sample that nothing moves, blocks that depend on a text alone, exact nearness."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.dedup import centroids
from gristmill.dedup.centroids import assign, learn_centroids, sampled
from gristmill.dedup.vectors import as_integers
from gristmill.errors import LakeError
from gristmill.lake.contracts import conform
from gristmill.lake.table_hash import table_hash
from gristmill.recipe.dedup import Semantic


def bunches(groups: int = 8, each: int = 30, dimension: int = 24, seed: int = 1) -> np.ndarray:
    draw = np.random.default_rng(seed)
    vectors = np.repeat(draw.normal(size=(groups, dimension)), each, axis=0) + draw.normal(scale=0.1, size=(groups * each, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).round(4).astype(np.float32)


def test_the_sample_is_blind_to_order_sharding_and_copies() -> None:
    embeddings = pl.DataFrame(
        {"doc_id": [f"{i:016x}{(i * 7919) % 1009:016x}" for i in range(200)], "text_hash": [f"{i % 150:032x}" for i in range(200)]}
    )
    first = sampled(embeddings.lazy(), 50)
    assert first == sorted(set(first)) and 0 < len(first) <= 50
    shuffled = pl.concat([embeddings.sample(fraction=1, shuffle=True, seed=3), embeddings.head(60)])
    assert sampled(shuffled.lazy(), 50) == first
    assert len(sampled(embeddings.lazy(), 1_000)) == 150


def test_learned_centroids_are_a_table_of_unit_vectors() -> None:
    found = learn_centroids(bunches(), 240, Semantic(documents_per_block=30))
    assert found.height == 8
    assert np.allclose(np.linalg.norm(np.array(found["vector"].to_list()), axis=1), 1, atol=1e-3)
    assert conform("centroids", found).equals(found)


def test_bunches_that_lie_apart_become_blocks() -> None:
    vectors = bunches(groups=4, each=50)
    found = assign(vectors, learn_centroids(vectors, 200, Semantic(documents_per_block=10)), 1)[:, 0].reshape(4, 50)
    assert not any(set(found[a]) & set(found[b]) for a in range(4) for b in range(a))


def test_learning_is_blind_to_threads_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    from threadpoolctl import threadpool_limits

    vectors, wanted = bunches(seed=5), Semantic(documents_per_block=11)
    first = table_hash("centroids", learn_centroids(vectors, 240, wanted))
    monkeypatch.setattr(centroids, "SCORES_AT_ONCE", 100)
    with threadpool_limits(1):
        assert table_hash("centroids", learn_centroids(np.asfortranarray(vectors), 240, wanted)) == first
    assert table_hash("centroids", learn_centroids(vectors, 240, Semantic(documents_per_block=11, seed=2))) != first


def test_fewer_vectors_than_blocks_and_none_at_all() -> None:
    vectors = bunches(2, 2)
    assert learn_centroids(vectors, 10_000, Semantic()).height == 4
    none = learn_centroids(np.zeros((0, 0), np.float32), 0, Semantic())
    assert none.is_empty() and conform("centroids", none).is_empty()
    assert assign(vectors, none, 3).tolist() == [[0]] * 4
    assert assign(vectors[:0], learn_centroids(vectors, 4, Semantic()), 2).shape == (0, 1)


def test_equal_vectors_leave_blocks_empty_and_go_to_the_lowest() -> None:
    vectors = np.repeat(bunches(1, 1), 20, axis=0)
    found = learn_centroids(vectors, 20, Semantic(documents_per_block=5))
    assert assign(vectors, found, 2).tolist() == [[0, 1]] * 20


def test_centroids_of_another_model_are_refused() -> None:
    with pytest.raises(LakeError, match="hold 24 dimensions, the vectors 23"):
        assign(bunches()[:, 1:], learn_centroids(bunches(), 240, Semantic()), 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 12), st.integers(1, 5), st.sampled_from([1, 3, 10_000]))
def test_nearest_blocks_are_exact(seed: int, n: int, k: int, probes: int, coarse: int) -> None:
    """Against a sort by (exact product, block) in whole numbers; coarse vectors make ties."""
    draw = np.random.default_rng(seed)
    vectors = (draw.integers(-coarse, coarse + 1, (n, 3)) / coarse).round(4).astype(np.float32)
    held = pl.DataFrame(
        {"block": np.arange(k), "vector": (draw.integers(-coarse, coarse + 1, (k, 3)) / coarse).round(4).tolist()},
        schema_overrides={"vector": pl.List(pl.Float64)},
    )
    products = as_integers(vectors).astype(int) @ as_integers(np.array(held["vector"].to_list())).astype(int).T
    expected = [sorted(range(k), key=lambda block: (-row[block], block))[:probes] for row in products]
    assert assign(vectors, held.sample(fraction=1, shuffle=True, seed=1), probes).tolist() == expected
    assert [assign(vectors[i : i + 1], held, probes)[0].tolist() for i in range(n)] == expected
