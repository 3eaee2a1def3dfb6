"""Near pairs: proven by true Jaccard once each, complete in small bands, not written down for large ones."""

from itertools import combinations
from pathlib import Path

import pytest

from gristmill.dedup import near
from gristmill.recipe.dedup import Dedup, MinHash
from tests.gristmill.dedup.oracle import Document, Text, clusters, digest, run


def found(texts: list[Text], scratch: Path, threshold: float = 0.5):
    settings = Dedup(levels=["near"], minhash=MinHash(threshold=threshold))
    return run([Document(text.name, text) for text in texts], scratch, settings)


def edges(texts: list[Text], scratch: Path, threshold: float = 0.5) -> set[tuple[str, str, int, float]]:
    names = {digest(text.name): text.name for text in texts}
    rows = found(texts, scratch, threshold).tables["near_edges"].collect().rows()
    assert len(set(rows)) == len(rows) and all(left < right for left, right, _, _ in rows)
    return {(*sorted((names[left], names[right])), key, value) for left, right, key, value in rows}


def test_a_shared_band_is_a_hint_and_jaccard_the_proof(tmp_path: Path) -> None:
    texts = [
        Text("a", (1, 2), (1, 2, 3, 4)),
        Text("b", (1, 9), (1, 2, 3, 5)),
        Text("c", (7, 2), (4, 8, 9)),
        Text("d", (5, 6), (1, 2, 3, 4)),
    ]
    assert edges(texts, tmp_path) == {("a", "b", 1, 0.6)}  # c shares a band and not enough; d is equal and shares no band


def test_the_threshold_is_inclusive_and_sets_may_be_empty(tmp_path: Path) -> None:
    assert edges([Text("a", (1,), (1, 2)), Text("b", (1,), (1,))], tmp_path, 0.5) == {("a", "b", 1, 0.5)}
    assert edges([Text("a", (1,), (1, 2, 3)), Text("b", (1,), (1,))], tmp_path, 0.333333) == {("a", "b", 1, 0.333333)}
    assert edges([Text("a", (1,), (1, 2, 3)), Text("b", (1,), (1,))], tmp_path, 0.333334) == set()
    assert edges([Text("a"), Text("b")], tmp_path, 0.0) == set()
    assert edges([], tmp_path) == set()


def test_a_pair_is_proven_once_under_its_first_common_band(tmp_path: Path) -> None:
    assert edges([Text("a", (9, 5, 1), (1, 2)), Text("b", (8, 5, 1), (1, 2, 3))], tmp_path) == {("a", "b", 5, 0.666667)}


@pytest.mark.parametrize("others", [10, near.LARGE_BAND, 140])
@pytest.mark.parametrize("at", [0, 1])
def test_a_pair_is_found_under_a_small_band_whatever_large_ones_it_shares(others: int, at: int, tmp_path: Path) -> None:
    """Boilerplate that more unlike texts share than a large band remembers hides no pair."""

    def text(name: str, own: int, shingles: tuple[int, ...]) -> Text:
        return Text(name, (777, own) if at == 0 else (own, 777), shingles)

    crowd = [text(f"{i}", 10_000 + i, tuple(range(100 * i, 100 * i + 20))) for i in range(others)]
    twins = [text(f"twin {i}", 5, (*range(10**6, 10**6 + 20), 2 * 10**6 + i)) for i in range(2)]
    documents = [Document(text.name, text, n_chars=100 if text in crowd else 50 - i) for i, text in enumerate([*crowd, *twins])]
    result = run(documents, tmp_path, Dedup(levels=["near"]))
    rows = clusters(result)
    assert set(rows["doc_id"]) == {digest("twin 0"), digest("twin 1")} and sorted(rows["kind"]) == ["near", "survivor"]
    large = others + 2 > near.LARGE_BAND
    assert result.tables["near_edges"].collect()["key"].to_list() == [777 if at == 0 and not large else 5]
    assert result.counts["pairs proposed"] == (1 if large else (others + 2) * (others + 1) // 2)  # proven once, not once per band


@pytest.mark.parametrize("size", [near.LARGE_BAND // 2, near.LARGE_BAND, 60])
def test_a_large_band_leaves_no_two_survivors_that_are_near(size: int, tmp_path: Path) -> None:
    families = [[Text(f"{f} {i}", (1,), (*range(1_000 * f, 1_000 * f + 50), 10_000 * f + 1_000 + i)) for i in range(size)] for f in (1, 2)]
    result = found([text for family in families for text in family], tmp_path, 0.7)
    rows = clusters(result)
    assert rows.height == 2 * size and rows["survivor"].n_unique() == 2
    assert set(rows["similarity"]) == {1.0, round(50 / 52, 6)}
    written = result.tables["near_edges"].collect().height
    assert written == (2 * len(list(combinations(range(size), 2))) if 2 * size <= near.LARGE_BAND else 0)
    assert result.tables["band_groups"].collect().height == (0 if 2 * size <= near.LARGE_BAND else 2 * size)


def test_a_band_that_is_too_large_to_compare_remembers_its_first_survivors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond that a pair has to share another band: bounded work, and a function of the members all the same."""
    monkeypatch.setattr("gristmill.dedup.election.LEADERS", 3)
    unlike = [Text(f"{i}", (1,), tuple(range(100 * i, 100 * i + 10))) for i in range(50)]
    twins = [Text(f"{text.name} again", text.bands, (*text.shingles, 9_999)) for text in unlike]
    documents = [
        Document(f"{n} {text.name}", text, n_chars=n_chars)
        for n, (text, n_chars) in enumerate([*((t, 20) for t in unlike), *((t, 10) for t in twins)])
    ]
    rows = clusters(run(documents, tmp_path, Dedup(levels=["near"])))
    assert (rows["kind"] == "near").sum() == 3
