"""The plan: which partition of which asset is stale, and why, from the records of what was made.

Level-triggered: decided from what is, never from what happened since. A partition is stale when it was never
made, its files are gone, its code version moved, or the digest of its inputs' data versions moved. It is ready
when it is stale and nothing that it reads is stale or waiting; else it waits, since its upstream may turn out
the same. A held asset that exists ignores its inputs unless its refresh is `always`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gristmill.lake.workspace import Partition, versions_digest

SOURCE = "source"  # the input name under which the digest of files outside the lake is recorded


@dataclass(frozen=True)
class Recorded:
    """What the record of a materialisation says."""

    data_version: str
    code_version: str
    inputs: Mapping[str, str]
    files: Sequence[str] = ()


@dataclass(frozen=True)
class Node:
    """An asset as the definitions have it now."""

    name: str
    code_version: str
    partitions: Sequence[Partition]
    parents: Sequence[str]
    held: bool = False
    source_version: Callable[[Partition], str] | None = None


class Graph(Protocol):
    """The definitions and the event log, as the plan needs them."""

    def nodes(self) -> Sequence[Node]:
        """Every asset, upstream before downstream."""

    def parent_partitions(self, node: str, partition: Partition, parent: str) -> Sequence[Partition]:
        """The partitions of `parent` that this partition reads."""

    def recorded(self, node: str) -> Mapping[Partition, Recorded]:
        """The latest record of each partition: one bulk read per asset."""

    def present(self) -> Collection[str] | None:
        """Keys of all files in the lake; None to trust the records."""


@dataclass
class Plan:
    """Per asset and partition: why it is stale (`reasons`) and what it waits for (`waiting`)."""

    reasons: dict[str, dict[Partition, list[str]]] = field(default_factory=dict)
    waiting: dict[str, dict[Partition, str]] = field(default_factory=dict)
    held_back: dict[str, list[str]] = field(default_factory=dict)  # held asset -> inputs that moved

    def ready(self, node: str) -> list[Partition]:
        """Stale partitions whose inputs are all fresh, in order."""
        return [p for p in self.reasons.get(node, {}) if p not in self.waiting.get(node, {})]

    @property
    def is_fresh(self) -> bool:
        return not any(self.reasons.values())

    def rows(self) -> list[dict[str, Any]]:
        """One row per stale or waiting partition, upstream first."""
        rows = []
        for node in self.reasons:
            for partition in {**self.reasons[node], **self.waiting[node]}:
                rows.append(
                    {
                        "asset": node,
                        "partition": partition or "",
                        "state": "waiting" if partition in self.waiting[node] else "stale",
                        "reasons": self.reasons[node].get(partition, []),
                        "waits_for": self.waiting[node].get(partition, ""),
                    }
                )
        return rows


def plan(graph: Graph) -> Plan:
    """Reads every asset's records once and decides for every partition."""
    result, versions = Plan(), {}
    present = graph.present()
    for node in graph.nodes():
        recorded = graph.recorded(node.name)
        versions[node.name] = {p: r.data_version for p, r in recorded.items()}
        reasons = result.reasons.setdefault(node.name, {})
        waiting = result.waiting.setdefault(node.name, {})
        fan_in: dict[tuple[str, tuple[Partition, ...]], tuple[str, bool]] = {}
        for partition in node.partitions:
            record = recorded.get(partition)
            why = _own_reasons(node, record, present)
            if node.held and record is not None:
                if moved := [
                    p for p in node.parents if record.inputs.get(p) != _input(graph, result, versions, node, partition, p, fan_in)[0]
                ]:
                    result.held_back[node.name] = moved
                if why:
                    reasons[partition] = why
                    for parent in node.parents:
                        if _input(graph, result, versions, node, partition, parent, fan_in)[1]:
                            waiting[partition] = parent
                continue
            for parent in node.parents:
                digest, pending = _input(graph, result, versions, node, partition, parent, fan_in)
                if pending:
                    waiting[partition] = parent
                if record is not None and record.inputs.get(parent) != digest:
                    why.append(f"input {parent} changed")
            if record is not None and node.source_version and record.inputs.get(SOURCE) != node.source_version(partition):
                why.append("source files changed")
            if why:
                reasons[partition] = why
    return result


def _own_reasons(node: Node, record: Recorded | None, present: Collection[str] | None) -> list[str]:
    if record is None:
        return ["missing"]
    why = []
    if record.code_version != node.code_version:
        why.append(f"code {record.code_version} -> {node.code_version}")
    if present is not None and (gone := [key for key in record.files if key not in present]):
        why.append(f"file gone: {gone[0]}" + (f" and {len(gone) - 1} more" if len(gone) > 1 else ""))
    return why


def _input(
    graph: Graph,
    result: Plan,
    versions: dict[str, dict[Partition, str]],
    node: Node,
    partition: Partition,
    parent: str,
    fan_in: dict[tuple[str, tuple[Partition, ...]], tuple[str, bool]],
) -> tuple[str, bool]:
    """Digest of the versions read from `parent`, and whether any of them may still move."""
    keys = tuple(graph.parent_partitions(node.name, partition, parent))
    if (parent, keys) not in fan_in:
        digest = versions_digest({key: versions[parent].get(key, "") for key in keys})
        pending = result.reasons[parent].keys() | result.waiting[parent].keys()
        fan_in[parent, keys] = digest, any(key in pending for key in keys)
    return fan_in[parent, keys]
