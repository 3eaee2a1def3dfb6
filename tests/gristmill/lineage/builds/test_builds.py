"""Builds are named, immutable, shared where nothing moved; what none of them needs is collected, and nothing else."""

import importlib.util
import json
from pathlib import Path

import polars as pl
import pytest

from gristmill.errors import LakeError
from gristmill.lake.lease import Lease
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Inputs, Made, Workspace
from gristmill.lineage.builds import builds
from gristmill.lineage.builds.builds import Origin, record
from gristmill.lineage.builds.collect import collect
from gristmill.lineage.builds.past import BuildWorkspace
from gristmill.lineage.funnel import funnel
from gristmill.lineage.plan.plan import Recorded
from gristmill.recipe import Recipe
from resources.lake import LakeResource, open_lake

spec = importlib.util.spec_from_file_location("generated_lake", Path(__file__).parents[2] / "evaluation" / "generated_lake.py")
generated_lake = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generated_lake)

ORIGIN = Origin("miller@mill", "abc123", "3.11", {"polars": "1.0"})


def log_of(workspace: Workspace) -> dict[str, dict[str | None, Recorded]]:
    """What the event log would say of what the lake holds."""
    found: dict[str, dict[str | None, Recorded]] = {}
    for output in workspace.outputs():
        found.setdefault(output.asset, {})[output.partition] = Recorded(output.data_version, output.code_version, output.inputs)
    return found


def recorded(workspace: Workspace, name: str = "quickstart", text: str = "") -> builds.Build:
    return record(workspace, log_of(workspace), ORIGIN, name, text)


def put(workspace: Workspace, shard: str, *rules: str, asset: str = "filtered_shards", code: str = "1") -> None:
    """Makes a partition anew: one dropped document for each rule."""
    frame = pl.DataFrame({"rule": rules}, schema={"rule": pl.String}).select(
        doc_id=pl.col("rule"),
        kept=pl.lit(False),
        first_rule=pl.col("rule"),
        value=pl.lit(None, pl.Float64),
        threshold=pl.lit(None, pl.Float64),
        fired=pl.concat_list("rule"),
        weight=pl.lit(1.0),
        policy=pl.lit("p@1"),
    )
    workspace.store(asset, shard, Made({"verdicts": frame}), code, Inputs({"signals": {shard: code}}))


def objects_of(lake: Lake) -> set[str]:
    return {key for prefix in ("tables", "files", "index", "builds") for key in lake.keys(prefix)}


def test_a_build_is_what_stood_and_stays_so(workspace):
    put(workspace, "a/1", "short")
    put(workspace, "a/2", "long")
    first = recorded(workspace, text="[sources]")
    assert (first.name, first.number, first.origin, first.recipe_text) == ("quickstart/1", 1, ORIGIN, "[sources]")
    assert recorded(workspace).name == first.name, "nothing moved: no new build"
    put(workspace, "a/2", "ugly")
    second = recorded(workspace)
    assert second.name == "quickstart/2"
    assert [build.name for build in builds.builds(workspace.lake, "default")] == ["quickstart/1", "quickstart/2"]
    past = BuildWorkspace(workspace.lake, builds.find(workspace.lake, "default", "quickstart/1"))
    assert past.read("filtered_shards", "a/2")["doc_id"].to_list() == ["long"]
    assert workspace.read("filtered_shards", "a/2")["doc_id"].to_list() == ["ugly"]
    assert past.partitions("filtered_shards") == ["a/1", "a/2"]
    with pytest.raises(LakeError, match="never changed"):
        put(past, "a/1", "other")


def test_what_did_not_move_is_shared(workspace):
    for n in range(5):
        put(workspace, f"a/{n}", f"rule {n}")
        put(workspace, f"a/{n}", f"rule {n}", asset="curated_shards")
    recorded(workspace)
    before = objects_of(workspace.lake)
    put(workspace, "a/3", "another", asset="curated_shards")
    made = objects_of(workspace.lake) - before
    recorded(workspace)
    new = objects_of(workspace.lake) - before - made
    assert sorted(key.split("/")[0] for key in new) == ["builds", "tables"], "a manifest and the heads of the asset that moved"


