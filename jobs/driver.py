"""The driver: runs the plan one asset at a time in dependency order until nothing that it may make is ready.

A step downstream of a many-partition step in the same run is skipped by Dagster, and only after an asset has
been rebuilt is it known whether what reads it changed at all; so each asset is a run of its own, planned anew.
The plan decides from what is, so an interrupted drive is simply started again.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from assets.materialize import PARTITIONS
from gristmill.lake.workspace import Partition, Workspace
from gristmill.lineage.plan import Plan, plan
from resources.event_log import DagsterGraph

log = logging.getLogger("gristmill")

DRIVER = "gristmill/driver"  # run tag: host and process that drives the run
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

SourceVersions = Mapping[str, Callable[[Workspace, str], str]]


@dataclass
class Outcome:
    """What a drive did: per asset the partitions made anew, found made before, and failed; and checks that failed."""

    made: dict[str, list[Partition]] = field(default_factory=dict)
    reused: dict[str, list[Partition]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    failed_checks: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    left: Plan = field(default_factory=Plan)
    wanted: list[str] = field(default_factory=list)

    @property
    def succeeded(self) -> bool:
        return not self.failed and not any(check["severity"] == "ERROR" for check in self.failed_checks)

    def rows(self) -> list[dict[str, Any]]:
        return [
            {
                "asset": name,
                "made": len(self.made.get(name, [])),
                "made before": len(self.reused.get(name, [])),
                "seconds": round(seconds, 1),
                "result": self.failed.get(name, "ok"),
            }
            for name, seconds in self.seconds.items()
        ]


class Driver:
    """Drives one recipe's graph inside an instance. `definitions` hold its assets and resources."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance, workspace: Workspace, source_versions: SourceVersions):
        self.job = definitions.resolve_implicit_global_asset_job_def()
        self.asset_graph = definitions.resolve_asset_graph()
        self.instance, self.workspace, self.source_versions = instance, workspace, source_versions

    def graph(self) -> DagsterGraph:
        return DagsterGraph(self.instance, self.asset_graph, self.workspace, self.source_versions)

    def plan(self) -> Plan:
        return plan(self.graph())

    def until(self, targets: Collection[str]) -> list[str]:
        """The targets and everything upstream of them, in dependency order; all assets when there are none."""
        nodes = self.graph().nodes()
        wanted = set(targets) or {node.name for node in nodes}
        for node in reversed(nodes):
            if node.name in wanted:
                wanted.update(node.parents)
        return [node.name for node in nodes if node.name in wanted]

    def drive(self, targets: Collection[str] = (), tags: Mapping[str, str] | None = None, say: Callable[[str], None] = log.info) -> Outcome:
        """Makes what is stale among `targets` and their ancestors; goes on past a failed asset where nothing needs it."""
        fail_abandoned_runs(self.instance)
        names = self.until(targets)
        outcome = Outcome(left=self.plan(), wanted=names)
        for position, name in enumerate(names, 1):
            ready = outcome.left.ready(name)
            if not ready:
                continue
            reasons = outcome.left.reasons[name][ready[0]]
            say(f"[{position}/{len(names)}] {name}: {_count(ready)} ({'; '.join(reasons)})")
            start = time.monotonic()
            self._run(name, ready, dict(tags or {}), outcome)
            outcome.seconds[name] = time.monotonic() - start
            outcome.left = self.plan()  # what was made may have come out the same
            done = len(outcome.made.get(name, [])) + len(outcome.reused.get(name, []))
            say(
                f"[{position}/{len(names)}] {name}: {done} made in {outcome.seconds[name]:.1f} s"
                + (f", FAILED: {outcome.failed[name]}" if name in outcome.failed else "")
            )
        return outcome

    def _run(self, name: str, ready: list[Partition], tags: dict[str, str], outcome: Outcome) -> None:
        key = self.graph().key(name)
        tags |= {DRIVER: f"{socket.gethostname()}:{os.getpid()}"}
        if ready != [None]:
            tags |= {RANGE_START: str(ready[0]), RANGE_END: str(ready[-1]), PARTITIONS: json.dumps(ready)}
        result = self.job.execute_in_process(
            instance=self.instance,
            asset_selection=[key],
            tags=tags,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )
        # from the log, not from the result: a failed step's result lacks the partitions that it had made by then
        for entry in self.instance.all_logs(result.run_id):
            event = entry.dagster_event
            if event is None:
                continue
            if event.is_step_materialization and event.asset_key == key:
                before = event.materialization.metadata["made before"].value
                (outcome.reused if before else outcome.made).setdefault(name, []).append(event.partition)
            elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                check = event.asset_check_evaluation_data
                if not check.passed:
                    outcome.failed_checks.append(
                        {
                            "asset": name,
                            "check": check.check_name,
                            "severity": check.severity.value,
                            "description": check.description or "",
                        }
                    )
            elif event.is_step_failure:
                error = event.step_failure_data.error
                outcome.failed[name] = error.message.strip() if error else "failed"
        if not result.success and name not in outcome.failed:
            outcome.failed[name] = f"run {result.run_id} failed"


def fail_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Runs whose driving process on this host is dead (killed, or a power cut) are reported as failed; else the
    daemon would wait for them for ever."""
    abandoned = []
    active = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
    for run in instance.get_runs(dg.RunsFilter(statuses=active)):
        host, _, pid = run.tags.get(DRIVER, "").rpartition(":")
        if host == socket.gethostname() and not _is_alive(int(pid)):
            instance.report_run_failed(run, "The process that drove this run is gone; the next rebuild makes what it left.")
            abandoned.append(run.run_id)
    return abandoned


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _count(partitions: list[Partition]) -> str:
    return "unpartitioned" if partitions == [None] else f"{len(partitions)} partition{'s' if len(partitions) > 1 else ''}"
