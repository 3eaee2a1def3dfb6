"""A plan as people see it: the table and the page."""

import io

import pytest
from rich.console import Console

from gristmill.lake.failures import ATTEMPTS, Failure
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.lineage.plan.cost import steps
from gristmill.lineage.plan.flips import Flips
from gristmill.lineage.plan.page import plan_page
from gristmill.lineage.plan.plan import Node, Plan, Recorded
from gristmill.lineage.plan.reasons import Reason, gone_reason
from gristmill.lineage.plan.terminal import ROWS, print_plan
from gristmill.recipe import Recipe

SHARDS = [f"web/{i:04d}" for i in range(300)]
EDIT = Reason("recipe", "policy.thresholds.words 50 -> <60>", key="policy.thresholds.words", old=50, new=60)
FLIPS = Flips("kept", None, "no signals are stored")


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(Lake(tmp_path), Recipe())


@pytest.fixture
def planned() -> Plan:
    inputs = {shard: {"raw": "x"} for shard in SHARDS}
    return Plan(
        reasons={"raw": {}, "kept": {shard: [EDIT] for shard in SHARDS}, "model": {}, "tokenizer": {}},
        waiting={"raw": {}, "kept": {}, "model": {None: "kept"}, "tokenizer": {}},
        held_back={"tokenizer": ["kept"]},
        failed={"kept": {SHARDS[7]: Failure(ATTEMPTS, "Traceback\nValueError: <b>no</b>", "2", {"raw": "x"})}},
        nodes={
            "raw": Node("raw", "1", SHARDS, []),
            "kept": Node("kept", "2", SHARDS, ["raw"]),
            "model": Node("model", "1", [None], ["kept"]),
            "tokenizer": Node("tokenizer", "1", [None], ["kept"], held="tokenizer.refresh"),
        },
        recorded={
            "kept": {shard: Recorded("v", "1", {}, (), 2.0, 5) for shard in SHARDS},
            "model": {None: Recorded("v", "1", {}, (), 7200.0, 5, 9, "cuda")},
        },
        inputs={"kept": inputs},
    )


@pytest.mark.parametrize("width", [80, 160])
def test_the_table_says_why_how_much_and_what_waits(workspace, planned, width):
    out = io.StringIO()
    assets = [*planned.reasons, "tokenizer"]
    print_plan(planned, steps(workspace, planned), FLIPS, Console(file=out, width=width), assets)
    text = " ".join(out.getvalue().split())
    for each in (
        "policy.thresholds.words 50 -> <60>",
        "300 stale",
        "10 min",
        "may change with kept",
        "To make: 300 partitions, about 10 min of work by earlier runs.",
        "Perhaps to make: 1 partition, about 2 h on cuda",
        'tokenizer is held though kept moved. `tokenizer.refresh = "always"` makes it follow',
        f"! kept[web/0007] failed {ATTEMPTS} times, left alone: ValueError: <b>no</b>",
        "What the policy's edit would flip is not known: no signals are stored",
    ):
        assert each in text, (each, text)


def test_what_is_fresh_is_said_to_be(workspace):
    out = io.StringIO()
    print_plan(Plan(), [], None, Console(file=out), [])
    assert out.getvalue() == "Everything is fresh.\n"


def test_what_is_selected_may_be_fresh_while_others_are_not(workspace, planned):
    out = io.StringIO()
    print_plan(planned, [], None, Console(file=out, width=160), ["raw"])
    assert out.getvalue().startswith("What is selected is fresh. Other assets are stale")
    assert "What is selected is fresh" in plan_page(workspace, planned, [], None)


def test_the_count_of_what_is_fresh_is_of_what_is_selected(workspace, planned):
    out, only = io.StringIO(), {"kept": set(SHARDS[:3]), "raw": set(SHARDS[:2])}
    assert planned.counts(only)["kept"] == {"partitions": 3, "fresh": 0, "stale": 3, "waiting": 0}
    assert planned.counts(only)["raw"] == {"partitions": 2, "fresh": 2, "stale": 0, "waiting": 0}
    assert planned.counts(only)["model"] == planned.counts()["model"]
    print_plan(planned, steps(workspace, planned), None, Console(file=out, width=160), ["kept", "raw"], only)
    assert "Fresh: 2 of 5 partitions." in out.getvalue()


def test_ten_thousand_partitions_are_a_few_rows_whatever_file_each_of_them_lacks(workspace):
    shards = [f"web/{i:05d}" for i in range(10_000)]
    gone = {shard: [gone_reason([f"tables/kept/{i}.parquet"])] for i, shard in enumerate(shards)}
    planned = Plan(reasons={"kept": gone, "model": {}}, waiting={"kept": {}, "model": {None: "kept"}})
    out, found = io.StringIO(), steps(workspace, planned)
    print_plan(planned, found, None, Console(file=out, width=120), ["kept", "model"])
    assert out.getvalue().count("\n") < 20
    assert (
        "10,000 stale files gone" in (text := " ".join(out.getvalue().split())) and "web/00000, web/00001, web/00002, … 9,997 more" in text
    )
    assert "file gone: tables/kept/7.parquet" in planned.rows()[7]["reasons"]
    page = plan_page(workspace, planned, found, None)
    assert len(page) < 30_000 and "and 9,800 more" in page
    alone = Plan(reasons={"kept": {shards[0]: gone[shards[0]]}}, waiting={"kept": {}})
    out = io.StringIO()
    print_plan(alone, steps(workspace, alone), None, Console(file=out, width=120), ["kept"])
    assert "file gone: tables/kept/0.parquet" in out.getvalue()


def test_more_rows_than_anybody_reads_are_counted(workspace):
    shards = [f"web/{i:05d}" for i in range(200)]
    planned = Plan(reasons={"kept": {each: [Reason("input", f"input raw changed in {each}")] for each in shards}}, waiting={"kept": {}})
    out = io.StringIO()
    print_plan(planned, steps(workspace, planned), None, Console(file=out, width=120), ["kept"])
    assert f"and {200 - ROWS} more rows; --html and --json have all of them." in out.getvalue()


def test_the_page_needs_nothing_else_and_escapes_what_it_shows(workspace, planned):
    page = plan_page(workspace, planned, steps(workspace, planned), FLIPS)
    assert "50 -&gt; &lt;60&gt;" in page and "<60>" not in page and "<b>no</b>" not in page
    assert "://" not in page and "<script" not in page
    assert "web/0199" in page and "web/0200" not in page and "and 100 more" in page
    assert "Everything is fresh" in plan_page(workspace, Plan(), [], None)
