"""The driver: runs the plan one asset at a time in dependency order until nothing that it may make is ready.

A step downstream of a many-partition step in the same run is skipped by Dagster, and only after an asset has
been rebuilt is it known whether what reads it changed at all; so each asset is a run of its own, planned anew.
The plan decides from what is, so an interrupted drive is simply started again. Where somebody else makes an asset at
the moment, the drive waits and plans anew.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.utils import make_new_run_id

from assets.materialize import PARTITIONS
from gristmill.errors import LakeError
from gristmill.lake.lease import Lease
from gristmill.lake.processes import Process
from gristmill.lake.workspace import Partition, Workspace
from gristmill.lineage.plan.cost import Cost, Step, duration, steps, total
from gristmill.lineage.plan.plan import Plan, plan
from jobs.abandoned import DRIVER, settle_abandoned_runs
from jobs.origin import record
from jobs.selection import Selection, selection
from resources.event_log import DagsterGraph, SourceVersions
from resources.plan_cache import PlanCache
from resources.up_to_date import UP_TO_DATE, report

log = logging.getLogger("gristmill")

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@dataclass
class Outcome:
    """What a drive did: per asset the partitions made anew, found made before, cut off early (they waited for what turned
    out the same), and failed with their errors; and checks that failed. `left` is the plan at its end."""

    made: dict[str, list[Partition]] = field(default_factory=dict)
    reused: dict[str, list[Partition]] = field(default_factory=dict)
    cut_off: dict[str, list[Partition]] = field(default_factory=dict)
    saved: Cost = field(default_factory=Cost)  # what the partitions that were cut off would have cost
    failed: dict[str, str] = field(default_factory=dict)
    errors: dict[str, dict[str, str]] = field(default_factory=dict)  # asset -> partition -> traceback
    failed_checks: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    left: Plan = field(default_factory=Plan)
    wanted: list[str] = field(default_factory=list)
    chosen: Selection = field(default_factory=lambda: Selection([]))
    interrupted: bool = False
    build: str = ""  # that was recorded, or that stood already

    @property
    def succeeded(self) -> bool:
        return not self.failed and not self.interrupted and not any(check["severity"] == "ERROR" for check in self.failed_checks)

    def rows(self) -> list[dict[str, Any]]:
        names = [name for name in self.left.reasons if name in self.seconds or name in self.cut_off]
        return [
            {
                "asset": name,
                "made": len(self.made.get(name, [])),
                "made before": len(self.reused.get(name, [])),
                "cut off early": len(self.cut_off.get(name, [])),
                "seconds": round(self.seconds.get(name, 0.0), 1),
                "result": self.failed.get(name, "ok"),
            }
            for name in names
        ]

    def as_json(self) -> dict[str, Any]:
        return {
            "succeeded": self.succeeded,
            "interrupted": self.interrupted,
            "build": self.build,
            "assets": self.rows(),
            **{name: getattr(self, name) for name in ("made", "reused", "cut_off", "errors", "failed_checks")},
            "saved": self.saved.as_json(),
            "left": [row for row in self.left.rows() if self.chosen.takes(row["asset"], row["partition"] or None)],
        }


class Driver:
    """Drives one recipe's graph inside an instance. `definitions` hold its assets and resources."""

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance, workspace: Workspace, source_versions: SourceVersions):
        self.job = definitions.resolve_implicit_global_asset_job_def()
        self.asset_graph = definitions.resolve_asset_graph()
        self.instance, self.workspace, self.source_versions = instance, workspace, source_versions
        self.cache = PlanCache(instance, workspace.lake.cache_folder / "plan")

    def graph(self) -> DagsterGraph:
        return DagsterGraph(self.instance, self.asset_graph, self.workspace, self.source_versions, self.cache)

    def plan(self) -> Plan:
        """The plan; and it is remembered what the present code versions are made of, so that a later plan can say what moved."""
        planned = plan(self.graph())
        with suppress(LakeError):  # a full or read-only disk: the plan stands, a rebuild remembers it again
            for name, node in planned.nodes.items():
                if node.code is not None:
                    self.workspace.record_code(name, node.code_version, node.code.algorithm, node.code.sections)
        return planned

    def steps(self, planned: Plan, chosen: Selection) -> list[Step]:
        """What a plan comes to within a selection, with costs."""
        found = []
        for step in steps(self.workspace, planned, chosen.assets):
            taken = [partition for partition in step.partitions if chosen.takes(step.asset, partition)]
            if taken:
                found.append(step if len(taken) == len(step.partitions) else step.of(taken))
        return found

    def select(self, until: Collection[str] = (), select: Collection[str] = ()) -> Selection:
        return selection(self.graph().nodes(), until, select)

    def drive(
        self,
        until: Collection[str] = (),
        tags: Mapping[str, str] | None = None,
        say: Callable[[str], None] = log.info,
        select: Collection[str] = (),
    ) -> Outcome:
        """Makes what is stale in the selection (`jobs.selection`); goes on past a failed asset where nothing needs it. An
        interrupt (Ctrl-C) ends the run in work, marks it canceled and returns: what was made stays."""
        self.workspace.lake.check_writable()
        settle_abandoned_runs(self.instance, self.workspace.lake, say)
        chosen = self.select(until, select)
        names = chosen.assets
        first = self.plan()
        report(self.instance, first, self.graph().key)
        outcome = Outcome(left=first, wanted=list(names), chosen=chosen)
        try:
            for position, name in enumerate(names, 1):
                self._make(name, f"[{position}/{len(names)}] {name}", chosen, dict(tags or {}), say, outcome)
                if outcome.interrupted:
                    break
        except KeyboardInterrupt:  # between two runs
            outcome.interrupted = True
        self._cut_off(first, chosen, outcome)
        report(self.instance, outcome.left, self.graph().key)
        if not until and not select and not outcome.interrupted and outcome.left.is_fresh:
            self._record(say, outcome)
        return outcome

    def _record(self, say: Callable[[str], None], outcome: Outcome) -> None:
        try:
            outcome.build = record(self.workspace, outcome.left).name
        except LakeError as error:  # what was made stands, named or not
            say(f"no build was recorded: {error}")

    def _make(self, name: str, title: str, chosen: Selection, tags: dict[str, str], say: Callable[[str], None], outcome: Outcome) -> None:
        def ready() -> list[Partition]:
            return [partition for partition in outcome.left.ready(name) if chosen.takes(name, partition)]

        if not ready():
            return
        if Lease(self.workspace.lake, self.workspace.namespace, name).wait(lambda text: say(f"{title}: {text}")):
            outcome.left = self.plan()
        partitions = ready()
        if not partitions:
            say(f"{title}: made by another rebuild")
            return
        reasons = outcome.left.reasons[name][partitions[0]]
        cost = total([step for step in steps(self.workspace, outcome.left, [name]) if not step.waits_for], certain=True)
        about = f", about {duration(cost.total_seconds)} of work" if cost.total_seconds >= 1 else ""
        say(f"{title}: {_count(partitions)}{about} ({'; '.join(str(reason) for reason in reasons)})")
        start = time.monotonic()
        self._run(name, partitions, tags, outcome)
        outcome.seconds[name] = time.monotonic() - start
        outcome.left = self.plan()  # what was made may have come out the same
        done = len(outcome.made.get(name, [])) + len(outcome.reused.get(name, []))
        say(
            f"{title}: {done} made in {outcome.seconds[name]:.1f} s"
            + (f", FAILED: {outcome.failed[name]}" if name in outcome.failed else "")
        )

    def _run(self, name: str, ready: list[Partition], tags: dict[str, str], outcome: Outcome) -> None:
        key, run_id = self.graph().key(name), make_new_run_id()
        tags |= {DRIVER: str(Process.here())}
        if ready != [None]:
            tags |= {RANGE_START: str(ready[0]), RANGE_END: str(ready[-1]), PARTITIONS: json.dumps(ready)}
        success = False
        try:
            success = self.job.execute_in_process(
                instance=self.instance,
                asset_selection=[key],
                tags=tags,
                raise_on_error=False,
                run_id=run_id,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},  # errors are told once, at the end
            ).success
        except (KeyboardInterrupt, DagsterExecutionInterruptedError):
            outcome.interrupted = True
        self._read(run_id, name, outcome)
        run = self.instance.get_run_by_id(run_id)
        if outcome.interrupted and run is not None:  # Dagster calls it failed, and what failed is not tried again unattended
            self.instance.report_run_canceled(run, "Interrupted. What was made stays; the next rebuild makes the rest.")
        if not success and not outcome.interrupted and name not in outcome.failed:
            outcome.failed[name] = f"run {run_id} failed"

    def _read(self, run_id: str, name: str, outcome: Outcome) -> None:
        """What the run did, from the log and not from its result: a failed step's result lacks the partitions made by then."""
        key = self.graph().key(name)
        for entry in self.instance.all_logs(run_id):
            event = entry.dagster_event
            if event is None:
                continue
            if event.is_step_materialization and event.asset_key == key:
                before = event.materialization.metadata["made before"].value
                (outcome.reused if before else outcome.made).setdefault(name, []).append(event.partition)
            elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                check = event.asset_check_evaluation_data
                if not check.passed and check.check_name != UP_TO_DATE:  # it says what is left, which is not the run's fault
                    outcome.failed_checks.append(
                        {
                            "asset": name,
                            "check": check.check_name,
                            "severity": check.severity.value,
                            "description": check.description or "",
                            "found": _told(check.metadata),
                        }
                    )
            elif event.is_step_failure:
                error, said = event.step_failure_data.error, event.step_failure_data.user_failure_data
                if error is not None and error.cls_name == "DagsterExecutionInterruptedError":
                    outcome.interrupted = True
                    continue
                told = error.cause if error and error.cause and error.cls_name == "DagsterExecutionStepExecutionError" else error
                outcome.failed[name] = said.description if said and said.description else told.message.strip() if told else "failed"
                if told and not (said and said.metadata):
                    outcome.errors.setdefault(name, {})[""] = f"{''.join(told.stack).rstrip()}\n{told.message.strip()}"
                for partition, value in (said.metadata if said else {}).items():
                    text = str(value.value).removeprefix("```\n").removesuffix("\n```")
                    outcome.errors.setdefault(name, {})["" if partition == "None" else partition] = text

    def _cut_off(self, first: Plan, chosen: Selection, outcome: Outcome) -> None:
        left = outcome.left
        for step in self.steps(first, chosen):
            if step.is_certain:
                continue
            done = {*outcome.made.get(step.asset, []), *outcome.reused.get(step.asset, [])}
            spared = [
                partition
                for partition in step.partitions
                if partition not in done and partition not in left.reasons[step.asset] and partition not in left.waiting[step.asset]
            ]
            if spared:
                outcome.cut_off.setdefault(step.asset, []).extend(spared)
                outcome.saved += step.cost.share(len(spared))


def _told(metadata: Mapping[str, dg.MetadataValue]) -> str:
    """What a check found, as far as it is words and numbers: tables are for the UI."""
    values = {name: value.value for name, value in metadata.items() if not isinstance(value, dg.MarkdownMetadataValue)}
    return "; ".join(f"{name}: {value}" for name, value in values.items() if isinstance(value, str | int | float) and value != "")


def _count(partitions: list[Partition]) -> str:
    return "unpartitioned" if partitions == [None] else f"{len(partitions)} partition{'s' if len(partitions) > 1 else ''}"
