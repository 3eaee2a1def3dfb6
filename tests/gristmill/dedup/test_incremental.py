"""Incremental clustering: exactly what a run from nothing gives, tables and all, and only what a change touches is made again."""

import random
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gristmill.dedup import minhash
from gristmill.dedup.clusters import VERSION, Clustering
from gristmill.recipe.dedup import Dedup, MinHash
from tests.gristmill.dedup.oracle import Document, Pairs, Text, clusters, drawn, drawn_pairs, fingerprint, pool, run

ALL = Dedup(levels=["url", "exact", "near", "semantic"])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False), st.sampled_from([2, 3, 32]))
def test_any_history_ends_where_a_run_from_nothing_does(tmp_path: Path, draw: random.Random, large: int) -> None:
    """Batches that come, shards that go, documents taken down and edited, pairs of vectors that change, another recipe."""
    texts = pool(draw, draw.choice([5, 14]))
    documents, pairs, chosen, previous = drawn(draw, texts, draw.choice([0, 20, 40])), drawn_pairs(draw, texts, 4), ALL, None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gristmill.dedup.near.LARGE_BAND", large)
        for _ in range(4):
            found = run(documents, tmp_path, chosen, pairs, previous, memory=draw.choice([1 << 10, 1 << 26]))
            expected = run(draw.sample(documents, len(documents)), tmp_path, chosen, pairs)
            assert fingerprint(found) == fingerprint(expected)
            previous = found.tables
            documents, pairs, chosen = changed(draw, texts, documents, pairs, chosen)


def changed(
    draw: random.Random, texts: list[Text], documents: list[Document], pairs: Pairs, chosen: Dedup
) -> tuple[list[Document], Pairs, Dedup]:
    match draw.choice(["come", "come", "go", "shard", "edit", "move", "pairs", "recipe"]):
        case "come":
            known = {(d.name, d.shard) for d in documents}
            documents = documents + [d for d in drawn(draw, texts, draw.choice([1, 10])) if (d.name, d.shard) not in known]
        case "go":
            documents = draw.sample(documents, max(0, len(documents) - draw.choice([1, 5])))
        case "shard":
            documents = [d for d in documents if d.shard != "crawl/1"]
        case "edit":
            documents = [replace(d, text=draw.choice(texts), url=None) if draw.random() < 0.2 else d for d in documents]
        case "move":
            documents = list(
                {(d.name, shard): replace(d, shard=shard) for d in documents for shard in [draw.choice([d.shard, "crawl/9"])]}.values()
            )
        case "pairs":
            pairs = drawn_pairs(draw, texts, 4)
        case "recipe":
            chosen = draw.choice([ALL, Dedup(levels=["near"]), Dedup(survivor=["latest"]), Dedup(minhash=MinHash(threshold=0.8))])
    return documents, pairs, chosen


FAMILIES = 200


def crawl() -> list[Document]:
    """Families of three near texts and a copy, in ten shards."""
    documents = []
    for f in range(FAMILIES):
        texts = [
            Text(f"{f} {i}", (3 * f, 3 * f + 1, 10_000 + 3 * f + i), (*range(100 * f, 100 * f + 50), 1_000_000 + 3 * f + i))
            for i in range(3)
        ]
        documents += [Document(f"{f} {i}", text, f"crawl/{f % 5}", n_chars=10 + i) for i, text in enumerate(texts)]
        documents.append(Document(f"{f} copy", texts[0], f"crawl/{5 + f % 5}", n_chars=9))
    return documents


def again(documents: list[Document], previous: Clustering, tmp_path: Path) -> dict[str, int]:
    """What was recomputed, and that nothing else would have come of computing everything."""
    found = run(documents, tmp_path, ALL, previous=previous.tables)
    assert fingerprint(found) == fingerprint(run(documents, tmp_path, ALL))
    return found.counts


