"""What the final view drops, and what it leaves alone."""

import polars as pl

from gristmill.dedup.last_verdicts import judge, too_short
from gristmill.lake.contracts import CONTRACTS, conform
from gristmill.recipe import Decontamination


def verdicts(**kept: bool) -> pl.DataFrame:
    rows = [
        (d, k, None if k else "gopher.x", None if k else 2.0, None if k else 3.0, ["weak"] if k else ["gopher.x"], 1.0, "p@1")
        for d, k in kept.items()
    ]
    return pl.DataFrame(rows, schema=CONTRACTS["verdicts"].schema, orient="row")


def hits(*rows: tuple[str, str, float]) -> pl.DataFrame:
    schema = CONTRACTS["contamination"].schema
    return pl.DataFrame([(doc_id, item, 5, overlap, 0, 9) for doc_id, item, overlap in rows], schema=schema, orient="row")


SPLITS = pl.DataFrame({"doc_id": ["a", "b", "c", "d"], "cluster": ["a", "b", "c", "d"], "split": ["train", "train", "test", "train"]})


def judged(contamination: pl.DataFrame, **settings) -> dict[str, tuple]:
    before = verdicts(a=True, b=True, c=True, d=True, e=False)
    after = conform("verdicts", judge(before, contamination, SPLITS, Decontamination(**settings)))
    assert after["doc_id"].equals(before["doc_id"])
    return {row["doc_id"]: row for row in after.iter_rows(named=True)}


def test_the_largest_overlap_is_the_first_reason():
    found = judged(hits(("a", "held_out/c", 0.5), ("a", "arc/1", 0.75), ("a", "arc/2", 0.6), ("a", "gsm/1", 0.4), ("b", "arc/1", 0.49)))
    assert found["a"] == {
        "doc_id": "a",
        "kept": False,
        "first_rule": "contamination.arc",
        "value": 0.75,
        "threshold": 0.5,
        "fired": ["weak", "contamination.arc", "contamination.held_out"],
        "weight": 1.0,
        "policy": "p@1",
    }
    assert found["b"]["kept"] and found["b"]["first_rule"] is None and found["b"]["fired"] == ["weak"]


def test_equal_overlaps_fall_to_the_rule_that_is_named_first():
    assert judged(hits(("a", "held_out/c", 0.9), ("a", "arc/1", 0.9)))["a"]["first_rule"] == "contamination.arc"


def test_held_out_and_dropped_documents_are_left_alone():
    found = judged(hits(("c", "arc/1", 1.0), ("e", "arc/1", 1.0)))
    assert found["c"]["kept"] and found["e"]["first_rule"] == "gopher.x" and found["e"]["fired"] == ["gopher.x"]


def test_held_out_documents_can_be_trained_beside():
    assert judged(hits(("a", "held_out/c", 1.0)), held_out=False)["a"]["kept"]


def test_what_cuts_leave_too_little_of_goes():
    lengths = pl.DataFrame({"doc_id": ["a", "b", "e"], "n_chars": [49, 50, 0]})
    after = conform("verdicts", too_short(verdicts(a=True, b=True, e=False, f=True), lengths, 50))
    assert after.select("kept", "first_rule", "value", "threshold").rows() == [
        (False, "dedup.min_chars", 49.0, 50.0),
        (True, None, None, None),
        (False, "gopher.x", 2.0, 3.0),
        (True, None, None, None),
    ]
    assert after["fired"].to_list() == [["weak", "dedup.min_chars"], ["weak"], ["gopher.x"], ["weak"]]


def test_nothing_to_judge():
    empty = verdicts()
    assert judge(empty, hits(), SPLITS, Decontamination()).schema == empty.schema
    assert too_short(empty, pl.DataFrame(schema={"doc_id": pl.String, "n_chars": pl.Int64}), 50).schema == empty.schema
