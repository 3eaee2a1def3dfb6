"""The asset idiom in a real instance: an event, version and input digests for every partition."""

import json
import socket

import dagster as dg
import polars as pl
import pytest
from dagster._core.test_utils import create_run_for_test
from dagster_aws.s3 import S3Resource

from assets.materialize import PARTITIONS, made_asset
from assets.shown import markdown_table
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Check, Made, Partition, Workspace
from gristmill.recipe import Recipe
from jobs.abandoned import fail_abandoned_runs
from jobs.driver import Driver
from resources.lake import LakeResource
from resources.plan_cache import latest_records
from resources.workers import Workers

SHARDS = [f"web/{i:04d}" for i in range(6)]
TEXT = dict.fromkeys(SHARDS, "one")


def frame(text: str) -> pl.DataFrame:
    return pl.DataFrame([{"doc_id": text, "start": 0, "end": 1, "replacement": "", "rule": "r"}], schema=CONTRACTS["edits"].schema)


def make_first(workspace: Workspace, partition: Partition) -> Made:
    if TEXT[str(partition)] == "poison":
        raise ValueError("a poisoned shard")
    return Made({"edits": frame(TEXT[str(partition)])}, metadata={"kept": 1, "by rule": [{"rule": "a|b", "documents": 3}]})


def make_second(workspace: Workspace, partition: Partition) -> Made:
    return Made({"edits": frame("".join(workspace.read("first", partition)["doc_id"]) + str(partition))})


def make_joined(workspace: Workspace, partition: Partition) -> Made:
    return Made({"edits": pl.concat([workspace.read("second", each) for each in workspace.partitions("second")])})


def make_last(workspace: Workspace, partition: Partition) -> Made:
    joined = workspace.read("joined").filter(pl.col("doc_id").str.ends_with(str(partition)))
    return Made({"edits": joined})


def is_short(workspace: Workspace) -> Check:
    return Check(
        all(workspace.read("first", each)["doc_id"].str.len_chars().max() < 4 for each in workspace.partitions("first")),
        {"looked": 1, "longest": "too long", "none": "", "by shard": [{"shard": "a", "length": 8}]},
    )


class Mill:
    """Four assets over an instance and a lake of their own."""

    def __init__(self, root: str, instance: dg.DagsterInstance, processes: int = 1):
        self.root, self.instance, self.processes = root, instance, processes
        self.workspace = Workspace(Lake(root), Recipe())

    def driver(self, version: str = "1") -> Driver:
        shards, recipe = dg.DynamicPartitionsDefinition(name="shards"), Recipe()
        say = {"group": "test", "description": "", "sections": [], "version": "1"}
        assets = [
            made_asset(recipe, "first", make=make_first, partitions=shards, checks={"is_short": is_short}, **{**say, "version": version}),
            made_asset(recipe, "second", make=make_second, partitions=shards, deps=["first"], parallel=True, **say),
            made_asset(recipe, "joined", make=make_joined, deps=["second"], **say),
            made_asset(recipe, "last", make=make_last, deps=["joined"], partitions=shards, **say),
        ]
        resources = {"lake": LakeResource(root=self.root, s3=S3Resource()), "workers": Workers(processes=self.processes)}
        return Driver(dg.Definitions(assets=assets, resources=resources), self.instance, self.workspace, {})

    def drive(self, version: str = "1") -> dict[str, int]:
        self.outcome = self.driver(version).drive()
        return {name: len(made) for name, made in self.outcome.made.items()}


@pytest.fixture
def mill(tmp_path, request):
    TEXT.update(dict.fromkeys(SHARDS, "one"))
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.add_dynamic_partitions("shards", SHARDS)
        yield Mill(str(tmp_path / "lake"), instance)


def test_everything_once_and_then_nothing(mill: Mill):
    assert mill.drive() == {"first": 6, "second": 6, "joined": 1, "last": 6}
    assert mill.drive() == {}
    assert mill.outcome.succeeded


def test_each_partition_has_its_own_version_inputs_and_metadata(mill: Mill):
    TEXT[SHARDS[2]] = "two"
    mill.drive()
    records = latest_records(mill.instance, dg.AssetKey("first"))
    assert len({records[shard].data_version for shard in SHARDS}) == 2
    assert all(records[shard].data_version == mill.workspace.version("first", shard) for shard in SHARDS)
    seconds = latest_records(mill.instance, dg.AssetKey("second"))
    assert len({seconds[shard].data_version for shard in SHARDS}) == 6
    event = mill.instance.fetch_materializations(dg.AssetKey("first"), limit=1).records[0].asset_materialization
    assert event.metadata["kept"].value == 1
    assert "| a\\|b | 3 |" in event.metadata["by rule"].value
    assert json.loads(event.metadata["gristmill/files"].value) == list(records[event.partition].files)


