"""The last verdict: cutoffs from quantiles, and verdicts that keep their reasons."""

import itertools

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.errors import GristmillError
from gristmill.lake.contracts import CONTRACTS, conform
from gristmill.quality.curation import RULE, curate, cutoff

EVEN = [i / 100 for i in range(101)]  # scores evenly from 0 to 1
HIGH = [4 + i / 100 for i in range(101)]


def verdicts(*rows: tuple[str, bool, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "doc_id": d,
                "kept": k,
                "first_rule": r,
                "value": None if k else 1.0,
                "threshold": None if k else 2.0,
                "fired": [] if k else [r],
                "weight": 1.0,
                "policy": "p@1",
            }
            for d, k, r in rows
        ],
        schema=CONTRACTS["verdicts"].schema,
    )


def scored(**values: float) -> pl.DataFrame:
    return pl.DataFrame(
        [{"doc_id": d, "quality": q, "quality_version": "v", "topic": "t", "topic_score": 1.0} for d, q in values.items()],
        schema=CONTRACTS["scores"].schema,
    )


def test_one_source_is_cut_at_its_quantile():
    assert cutoff({"web": EVEN}, {"web": 100}, 0.1, []) == pytest.approx(0.105)


def test_sources_count_by_their_documents():
    both = {"web": EVEN, "prose": HIGH}
    assert cutoff(both, {"web": 100, "prose": 100}, 0.25, []) == pytest.approx(0.505)
    assert cutoff(both, {"web": 100, "prose": 900}, 0.05, []) == pytest.approx(0.505)


def test_excepted_sources_do_not_move_the_cutoff():
    assert cutoff({"web": EVEN, "code": HIGH}, {"web": 100, "code": 900}, 0.1, ["code"]) == pytest.approx(0.105)


def test_nothing_to_drop_is_no_cutoff():
    assert cutoff({"web": EVEN}, {"web": 100}, 0.0, []) is None
    assert cutoff({"web": EVEN}, {"web": 100}, 0.5, ["web"]) is None


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 5).map(lambda x: round(x, 6)), min_size=101, max_size=101).map(sorted), st.floats(0.0, 0.95))
def test_no_more_of_the_sample_lies_under_the_cutoff_than_asked(quantiles, share):
    threshold = cutoff({"web": quantiles}, {"web": 1000}, share, [])
    if threshold is not None:
        below = sum((a + b) / 2 < threshold - 1e-5 for a, b in itertools.pairwise(quantiles)) / 100
        assert below <= share + 1e-9


def test_the_low_score_is_dropped_with_its_reason_and_the_rest_is_untouched():
    before = verdicts(("a", True, None), ("b", True, None), ("c", False, "gopher.stop_words"))
    after = conform("verdicts", curate(before, scored(a=0.9, b=0.2), 0.5))
    assert after.row(1, named=True) == {
        "doc_id": "b",
        "kept": False,
        "first_rule": RULE,
        "value": 0.2,
        "threshold": 0.5,
        "fired": [RULE],
        "weight": 1.0,
        "policy": "p@1",
    }
    assert after.filter(pl.col("doc_id") != "b").equals(before.filter(pl.col("doc_id") != "b"))


def test_a_score_at_the_cutoff_stays():
    assert curate(verdicts(("a", True, None)), scored(a=0.5), 0.5)["kept"].all()


def test_no_cutoff_changes_nothing():
    before = verdicts(("a", True, None))
    assert curate(before, scored(a=0.0), None).equals(before)


def test_a_survivor_without_a_score_is_an_error():
    with pytest.raises(GristmillError, match="1 survivors have no score, for example b"):
        curate(verdicts(("a", True, None), ("b", True, None)), scored(a=1.0), 0.5)


def test_an_empty_shard_stays_empty():
    assert curate(verdicts(), scored(), 0.5).height == 0
