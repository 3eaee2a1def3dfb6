"""What of a rebuild plan a takedown causes: the partitions that read the list, or a partition that does, and so on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple

from gristmill.lake.workspace import Partition
from gristmill.lineage.plan.plan import Graph, Plan

LIST = "tombstones"


class Caused(NamedTuple):
    """`plan` with nothing in it but what a takedown makes stale; `others`: how many partitions are stale beside."""

    plan: Plan
    others: int


def caused(graph: Graph, plan: Plan, released: Collection[tuple[str, Partition]] = ()) -> Caused:
    """`released` are held partitions that are made anew since they name what is taken down."""
    found: dict[str, set[Partition]] = {}
    known: dict[tuple[str, int], tuple[Sequence[Partition], bool]] = {}  # holds the keys, so that their ids stay theirs

    def reads(node: str, partition: Partition, parent: str) -> bool:
        """Whether the partition reads one of `parent` that was found."""
        if parent not in found:
            return False
        keys = graph.parent_partitions(node, partition, parent)
        if len(keys) == 1:
            return keys[0] in found[parent]
        if (parent, id(keys)) not in known:
            known[parent, id(keys)] = keys, not found[parent].isdisjoint(keys)
        return known[parent, id(keys)][1]

    for name, node in plan.nodes.items():
        stale = plan.reasons[name]
        for partition in dict.fromkeys([*stale, *plan.waiting[name]]):
            itself = any(LIST in (reason.input, name) for reason in stale.get(partition, ()))
            if itself or (name, partition) in released or any(reads(name, partition, parent) for parent in node.parents):
                found.setdefault(name, set()).add(partition)
    mine = replace(
        plan,
        reasons={name: {p: why for p, why in rows.items() if p in found.get(name, ())} for name, rows in plan.reasons.items()},
        waiting={name: {p: on for p, on in rows.items() if p in found.get(name, ())} for name, rows in plan.waiting.items()},
        failed={name: {p: on for p, on in rows.items() if p in found.get(name, ())} for name, rows in plan.failed.items()},
    )
    return Caused(mine, sum(len(rows) for rows in plan.reasons.values()) - sum(len(rows) for rows in mine.reasons.values()))
