"""The plan over twenty assets with ten thousand partitions each, cold and warm, on SQLite and on Postgres; and against
Dagster's own staleness over 400 partitions of three assets, which takes minutes for what the plan takes a second for.

Cold: no cache. Warm: nothing new in the log. After an edit: one asset's code version moved, so all its partitions are stale.
Every partition has a head and a table in the lake, which the plan looks for. Postgres is left out where no server is
installed, or dagster-postgres is not.
"""

import gc
import json
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import dagster as dg
from dagster._core.definitions.data_version import CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest
from dagster._core.storage.event_log.schema import SqlEventLogStorageTable
from dagster_aws.s3 import S3Resource

from assets.materialize import made_asset
from benchmarks.postgres import server
from benchmarks.run import report
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Workspace, versions_digest
from gristmill.lineage.plan.cost import steps
from gristmill.lineage.plan.plan import Plan, plan
from gristmill.recipe import Recipe
from resources.event_log import DagsterGraph
from resources.lake import LakeResource
from resources.plan_cache import CODE_VERSION, DATA_VERSION, FILES, INPUTS

ASSETS, PARTITIONS = 20, 10_000
SMALL = 400  # partitions for Dagster's resolver, over three assets
BATCH = 2_000


def make_nothing(workspace, partition):
    return Made()


class Setting:
    """A chain of assets over an instance and a lake; `build` writes a record and files for every partition."""

    def __init__(self, instance: dg.DagsterInstance, folder: str, assets: int, partitions: int):
        self.instance, self.workspace = instance, Workspace(Lake(f"{folder}/lake"), Recipe())
        self.names = [f"asset_{i:02d}" for i in range(assets)]
        self.keys = [f"web/{i:05d}" for i in range(partitions)]

    @cache  # noqa: B019
    def asset_graph(self, edited: str) -> object:
        """What the command line loads once, before it plans."""
        shards = dg.DynamicPartitionsDefinition(name="shards")
        assets = [
            made_asset(
                self.workspace.recipe, name, group="bench", make=make_nothing, version="2" if name == edited else "1", sections=["policy"],
                description="", partitions=shards, deps=self.names[max(i - 2, 0) : i],
            )
            for i, name in enumerate(self.names)
        ]  # fmt: skip
        lake = LakeResource(root=self.workspace.lake.root, s3=S3Resource())
        definitions = dg.Definitions(assets=assets, resources={"lake": lake, "workers": dg.ResourceDefinition.none_resource()})
        return definitions.resolve_asset_graph()

    def graph(self, edited: str = "") -> DagsterGraph:
        return DagsterGraph(self.instance, self.asset_graph(edited), self.workspace, {})

    def plan(self, edited: str = "") -> Plan:
        found = plan(self.graph(edited))
        steps(self.workspace, found)
        return found

    def build(self) -> None:
        """Events as a run writes them, put into the tables in bulk: one by one they take an hour."""
        self.instance.add_dynamic_partitions("shards", self.keys)
        graph, root = self.graph(), Path(self.workspace.lake.root)
        for i, name in enumerate(self.names):
            code_version = next(node.code_version for node in graph.nodes() if node.name == name)
            key = dg.AssetKey(name)
            self.instance.report_runless_asset_event(
                dg.AssetMaterialization(name, partition=self.keys[0], metadata=self._metadata(name, ""))
            )
            row = self._a_row(key)
            for folder in (root / "heads/default" / name / "web", root / "tables" / name):
                folder.mkdir(parents=True)
            for start in range(0, len(self.keys), BATCH):
                rows = []
                for partition in self.keys[start : start + BATCH]:
                    version = f"{hash_of(name, partition)}"
                    inputs = {dep: versions_digest({partition: hash_of(dep, partition)}) for dep in self.names[max(i - 2, 0) : i]}
                    tags = {DATA_VERSION: version, CODE_VERSION: code_version, **{f"{INPUTS}{d}": v for d, v in inputs.items()}}
                    event = json.loads(row["event"])
                    materialization = event["dagster_event"]["event_specific_data"]["materialization"]
                    materialization |= {"partition": partition, "tags": tags}
                    for entry in materialization["metadata_entries"]:
                        if entry["label"] == FILES:
                            entry["entry_data"]["text"] = json.dumps(self._files(name, partition))
                    rows.append({**row, "partition": partition, "event": json.dumps(event)})
                    for file in self._files(name, partition):
                        (root / file).touch()
                with self.instance.event_log_storage.index_connection() as connection:
                    connection.execute(SqlEventLogStorageTable.insert(), rows)

    def _files(self, name: str, partition: str) -> list[str]:
        return [f"heads/default/{name}/{partition}.json", f"tables/{name}/{hash_of(name, partition)}.parquet"]

    def _metadata(self, name: str, partition: str) -> dict:
        rules = "\n".join(f"| gopher.rule_{i} | 0 | 0 | 0 |" for i in range(35))  # about as long as a real one
        return {
            "documents": 74, "by rule": dg.MetadataValue.md(rules), "dagster/partition_row_count": 74, "seconds": 1.5, "made before": False,
            FILES: dg.MetadataValue.text(json.dumps(self._files(name, partition))),
        }  # fmt: skip

    def _a_row(self, key: dg.AssetKey) -> dict:
        table = SqlEventLogStorageTable
        with self.instance.event_log_storage.index_connection() as connection:
            row = connection.execute(table.select().where(table.c.asset_key == key.to_string())).mappings().first()
        return {name: value for name, value in row.items() if name != "id"}