def test_only_what_a_change_touches_is_made_again(tmp_path: Path) -> None:
    documents = crawl()
    whole = run(documents, tmp_path, ALL)
    assert (whole.counts["components elected"], whole.counts["near edges new"]) == (FAMILIES, 3 * FAMILIES)

    nothing = again(documents, whole, tmp_path)
    assert {nothing[name] for name in nothing if name not in ("documents", "near edges")} == {0}

    one_more = again(
        [
            *documents,
            Document("new", Text("new", (3 * 7, 1 << 40, 1 << 41), (*range(700, 750), 5))),
            Document("alone", Text("alone", (1 << 42, 1 << 43, 1 << 44), (1,))),
        ],
        whole,
        tmp_path,
    )
    assert (one_more["components elected"], one_more["documents elected"], one_more["documents new or changed"]) == (1, 6, 2)
    assert (one_more["bands grouped"], one_more["pairs proposed"], one_more["near edges new"]) == (1, 3, 3)

    taken_down = again([d for d in documents if d.name != "9 2"], whole, tmp_path)
    assert (taken_down["components elected"], taken_down["documents elected"], taken_down["documents gone"]) == (1, 3, 1)
    assert (taken_down["bands grouped"], taken_down["pairs proposed"]) == (0, 0)

    a_copy_down = again([d for d in documents if d.name != "9 copy"], whole, tmp_path)
    assert (a_copy_down["components elected"], a_copy_down["texts new"], a_copy_down["near edges"]) == (1, 0, 3 * FAMILIES)

    shard_gone = again([d for d in documents if d.shard != "crawl/3"], whole, tmp_path)
    assert shard_gone["documents elected"] == FAMILIES // 5  # the copies that are left, alone now
    assert (shard_gone["components elected"], shard_gone["pairs proposed"], shard_gone["documents gone"]) == (0, 0, 3 * FAMILIES // 5)


def test_a_band_grows_large_and_shrinks_again(tmp_path: Path) -> None:
    boilerplate = [Document(f"{i}", Text(f"{i}", (1, 100 + i), (*range(20), 1_000 + i)), n_chars=i) for i in range(40)]
    small = run(boilerplate[:30], tmp_path, ALL)
    assert small.counts["near edges"] == 30 * 29 // 2
    large = run(boilerplate, tmp_path, ALL, previous=small.tables)
    assert fingerprint(large) == fingerprint(run(boilerplate, tmp_path, ALL))
    assert (large.counts["near edges"], large.counts["texts in large bands"]) == (0, 40)
    assert fingerprint(run(boilerplate[:30], tmp_path, ALL, previous=large.tables)) == fingerprint(small)


def test_an_edge_outlives_the_growth_of_one_of_its_small_bands(tmp_path: Path) -> None:
    """Three bands in common; they grow large one by one, in any order, and shrink again."""
    twins = [Document(f"twin {i}", Text(f"twin {i}", (1, 2, 3), (*range(20), 1_000 + i))) for i in range(2)]

    def crowd(band: int) -> list[Document]:
        """Unlike texts that share this one band with the twins, and nothing else."""
        made = []
        for i in range(140):
            bands = [10_000 * band + 10 * i + b for b in range(3)]
            bands[band - 1] = band
            name = f"{band} {i}"
            made.append(
                Document(name, Text(name, tuple(bands), tuple(range(10**7 * band + 100 * i, 10**7 * band + 100 * i + 20))), n_chars=999)
            )
        return made

    crowds = {band: crowd(band) for band in (1, 2, 3)}
    for order in permutations(crowds):
        found, there = run(twins, tmp_path, ALL), set[int]()
        for band in (*order, *order):
            there ^= {band}
            documents = [*twins, *(document for b in there for document in crowds[b])]
            whole = run(documents, tmp_path, ALL)
            found = run(documents, tmp_path, ALL, previous=found.tables)
            assert fingerprint(found) == fingerprint(whole)
            keys = found.tables["near_edges"].collect()["key"].to_list()
            assert keys == [min({1, 2, 3} - there)] if len(there) < 3 else not keys
            assert clusters(found).height == (2 if len(there) < 3 else 0)  # in large bands alone it comes after too many unlike survivors


def test_everything_may_go(tmp_path: Path) -> None:
    whole = run(crawl()[:8], tmp_path, ALL)
    nothing = run([], tmp_path, ALL, previous=whole.tables)
    assert whole.counts["near edges"] and fingerprint(nothing) == fingerprint(run([], tmp_path, ALL))


def test_other_signatures_make_everything_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text's bands are no part of its digest: the version of what makes them is."""
    assert minhash.VERSION in VERSION
    documents = crawl()[:40]
    before = run(documents, tmp_path, ALL)
    monkeypatch.setattr("gristmill.dedup.clusters.VERSION", f"{VERSION}, of another minhash")
    signed = [replace(d, text=replace(d.text, bands=tuple(band + 10**6 for band in d.text.bands))) for d in documents]
    found = run(signed, tmp_path, ALL, previous=before.tables)
    assert found.counts["documents new or changed"] == 40
    assert fingerprint(found) == fingerprint(run(signed, tmp_path, ALL))


def test_other_settings_make_everything_again(tmp_path: Path) -> None:
    documents = crawl()[:40]
    before = run(documents, tmp_path, ALL)
    for chosen in (Dedup(survivor=["latest"]), Dedup(levels=["near"]), Dedup(minhash=MinHash(threshold=0.99))):
        found = run(documents, tmp_path, chosen, previous=before.tables)
        assert found.counts["documents new or changed"] == 40
        assert fingerprint(found) == fingerprint(run(documents, tmp_path, chosen))
