"""Which partitions a rebuild may make: `--until ASSET` and `--select ASSET[GLOB]`."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from gristmill.errors import RecipeError
from gristmill.lake.workspace import Partition
from gristmill.lineage.plan.plan import Graph, Node, Plan


@dataclass(frozen=True)
class Selection:
    """The assets to make, in dependency order, and for some of them glob patterns that their partitions must match."""

    assets: Sequence[str]
    patterns: dict[str, list[str]] = field(default_factory=dict)

    def takes(self, asset: str, partition: Partition) -> bool:
        if asset not in self.assets:
            return False
        patterns = self.patterns.get(asset)
        return not patterns or any(fnmatch.fnmatchcase(partition or "", pattern) for pattern in patterns)


def selection(nodes: Sequence[Node], until: Collection[str] = (), select: Collection[str] = ()) -> Selection:
    """`until`: these assets and all that is upstream of them. `select`: only these, `asset` or `asset[glob over partitions]`.

    Both: what is in both. Neither: everything.
    """
    names = [node.name for node in nodes]
    wanted = {_known(name, names) for name in until} or set(names)
    for node in reversed(nodes):
        if node.name in wanted:
            wanted.update(node.parents)
    if not select:
        return Selection([name for name in names if name in wanted])
    patterns: dict[str, list[str]] = {}
    for each in select:
        name, bracket, rest = each.partition("[")
        found = patterns.setdefault(_known(name, names), [])
        if bracket and not rest.endswith("]"):
            raise RecipeError(f"{each!r} has no closing bracket", where="--select", fix=f"Write {name}[{rest or 'web/*'}].")
        found.append(rest[:-1] if bracket else "*")
        partitions = next(node.partitions for node in nodes if node.name == name)
        if bracket and not any(fnmatch.fnmatchcase(partition or "", rest[:-1]) for partition in partitions):
            some = ", ".join(str(partition) for partition in partitions[:3])
            raise RecipeError(
                f"no partition of {name} matches {rest[:-1]!r}",
                where="--select",
                fix=f"It has {len(partitions)}, such as {some}." if partitions != [None] else f"It has none: write {name}.",
            )
    return Selection([name for name in names if name in wanted and name in patterns], patterns)


def waits_outside(graph: Graph, planned: Plan, chosen: Selection) -> dict[str, tuple[set[Partition], list[str]]]:
    """Selected asset -> those of its selected partitions that wait for what is not selected, and which assets these are."""
    assets = list(planned.nodes)
    told: dict[tuple[str, Partition], frozenset[str]] = {}
    of_many: dict[tuple[str, int], tuple[Sequence[Partition], frozenset[str]]] = {}  # holds the keys, so that ids stay theirs

    def outside(asset: str, partition: Partition) -> frozenset[str]:
        if (asset, partition) not in told:
            found = frozenset[str]()
            for parent in planned.nodes[asset].parents:
                keys = graph.parent_partitions(asset, partition, parent)
                if len(keys) == 1:
                    found |= behind(parent, keys)
                    continue
                if (parent, id(keys)) not in of_many:
                    of_many[parent, id(keys)] = keys, behind(parent, keys)
                found |= of_many[parent, id(keys)][1]
            told[asset, partition] = found
        return told[asset, partition]

    def behind(parent: str, keys: Sequence[Partition]) -> frozenset[str]:
        found = frozenset[str]()
        for key in keys:
            if key in planned.reasons[parent] or key in planned.waiting[parent]:
                further = outside(parent, key)
                itself = not chosen.takes(parent, key) and (key in planned.reasons[parent] or not further)
                found |= further | {parent} if itself else further
        return found

    waiting = {}
    for name in chosen.assets:
        found = {partition: outside(name, partition) for partition in planned.waiting[name] if chosen.takes(name, partition)}
        if names := frozenset[str]().union(*found.values()):
            waiting[name] = {partition for partition, upstream in found.items() if upstream}, sorted(names, key=assets.index)
    return waiting


def _known(name: str, names: Sequence[str]) -> str:
    if name in names:
        return name
    close = difflib.get_close_matches(name, names, 1, 0.4)
    raise RecipeError(
        f"no asset named {name!r}", where="--until, --select", fix=f"Did you mean {close[0]}?" if close else f"Known: {', '.join(names)}."
    )
