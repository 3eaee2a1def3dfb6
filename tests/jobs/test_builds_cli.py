"""Builds and diffs as a user types them, on the graph that was really built, and built again under another threshold."""

import json

import polars as pl
import pytest
from click.testing import CliRunner

from gristmill.lineage.builds.builds import find
from gristmill.lineage.builds.past import BuildWorkspace
from jobs.cli import main


@pytest.fixture(scope="module")
def edited(built):
    """The graph under a higher threshold; the recipe and what stands are put back when the tests are through."""
    mill, _, first = built
    recipe = mill.recipe(word_count_min=250)
    outcome = mill.drive(recipe)
    assert not outcome.failed and outcome.left.is_fresh
    yield mill, first, outcome
    assert not mill.drive(mill.recipe()).failed


@pytest.fixture(scope="module")
def gristmill(edited):
    def call(*arguments: str, status: int = 0) -> str:
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == status, done.output
        return done.stdout

    return call


@pytest.fixture(scope="module")
def told(edited, gristmill, tmp_path_factory):
    """What `gristmill diff` says of the two builds: as JSON, and the page."""
    page = tmp_path_factory.mktemp("diff") / "diff.html"
    _, first, second = edited
    return json.loads(gristmill("diff", first.build, second.build, "--json", "--html", str(page))), page.read_text()


def _workspace(edited, name: str) -> BuildWorkspace:
    lake = edited[0].driver(edited[0].recipe(word_count_min=250)).workspace.lake
    return BuildWorkspace(lake, find(lake, "default", name))


def _verdicts(workspace: BuildWorkspace) -> pl.DataFrame:
    """doc_id, kept, first_rule of every document, the keeping shard's verdict where there are several."""
    shards = workspace.partitions("curated_shards")
    tables = [workspace.read("curated_shards", shard, "verdicts", ["doc_id", "kept", "first_rule"]) for shard in shards]
    return pl.concat(tables).sort(~pl.col("kept"), pl.col("first_rule") == "dedup.same").unique("doc_id", keep="first")


def test_a_rebuild_of_everything_records_a_build_and_a_fresh_one_records_none(edited, gristmill):
    mill, first, second = edited
    assert first.build != second.build
    assert mill.drive(mill.recipe(word_count_min=250)).build == second.build
    names = [json.loads(line)["name"] for line in gristmill("builds", "list", "--json").splitlines()]
    assert names.index(second.build) < names.index(first.build)
    shown = json.loads(gristmill("builds", "show", second.build, "--json"))
    assert shown["recipe"]["policy"]["thresholds"] == {"gopher.word_count_min": 250.0}
    assert '"gopher.word_count_min" = 250' in gristmill("builds", "show", second.build, "--recipe")
    rebuilt = {name for run in shown["runs"] for name in run["assets"]}
    assert "filtered_shards" in rebuilt
    assert shown["origin"]["packages"]["polars"] == pl.__version__ and "@" in shown["origin"]["by"]


def test_documents_in_and_out_are_those_of_a_brute_force_comparison(edited, told):
    before, after = (_verdicts(_workspace(edited, outcome.build)) for outcome in edited[1:])
    kept = [set(each.filter("kept")["doc_id"]) for each in (before, after)]
    documents = told[0]["documents"]
    assert (documents["kept_before"], documents["kept_after"]) == tuple(map(len, kept))
    assert (documents["in"]["documents"], documents["out"]["documents"]) == (len(kept[1] - kept[0]), len(kept[0] - kept[1]))
    assert kept[0] - kept[1], "the threshold drops something"
    out = after.filter(pl.col("doc_id").is_in(list(kept[0] - kept[1])))["first_rule"].value_counts()
    assert {row["name"]: row["out_documents"] for row in documents["by"]["reason"] if row["out_documents"]} == dict(out.iter_rows())


def test_the_corpus_and_the_scores_are_those_of_the_builds(edited, told):
    builds = [_workspace(edited, outcome.build) for outcome in edited[1:]]
    for phase in told[0]["corpus"]["phases"]:
        tables = [each.read("mixed_corpus", phase["phase"], "provenance") for each in builds]
        assert [phase["tokens_before"], phase["tokens_after"]] == [(table["end"] - table["start"]).sum() for table in tables]
    (headline,) = [row for row in told[0]["scores"] if row["headline"]]
    scores = [each.read("eval_reports", "tiny/float", "eval_scores") for each in builds]
    stored = [table.filter((pl.col("metric") == "bits_per_byte") & (pl.col("domain") == "all"))["value"][0] for table in scores]
    if headline["how"] != "paired":  # else on the documents that both scored
        assert [headline["old"], headline["new"]] == stored
    assert [change["key"] for change in told[0]["recipe"]] == ["policy.thresholds.gopher.word_count_min"]
    assert told[0]["says"].startswith(f"{edited[2].build} against {edited[1].build}: policy.thresholds.gopher.word_count_min 50 -> 250;")


def test_the_page_needs_nothing_else(told):
    page = told[1]
    assert page.count("<svg") >= 2 and "http-equiv" in page and "<script" not in page and " src=" not in page


def test_what_stands_is_compared_too(edited, gristmill):
    same = json.loads(gristmill("diff", edited[2].build, "--json"))
    assert same["new"] == "current" and same["recipe"] == [] and same["documents"]["in"]["documents"] == 0
    assert "Documents in and out" in gristmill("diff", edited[1].build)
    assert "did you mean" in CliRunner().invoke(main, ["diff", "recipe/777"]).output


def test_pins_and_garbage(edited, gristmill):
    name = edited[1].build
    gristmill("builds", "pin", name, "--why", "the one we compare with")
    pinned = {each["name"]: each["pinned"] for each in map(json.loads, gristmill("builds", "list", "--json").splitlines())}
    assert pinned == {name: "the one we compare with", edited[2].build: None} and "we" in gristmill("builds", "list")
    done = json.loads(gristmill("builds", "gc", "--dry-run", "--keep", "1", "--json"))
    assert name in done["kept"] and edited[2].build in done["kept"]
    gristmill("builds", "unpin", name)
    assert name in json.loads(gristmill("builds", "gc", "--dry-run", "--keep", "1", "--json"))["builds"]
    assert gristmill("builds", "record").strip() == edited[2].build
