"""Clusters: equal to brute force over all pairs; declared survivors, no chains; the same for any sharding, order and memory."""

import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array

from gristmill.dedup import minhash
from gristmill.errors import ContractError
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.hashing import text_hash
from gristmill.recipe.dedup import Dedup, MinHash
from tests.gristmill.dedup.oracle import Document, Text, brute_force, clusters, digest, drawn, drawn_pairs, fingerprint, jaccard, pool, run

LEVELS = ["url", "exact", "near", "semantic"]
ALL = Dedup(levels=LEVELS)
ANY = st.randoms(use_true_random=False)
relaxed = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

LONG, CLOSE, OTHER = Text("long", (1, 2), tuple(range(100))), Text("close", (3, 2), tuple(range(5, 100))), Text("other", (7, 8), (500, 501))


def relations(documents: list[Document], scratch: Path, settings: Dedup = ALL, **more: Any) -> list[tuple[str, str, str]]:
    names = {d.doc_id: d.name for d in documents}
    found = clusters(run(documents, scratch, settings, **more))
    return sorted((names[doc], kind, names[survivor]) for doc, kind, survivor in found.select("doc_id", "kind", "survivor").rows())


def test_nothing_alike(tmp_path: Path) -> None:
    assert relations([Document("a", LONG), Document("b", OTHER, url="u"), Document("c", Text("none"), url="v")], tmp_path) == []
    assert relations([], tmp_path) == []
    found = run([], tmp_path, ALL)
    assert dict(found.clusters.collect_schema()) == CONTRACTS["clusters"].schema


def test_each_kind(tmp_path: Path) -> None:
    documents = [
        Document("survivor", LONG, url="u", payload="p", n_chars=200),
        Document("survivor", LONG, "crawl/1", url="u", payload="p", n_chars=200),
        Document("by url", OTHER, url="u"),
        Document("by payload", Text("2"), payload="p"),
        Document("by text", LONG, clean="another layout"),
        Document("by shingles", CLOSE),
        Document("by meaning", Text("3"), clean="x"),
        Document("alone", Text("4")),
    ]
    pairs = {(documents[0].text_hash, documents[6].text_hash): 0.97}
    found = clusters(run(documents, tmp_path, ALL, pairs))
    first = min(d.doc_id for d in documents if d.name != "alone")
    assert (
        set(found["cluster"]) == {first} and set(found["survivor"]) == {digest("survivor")} and set(found["survivor_shard"]) == {"crawl/0"}
    )
    names = {d.doc_id: d.name for d in documents}
    assert sorted((names[d], s, k, v) for d, s, k, v in found.select("doc_id", "shard", "kind", "similarity").rows()) == [
        ("by meaning", "crawl/0", "semantic", 0.97),
        ("by payload", "crawl/0", "payload", 1.0),
        ("by shingles", "crawl/0", "near", 0.95),
        ("by text", "crawl/0", "exact", 1.0),
        ("by url", "crawl/0", "url", 1.0),
        ("survivor", "crawl/0", "survivor", 1.0),
        ("survivor", "crawl/1", "same", 1.0),
    ]


@pytest.mark.parametrize("off", LEVELS)
def test_a_level_that_is_off_relates_nothing(off: str, tmp_path: Path) -> None:
    documents = [
        Document("a", LONG, url="u", payload="p", n_chars=200),
        Document("url", Text("1"), url="u"),
        Document("exact", Text("2"), payload="p"),
        Document("near", CLOSE),
        Document("semantic", Text("3")),
    ]
    pairs = {(documents[0].text_hash, documents[4].text_hash): 0.97}
    found = relations(documents, tmp_path, Dedup(levels=[level for level in LEVELS if level != off]), pairs=pairs)
    assert {name for name, _, _ in found} == {d.name for d in documents if d.name != off}


def test_equal_texts_without_the_exact_level_are_near_if_they_have_shingles(tmp_path: Path) -> None:
    documents = [Document("a", LONG), Document("b", LONG), Document("c", Text("short")), Document("d", Text("short"))]
    for levels in (["near"], ["near", "semantic"]):
        found = brute_force(documents, Dedup(levels=levels))
        assert clusters(run(documents, tmp_path, Dedup(levels=levels))).equals(found)
        assert ("near" in set(found["kind"])) and ("semantic" in set(found["kind"])) == ("semantic" in levels)


