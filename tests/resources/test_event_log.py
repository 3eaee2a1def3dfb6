"""The internals of Dagster that the plan stands on: each still does what the pinned version did."""

import dagster as dg
import pytest

from resources.event_log import Edges
from resources.plan_cache import CODE_VERSION, DATA_VERSION, FILES, INPUTS, PAGE, latest_records


@dg.asset(partitions_def=dg.DynamicPartitionsDefinition(name="shards"))
def shards_asset(): ...


@dg.asset(deps=[shards_asset])
def joined(): ...


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def report(instance: dg.DagsterInstance, name: str, partition: str | None, version: str) -> None:
    tags = {DATA_VERSION: version, CODE_VERSION: "1", f"{INPUTS}up": "digest"}
    instance.report_runless_asset_event(
        dg.AssetMaterialization(name, partition=partition, tags=tags, metadata={FILES: dg.MetadataValue.text('["tables/a"]')})
    )


def test_the_latest_record_of_every_partition_is_read_past_one_page(instance):
    keys = [f"web/{i:05d}" for i in range(PAGE + 5)]
    for key in keys:
        report(instance, "shards_asset", key, "old")
    report(instance, "shards_asset", keys[3], "new")
    records = latest_records(instance, dg.AssetKey("shards_asset"))
    assert set(records) == set(keys)
    assert {key for key in keys if records[key].data_version == "new"} == {keys[3]}
    assert records[keys[3]].inputs == {"up": "digest"} and records[keys[3]].files == ["tables/a"]


def test_an_unpartitioned_asset_has_one_record_and_a_new_one_none(instance):
    assert latest_records(instance, dg.AssetKey("joined")) == {}
    report(instance, "joined", None, "v")
    assert {key: record.data_version for key, record in latest_records(instance, dg.AssetKey("joined")).items()} == {None: "v"}


def test_the_graph_is_sorted_and_a_fan_in_reads_every_partition(instance):
    instance.add_dynamic_partitions("shards", ["web/1", "web/0"])
    graph = dg.Definitions(assets=[shards_asset, joined]).resolve_asset_graph()
    assert [key for level in graph.toposorted_asset_keys_by_level for key in level] == [dg.AssetKey("shards_asset"), dg.AssetKey("joined")]
    edges = Edges(graph, instance)
    assert edges.partitions(dg.AssetKey("shards_asset")) == ["web/1", "web/0"]  # as they were added
    assert edges.parents(dg.AssetKey("joined"), None, dg.AssetKey("shards_asset")) == ["web/0", "web/1"]
