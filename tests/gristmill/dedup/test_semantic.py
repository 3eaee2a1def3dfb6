"""Semantic pairs: exact cosines inside blocks, against brute force; the same in every order, arrival and batch."""

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.dedup import semantic
from gristmill.dedup.centroids import assign, learn_centroids
from gristmill.recipe.dedup import Semantic

Pairs = dict[tuple[str, str], float]


class Shelf:
    """Vectors by text hash, which remembers what was read."""

    def __init__(self, vectors: np.ndarray):
        self.of = {hashlib.blake2b(bytes([i % 256, i // 256]), digest_size=16).hexdigest(): v for i, v in enumerate(vectors)}
        self.keys = list(self.of)
        self.read_sizes: list[int] = []

    def read(self, text_hashes: Sequence[str]) -> np.ndarray:
        self.read_sizes.append(len(text_hashes))
        return np.array([self.of[key] for key in text_hashes], dtype=np.float32)

    def brute_force(self, threshold: float) -> Pairs:
        keys = sorted(self.keys)
        rows = np.rint(np.array([self.of[key] for key in keys]).astype(float) * 10_000).astype(int)
        norms = np.sqrt((rows**2).sum(axis=1).astype(float))
        cosines = np.round((rows @ rows.T) / np.maximum(norms[:, None] * norms, 1e-9), 6)
        return {
            (keys[i], keys[j]): cosines[i, j]
            for i in range(len(keys))
            for j in range(i + 1, len(keys))
            if norms[i] and norms[j] and cosines[i, j] >= threshold
        }


def cloud(groups: int = 12, each: int = 25, dimension: int = 32, spread: float = 0.05, seed: int = 2) -> Shelf:
    """Tight bunches of unit vectors, rounded as an embedder rounds them."""
    draw = np.random.default_rng(seed)
    vectors = np.repeat(draw.normal(size=(groups, dimension)), each, axis=0) + draw.normal(scale=spread, size=(groups * each, dimension))
    return Shelf((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).round(4).astype(np.float32))


def centroids_of(shelf: Shelf, per_block: int) -> pl.DataFrame:
    keys = sorted(shelf.keys)
    return learn_centroids(shelf.read(keys), len(keys), Semantic(documents_per_block=per_block))


def as_pairs(frame: pl.DataFrame) -> Pairs:
    assert frame.schema == pl.Schema(semantic.PAIRS)
    return {(left, right): similarity for left, right, similarity in frame.rows()}


def test_one_block_is_brute_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(semantic, "ROWS_AT_ONCE", 7)
    shelf = cloud()
    members = semantic.members(shelf.keys, shelf.read, centroids_of(shelf, 1_000), 2)
    expected = shelf.brute_force(0.98)
    assert as_pairs(semantic.search(members, shelf.read, "m", 0.98).distinct()) == expected and len(expected) > 500


@pytest.mark.parametrize(("probes", "least"), [(1, 0.65), (2, 0.9), (4, 0.999)])
def test_recall_rises_with_probes(probes: int, least: float) -> None:
    """Blocks half the size of loose bunches, so that centroids have to part them; whatever is found is true."""
    shelf = cloud(spread=0.15)
    members = semantic.members(shelf.keys, shelf.read, centroids_of(shelf, 12), probes)
    expected, found = shelf.brute_force(0.9), as_pairs(semantic.search(members, shelf.read, "m", 0.9).distinct())
    assert found.items() <= expected.items()
    assert len(found) >= least * len(expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.integers(1, 3), st.data())
def test_any_arrival_gives_the_pairs_of_each_block(seed: int, n: int, probes: int, data: st.DataObject) -> None:
    """Texts come in batches and some go; every run is given the one before it. Only blocks whose members changed are searched,
    and the result is what a full run finds: in each block, what brute force finds among its members."""
    shelf = cloud(groups=6, each=10, dimension=8, spread=0.4, seed=seed)
    held = centroids_of(shelf, 15)
    state, present = None, set()
    for _ in range(data.draw(st.integers(1, 4))):
        earlier = set(present)
        present |= set(data.draw(st.lists(st.sampled_from(shelf.keys[:n]), max_size=n)))
        present -= set(data.draw(st.lists(st.sampled_from(shelf.keys[:n]), max_size=3)))
        frames = [semantic.members([key], shelf.read, held, probes) for key in data.draw(st.permutations(sorted(present)))]
        state = semantic.search(pl.concat([pl.DataFrame(schema=semantic.MEMBERS), *frames]), shelf.read, "m", 0.9, state)
        whole = semantic.members(sorted(present), shelf.read, held, probes)
        afresh = semantic.search(whole, shelf.read, "m", 0.9)
        assert state.searched.equals(afresh.searched) and state.pairs.equals(afresh.pairs)
        touched = set(semantic.members(sorted(earlier ^ present), shelf.read, held, probes)["block"])
        assert state.anew <= len(touched)
    blocks = {key: set(assign(shelf.read([key]), held, probes)[0].tolist()) for key in present}
    expected = {pair: value for pair, value in shelf.brute_force(0.9).items() if set(pair) <= present and blocks[pair[0]] & blocks[pair[1]]}
    assert state is not None and as_pairs(state.distinct()) == expected


def test_vectors_are_read_a_few_blocks_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = cloud()
    members = semantic.members(shelf.keys, shelf.read, centroids_of(shelf, 10), 2)
    whole = semantic.search(members, shelf.read, "m", 0.9)
    monkeypatch.setattr(semantic, "VECTORS_AT_ONCE", 40)
    monkeypatch.setattr(semantic, "SCORES_AT_ONCE", 64)
    shelf.read_sizes.clear()
    again = semantic.search(members, shelf.read, "m", 0.9)
    assert again.pairs.equals(whole.pairs) and again.anew == whole.anew == whole.searched["key"].n_unique()
    assert max(shelf.read_sizes) <= max(40, whole.searched["texts"].max()) and len(shelf.read_sizes) > 5
    assert semantic.members(shelf.keys[::-1], shelf.read, centroids_of(shelf, 10), 2).equals(members)


def test_an_earlier_search_counts_only_for_the_same_question() -> None:
    shelf = cloud(groups=3, each=10)
    members = semantic.members(shelf.keys, shelf.read, centroids_of(shelf, 10), 1)
    before = semantic.search(members, shelf.read, "m", 0.9)
    assert semantic.search(members, shelf.read, "m", 0.9, before).anew == 0
    assert semantic.search(members, shelf.read, "other", 0.9, before).anew == before.anew
    stricter = semantic.search(members, shelf.read, "m", 0.99, before)
    assert stricter.anew == before.anew and as_pairs(stricter.distinct()) == shelf.brute_force(0.99)


def test_renumbered_centroids_keep_what_was_found() -> None:
    """A block is known by its members, not by its number."""
    shelf = cloud(groups=3, each=10)
    members = semantic.members(shelf.keys, shelf.read, centroids_of(shelf, 10), 1)
    before = semantic.search(members, shelf.read, "m", 0.9)
    renumbered = members.with_columns((100 - pl.col("block")).cast(pl.Int32))
    after = semantic.search(renumbered, shelf.read, "m", 0.9, before)
    assert after.anew == 0 and after.pairs.equals(before.pairs)


def test_threshold_is_inclusive_and_a_zero_vector_resembles_nothing() -> None:
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 0], [0, 0], [0.6, 0.8]], dtype=np.float32)
    left, right, cosine = semantic.near_pairs(vectors, 0.6)
    assert list(zip(left, right, cosine, strict=True)) == [(0, 1, 0.6), (0, 4, 0.6), (1, 4, 1.0)]
    assert len(semantic.near_pairs(vectors, -1.0)[0]) == 3
    assert len(semantic.near_pairs(vectors[2:4], -1.0)[0]) == 0


def test_few_texts() -> None:
    for n in (0, 1):
        shelf = Shelf(np.ones((n, 4), dtype=np.float32))
        found = semantic.search(semantic.members(shelf.keys, shelf.read, centroids_of(cloud(dimension=4), 50), 2), shelf.read, "m", 0.9)
        assert found.distinct().is_empty() and found.searched.is_empty() and found.anew == 0


def test_only_languages_that_the_model_reads() -> None:
    assert semantic.readable("all-MiniLM-L6-v2-0123abcd-128x1") == {"en"}
    assert semantic.readable("paraphrase-multilingual-MiniLM-L12-v2-0123abcd-128x1") is None