def test_every_reader_reads_a_build_as_it_reads_what_stands(tmp_path):
    workspace = generated_lake.generated(tmp_path / "lake")
    generated_lake.evaluated(workspace)
    build = recorded(workspace)
    past = BuildWorkspace(workspace.lake, builds.find(workspace.lake, build.namespace, build.name))
    assert past.recipe == workspace.recipe
    assert funnel(past).equals(funnel(workspace))
    assert [output.as_json() for output in past.outputs()] == [output.as_json() for output in workspace.outputs()]
    assert past.path("checkpoints", "small") == workspace.path("checkpoints", "small")


def test_a_recipe_with_lists_comes_back_when_their_files_are_gone(workspace, tmp_path):
    words, items = tmp_path / "words.txt", tmp_path / "items.jsonl"
    words.write_text("grist\n")
    items.write_text('{"id": "1", "text": "what is grist"}\n')
    recipe = Recipe.model_validate(
        {
            "signals": {"families": sorted({*Recipe().families, "url"}), "lists": {"domains": {"path": str(words)}}},
            "decontamination": {"items": {"exam": {"path": str(items)}}},
        }
    )
    ours = Workspace(workspace.lake, recipe)
    put(ours, "a/1", "short")
    build = recorded(ours)
    words.unlink()
    items.unlink()
    back = BuildWorkspace(ours.lake, build).recipe
    assert (back.lists, back.item_digests, back.fingerprint("signals")) == (
        recipe.lists,
        recipe.item_digests,
        recipe.fingerprint("signals"),
    )


def test_a_head_that_the_log_does_not_know_makes_no_build(workspace):
    put(workspace, "a/1", "short")
    said = log_of(workspace)
    put(workspace, "a/1", "by hand")
    with pytest.raises(LakeError, match="no build was recorded"):
        record(workspace, said, ORIGIN, "quickstart")
    assert builds.builds(workspace.lake, "default") == []


def test_a_name_is_given_once(workspace):
    put(workspace, "a/1", "short")
    first = recorded(workspace)
    builds.remove(workspace.lake, first, "asked for")
    with pytest.raises(LakeError, match=r"was removed .*: asked for"):
        builds.find(workspace.lake, "default", first.name)
    assert recorded(workspace).name == "quickstart/2"
    with pytest.raises(LakeError, match=r"did you mean `quickstart/2`"):
        builds.find(workspace.lake, "default", "quickstart/7")


def test_namespaces_count_for_themselves(lake):
    for name in ("", "trial"):
        ours = Workspace(lake, Recipe(namespace=name))
        put(ours, "a/1", "short")
        assert recorded(ours, name or "quickstart").name == f"{name or 'quickstart'}/1"


@pytest.fixture
def grown(workspace):
    """Four builds, each with a document of its own in one shard; the second is pinned."""
    put(workspace, "a/0", "same")
    for n in range(4):
        put(workspace, "a/1", f"rule {n}", code=str(n))
        recorded(workspace)
    builds.pin(workspace.lake, builds.find(workspace.lake, "default", "2"), "miller", "the one we shipped")
    return workspace


def test_only_what_nothing_stands_on_goes(grown):
    before = objects_of(grown.lake)
    shown = collect(grown.lake, keep=1, dry_run=True)
    assert objects_of(grown.lake) == before
    done = collect(grown.lake, keep=1)
    assert (done.builds, done.kept) == (shown.builds, shown.kept) == (["quickstart/1", "quickstart/3"], ["quickstart/2", "quickstart/4"])
    assert (done.objects, done.bytes) == (shown.objects, shown.bytes)
    assert done.objects == {"index and memo entries": 2, "tables": 4, "files": 0}
    for name, rule in (("2", "rule 1"), ("4", "rule 3")):
        past = BuildWorkspace(grown.lake, builds.find(grown.lake, "default", name))
        assert past.read("filtered_shards", "a/1")["doc_id"].to_list() == [rule]
        assert past.read("filtered_shards", "a/0")["doc_id"].to_list() == ["same"]
    assert grown.made_before("filtered_shards", "a/1", "1", Inputs({"signals": {"a/1": "1"}}).digests), "a pinned build's is found again"
    assert not grown.made_before("filtered_shards", "a/1", "0", Inputs({"signals": {"a/1": "0"}}).digests)
    again = collect(grown.lake, keep=1)
    assert again.builds == [] and not any(again.objects.values())