BETTER: list[tuple[list[str], dict[str, Any], dict[str, Any]]] = [
    (["priority", "longest", "earliest"], {"priority": 1, "n_chars": 1, "day": 9}, {"priority": 0, "n_chars": 2, "day": 0}),
    (["priority", "longest", "earliest"], {"n_chars": 2, "day": 9}, {"n_chars": 1, "day": 0}),
    (["priority", "longest", "earliest"], {"day": 1}, {"day": 2}),
    (["priority", "longest", "earliest"], {"day": 1}, {"day": None}),
    (["latest", "priority"], {"day": 2, "priority": 0}, {"day": 1, "priority": 5}),
    (["latest"], {"day": 0}, {"day": None}),
    (["longest", "priority"], {"n_chars": 2, "priority": 0}, {"n_chars": 1, "priority": 5}),
    (["earliest"], {"day": 1, "n_chars": 1, "priority": -1}, {"day": 2, "n_chars": 9, "priority": 1}),
]


@pytest.mark.parametrize(("order", "better", "worse"), BETTER)
def test_the_survivor_is_elected_in_declared_order(order: list[Any], better: dict[str, Any], worse: dict[str, Any], tmp_path: Path) -> None:
    documents = [Document("better", LONG, **better), Document("worse", LONG, **worse)]
    for some in (documents, documents[::-1]):
        assert relations(some, tmp_path, Dedup(survivor=order)) == [("better", "survivor", "better"), ("worse", "exact", "better")]


def test_the_smallest_id_wins_at_last(tmp_path: Path) -> None:
    documents = [Document(name, LONG) for name in "abcdef"]
    assert set(clusters(run(documents, tmp_path, ALL))["survivor"]) == {min(d.doc_id for d in documents)}


def test_a_document_in_two_shards_stays_in_the_better_one(tmp_path: Path) -> None:
    rows = [
        Document("d", LONG, "b/0", day=2),
        Document("d", LONG, "a/9", day=2),
        Document("d", LONG, "c/0", day=1),
        Document("d", LONG, "d/0", day=None),
    ]
    assert set(clusters(run(rows, tmp_path, ALL))["survivor_shard"]) == {"c/0"}
    assert set(clusters(run(rows[:2], tmp_path, ALL))["survivor_shard"]) == {"a/9"}
    better = Document("d", LONG, "z/0", priority=5, day=None)
    assert set(clusters(run([*rows, better], tmp_path, ALL))["survivor_shard"]) == {"z/0"}


@pytest.mark.parametrize(
    ("survivor", "owner"),
    [
        (["latest"], "c/0"),
        (["earliest"], "d/0"),
        (["priority"], "b/0"),
        (["longest", "latest"], "e/0"),
        (["longest", "earliest"], "a/0"),
        (["priority", "longest", "earliest"], "b/0"),
        ([], "a/0"),
    ],
)
def test_the_declared_order_also_picks_among_one_documents_copies(survivor: list[str], owner: str, tmp_path: Path) -> None:
    copies = [
        Document("d", LONG, "e/0", day=8, n_chars=20, url="u"),
        Document("d", LONG, "d/0", day=1, n_chars=10, url="u"),
        Document("d", LONG, "c/0", day=9, n_chars=10, url="u"),
        Document("d", LONG, "b/0", day=2, n_chars=10, url="u", priority=1),
        Document("d", LONG, "a/0", day=2, n_chars=20, url="u"),
    ]
    other = Document("other", OTHER, "f/0", day=5, n_chars=15, url="u")
    chosen = Dedup(levels=["url"], survivor=survivor)
    found = clusters(run([*copies, other], tmp_path, chosen))
    assert found.equals(brute_force([*copies, other], chosen))
    assert found.filter(doc_id=copies[0].doc_id).filter(pl.col("kind") != "same")["shard"].to_list() == [owner]
    wins = survivor != [] or copies[0].doc_id < other.doc_id
    assert set(found["survivor"]) == {copies[0].doc_id if wins else other.doc_id}


def test_a_document_in_two_shards_that_loses_loses_in_both(tmp_path: Path) -> None:
    documents = [Document("d", CLOSE, "a/0"), Document("d", CLOSE, "b/0"), Document("s", LONG, n_chars=200)]
    assert relations(documents, tmp_path) == [("d", "near", "s"), ("d", "near", "s"), ("s", "survivor", "s")]


