"""Sweeps agree with brute force at every threshold; marks; what is exact; the page."""

import re

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from gristmill.errors import RecipeError
from gristmill.policy.page import sweep_page
from gristmill.policy.profiles import PROFILES
from gristmill.policy.rules import Rule
from gristmill.policy.sweep import DISTINCT, sweep
from gristmill.policy.terminal import print_sweep

SHORT = Rule(name="short", signal="gopher.word_count", when="<", threshold=3, by_language={"de": 2})
LONG = Rule(name="long", signal="gopher.word_count", when=">=", threshold=6)
ODD = Rule(name="odd", signal="kl.divergence", when=">", threshold=5, except_sources=["code"])
HOLDS = {"<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__}


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 9), st.sampled_from(["en", "de"])), min_size=1, max_size=12),
    st.sampled_from(["<", "<=", ">", ">="]),
)
def test_as_brute_force_counts(stored, tmp_path_factory, rows, when) -> None:
    names = ("words", "divergence", "n_bytes", "language")
    documents = [{"doc_id": f"{n:02}", **dict(zip(names, row, strict=True))} for n, row in enumerate(rows)]
    shards = {"web-1/a": documents[::3], "web-1/b": documents[1::3], "code/a": documents[2::3]}
    found = sweep(stored(tmp_path_factory.mktemp("lake"), shards), "gopher.word_count", [SHORT, LONG, ODD], when)
    assert found.exact and {float(row["words"]) for row in documents} <= set(found.curve["threshold"])
    for row in found.curve.iter_rows(named=True):
        some = [
            (each, "code" if shard == "code/a" else "web")
            for shard, of in shards.items()
            for each in of
            if row["source"] in ("all", "code" if shard == "code/a" else "web")
        ]
        dropped = [(each, source) for each, source in some if HOLDS[when](float(each["words"]), row["threshold"])]
        # the rule on the same signal and side is what is swept; the others stay
        other = (lambda e: e["words"] >= 6) if when[0] == "<" else (lambda e: e["words"] < (2 if e["language"] == "de" else 3))
        added = [each for each, source in dropped if not other(each) and not (each["divergence"] > 5 and source == "web")]
        assert (row["documents"], row["n_bytes"]) == (len(dropped), sum(each["n_bytes"] for each, _ in dropped))
        assert (row["added_documents"], row["added_bytes"]) == (len(added), sum(each["n_bytes"] for each in added))


def test_many_values_are_counted_at_quantiles_and_at_the_marks(stored, tmp_path) -> None:
    rows = [{"doc_id": f"{n:04}", "words": n * n, "divergence": n / 7} for n in range(4 * DISTINCT)]
    workspace = stored(tmp_path / "lake", {"web-1/a": rows[::2], "web-1/b": rows[1::2]})
    found = sweep(workspace, "kl.divergence", [ODD])
    curve = found.of(">")
    assert not found.exact and found.comparisons == [">"] and 100 < curve.height < 250
    assert ODD.threshold in curve["threshold"].to_list()
    for threshold, documents in curve.select("threshold", "documents").iter_rows():
        assert documents == sum(row["divergence"] > threshold for row in rows)
    assert curve["share"].diff().abs().max() < 0.02  # the quantiles are spread over all documents
    assert curve["threshold"].is_sorted() and curve["share"].is_sorted(descending=True)


def test_marks_name_what_is_in_force_and_shipped_profiles(stored, tmp_path) -> None:
    workspace = stored(tmp_path / "lake", {"web-1/a": [{"doc_id": "a", "words": 4, "divergence": 1}]})
    found = sweep(workspace, "gopher.word_count", [SHORT])
    assert [(mark.threshold, mark.label) for mark in found.marks if mark.in_force] == [(3, "short"), (2, "short, de")]
    shipped = {(mark.when, mark.threshold): mark.label.split(", ") for mark in found.marks if not mark.in_force}
    for name, profile in PROFILES.items():
        for rule in profile.rules:
            assert rule.signal != "gopher.word_count" or name in shipped[rule.when, rule.threshold]
    assert found.comparisons == ["<"]


def test_a_source_that_the_rules_leave_out_is_not_part_of_the_total(stored, tmp_path) -> None:
    rows = [{"doc_id": f"{n}", "words": 9, "divergence": n} for n in range(10)]
    code = [{**row, "doc_id": f"code {row['doc_id']}"} for row in rows[:4]]
    workspace = stored(tmp_path / "lake", {"web-1/a": rows, "code/a": code})
    found = sweep(workspace, "kl.divergence", [ODD])
    assert found.sources.rows() == [("all", 10, 100, True), ("web", 10, 100, True), ("code", 4, 40, False)]
    assert found.of(">").filter(pl.col("threshold") == 5)["documents"].item() == 4
    assert found.of(">", "code").filter(pl.col("threshold") == 2)["documents"].item() == 1


def test_a_mark_counts_the_documents_that_its_rule_is_asked_of(stored, tmp_path) -> None:
    languages = ["en"] * 6 + ["de"] * 3 + ["ja"] * 2
    rows = [{"doc_id": f"{n:02}", "words": n % 6, "divergence": n % 2, "language": each} for n, each in enumerate(languages)]
    code = [{"doc_id": f"code {n}", "words": 0, "divergence": 0, "language": "code"} for n in range(4)]
    workspace = stored(tmp_path / "lake", {"web-1/a": rows, "code/a": code})
    rule = SHORT.model_copy(update={"except_languages": ["ja"], "except_sources": ["code"]})
    other = ODD.model_copy(update={"threshold": 0.5})
    found = sweep(workspace, "gopher.word_count", [rule, other])
    in_force = {mark.label: (mark.languages, mark.asked, mark.dropped, mark.added) for mark in found.marks if mark.in_force}
    # en: 0 1 2 below 3, of which 1 is odd; de: 0 1 below 2, of which 1 (row 7) is odd
    assert in_force == {"short": ("not in de, ja", 6, 3, 2), "short, de": ("in de", 3, 2, 1)}
    assert all(mark.asked is None for mark in found.marks if not mark.in_force)
    console = Console(width=80)
    with console.capture() as said:
        print_sweep(found, console)
    assert "fires on 2 of 3 documents in de (66.7%), 1 that no other rule drops" in said.get()
    assert "fires on 3 of 6 documents not in de, ja (50.0%)" in sweep_page(found)
    assert sweep(workspace, "gopher.word_count", [rule], ">").marks[0].asked is None


def test_a_signal_that_nobody_computes(workspace) -> None:
    with pytest.raises(RecipeError, match=r"(?s)no signal named 'gopher.word_cnt'.*gopher.word_count"):
        sweep(workspace, "gopher.word_cnt", [])


def test_the_page_needs_nothing_else(stored, tmp_path) -> None:
    rows = [{"doc_id": f"{n}", "words": n, "divergence": n} for n in range(10)]
    code = [{**row, "doc_id": f"code {row['doc_id']}"} for row in rows[:4]]
    workspace = stored(tmp_path / "lake", {"web-1/a": rows, "code/a": code})
    page = sweep_page(sweep(workspace, "kl.divergence", [ODD]))
    assert page.count("<svg") == 2 and "odd" in page and "do not judge code" in page and "kl.divergence &gt; threshold" in page
    assert "<script" not in page and "<img" not in page and not re.search(r"""(src|href)="(?!#)|@import|url\((?!#)""", page)
    assert sweep_page(sweep(workspace, "kl.divergence", [ODD])) == page