def test_what_stands_is_kept_without_any_build(grown):
    for build in builds.builds(grown.lake, "default"):
        builds.remove(grown.lake, build, "test")
    collect(grown.lake, keep=1)
    assert grown.read("filtered_shards", "a/1")["doc_id"].to_list() == ["rule 3"]
    assert set(grown.lake.keys("tables")) == {stored.key for output in grown.outputs() for stored in output.tables.values()}


def test_remembered_tables_go_when_nothing_holds_them(grown):
    tables = {n: grown.read("filtered_shards", "a/1").with_columns(policy=pl.lit(n)) for n in ("x", "y")}
    for n, frame in tables.items():
        grown.memo({"verdicts": n}, lambda _, frame=frame: {"verdicts": frame})
    grown.store("filtered_shards", "a/1", Made({"verdicts": tables["x"]}), "9")
    collect(grown.lake, keep=1)
    entries = [grown.lake.get_json(key)["key"] for key in grown.lake.keys("index/memo")]
    assert entries == [grown.head("filtered_shards", "a/1").tables["verdicts"].key]


def test_a_folder_goes_whole_and_half_written_files_with_it(grown, tmp_path):
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "weights").write_text("1")
    (folder / "config").write_text("2")
    grown.store("checkpoints", "small", Made(files={"model": folder}), "1")
    (folder / "config").write_text("3")
    kept = grown.store("checkpoints", "small", Made(files={"model": folder}), "2")
    partial = Path(grown.lake.root) / "files" / "model" / "weights#1"
    partial.write_text("half")
    collect(grown.lake, keep=1)
    assert grown.is_whole(kept)
    assert sorted(grown.lake.keys("files")) == sorted(f"{kept.files['model'].key}/{name}" for name in ("config", "deep/weights"))
    assert [path.name for path in (Path(grown.lake.root) / "files" / "model").iterdir()] == [kept.files["model"].hash]


def test_nothing_is_collected_while_something_is_made(grown):
    claims = {"run": "r", "code_version": "1", "partitions": []}
    with Lease(grown.lake, "default", "filtered_shards").held(claims, print, print):
        with pytest.raises(LakeError, match=r"is being made by process .* nothing was deleted"):
            collect(grown.lake, keep=1)
        assert collect(grown.lake, keep=1, dry_run=True).builds
    assert len(builds.builds(grown.lake, "default")) == 4
    assert collect(grown.lake, keep=1).builds


def test_reachable_is_what_outputs_name(grown):
    lake = grown.lake
    named = set()
    for build in builds.builds(lake, "default"):
        for output in build.outputs(lake):
            named |= {stored.key for stored in output.tables.values()}
    assert {key for key in builds.reachable(lake) if key.startswith("tables/verdicts")} == named
    of_heads = {stored.key for output in grown.outputs() for stored in output.tables.values()}
    assert {key for key in builds.reachable(lake, []) if key.startswith("tables/")} == of_heads


def test_manifests_are_json_that_holds_the_recipe(grown):
    value = json.loads(grown.lake.get("builds/default/4.json"))
    assert value["recipe"]["dedup"]["minhash"]["bands"] == 14
    assert value["policy"]["rules"] and value["made_at"].endswith("+00:00")


def test_a_lake_in_a_bucket(s3):
    lake = open_lake(LakeResource(root="s3://mill/builds", s3=s3))
    ours = Workspace(lake, Recipe())
    for n in range(2):
        put(ours, "a/1", f"rule {n}", code=str(n))
        recorded(ours)
    done = collect(lake, keep=1)
    assert (done.builds, done.kept, done.objects["tables"]) == (["quickstart/1"], ["quickstart/2"], 2)
    past = BuildWorkspace(lake, builds.find(lake, "default", "quickstart/2"))
    assert past.read("filtered_shards", "a/1")["doc_id"].to_list() == ["rule 1"]
