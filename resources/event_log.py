"""The event log and the definitions as the plan reads them: one look per asset, through Dagster's instance.

Uses internals of Dagster 1.13.27 (`toposorted_asset_keys_by_level`, `get_partition_mapping`, `partition_loading_context`): the
version is pinned and `tests/resources/test_event_log.py` holds each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.partitions.context import partition_loading_context

from gristmill.lake.failures import Failure, Failures
from gristmill.lake.lease import Left, left
from gristmill.lake.workspace import Partition, Workspace
from gristmill.lineage.plan.plan import Node, Recorded
from gristmill.lineage.plan.reasons import Code
from resources.plan_cache import CODE_VERSION, DATA_VERSION, FILES, INPUTS, PAGE, PlanCache, latest_records

__all__ = [
    "CODE_VERSION", "DATA_VERSION", "FILES", "HELD", "INPUTS", "PAGE", "DagsterGraph", "Edges", "asset_key", "latest_records", "loading",
]  # fmt: skip

HELD = "gristmill/held"  # tag on the definition of an asset that is held: the recipe's key that holds it
ALGORITHM, SECTIONS = "algorithm version", "recipe sections"  # metadata of a definition: what its code version is made of

SourceVersions = Mapping[str, Callable[[Workspace, Sequence[str]], Mapping[str, str]]]
"""Asset without upstream -> the digest of what each of the partitions given reads outside the lake; "" where it reads nothing."""


class Edges:
    """Which partitions of an asset's upstream a partition reads, by the definitions' partition mappings.

    Partitions are read once. The two common mappings, one to one and all, are answered here: through Dagster's objects a
    plan over 200,000 partitions takes minutes.
    """

    def __init__(self, graph: Any, instance: dg.DagsterInstance):
        self.graph, self.instance = graph, instance
        self._partitions: dict[Any, list[Partition]] = {}
        self._edges: dict[tuple[dg.AssetKey, dg.AssetKey], Sequence[Partition] | dict[Partition, Sequence[Partition]] | None] = {}
        self._all: dict[dg.AssetKey, Sequence[Partition]] = {}

    def partitions(self, key: dg.AssetKey) -> list[Partition]:
        """The partitions of an asset in the order in which they were added; [None] of an unpartitioned one."""
        node = self.graph.get(key)
        if not node.is_partitioned:
            return [None]
        definition = node.partitions_def
        name = definition.name if isinstance(definition, dg.DynamicPartitionsDefinition) else key
        if name not in self._partitions:
            with loading(self.instance):
                self._partitions[name] = list(definition.get_partition_keys())
        return self._partitions[name]

    def parents(self, key: dg.AssetKey, partition: Partition, parent: dg.AssetKey) -> Sequence[Partition]:
        """Sorted; the same object for all partitions that read all of `parent`."""
        how = self._how(key, parent)
        if how is None:
            return (partition,)
        if not isinstance(how, dict):
            return how
        if partition not in how:
            with loading(self.instance):
                found = self.graph.get_parent_partition_keys_for_child(partition, parent, key).partitions_subset.get_partition_keys()
            how[partition] = sorted(found)
        return how[partition]

    def is_one_to_one(self, key: dg.AssetKey, parent: dg.AssetKey) -> bool:
        return self._how(key, parent) is None

    def _how(self, key: dg.AssetKey, parent: dg.AssetKey) -> Sequence[Partition] | dict[Partition, Sequence[Partition]] | None:
        edge = key, parent
        if edge not in self._edges:
            self._edges[edge] = self._edge(key, parent)
        return self._edges[edge]

    def _edge(self, key: dg.AssetKey, parent: dg.AssetKey) -> Sequence[Partition] | dict[Partition, Sequence[Partition]] | None:
        """None for one to one; the partitions, where all read the same; else an empty mapping to be filled."""
        child, above = self.graph.get(key), self.graph.get(parent)
        if not above.is_partitioned:
            return (None,)
        mapping = self.graph.get_partition_mapping(key, parent)
        if isinstance(mapping, dg.AllPartitionMapping):
            if parent not in self._all:
                self._all[parent] = sorted(self.partitions(parent), key=str)
            return self._all[parent]
        if isinstance(mapping, dg.IdentityPartitionMapping) and child.partitions_def == above.partitions_def:
            return None
        return {}


def loading(instance: dg.DagsterInstance) -> Any:
    """Context in which partition keys are read from `instance` (dynamic ones live there)."""
    return partition_loading_context(dynamic_partitions_store=instance)


class DagsterGraph:
    """`gristmill.lineage.plan.plan.Graph` over an asset graph and an instance, for one recipe's namespace. Good for one plan: it
    answers from what it has read. `cache` may be one of an earlier plan of the same instance and lake."""

    def __init__(
        self,
        instance: dg.DagsterInstance,
        asset_graph: Any,
        workspace: Workspace,
        source_versions: SourceVersions,
        cache: PlanCache | None = None,
    ):
        self.instance, self.graph, self.workspace = instance, asset_graph, workspace
        self.source_versions = source_versions
        self.cache = cache or PlanCache(instance, workspace.lake.cache_folder / "plan")
        self._names = [key for level in asset_graph.toposorted_asset_keys_by_level for key in sorted(level) if self._is_ours(key)]
        self._keys = {key.path[-1]: key for key in self._names}
        self._edges = Edges(asset_graph, instance)
        self._looked = False
        self._failures: dict[str, dict[Partition, Failure]] | None = None
        self._left: Left | None = None
        self._nodes: list[Node] = []

    def key(self, name: str) -> dg.AssetKey:
        return self._keys[name]

    def nodes(self) -> Sequence[Node]:
        if not self._nodes:
            self._nodes = [self._node(key) for key in self._names]
        return self._nodes

    def _is_ours(self, key: dg.AssetKey) -> bool:
        namespace = self.workspace.recipe.namespace
        return list(key.path[:-1]) == ([namespace] if namespace else [])

    def _node(self, key: dg.AssetKey) -> Node:
        node, name = self.graph.get(key), key.path[-1]
        partitions = self._edges.partitions(key)
        source, versions = self.source_versions.get(name), dict[str, str]()
        if source is not None:
            versions = dict(source(self.workspace, [each for each in partitions if each is not None]))
        return Node(
            name=name,
            code_version=node.code_version or "",
            partitions=partitions,
            parents=sorted(parent.path[-1] for parent in node.parent_keys),
            held=node.tags.get(HELD, ""),
            source_version=None if source is None else lambda partition: versions.get(partition or "", ""),
            code=self._code(node.metadata),
        )

    def _code(self, metadata: Mapping[str, Any]) -> Code | None:
        if ALGORITHM not in metadata:
            return None
        sections = [name for name in str(metadata[SECTIONS]).split(", ") if name != "none"]
        return Code(str(metadata[ALGORITHM]), self.workspace.recipe.values(*sections))

    def is_one_to_one(self, node: str, parent: str) -> bool:
        return self._edges.is_one_to_one(self._keys[node], self._keys[parent])

    def parent_partitions(self, node: str, partition: Partition, parent: str) -> Sequence[Partition]:
        return self._edges.parents(self._keys[node], partition, self._keys[parent])

    def recorded(self, node: str) -> Mapping[Partition, Recorded]:
        if not self._looked:
            self.cache.look(self._names)
            self._looked = True
        return self.cache.records(self.key(node))

    def present(self) -> set[str]:
        lake = self.workspace.lake
        stored = {key for prefix in ("tables/", "files/", f"heads/{self.workspace.namespace}/") for key in lake.names(prefix)}
        return stored | {"/".join(key.split("/")[:2]) for key in lake.names("vectors/")}

    def code(self, node: str, code_version: str) -> Code | None:
        value = self.workspace.code(node, code_version)
        return None if value is None else Code(value["algorithm"], value["sections"])

    def read(self, node: str, partition: Partition, parent: str, digest: str) -> Mapping[str, str] | None:
        head = self.workspace.head(node, partition)
        return head.read.get(parent) if head and head.inputs.get(parent) == digest else None

    def astray(self, node: str, recorded: Mapping[Partition, Recorded]) -> Collection[Partition]:
        found = set()
        for partition in self._leases().unsettled.get(node, []):
            head, record = self.workspace.head(node, partition), recorded.get(partition)
            if head and record and (head.data_version, head.code_version) != (record.data_version, record.code_version):
                found.add(partition)
        return found

    def failures(self, node: str) -> Mapping[Partition, Failure]:
        if self._failures is None:
            self._failures = Failures(self.workspace).all()
            for asset, holder in self._leases().died.items():  # counted when it is tried again
                code_version, run = holder.claims["code_version"], holder.claims["run"]
                for partition in holder.claims["partitions"]:
                    unknown = Failure(1, f"{holder} died while it made this", code_version, {}, run)
                    self._failures.setdefault(asset, {}).setdefault(partition, unknown)
        return self._failures.get(node, {})

    def _leases(self) -> Left:
        if self._left is None:
            self._left = left(self.workspace.lake, self.workspace.namespace)
        return self._left


def asset_key(namespace: str, name: str) -> dg.AssetKey:
    return dg.AssetKey([namespace, name] if namespace else [name])
