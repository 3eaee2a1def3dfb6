"""Runs that failed without a word on a partition that they were to make: killed before the step began, no memory for their process, a
code server that did not load.

What fails inside a step is counted by the step (`assets.materialize`), and a process that dies in one by whoever takes its lease. Of the
rest only the event log tells: a run was planned for the partition, failed, and did not make it. Each counts as one failure, so that
it is tried again as often as any other and then left alone; without, Dagster's own condition leaves it alone after the first.
"""

from __future__ import annotations

import json

import dagster as dg

from assets.materialize import PARTITIONS, observation
from gristmill.errors import LakeError
from gristmill.lake.failures import Failures
from gristmill.lake.lease import Lease
from gristmill.lake.workspace import Partition, Workspace
from gristmill.lineage.plan.plan import Plan
from resources.event_log import asset_key

SHOWN = 100  # partitions of an asset whose pages tell of it at a time: an event takes a while, and a tick has a minute
FROM_OUTSIDE = "marked as failed from outside"  # what Dagster says where it has nothing to say
TOLD_BY = {dg.DagsterEventType.ENGINE_EVENT, dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}


def count_failed_runs(instance: dg.DagsterInstance, workspace: Workspace, planned: Plan) -> bool:
    """Notes the failures that nobody counted yet, of what is ready and not left alone; whether there were any. One that cannot be
    noted (a full disk) stays uncounted: what it was to make is not tried again, as nothing would end it."""
    failures, counted = Failures(workspace), False
    for asset, node in planned.nodes.items():
        ready = set(planned.ready(asset)) - set(planned.left_alone(asset))
        key, known = asset_key(workspace.recipe.namespace, asset), planned.known_failures[asset]
        attempts = {partition: run for partition, run in (_attempts(instance, key) if ready else {}).items() if partition in ready}
        uncounted = {partition: run for partition, run in attempts.items() if partition not in known or known[partition].run != run}
        failed = _failed(instance, set(uncounted.values()))
        if not failed:
            continue
        holder = Lease(workspace.lake, workspace.namespace, asset).holder()
        said: dict[str, str] = {}
        shown = 0
        for partition, run_id in uncounted.items():
            if run_id not in failed or not _was_to_make(failed[run_id], partition):
                continue
            if holder is not None and holder.claims.get("run") == run_id:  # its step goes on, or is counted by who takes its lease
                continue
            if run_id not in said:
                said[run_id] = f"run {run_id[:8]} failed before it made this: {_said(instance, run_id)}"
            try:
                failure = failures.add(asset, partition, said[run_id], node.code_version, planned.inputs[asset][partition], run_id)
            except LakeError:
                continue
            if shown < SHOWN:
                instance.report_runless_asset_event(observation(key, partition, failure))
            shown, counted = shown + 1, True
    return counted


def _attempts(instance: dg.DagsterInstance, key: dg.AssetKey) -> dict[Partition, str]:
    """Partition -> the last run that was planned for it, where that has not made it."""
    storage = instance.event_log_storage
    found: dict[Partition, str] = {
        partition: run_id
        for partition, (run_id, _) in storage.get_latest_asset_partition_materialization_attempts_without_materializations(key).items()
    }
    planned = storage.get_latest_planned_materialization_info(key)
    if planned is not None:
        made = instance.fetch_materializations(key, limit=1).records
        if not made or made[0].storage_id < planned.storage_id:
            found[None] = planned.run_id
    return found


def _failed(instance: dg.DagsterInstance, run_ids: set[str]) -> dict[str, dg.DagsterRun]:
    if not run_ids:
        return {}
    runs = instance.get_runs(dg.RunsFilter(run_ids=sorted(run_ids), statuses=[dg.DagsterRunStatus.FAILURE]))
    return {run.run_id: run for run in runs}


def _was_to_make(run: dg.DagsterRun, partition: Partition) -> bool:
    """A run's range may hold more than the run is for."""
    return partition in json.loads(run.tags[PARTITIONS]) if PARTITIONS in run.tags else True


def _said(instance: dg.DagsterInstance, run_id: str) -> str:
    """Why it failed: the last that its log says of it."""
    said = []
    for entry in instance.all_logs(run_id, of_type=TOLD_BY):
        event = entry.dagster_event
        if event is None:
            continue
        if event.is_step_failure and event.step_failure_data.error is not None:
            return event.step_failure_data.error.to_string().strip()
        if event.message and FROM_OUTSIDE not in event.message:
            said.append(event.message)
    return said[-1] if said else "its log does not say why"
