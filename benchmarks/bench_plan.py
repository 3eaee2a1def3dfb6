"""The plan against Dagster's own staleness, over 400 partitions of three assets on SQLite: partitions a second."""

import tempfile

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest
from dagster_aws.s3 import S3Resource

from assets.materialize import made_asset
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Workspace
from gristmill.lineage.plan import plan
from gristmill.recipe import Recipe
from resources.event_log import INPUTS, DagsterGraph
from resources.lake import LakeResource

PARTITIONS = 400


def make_nothing(workspace, partition):
    return Made()


def run(measure):
    recipe, shards = Recipe(), dg.DynamicPartitionsDefinition(name="shards")
    chain = ["first", "second", "third"]
    assets = [
        made_asset(
            recipe, name, group="bench", make=make_nothing, version="1", sections=[], description="", partitions=shards, deps=chain[:i][-1:]
        )
        for i, name in enumerate(chain)
    ]
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as instance:
        keys = [f"web/{i:04d}" for i in range(PARTITIONS)]
        instance.add_dynamic_partitions("shards", keys)
        for i, name in enumerate(chain):
            for key in keys:
                tags = {"dagster/data_version": key, "dagster/code_version": "1", **{f"{INPUTS}{dep}": "x" for dep in chain[:i][-1:]}}
                instance.report_runless_asset_event(dg.AssetMaterialization(name, partition=key, tags=tags))
        definitions = dg.Definitions(
            assets=assets, resources={"lake": LakeResource(root=folder, s3=S3Resource()), "workers": dg.ResourceDefinition.none_resource()}
        )
        asset_graph = definitions.resolve_asset_graph()
        workspace = Workspace(Lake(folder), recipe)

        def ours():
            return plan(DagsterGraph(instance, asset_graph, workspace, {}))

        def theirs():
            resolver = CachingStaleStatusResolver(instance, asset_graph, LoadingContextForTest(instance))
            return [resolver.get_status(dg.AssetKey(name), key) for name in chain for key in keys]

        measure("plan", "partitions/s", PARTITIONS * len(chain), ours, theirs, "Dagster's CachingStaleStatusResolver")