def test_chains_are_cut(tmp_path: Path) -> None:
    """Each text shares four fifths with the next; the ends share nothing. Survivors take what is near to themselves."""
    chain = [Document(f"{i}", Text(f"{i}", (i // 2, 50 + (i + 1) // 2), tuple(range(10 * i, 10 * i + 100)))) for i in range(12)]
    assert jaccard(chain[0].text, chain[1].text) == round(90 / 110, 6)
    found = clusters(run(chain, tmp_path, ALL))
    assert found.equals(brute_force(chain, ALL)) and found["survivor"].n_unique() >= 3
    a, b, c = (Document(name, Text(name), n_chars=n) for name, n in (("a", 3), ("b", 2), ("c", 1)))
    assert relations([a, b, c], tmp_path, pairs={(a.text_hash, b.text_hash): 0.96, (b.text_hash, c.text_hash): 0.96}) == [
        ("a", "survivor", "a"),
        ("b", "semantic", "a"),
    ]


def test_the_strongest_relation_to_the_survivor_is_told(tmp_path: Path) -> None:
    a, b = Document("a", LONG, n_chars=200), Document("b", CLOSE)
    pairs = {(a.text_hash, b.text_hash): 0.99}
    assert ("b", "near", "a") in relations([a, b], tmp_path, pairs=pairs)
    assert ("b", "url", "a") in relations([replace(a, url="u"), replace(b, url="u")], tmp_path, pairs=pairs)


@relaxed
@given(ANY, st.sampled_from([2, 3, 32]))
def test_against_brute_force(tmp_path: Path, draw: random.Random, large: int) -> None:
    """Any levels, any order of survival, bands small and large, a budget of kilobytes."""
    texts = pool(draw, draw.choice([4, 14, 25]))
    chosen = Dedup(
        levels=[level for level in LEVELS if draw.random() < 0.8] or ["near"],
        survivor=draw.choice([["priority", "longest", "earliest"], ["latest"], ["longest", "priority"], []]),
    )
    documents, pairs = drawn(draw, texts, draw.choice([3, 20, 50])), drawn_pairs(draw, texts, 6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gristmill.dedup.near.LARGE_BAND", large)
        found = run(documents, tmp_path, chosen, pairs, memory=draw.choice([1 << 10, 1 << 14, 1 << 26]))
    assert clusters(found).equals(brute_force(documents, chosen, pairs))


@relaxed
@given(ANY)
def test_any_order_sharding_and_memory(tmp_path: Path, draw: random.Random) -> None:
    """Shards only name where a document lies: a deal of the same rows to other shards moves the shard columns and nothing else."""
    texts = pool(draw)
    pairs, documents = drawn_pairs(draw, texts, 6), list({d.name: d for d in drawn(draw, texts, 40)}.values())
    expected = run(documents, tmp_path, ALL, pairs)
    shuffled = draw.sample(documents, len(documents))
    assert fingerprint(run(shuffled, tmp_path, ALL, pairs, memory=1 << 12)) == fingerprint(expected)
    dealt = [replace(d, shard=f"other/{draw.randrange(3)}") for d in shuffled]
    columns = pl.exclude("shard", "survivor_shard")
    assert clusters(run(dealt, tmp_path, ALL, pairs)).select(columns).equals(clusters(expected).select(columns))


def mutated(originals: int, copies: int, seed: int = 3) -> pl.DataFrame:
    """Texts, and copies in which a run of words was replaced, so that Jaccard spreads over 0.4 to 1: doc_id, text, text_hash."""
    draw = random.Random(seed)

    def words(n: int) -> list[str]:
        return ["".join(draw.choices("abcdefghijklmnop", k=5)) for _ in range(n)]

    texts = []
    for _ in range(originals):
        base = words(draw.randrange(40, 160))
        texts.append(base)
        for _ in range(copies):
            n = draw.randrange(1, len(base) // 3)
            at = draw.randrange(len(base) - n)
            texts.append(base[:at] + words(n) + base[at + n :])
    joined = [" ".join(text) for text in texts]
    return pl.DataFrame(
        {"doc_id": [digest(f"{i}") for i in range(len(joined))], "text": joined, "text_hash": [text_hash(t) for t in joined]}
    )


def signed(texts: pl.DataFrame, parameters: MinHash) -> list[Document]:
    rows = minhash.sign(texts, parameters).sort("n_chars", "doc_id").iter_rows(named=True)
    ids = {digest(f"{i}"): f"{i}" for i in range(texts.height)}
    return [Document(ids[r["doc_id"]], Text(r["normal_hash"], tuple(r["bands"]), tuple(r["shingles"])), n_chars=r["n_chars"]) for r in rows]


def test_with_bands_enough_nothing_is_missed(tmp_path: Path) -> None:
    """64 bands of 4 rows find a pair of Jaccard 0.7 but once in 10^7 times: clusters are those of all pairs."""
    parameters = MinHash(bands=64, rows=4)
    documents = signed(mutated(60, 5), parameters)
    everything = [replace(d, text=replace(d.text, bands=(*d.text.bands[:1], 1))) for d in documents]  # brute force compares all
    found = clusters(run(documents, tmp_path, Dedup(levels=["near"], minhash=parameters)))
    assert found.equals(brute_force(everything, Dedup(levels=["near"])))
    assert (found["kind"] == "near").sum() > 60


def test_recall_and_precision_beside_the_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the pairs at each similarity, those that 14 bands of 8 find, beside 1 - (1 - s^8)^14. What is found is true: precision 1."""
    documents = signed(mutated(250, 5), MinHash())
    true = jaccards([d.text for d in documents])
    edges = run(documents, tmp_path, Dedup(levels=["near"])).tables["near_edges"].collect()
    found = dict(zip(edges.select("left", "right").rows(), edges["similarity"], strict=True))
    expected = luck = 0.0
    lines = ["  Jaccard     pairs  found  recall  theory"]
    for low in range(70, 100, 5):
        some = {pair: value for pair, value in true.items() if low <= 100 * value < low + 5}
        theory = [1 - (1 - value**8) ** 14 for value in some.values()]
        seen = sum(pair in found for pair in some)
        lines.append(
            f"  {low / 100:.2f}-{low / 100 + 0.05:.2f} {len(some):7} {seen:6} {seen / len(some):7.3f} {sum(theory) / len(some):7.3f}"
        )
        expected, luck = expected + sum(theory), luck + sum(p * (1 - p) for p in theory)
    alike = sum(value >= 0.7 for value in true.values())
    lines.append(f"  precision {sum(true.get(pair, 0) >= 0.7 for pair in found) / len(found):.3f}, recall {len(found) / alike:.3f}")
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert all(true[pair] == value >= 0.7 for pair, value in found.items())
    assert abs(len(found) - expected) < 5 * luck**0.5 + 0.02 * expected  # copies of one text are not independent of each other


def jaccards(texts: list[Text]) -> dict[tuple[str, str], float]:
    """Of all pairs that have a shingle in common, by the two hashes in order."""
    texts = sorted({text.name: text for text in texts}.values(), key=lambda text: digest(text.name))
    column = {shingle: i for i, shingle in enumerate(sorted({s for text in texts for s in text.shingles}))}
    places = [(row, column[shingle]) for row, text in enumerate(texts) for shingle in text.shingles]
    held = coo_array((np.ones(len(places), np.int64), tuple(np.array(places).T)), shape=(len(texts), len(column))).tocsr()
    both = (held @ held.T).tocoo()
    sizes, names = [len(text.shingles) for text in texts], [digest(text.name) for text in texts]
    rows = zip(both.row.tolist(), both.col.tolist(), both.data.tolist(), strict=True)
    return {(names[i], names[j]): round(n / (sizes[i] + sizes[j] - n), 6) for i, j, n in rows if i < j}


def test_what_cannot_be_clustered_is_refused(tmp_path: Path) -> None:
    from gristmill.dedup.clusters import duplicate_clusters
    from tests.gristmill.dedup.oracle import semantic_frame, shards

    shard = shards([Document("a", LONG), Document("b", OTHER)])[0]
    cases = [
        (replace(shard, members=shard.members.drop("url")), "lack the columns url"),
        (replace(shard, members=pl.concat([shard.members, shard.members])), "not unique"),
        (replace(shard, members=shard.members.with_columns(normal_hash=pl.lit("abc"))), "hex digits"),
        (replace(shard, signatures=shard.signatures.head(1)), "lack 1 of the kept documents"),
    ]
    for broken, message in cases:
        with pytest.raises(ContractError, match=message):
            duplicate_clusters([broken], semantic_frame({}), ALL, tmp_path)


def test_times_may_be_missing(tmp_path: Path) -> None:
    documents = [Document("a", LONG, day=None), Document("b", LONG, day=None), Document("c", LONG, day=3)]
    assert set(clusters(run(documents, tmp_path, ALL))["survivor"]) == {digest("c")}
