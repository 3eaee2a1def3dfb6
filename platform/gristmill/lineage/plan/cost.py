"""What a rebuild costs, from the records of earlier runs, and how much of it early cutoff may save.

A partition that was made before is taken to cost what it cost then. One that never was costs what the asset's records cost
per row of the input that maps to it one to one, or on average. Seconds are of work, summed over worker processes; what the
index holds already costs a look-up and is counted as nothing. An asset without any record has no known cost.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from gristmill.lake.workspace import Partition, Workspace
from gristmill.lineage.plan.plan import Plan, Recorded
from gristmill.lineage.plan.reasons import Reason


@dataclass
class Cost:
    """Of `partitions`: `again` are in the index already; for `unknown` there is nothing to go by."""

    partitions: int = 0
    again: int = 0
    unknown: int = 0
    seconds: dict[str, float] = field(default_factory=dict)  # by device
    rows: int = 0
    tokens: int = 0

    @property
    def total_seconds(self) -> float:
        return sum(self.seconds.values())

    def __add__(self, other: Cost) -> Cost:
        devices = sorted({*self.seconds, *other.seconds})
        return Cost(
            self.partitions + other.partitions,
            self.again + other.again,
            self.unknown + other.unknown,
            {device: self.seconds.get(device, 0.0) + other.seconds.get(device, 0.0) for device in devices},
            self.rows + other.rows,
            self.tokens + other.tokens,
        )

    def share(self, partitions: int) -> Cost:
        """What so many of the partitions cost, taken as alike."""
        part = partitions / max(self.partitions, 1)
        return Cost(
            partitions,
            round(self.again * part),
            round(self.unknown * part),
            {device: seconds * part for device, seconds in self.seconds.items()},
            round(self.rows * part),
            round(self.tokens * part),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "partitions": self.partitions,
            "made_before": self.again,
            "unknown": self.unknown,
            "seconds": {device: round(seconds, 3) for device, seconds in self.seconds.items()},
            "rows": self.rows,
            "tokens": self.tokens,
        }


@dataclass
class Step:
    """The partitions of an asset that are stale, or wait, for the same reasons."""

    asset: str
    state: str  # stale (ready now), stale and waiting, or waiting (it may turn out fresh)
    reasons: tuple[str, ...]
    why: tuple[Reason, ...]  # of the first partition
    waits_for: str
    partitions: list[Partition]
    cost: Cost = field(default_factory=Cost)
    failed: dict[Partition, str] = field(default_factory=dict)

    @property
    def is_certain(self) -> bool:
        """Whether it is made whatever its upstream turns out to be."""
        return self.state != WAITING

    def of(self, partitions: list[Partition]) -> Step:
        """The step of some of its partitions, with their share of the cost."""
        return replace(self, partitions=partitions, cost=self.cost.share(len(partitions)))

    def as_json(self) -> dict[str, Any]:
        """Without its partitions, which are rows of the plan."""
        return {
            "asset": self.asset,
            "state": self.state,
            "reasons": list(self.reasons),
            "waits_for": self.waits_for,
            "cost": self.cost.as_json(),
        }


GONE = "files gone"
READY, BLOCKED, WAITING = "stale", "stale, waits", "waiting"


def steps(workspace: Workspace, plan: Plan, assets: Collection[str] | None = None) -> list[Step]:
    """What the plan comes to for these assets, or for all, upstream first, with costs."""
    found: list[Step] = []
    for asset in assets if assets is not None else plan.reasons:
        reasons, waiting = plan.reasons[asset], plan.waiting[asset]
        if not reasons and not waiting:
            continue
        failed, inputs = plan.failed.get(asset, {}), plan.inputs.get(asset, {})
        again = _made_before(workspace, plan, asset) if inputs else set()
        costs = _Costs(plan, asset)
        groups: dict[tuple[str, tuple[str, ...], str], Step] = {}
        for partition in dict.fromkeys([*reasons, *waiting]):
            why, waits_for = tuple(reasons.get(partition, ())), waiting.get(partition, "")
            state = (BLOCKED if waits_for else READY) if why else WAITING
            texts = tuple(reason.text if reason.kind != "gone" else GONE for reason in why)  # which file is another for each partition
            key = state, texts, waits_for
            if key not in groups:
                groups[key] = Step(asset, state, texts, why, waits_for, [])
            step = groups[key]
            step.partitions.append(partition)
            step.cost.partitions += 1
            if partition in failed:
                step.failed[partition] = str(failed[partition])
            if partition in again:
                step.cost.again += 1
            else:
                costs.add(step.cost, partition)
        found += groups.values()
    return found


def total(steps: Collection[Step], certain: bool) -> Cost:
    """The sum over what is certain to be made, or over what may turn out fresh."""
    return sum((step.cost for step in steps if step.is_certain is certain), Cost())


def duration(seconds: float) -> str:
    """For people: 0 s, 0.4 s, 12 s, 3 min, 2.5 h, 3 days."""
    for unit, length, upto in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 48 * 3600)):
        if seconds < upto:
            amount = seconds / length
            if amount < 0.05:
                return f"0 {unit}"
            return f"{amount:.1f} {unit}" if amount < 9.95 and amount != int(amount) else f"{amount:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def _made_before(workspace: Workspace, plan: Plan, asset: str) -> set[Partition]:
    """Ready partitions of which the index holds what the same code made of the same inputs. Where files are gone it is looked whether
    those that the entry names are among them; elsewhere the entry is taken at its word, since a plan may have 200,000."""
    keys, code_version, reasons = set(workspace.lake.keys(f"index/{asset}/")), plan.nodes[asset].code_version, plan.reasons[asset]
    found = {p for p, inputs in plan.inputs[asset].items() if keys and workspace.index_key(asset, p, code_version, inputs) in keys}
    gone = {p for p in found if any(reason.kind == "gone" for reason in reasons.get(p, ()))}
    return {p for p in found if p not in gone or workspace.made_before(asset, p, code_version, plan.inputs[asset][p])}


class _Costs:
    """What an asset's partitions cost."""

    def __init__(self, plan: Plan, asset: str) -> None:
        self.plan, self.asset = plan, asset
        self.recorded = plan.recorded.get(asset, {})

    def add(self, cost: Cost, partition: Partition) -> None:
        record = self.recorded.get(partition)
        if record is None or record.seconds is None:
            upstream, per_row = self._per_row
            rows = upstream[partition].rows if partition in upstream else None
            record = _scaled(per_row, rows) if per_row and rows else self._mean
        if record is None or record.seconds is None:
            cost.unknown += 1
            return
        cost.seconds[record.device] = cost.seconds.get(record.device, 0.0) + record.seconds
        cost.rows += round(record.rows or 0)
        cost.tokens += round(record.tokens or 0)

    @cached_property
    def _known(self) -> dict[Partition, Recorded]:
        return {partition: each for partition, each in self.recorded.items() if each.seconds is not None}

    @cached_property
    def _mean(self) -> Recorded | None:
        return _scaled(_sum(list(self._known.values())), 1 / len(self._known)) if self._known else None

    @cached_property
    def _per_row(self) -> tuple[Mapping[Partition, Recorded], Recorded | None]:
        """Records of the input that maps to the asset one to one, and what a row of it costs."""
        node, known = self.plan.nodes.get(self.asset), self._known
        for parent in node.parents if node else ():
            of = self.plan.recorded.get(parent, {})
            both = [partition for partition in known if partition is not None and partition in of and of[partition].rows]
            if len(both) * 2 > len(known) and (rows := sum(of[partition].rows or 0 for partition in both)):
                return of, _scaled(_sum([known[partition] for partition in both]), 1 / rows)
        return {}, None


def _sum(records: list[Recorded]) -> Recorded:
    device = max({each.device for each in records}, key=lambda d: (sum(each.device == d for each in records), d))
    return Recorded(
        "", "", {}, (), sum(each.seconds or 0 for each in records), sum(each.rows or 0 for each in records),
        sum(each.tokens or 0 for each in records), device,
    )  # fmt: skip


def _scaled(record: Recorded, factor: float) -> Recorded:
    seconds, rows, tokens = ((value or 0) * factor for value in (record.seconds, record.rows, record.tokens))
    return Recorded("", "", {}, (), seconds, rows, tokens, record.device)  # type: ignore[arg-type]
