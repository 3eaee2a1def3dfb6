"""The automation condition: the daemon asks the plan, once per tick, what is stale and ready.

Dagster's own conditions are edge-triggered: a change made while the sensor has no cursor is lost, and a run
that fails consumes the edge. This one decides from the current state.

At most CAP partitions of an asset are asked for in a tick, in at most RANGES ranges, since Dagster starts a run for each
range without a gap; the next tick asks for more. A partition that failed is tried again until it failed ATTEMPTS times with
the same code and inputs, and is then left alone; `gristmill plan` and the asset's page say so. A run that failed before its
step began, and so recorded nothing, counts as one that failed in it (`jobs.failed_runs`).
"""

from __future__ import annotations

from collections.abc import Collection

import dagster as dg
from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
from dagster._core.definitions.declarative_automation.automation_condition import AutomationResult

from gristmill.lake.workspace import Partition
from gristmill.lineage.plan.plan import Plan
from jobs.abandoned import DRIVER, fail_abandoned_runs
from jobs.failed_runs import count_failed_runs
from resources.lake import open_lake

PLANS = "_gristmill_plans"
CAP = 1_000  # partitions of an asset, per tick
RANGES = 10  # ranges of them


class _OfThePlan(dg.AutomationCondition[dg.AssetKey]):
    """True for partitions that the plan of this tick names; none while a driver is at work."""

    def chosen(self, plan: Plan, asset: str) -> list[Partition]:
        """The partitions of the asset for which it holds."""
        raise NotImplementedError

    def evaluate(self, context: dg.AutomationContext) -> AutomationResult:
        view = context.asset_graph_view
        namespace = "/".join(context.key.path[:-1])
        plans = view.__dict__.setdefault(PLANS, {})  # one plan per namespace and tick
        if namespace not in plans:
            plans[namespace] = None if _driver_is_at_work(view.instance) else _planned(namespace, view)
        found = self.chosen(plans[namespace], context.key.path[-1]) if plans[namespace] else []
        if not found:
            return AutomationResult(context, context.get_empty_subset())
        if found == [None]:
            return AutomationResult(context, context.candidate_subset)
        assert context.partitions_def is not None
        keys = {partition for partition in found if partition is not None}
        subset = view.get_subset_from_partition_keys(context.key, context.partitions_def, keys)
        return AutomationResult(context, subset.compute_intersection(context.candidate_subset))

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)


class Stale(_OfThePlan):
    @property
    def name(self) -> str:
        return "stale"

    @property
    def description(self) -> str:
        return f"stale by the plan, and everything that it reads is fresh; up to {CAP:,} partitions in {RANGES} ranges"

    def chosen(self, plan: Plan, asset: str) -> list[Partition]:
        given_up = set(plan.left_alone(asset))
        ready = {partition for partition in plan.ready(asset) if partition not in given_up}
        return capped(plan.nodes[asset].partitions, ready)


class Retryable(_OfThePlan):
    @property
    def name(self) -> str:
        return "may_be_tried_again"

    @property
    def description(self) -> str:
        return "failed with other code or inputs, or less often than it is tried"

    def chosen(self, plan: Plan, asset: str) -> list[Partition]:
        known, given_up = plan.known_failures[asset], set(plan.left_alone(asset))
        return [partition for partition in plan.ready(asset) if partition in known and partition not in given_up]


def capped(order: Collection[Partition], ready: Collection[Partition]) -> list[Partition]:
    """The first CAP of `ready`, in at most RANGES ranges without a gap in `order`."""
    taken: list[Partition] = []
    ranges, inside = 0, False
    for partition in order:
        if partition not in ready:
            inside = False
            continue
        if not inside:
            ranges, inside = ranges + 1, True
        if ranges > RANGES or len(taken) == CAP:
            break
        taken.append(partition)
    return taken


def _planned(namespace: str, view: AssetGraphView) -> Plan:
    from jobs.definitions import plan_of, workspace_of

    planned = plan_of(namespace, view.instance, view.asset_graph)
    if count_failed_runs(view.instance, workspace_of(namespace), planned):
        planned = plan_of(namespace, view.instance, view.asset_graph)
    return planned


def _driver_is_at_work(instance: dg.DagsterInstance) -> bool:
    from jobs.definitions import lake_resource

    fail_abandoned_runs(instance, open_lake(lake_resource()))
    active = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]
    return any(DRIVER in run.tags for run in instance.get_runs(dg.RunsFilter(statuses=active)))


def rebuild_when_stale() -> dg.AutomationCondition:
    is_not_running: dg.AutomationCondition = ~dg.AutomationCondition.in_progress()
    is_new_code: dg.AutomationCondition = dg.AutomationCondition.code_version_changed().since_last_handled()  # type: ignore[misc]
    did_not_fail: dg.AutomationCondition = ~dg.AutomationCondition.execution_failed()
    stale: dg.AutomationCondition = Stale()
    retryable: dg.AutomationCondition = Retryable()
    return (stale & is_not_running & (did_not_fail | is_new_code | retryable)).with_label("rebuild when stale")
