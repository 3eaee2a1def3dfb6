"""The automation condition: the daemon asks the plan, once per tick, what is stale and ready.

Dagster's own conditions are edge-triggered: a change made while the sensor has no cursor is lost, and a run
that fails consumes the edge. This one decides from the current state. A partition that failed is left alone
until its code version changes.
"""

from __future__ import annotations

import dagster as dg
from dagster._core.definitions.declarative_automation.automation_condition import AutomationResult

from jobs.driver import DRIVER, fail_abandoned_runs

PLANS = "_gristmill_plans"


class Stale(dg.AutomationCondition[dg.AssetKey]):
    """True for the partitions that the plan calls stale and ready, false for all while a driver is at work."""

    @property
    def name(self) -> str:
        return "stale"

    @property
    def description(self) -> str:
        return "stale by the plan, and everything that it reads is fresh"

    def evaluate(self, context: dg.AutomationContext) -> AutomationResult:
        from jobs.definitions import plan_of

        view = context.asset_graph_view
        namespace = "/".join(context.key.path[:-1])
        plans = view.__dict__.setdefault(PLANS, {})  # one plan per namespace and tick
        if namespace not in plans:
            plans[namespace] = None if _driver_is_at_work(view.instance) else plan_of(namespace, view.instance, view.asset_graph)
        ready = plans[namespace].ready(context.key.path[-1]) if plans[namespace] else []
        if not ready:
            return AutomationResult(context, context.get_empty_subset())
        if ready == [None]:
            return AutomationResult(context, context.candidate_subset)
        assert context.partitions_def is not None
        subset = view.get_subset_from_partition_keys(context.key, context.partitions_def, set(ready))
        return AutomationResult(context, subset.compute_intersection(context.candidate_subset))

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stale)


def _driver_is_at_work(instance: dg.DagsterInstance) -> bool:
    fail_abandoned_runs(instance)
    active = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING]
    return any(DRIVER in run.tags for run in instance.get_runs(dg.RunsFilter(statuses=active)))


def rebuild_when_stale() -> dg.AutomationCondition:
    is_not_running: dg.AutomationCondition = ~dg.AutomationCondition.in_progress()
    is_new_code: dg.AutomationCondition = dg.AutomationCondition.code_version_changed().since_last_handled()  # type: ignore[misc]
    did_not_fail: dg.AutomationCondition = ~dg.AutomationCondition.execution_failed()
    stale: dg.AutomationCondition = Stale()
    return (stale & is_not_running & (did_not_fail | is_new_code)).with_label("rebuild when stale")
