"""Verdicts after deduplication: a reason for each loser, and nothing else moved."""

import polars as pl

from gristmill.dedup.verdicts import deduplicate
from gristmill.lake.contracts import CONTRACTS, conform
from gristmill.recipe import Dedup


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
)


def test_every_kind_names_its_rule_value_and_threshold() -> None:
    found = clusters(("a", "survivor", 1.0), ("b", "near", 0.81), ("c", "semantic", 0.96), ("e", "exact", 1.0), ("f", "same", 1.0))
    after = conform("verdicts", deduplicate(BEFORE, found, Dedup()))
    assert (
        after.rows()
        == verdicts(
            BEFORE.row(0),
            ("b", False, "dedup.near", 0.81, 0.7, ["dedup.near"], 0.5, "p"),
            ("c", False, "dedup.semantic", 0.96, 0.95, ["soft", "dedup.semantic"], 1.0, "p"),
            BEFORE.row(3),
            ("e", False, "dedup.exact", 1.0, 1.0, ["dedup.exact"], 1.0, "p"),
            ("f", False, "dedup.same", 1.0, 1.0, ["dedup.same"], 1.0, "p"),
        ).rows()
    )


def test_without_duplicates_nothing_changes() -> None:
    assert conform("verdicts", deduplicate(BEFORE, clusters(), Dedup())).equals(BEFORE)
    assert conform("verdicts", deduplicate(BEFORE.clear(), clusters(), Dedup())).is_empty()
