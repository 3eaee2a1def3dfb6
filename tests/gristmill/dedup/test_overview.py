"""Counts, sizes and losses of a small table of clusters that can be counted by hand."""

import polars as pl

from gristmill.dedup.overview import by_kind, excessive, largest, losses, overview, sizes
from gristmill.lake.contracts import CONTRACTS


def clusters(*groups: list[tuple[str, str, str, float]]) -> pl.DataFrame:
    """Each group's first document survives: (doc_id, shard, kind, similarity)."""
    rows = []
    for group in groups:
        survivor, shard = group[0][:2]
        cluster = min(doc_id for doc_id, *_ in group)
        rows += [(doc_id, own, kind, cluster, survivor, shard, similarity) for doc_id, own, kind, similarity in group]
    return pl.DataFrame(rows, schema=CONTRACTS["clusters"].schema, orient="row")


FOUND = clusters(
    [("b", "web/1", "survivor", 1.0), ("a", "web/1", "near", 0.8), ("b", "web/2", "same", 1.0), ("p", "code/1", "semantic", 0.96)],
    [("c", "web/2", "survivor", 1.0), ("q", "code/1", "near", 0.9), ("r", "code/1", "near", 0.9)],
    [("e", "web/1", "survivor", 1.0), ("f", "web/2", "url", 1.0)],
)
MEMBERS = pl.DataFrame(
    [
        *((doc_id, "web/1", doc_id) for doc_id in "abde"),
        *((doc_id, "web/2", doc_id) for doc_id in "bcf"),
        *((doc_id, "code/1", text) for doc_id, text in (("p", "p"), ("q", "q"), ("r", "q"), ("s", "s"))),
    ],
    schema={"doc_id": pl.String, "shard": pl.String, "text": pl.String},
    orient="row",
)


def source_of(shard: str) -> str:
    return shard.split("/")[0]


def test_levels_and_sizes():
    assert by_kind(FOUND.lazy()) == {"same": 1, "url": 1, "payload": 0, "exact": 0, "near": 3, "semantic": 1}
    assert sizes(FOUND.lazy(), MEMBERS.height) == [
        {"size": "1", "clusters": 2, "documents": 2},
        {"size": "2", "clusters": 1, "documents": 2},
        {"size": "3-4", "clusters": 2, "documents": 7},
    ]
    long = clusters(*([(f"{n}-{i}", "s", "near" if i else "survivor", 0.9) for i in range(n)] for n in (5, 8, 9, 1024, 1025)))
    assert [(row["size"], row["clusters"]) for row in sizes(long.lazy(), long.height)] == [
        ("5-8", 2),
        ("9-16", 1),
        ("513-1,024", 1),
        ("1,025-2,048", 1),
    ]


def test_the_largest_first():
    rows = largest(FOUND.lazy(), 2).to_dicts()
    assert [(row["cluster"], row["survivor"], row["documents"], row["copies"], row["least"]) for row in rows] == [
        ("a", "b", 3, 4, 0.8),
        ("c", "c", 3, 3, 0.9),
    ]
    assert (rows[0]["near"], rows[0]["same"], rows[0]["semantic"]) == (1, 1, 1)


def test_what_a_source_loses_and_to_whom():
    found = losses(MEMBERS, FOUND, source_of)
    assert found.select("source", "documents", "near", "semantic", "lost", "share", "texts", "inexact texts", "inexact share").rows() == [
        ("code", 4, 2, 1, 3, 0.75, 3, 2, 0.666667),
        ("web", 7, 1, 0, 3, 0.428571, 6, 1, 0.166667),
    ]
    assert found["largest"][0].to_list() == [
        {"cluster": "c", "survivor": "c", "to": "web", "documents": 2, "inexact": 2},
        {"cluster": "a", "survivor": "b", "to": "web", "documents": 1, "inexact": 1},
    ]
    assert excessive(found, 0.5) == [
        "code loses 66.7% of its 3 texts to near or semantic copies: 2 to c of web (cluster c); 1 to b of web (cluster a)"
    ]
    assert excessive(found, 0.7) == []


def test_metadata_of_everything_and_of_nothing():
    said = overview(MEMBERS, FOUND, source_of)
    assert (said["documents"], said["left"], len(said["largest clusters"])) == (11, 5, 3)
    nothing = overview(MEMBERS.clear(), FOUND.clear(), source_of)
    assert nothing["documents"] == nothing["left"] == 0 and nothing["clusters by size"] == nothing["lost by source"] == []
    alone = overview(MEMBERS, FOUND.clear(), source_of)
    assert alone["left"] == 11 and [row["lost"] for row in alone["lost by source"]] == [0, 0]


def test_neither_order_nor_sharding_of_the_rows_matters():
    assert losses(MEMBERS.reverse(), FOUND.reverse(), source_of).equals(losses(MEMBERS, FOUND, source_of))
