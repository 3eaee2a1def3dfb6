"""Exactly what an edit touches is made, and it stops where content comes out the same: over the whole graph."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from gristmill.lake.workspace import Workspace
from gristmill.lineage.plan.flips import policy_flips
from gristmill.recipe import Recipe, load_recipe

ROOT = Path(__file__).parents[2]


def state(workspace: Workspace) -> dict[tuple[str, str | None], tuple[str, dict]]:
    """(asset, partition) -> code version, and the versions that it read."""
    return {(output.asset, output.partition): (output.code_version, output.read) for output in workspace.outputs()}


def made(outcome) -> set[tuple[str, str | None]]:
    return {(asset, partition) for of in (outcome.made, outcome.reused) for asset, partitions in of.items() for partition in partitions}


@pytest.fixture
def edit(built):
    """Loads the recipe with a change of its text; it is put back, and what hangs on it made again, after the test."""
    mill, _, _ = built

    def edited(old: str, new: str) -> Recipe:
        path = mill.folder / "recipe.toml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))
        return load_recipe(path)

    yield edited
    outcome = mill.drive(mill.recipe())
    assert not outcome.failed and outcome.left.is_fresh


def test_a_threshold_that_flips_one_document_remakes_its_shard_and_what_reads_it(built, edit):
    mill, recipe, _ = built
    workspace = mill.driver(recipe).workspace
    shards = workspace.partitions("signals")
    words = pl.concat([workspace.read("signals", each, "signals.gopher").with_columns(shard=pl.lit(each)) for each in shards])
    kept = pl.concat([workspace.read("filtered_shards", each) for each in shards]).filter("kept")
    longest = words.join(kept, on="doc_id", how="semi").filter(~pl.col("shard").str.starts_with("code")).sort("gopher.word_count")
    most, second = longest["gopher.word_count"][-1], longest["gopher.word_count"][-2]
    assert most > second
    edited = edit('"gopher.word_count_min"', f'"gopher.word_count_max" = {most - 1}\n"gopher.word_count_min"')

    driver = mill.driver(edited)
    planned = driver.plan()
    assert {reason.key for why in planned.reasons["filtered_shards"].values() for reason in why} == {
        "policy.thresholds.gopher.word_count_max"
    }
    assert {name for name, why in planned.reasons.items() if why} == {"filtered_shards"}
    flips = policy_flips(driver.workspace, planned)
    assert (flips.answer.flipped("lost_documents"), flips.answer.flipped("gained_documents")) == (1, 0)

    before, versions = state(workspace), {each: workspace.version("filtered_shards", each) for each in shards}
    outcome = mill.drive(edited, "curated_shards")
    assert not outcome.failed
    after = state(workspace)
    moved = [each for each in shards if workspace.version("filtered_shards", each) != versions[each]]
    assert moved == [longest["shard"][-1]]
    assert set(outcome.made["filtered_shards"]) == set(shards) and outcome.made["document_embeddings"] == moved
    assert made(outcome) == {each for each in after if after[each] != before.get(each)}  # other code or other inputs, and nothing else
    waited = {(name, partition) for name, keys in planned.waiting.items() for partition in keys if name in outcome.wanted}
    assert {(name, partition) for name, keys in outcome.cut_off.items() for partition in keys} == waited - made(outcome)
    assert outcome.saved.partitions == len(waited - made(outcome))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[sources]", "# a comment\n[sources]"),
        ("shard_bytes = 24000", "shard_bytes = 24001"),
        ("[training]", "[teacher]\nconcurrency = 3\n[training]"),
        ("[training]", '[sources.watch]\nlater = "/nowhere"\n[training]'),
    ],
)
def test_a_comment_and_a_key_that_nobody_reads_change_nothing(built, edit, old, new):
    mill, _, _ = built
    assert mill.driver(edit(old, new)).plan().rows() == []


@pytest.fixture
def source(tmp_path) -> Path:
    """A copy of the code, that may be changed."""
    for name in ("platform", "resources", "assets", "jobs", "infra"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "tests"))
    return tmp_path


def planned_by(source: Path, mill) -> list[dict]:
    """The plan's rows, by that code."""
    path = os.pathsep.join(map(str, (source / "platform", source)))
    command = [
        sys.executable,
        "-c",
        "import assets, gristmill, sys; from jobs.cli import main; print(assets.__path__, gristmill.__path__, file=sys.stderr); main()",
    ]
    done = subprocess.run(
        [*command, "plan", "--json"], cwd=source, env=os.environ | mill.env | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert all(str(source / room) in done.stderr for room in ("assets", "platform/gristmill"))
    return json.loads(done.stdout)["partitions"]


def test_a_comment_and_a_log_line_in_the_code_change_nothing(built, source):
    mill, _, _ = built
    modules = [path for room in ("platform/gristmill", "assets") for path in (source / room).rglob("*.py") if path.stat().st_size]
    assert len(modules) > 100
    for path in modules:
        path.write_text(f"{path.read_text()}\n# a comment\nimport logging as _log\n\n_log.getLogger({path.stem!r}).info('a line')\n")
    crawl = source / "assets" / "crawl.py"
    made = "def make_documents(workspace: Workspace, shard: Partition) -> Made:\n"
    assert made in crawl.read_text()
    crawl.write_text(crawl.read_text().replace(made, f"{made}    print('at work on', shard)\n"))
    assert planned_by(source, mill) == []


def test_another_version_of_extraction_asks_everything_that_reads_it(built, source):
    mill, recipe, _ = built
    extract = source / "platform" / "gristmill" / "crawl" / "extract.py"
    version = next(line for line in extract.read_text().splitlines() if line.startswith("VERSION = "))
    extract.write_text(extract.read_text().replace(version, 'VERSION = "another"'))
    rows = planned_by(source, mill)
    stale = [row for row in rows if row["reasons"]]
    planned = mill.driver(recipe).plan()
    shards = list(planned.nodes["documents"].partitions)
    assert [(row["asset"], row["partition"]) for row in stale] == [(name, each) for name in ("tombstones", "documents") for each in shards]
    assert {kind for row in stale for kind in [each["kind"] for each in row["why"]]} == {"algorithm"}
    held = {name for name, node in planned.nodes.items() if node.held}
    reads = {name for name in planned.nodes if _reads(planned, name, held)} - held
    assert {row["asset"] for row in rows} == reads | {"tombstones"}


def test_another_extraction_is_made_and_everything_that_reads_it_is_asked(built, edit):
    mill, recipe, _ = built
    workspace = mill.driver(recipe).workspace
    before = {each: workspace.version("documents", each) for each in workspace.partitions("documents")}
    edited = edit("[sources.groups.web]", '[extraction]\nextractor = "trafilatura"\n[sources.groups.web]')
    planned = mill.driver(edited).plan()
    everything = list(planned.nodes["documents"].partitions)
    assert list(planned.reasons["documents"]) == planned.ready("tombstones") == everything and planned.reasons["raw_crawl"] == {}
    downstream = {"tombstones"}
    for name, node in planned.nodes.items():
        if downstream & set(node.parents):
            downstream.add(name)
    held = {name for name, node in planned.nodes.items() if node.held}
    assert {name for name, keys in planned.waiting.items() if keys} == {
        name for name in downstream - held - {"tombstones"} if _reads(planned, name, held)
    }
    outcome = mill.drive(edited, "documents")
    assert set(outcome.made) == {"tombstones", "documents"}
    moved = {each for each in before if workspace.version("documents", each) != before[each]}
    assert moved
    assert set(outcome.left.reasons["edits"]) == moved


def _reads(planned, name: str, held: set[str]) -> bool:
    """Whether `tombstones`, the first that extraction is read by, is upstream through assets that are not held."""
    return any(parent == "tombstones" or (parent not in held and _reads(planned, parent, held)) for parent in planned.nodes[name].parents)
