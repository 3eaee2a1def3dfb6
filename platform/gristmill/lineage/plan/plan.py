"""The plan: which partition of which asset is stale, and why, from the records of what was made.

Level-triggered: decided from what is, never from what happened since. A partition is stale when it was never
made, its files are gone, its code version moved, or the digest of its inputs' data versions moved. It is ready
when it is stale and nothing that it reads is stale or waiting; else it waits, since its upstream may turn out
the same. A held asset that exists ignores its inputs unless its refresh is `always`.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple, Protocol

from gristmill.lake.failures import Failure
from gristmill.lake.workspace import Partition, version_digest, versions_digest
from gristmill.lineage.plan.reasons import (
    INTERRUPTED,
    MISSING,
    Code,
    CodeReasons,
    Reason,
    gone_reason,
    input_reason,
    new_input_reason,
    source_reason,
)

SOURCE = "source"  # the input name under which the digest of files outside the lake is recorded
EXPLAINED = 100  # partitions of an asset for which it is looked up which of many upstream partitions moved


class Recorded(NamedTuple):  # as light as it gets: a plan holds one for every partition
    """What the record of a materialisation says. `seconds` are of the work itself, also where it was only found again."""

    data_version: str
    code_version: str
    inputs: Mapping[str, str]
    files: Sequence[str] = ()
    seconds: float | None = None
    rows: int | None = None
    tokens: int | None = None
    device: str = "cpu"


@dataclass(frozen=True)
class Node:
    """An asset as the definitions have it now."""

    name: str
    code_version: str
    partitions: Sequence[Partition]
    parents: Sequence[str]
    held: str = ""  # the recipe's key that says so
    source_version: Callable[[Partition], str] | None = None
    code: Code | None = None


class Graph(Protocol):
    """The definitions, the event log and the lake, as the plan needs them."""

    def nodes(self) -> Sequence[Node]:
        """Every asset, upstream before downstream."""

    def is_one_to_one(self, node: str, parent: str) -> bool:
        """Whether each partition of the asset reads the partition of `parent` of the same name, and they have the same ones."""

    def parent_partitions(self, node: str, partition: Partition, parent: str) -> Sequence[Partition]:
        """The partitions of `parent` that this partition reads; one object for all partitions that read the same many."""

    def recorded(self, node: str) -> Mapping[Partition, Recorded]:
        """The latest record of each partition: one bulk read per asset."""

    def present(self) -> set[str] | None:
        """Keys of all files in the lake; None to trust the records."""

    def code(self, node: str, code_version: str) -> Code | None:
        """What an earlier code version was made of; None when it was not recorded."""

    def read(self, node: str, partition: Partition, parent: str, digest: str) -> Mapping[str, str] | None:
        """The versions of `parent` behind a recorded digest: partition ("" when unpartitioned) -> data version, if known."""

    def astray(self, node: str, recorded: Mapping[Partition, Recorded]) -> Collection[Partition]:
        """Partitions that an interrupted run left with other content in the lake than their records say."""

    def failures(self, node: str) -> Mapping[Partition, Failure]:
        """What failed when it was last tried."""


@dataclass
class Plan:
    """Per asset and partition: why it is stale (`reasons`), what it waits for (`waiting`), and what it was decided from."""

    reasons: dict[str, dict[Partition, Sequence[Reason]]] = field(default_factory=dict)
    waiting: dict[str, dict[Partition, str]] = field(default_factory=dict)
    held_back: dict[str, list[str]] = field(default_factory=dict)  # held asset -> inputs that moved
    failed: dict[str, dict[Partition, Failure]] = field(default_factory=dict)  # ready, and tried in vain as it stands
    known_failures: dict[str, Mapping[Partition, Failure]] = field(default_factory=dict)  # failed when last tried, however it stood then
    nodes: dict[str, Node] = field(default_factory=dict)
    recorded: dict[str, Mapping[Partition, Recorded]] = field(default_factory=dict)
    inputs: dict[str, dict[Partition, dict[str, str]]] = field(default_factory=dict)  # of what is ready: input -> digest

    def ready(self, node: str) -> list[Partition]:
        """Stale partitions whose inputs are all fresh, in order."""
        waiting = self.waiting.get(node, {})
        return [p for p in self.reasons.get(node, {}) if p not in waiting]

    def left_alone(self, node: str) -> list[Partition]:
        """Ready partitions that failed as often as is allowed, with the same code and inputs."""
        return [p for p, failure in self.failed.get(node, {}).items() if failure.left_alone]

    @property
    def is_fresh(self) -> bool:
        return not any(self.reasons.values())

    def counts(self, only: Mapping[str, Set[Partition]] | None = None) -> dict[str, dict[str, int]]:
        """Asset -> how many partitions it has, and how many of them are fresh, stale, and waiting only; of the assets in `only`, among
        those partitions."""
        counts = {}
        for name, node in self.nodes.items():
            taken = (only or {}).get(name)
            stale: Set[Partition] = self.reasons[name].keys()
            waiting: Set[Partition] = self.waiting[name].keys() - stale
            if taken is not None:
                stale, waiting = stale & taken, waiting & taken
            every = len(node.partitions if taken is None else taken)
            counts[name] = {"partitions": every, "fresh": every - len(stale) - len(waiting), "stale": len(stale), "waiting": len(waiting)}
        return counts

    def rows(self) -> list[dict[str, Any]]:
        """One row per stale or waiting partition, upstream first."""
        rows = []
        for node, reasons in self.reasons.items():
            waiting, failed = self.waiting[node], self.failed.get(node, {})
            for partition in dict.fromkeys([*reasons, *waiting]):
                why = reasons.get(partition, ())
                row: dict[str, Any] = {
                    "asset": node,
                    "partition": partition or "",
                    "state": "waiting" if partition in waiting else "stale",
                    "reasons": [reason.text for reason in why],
                    "why": [reason.as_json() for reason in why],
                    "waits_for": waiting.get(partition, ""),
                }
                if partition in failed:
                    row["failed"] = failed[partition].as_json()
                rows.append(row)
        return rows


def plan(graph: Graph) -> Plan:
    """Reads every asset's records once and decides for every partition."""
    with _uncollected():
        result, present = Plan(), graph.present()
        look = _Inputs(graph, result)
        for node in graph.nodes():
            recorded = result.recorded[node.name] = graph.recorded(node.name)
            result.nodes[node.name] = node
            look.versions[node.name] = {p: r.data_version for p, r in recorded.items()}
            _decide(graph, node, recorded, present, result, look)
        return result


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the garbage collector, which would walk a million objects again and again, none of them in a cycle."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _decide(
    graph: Graph, node: Node, recorded: Mapping[Partition, Recorded], present: set[str] | None, result: Plan, look: _Inputs
) -> None:
    reasons = result.reasons.setdefault(node.name, {})
    waiting = result.waiting.setdefault(node.name, {})
    failures = result.known_failures[node.name] = graph.failures(node.name)
    codes = CodeReasons(node.code_version, node.code, lambda version: graph.code(node.name, version), node.name)
    parents = [(parent, look.all_of(parent) if graph.is_one_to_one(node.name, parent) else None) for parent in node.parents]
    gone = set() if present is None else set(chain.from_iterable(record.files for record in recorded.values())) - present
    astray = graph.astray(node.name, recorded)
    explained = 0
    for partition in node.partitions:
        record = recorded.get(partition)
        moved: Sequence[str] = ()
        pending = ""
        for parent, same in parents:
            digest, may_move = same[partition] if same is not None else look.of(node.name, partition, parent)
            if may_move:
                pending = parent
            if record is not None and record.inputs.get(parent) != digest:
                moved = [*moved, parent]
        why: Sequence[Reason] = () if record is not None else (MISSING,)
        if record is not None:
            if record.code_version != node.code_version:
                why = codes.since(record.code_version)
            if partition in astray:
                why = [*why, INTERRUPTED]
            if gone and not gone.isdisjoint(record.files):
                why = [*why, gone_reason([key for key in record.files if key in gone])]
            if moved and node.held:
                result.held_back[node.name] = list(moved)
            for parent in moved if not node.held else ():
                explained += 1
                why = [*why, look.moved(node.name, partition, parent, record.inputs.get(parent), explained <= EXPLAINED)]
            if node.held and not why:
                continue
        source = node.source_version(partition) if node.source_version else ""
        if node.source_version and record is not None and record.inputs.get(SOURCE) != source:
            why = [*why, source_reason(node.name)]
        if pending:
            waiting[partition] = pending
        if not why:
            continue
        reasons[partition] = why
        if not pending:
            digests = {
                parent: (same[partition] if same is not None else look.of(node.name, partition, parent))[0] for parent, same in parents
            }
            if node.source_version:
                digests[SOURCE] = source
            result.inputs.setdefault(node.name, {})[partition] = digests
            failure = failures.get(partition)
            if failure is not None and failure.is_of(node.code_version, digests):
                result.failed.setdefault(node.name, {})[partition] = failure