def hash_of(name: str, partition: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {partition}").hex


@contextmanager
def on_sqlite() -> Iterator[Setting]:
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as instance:
        yield Setting(instance, folder, ASSETS, PARTITIONS)


@contextmanager
def on_postgres() -> Iterator[Setting | None]:
    with server() as config:
        if config is None:
            yield None
            return
        with tempfile.TemporaryDirectory() as folder, dg.instance_for_test(temp_dir=folder, overrides={"storage": config}) as instance:
            yield Setting(instance, folder, ASSETS, PARTITIONS)


def timed(setting: Setting, edited: str = "") -> tuple[float, float]:
    """Seconds of a plan, by the clock and of the processor: on a machine with other work the first says little."""
    setting.asset_graph(edited)
    gc.collect()
    start, worked = time.perf_counter(), time.process_time()
    found = setting.plan(edited)
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    assert {name: len(why) for name, why in found.reasons.items() if why} == ({edited: PARTITIONS} if edited else {})
    return seconds, worked


def best(setting: Setting, edited: str = "") -> tuple[float, float]:
    """The least of three, of each."""
    runs = [timed(setting, edited) for _ in range(3)]
    return min(seconds for seconds, _ in runs), min(worked for _, worked in runs)


def run(measure):
    for name, make in (("sqlite", on_sqlite), ("postgres", on_postgres)):
        with make() as setting:
            if setting is None:
                continue
            setting.build()
            measured = {"cold": timed(setting), "warm": best(setting), "warm after an edit": best(setting, edited="asset_02")}
            for how, (seconds, worked) in measured.items():
                report(f"plan {how}, {name}, {ASSETS} x {PARTITIONS:,}", "seconds", seconds)
                report(f"plan {how}, {name}, processor", "seconds", worked)
            shutil.rmtree(setting.workspace.lake.root)
    against_dagster(measure)


def against_dagster(measure):
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as instance:
        setting = Setting(instance, folder, 3, SMALL)
        setting.build()
        asset_graph = setting.asset_graph("")

        def theirs():
            resolver = CachingStaleStatusResolver(instance, asset_graph, LoadingContextForTest(instance))
            return [resolver.get_status(dg.AssetKey(name), key) for name in setting.names for key in setting.keys]

        measure("plan", "partitions/s", SMALL * 3, setting.plan, theirs, "Dagster's CachingStaleStatusResolver")
