"""The event log as the plan reads it: one bulk read per asset, through Dagster's instance.

Uses internals of Dagster 1.13.27 (`get_latest_storage_id_by_partition`, `toposorted_asset_keys_by_level`,
`partition_loading_context`): the version is pinned and `tests/resources/test_event_log.py` holds each of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.partitions.context import partition_loading_context

from gristmill.lake.workspace import Partition, Workspace
from gristmill.lineage.plan import Node, Recorded

INPUTS = "gristmill/inputs."  # tag prefix; Dagster's own input versions are wrong from 100 upstream partitions on
FILES = "gristmill/files"  # metadata: keys of the files that a materialisation stands on
HELD = "gristmill/held"  # tag on a held asset's definition: its refresh mode
DATA_VERSION = "dagster/data_version"
CODE_VERSION = "dagster/code_version"
PAGE = 900  # storage ids per query: SQLite allows 999 variables on old builds


def latest_records(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[Partition, Recorded]:
    """The latest materialisation of every partition of an asset (None for an unpartitioned one)."""
    event = dg.DagsterEventType.ASSET_MATERIALIZATION
    ids = list(instance.event_log_storage.get_latest_storage_id_by_partition(key, event).values())
    found: dict[Partition, Recorded] = {}
    for i in range(0, len(ids), PAGE):
        page = instance.fetch_materializations(dg.AssetRecordsFilter(key, storage_ids=ids[i : i + PAGE]), limit=PAGE)
        for record in page.records:
            if record.asset_materialization:
                found[record.partition_key] = _recorded(record.asset_materialization)
    if not ids and (entry := instance.get_latest_materialization_event(key)) and entry.asset_materialization:
        found[None] = _recorded(entry.asset_materialization)
    return found


def _recorded(materialization: dg.AssetMaterialization) -> Recorded:
    tags = materialization.tags or {}
    files = materialization.metadata.get(FILES)
    return Recorded(
        data_version=tags.get(DATA_VERSION, ""),
        code_version=tags.get(CODE_VERSION, ""),
        inputs={tag.removeprefix(INPUTS): value for tag, value in tags.items() if tag.startswith(INPUTS)},
        files=json.loads(str(files.value)) if files else (),
    )


def parent_partitions(graph: Any, key: dg.AssetKey, partition: Partition, parent: dg.AssetKey) -> list[Partition]:
    """The partitions of `parent` that a partition of `key` reads, by the definitions' partition mappings.

    Call inside `loading(instance)`.
    """
    if not graph.get(parent).is_partitioned:
        return [None]
    return sorted(graph.get_parent_partition_keys_for_child(partition, parent, key).partitions_subset.get_partition_keys())


def loading(instance: dg.DagsterInstance) -> Any:
    """Context in which partition keys are read from `instance` (dynamic ones live there)."""
    return partition_loading_context(dynamic_partitions_store=instance)


class DagsterGraph:
    """`gristmill.lineage.plan.Graph` over an asset graph and an instance, for one recipe's namespace."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        asset_graph: Any,
        workspace: Workspace,
        source_versions: Mapping[str, Callable[[Workspace, str], str]],
    ):
        self.instance, self.graph, self.workspace = instance, asset_graph, workspace
        self.source_versions = source_versions
        self._parents: dict[tuple[str, Partition, str], list[Partition]] = {}

    def key(self, name: str) -> dg.AssetKey:
        return asset_key(self.workspace.recipe.namespace, name)

    def nodes(self) -> Sequence[Node]:
        with loading(self.instance):
            return [self._node(key) for level in self.graph.toposorted_asset_keys_by_level for key in level if self._is_ours(key)]

    def _is_ours(self, key: dg.AssetKey) -> bool:
        namespace = self.workspace.recipe.namespace
        return list(key.path[:-1]) == ([namespace] if namespace else [])

    def _node(self, key: dg.AssetKey) -> Node:
        node, name = self.graph.get(key), key.path[-1]
        source = self.source_versions.get(name)
        return Node(
            name=name,
            code_version=node.code_version or "",
            partitions=list(node.partitions_def.get_partition_keys()) if node.is_partitioned else [None],
            parents=sorted(parent.path[-1] for parent in node.parent_keys),
            held=node.tags.get(HELD) == "manual",
            source_version=None if source is None else lambda partition: source(self.workspace, partition or ""),
        )

    def parent_partitions(self, node: str, partition: Partition, parent: str) -> Sequence[Partition]:
        where = node, partition, parent
        if where not in self._parents:
            with loading(self.instance):
                self._parents[where] = parent_partitions(self.graph, self.key(node), partition, self.key(parent))
        return self._parents[where]

    def recorded(self, node: str) -> Mapping[Partition, Recorded]:
        return latest_records(self.instance, self.key(node))

    def present(self) -> Collection[str]:
        lake = self.workspace.lake
        stored = {key for prefix in ("tables/", "files/", f"heads/{self.workspace.namespace}/") for key in lake.keys(prefix)}
        return stored | {"/".join(key.split("/")[:2]) for key in lake.keys("vectors/")}


def asset_key(namespace: str, name: str) -> dg.AssetKey:
    return dg.AssetKey([namespace, name] if namespace else [name])