class _Inputs:
    """Digests of the versions that partitions read; each is computed once."""

    def __init__(self, graph: Graph, result: Plan) -> None:
        self.graph, self.result = graph, result
        self.versions: dict[str, dict[Partition, str]] = {}
        self._one: dict[str, dict[Partition, tuple[str, bool]]] = {}
        self._many: dict[tuple[str, int], tuple[Sequence[Partition], tuple[str, bool]]] = {}  # holds the keys, so that ids stay theirs

    def of(self, node: str, partition: Partition, parent: str) -> tuple[str, bool]:
        """Digest of the versions read from `parent`, and whether any of them may still move."""
        keys = self.graph.parent_partitions(node, partition, parent)
        if len(keys) == 1:
            of = self.all_of(parent)
            return of[keys[0]] if keys[0] in of else (version_digest(keys[0], self.versions[parent].get(keys[0], "")), False)
        if (parent, id(keys)) not in self._many:
            versions = self.versions[parent]
            moving = self.result.reasons[parent].keys() | self.result.waiting[parent].keys()
            answer = versions_digest({key: versions.get(key, "") for key in keys}), not moving.isdisjoint(keys)
            self._many[parent, id(keys)] = keys, answer
        return self._many[parent, id(keys)][1]

    def all_of(self, parent: str) -> Mapping[Partition, tuple[str, bool]]:
        """The same for each single partition of `parent`."""
        if parent not in self._one:
            versions, reasons, waiting = self.versions[parent], self.result.reasons[parent], self.result.waiting[parent]
            self._one[parent] = {
                key: (version_digest(key, versions.get(key, "")), key in reasons or key in waiting)
                for key in self.result.nodes[parent].partitions
            }
        return self._one[parent]

    def moved(self, node: str, partition: Partition, parent: str, was: str | None, look_up: bool) -> Reason:
        if was is None:
            return new_input_reason(parent)
        keys = self.graph.parent_partitions(node, partition, parent)
        read = self.graph.read(node, partition, parent, was) if look_up and len(keys) != 1 else None
        versions = self.versions[parent]
        return input_reason(parent, keys, read, {key or "": versions.get(key, "") for key in keys} if read is not None else {})
