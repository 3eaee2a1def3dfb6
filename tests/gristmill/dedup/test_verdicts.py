"""Verdicts after deduplication: a reason for each loser, and nothing else moved."""

import polars as pl

from gristmill.dedup.verdicts import deduplicate
from gristmill.lake.contracts import CONTRACTS, conform
from gristmill.recipe.dedup import Dedup, MinHash, Semantic


def verdicts(*rows: tuple) -> pl.DataFrame:
    return conform("verdicts", pl.DataFrame(rows, schema=CONTRACTS["verdicts"].schema, orient="row"))


def clusters(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(
        [(doc, "c/0", kind, "a", "a", "c/0", value) for doc, kind, value in rows], schema=CONTRACTS["clusters"].schema, orient="row"
    )


BEFORE = verdicts(
    ("a", True, None, None, None, [], 1.0, "p"),
    ("b", True, None, None, None, [], 0.5, "p"),
    ("c", True, None, None, None, ["soft"], 1.0, "p"),
    ("d", False, "short", 3.0, 50.0, ["short", "dull"], 1.0, "p"),
    ("e", True, None, None, None, [], 1.0, "p"),
    ("f", True, None, None, None, [], 1.0, "p"),
    ("g", True, None, None, None, [], 1.0, "p"),
    ("h", True, None, None, None, [], 1.0, "p"),
)


def test_every_kind_names_its_rule_value_and_threshold() -> None:
    found = clusters(
        ("a", "survivor", 1.0),
        ("b", "near", 0.81),
        ("c", "semantic", 0.96),
        ("e", "exact", 1.0),
        ("f", "same", 1.0),
        ("g", "url", 1.0),
        ("h", "payload", 1.0),
    )
    after = conform("verdicts", deduplicate(BEFORE, found, Dedup(minhash=MinHash(threshold=0.8), semantic=Semantic(threshold=0.9))))
    assert (
        after.rows()
        == verdicts(
            BEFORE.row(0),
            ("b", False, "dedup.near", 0.81, 0.8, ["dedup.near"], 0.5, "p"),
            ("c", False, "dedup.semantic", 0.96, 0.9, ["soft", "dedup.semantic"], 1.0, "p"),
            ("d", False, "short", 3.0, None, ["short", "dull"], 1.0, "p"),  # its threshold is the filters' to say
            ("e", False, "dedup.exact", 1.0, 1.0, ["dedup.exact"], 1.0, "p"),
            ("f", False, "dedup.same", 1.0, 1.0, ["dedup.same"], 1.0, "p"),
            ("g", False, "dedup.url", 1.0, 1.0, ["dedup.url"], 1.0, "p"),
            ("h", False, "dedup.payload", 1.0, 1.0, ["dedup.payload"], 1.0, "p"),
        ).rows()
    )


def test_without_duplicates_nothing_changes() -> None:
    assert conform("verdicts", deduplicate(BEFORE, clusters(), Dedup())).drop("threshold").equals(BEFORE.drop("threshold"))
    other = BEFORE.with_columns(pl.col("threshold") + 1)
    assert deduplicate(other, clusters(), Dedup()).equals(deduplicate(BEFORE, clusters(), Dedup()))  # an edit that flips nothing ends here
    assert conform("verdicts", deduplicate(BEFORE.clear(), clusters(), Dedup())).is_empty()
