"""Semantic pairs: exact cosines inside k-means clusters, against brute force."""

import numpy as np
import polars as pl
import pytest

from gristmill.dedup import semantic
from gristmill.recipe import Semantic


def cloud(groups: int = 12, each: int = 25, dimension: int = 32, spread: float = 0.05) -> tuple[list[str], np.ndarray]:
    """Tight bunches of unit vectors, rounded as an embedder rounds them."""
    draw = np.random.default_rng(2)
    centres = draw.normal(size=(groups, dimension))
    vectors = np.repeat(centres, each, axis=0) + draw.normal(scale=spread, size=(groups * each, dimension))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [f"{i:032x}" for i in draw.permutation(groups * each)], vectors.round(4).astype(np.float32)


def by_hash(keys: list[str], vectors: np.ndarray) -> tuple[list[str], np.ndarray]:
    order = np.argsort(keys)
    return [keys[i] for i in order], vectors[order]


def brute_force(keys: list[str], vectors: np.ndarray, threshold: float) -> dict[tuple[str, str], float]:
    unit = vectors.astype(float) / np.linalg.norm(vectors.astype(float), axis=1, keepdims=True)
    cosine = unit @ unit.T
    return {(keys[i], keys[j]): cosine[i, j] for i in range(len(keys)) for j in range(i + 1, len(keys)) if cosine[i, j] >= threshold}


@pytest.mark.parametrize("per_cluster", [1_000, 30])
def test_equals_brute_force_on_bunches(per_cluster: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic, "BLOCK", 7)
    keys, vectors = by_hash(*cloud())
    found = semantic.semantic_pairs(keys, vectors, Semantic(threshold=0.98, documents_per_cluster=per_cluster))
    expected = brute_force(keys, vectors, 0.98)
    rows = {(left, right): value for left, right, value in found.rows()}
    assert set(rows) <= set(expected) and len(rows) >= 0.9 * len(expected) > 500  # k-means may part a bunch
    assert all(rows[pair] == pytest.approx(expected[pair], abs=2e-6) for pair in rows)
    if per_cluster == 1_000:
        assert set(rows) == set(expected)


def test_the_same_on_every_run_and_blind_to_memory_layout() -> None:
    keys, vectors = by_hash(*cloud())
    settings = Semantic(threshold=0.9, documents_per_cluster=20)
    first = semantic.semantic_pairs(keys, vectors, settings)
    assert semantic.semantic_pairs(keys, np.asfortranarray(vectors), settings).equals(first)


def test_threshold_is_inclusive_and_a_zero_vector_resembles_nothing() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 0], [0, 0]], dtype=np.float32)
    found = semantic.semantic_pairs(list("abcd"), vectors, Semantic(threshold=0.6))
    assert found.rows() == [("a", "b", 0.6)]


def test_few_texts() -> None:
    for n in (0, 1):
        found = semantic.semantic_pairs(list("ab")[:n], np.ones((n, 4), dtype=np.float32), Semantic())
        assert found.is_empty() and found.schema == pl.Schema(semantic.PAIRS)


def test_unsorted_texts_are_refused() -> None:
    with pytest.raises(ValueError, match="sorted"):
        semantic.semantic_pairs(["b", "a"], np.ones((2, 4), dtype=np.float32), Semantic())


def test_only_languages_that_the_model_reads() -> None:
    assert semantic.readable("all-MiniLM-L6-v2-0123abcd-128x1") == {"en"}
    assert semantic.readable("paraphrase-multilingual-MiniLM-L12-v2-0123abcd-128x1") is None