def test_a_run_tells_the_reasons_of_the_plan(mill: Mill):
    """It has them from the heads, the plan from the log."""
    mill.drive()
    TEXT[SHARDS[1]] = "two"
    mill.workspace.lake.delete(mill.workspace.output("second", SHARDS[3]).tables["edits"].key)
    driver, told = mill.driver("2"), set()
    for name in ("first", "second", "joined", "last"):
        planned = driver.plan().reasons[name]
        driver.drive(select=[name])
        events = [
            record.asset_materialization for record in mill.instance.fetch_materializations(dg.AssetKey(name), limit=len(planned)).records
        ]
        why = {event.partition: event.metadata["why"].value for event in events}
        assert why == {partition: "; ".join(reason.text for reason in reasons) for partition, reasons in planned.items()}
        told |= {reason.kind for reasons in planned.values() for reason in reasons}
    assert told == {"algorithm", "input", "gone"}


def test_a_change_in_one_shard_rebuilds_that_shard_and_what_fans_in_and_out(mill: Mill):
    mill.drive()
    before = {shard: mill.workspace.version("last", shard) for shard in SHARDS}
    TEXT[SHARDS[1]] = "two"
    assert mill.drive("2") == {"first": 6, "second": 1, "joined": 1, "last": 6}
    after = {shard: mill.workspace.version("last", shard) for shard in SHARDS}
    assert [shard for shard in SHARDS if before[shard] != after[shard]] == [SHARDS[1]]


def test_new_code_with_equal_content_stops_at_once_and_a_revert_is_not_made_again(mill: Mill):
    mill.drive()
    assert mill.drive("2") == {"first": 6}
    assert mill.drive("1") == {}
    assert {name: len(each) for name, each in mill.outcome.reused.items()} == {"first": 6}


@pytest.mark.parametrize("gone", ["table", "head"])
def test_a_deleted_output_is_remade_alone(mill: Mill, gone: str):
    mill.drive()
    output = mill.workspace.output("second", SHARDS[3])
    mill.workspace.lake.delete(output.tables["edits"].key if gone == "table" else f"heads/default/second/{SHARDS[3]}.json")
    drove = mill.drive()
    reused = {name: len(each) for name, each in mill.outcome.reused.items()}
    assert {**drove, **reused} == {"second": 1}
    assert mill.workspace.is_whole(mill.workspace.output("second", SHARDS[3]))


def test_one_poisoned_shard_stops_no_other_and_is_named(mill: Mill):
    TEXT[SHARDS[4]] = "poison"
    assert mill.drive() == {"first": 5, "second": 5}
    assert "web/0004" in mill.outcome.failed["first"] and "a poisoned shard" in mill.outcome.failed["first"]
    assert not mill.outcome.succeeded
    assert [row["partition"] for row in mill.outcome.left.rows() if row["state"] == "stale" and row["asset"] == "first"] == [SHARDS[4]]
    TEXT[SHARDS[4]] = "one"
    assert mill.drive() == {"first": 1, "second": 1, "joined": 1, "last": 6}


def test_a_failing_check_is_reported(mill: Mill):
    TEXT[SHARDS[0]] = "too long"
    mill.drive()
    [check] = mill.outcome.failed_checks
    assert (check["asset"], check["check"], check["found"]) == ("first", "is_short", "longest: too long; looked: 1")
    assert not mill.outcome.succeeded


def test_worker_processes_give_what_one_process_gives(mill: Mill, tmp_path):
    mill.drive()
    other = Mill(str(tmp_path / "other"), mill.instance, processes=2)
    mill.instance.wipe()
    mill.instance.add_dynamic_partitions("shards", SHARDS)
    # worker processes import this module afresh, so the shards' texts are those of the module's own beginning
    assert other.drive() == {"first": 6, "second": 6, "joined": 1, "last": 6}
    assert [o.data_version for o in other.workspace.outputs()] == [o.data_version for o in mill.workspace.outputs()]


def test_a_run_lists_the_partitions_of_its_range_that_are_wanted(mill: Mill):
    mill.drive()
    for shard in (SHARDS[0], SHARDS[4]):
        TEXT[shard] = "two"
        mill.workspace.lake.delete(f"heads/default/first/{shard}.json")
    mill.drive()
    run = next(run for run in mill.instance.get_runs() if PARTITIONS in run.tags and len(json.loads(run.tags[PARTITIONS])) == 2)
    assert json.loads(run.tags[PARTITIONS]) == [SHARDS[0], SHARDS[4]]


def test_runs_of_a_dead_driver_are_reported_as_failed(mill: Mill):
    dead = create_run_for_test(
        mill.instance, status=dg.DagsterRunStatus.STARTED, tags={"gristmill/driver": f"{socket.gethostname()}:999999999"}
    )
    elsewhere = create_run_for_test(mill.instance, status=dg.DagsterRunStatus.STARTED, tags={"gristmill/driver": "elsewhere:1"})
    assert fail_abandoned_runs(mill.instance) == [dead.run_id]
    assert mill.instance.get_run_by_id(elsewhere.run_id).status == dg.DagsterRunStatus.STARTED


def test_tables_in_metadata_are_readable():
    assert markdown_table([{"a": 1234, "b": "x|y"}]) == "| a | b |\n|---|---|\n| 1,234 | x\\|y |"
    assert markdown_table([]) == "(none)"
