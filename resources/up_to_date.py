"""The asset check `up_to_date`: what Dagster's pages show of the plan before anything is rebuilt.

Dagster's own staleness badge is never shown on a partitioned asset, and a check's result is: on the graph, on the asset's page, with
a history. It is evaluated without a run when the plan says something else than before (`report`), and by each run for what it made
(`after_run`); it never fails a rebuild. What only waits for an upstream counts as up to date: it may well be.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from gristmill.lake.workspace import Partition
from gristmill.lineage.plan.cost import GONE
from gristmill.lineage.plan.plan import Plan
from gristmill.lineage.plan.reasons import Reason

UP_TO_DATE = "up_to_date"
LISTED = 1_000  # stale partitions whose names are kept with the result
SHOWN = 5  # of them, in the table
NOTHING: Mapping[str, Any] = {"reasons": [], "partitions": [], "count": 0}
STALE = "gristmill/stale"  # metadata: the different reasons, how many partitions are stale, and the first of them


def check_spec(key: dg.AssetKey) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(UP_TO_DATE, asset=key, description="Whether the plan calls every partition fresh, and if not, why.")


def report(instance: dg.DagsterInstance, planned: Plan, key_of: Callable[[str], dg.AssetKey]) -> list[str]:
    """Tells Dagster which assets are stale, and why, where it shows something else by now; their names. An asset that was never
    made says so itself, and one that a run is making is told of when that is over."""
    keys = {name: dg.AssetCheckKey(key_of(name), UP_TO_DATE) for name in planned.nodes}
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys.values()))
    told = []
    for name, check in keys.items():
        stale, record = planned.reasons[name], latest.get(check)
        if record is not None and record.status == AssetCheckExecutionRecordStatus.PLANNED:
            run = instance.get_run_by_id(record.run_id)
            if run is not None and not run.is_finished:
                continue
        elif not (_is_news(_told(record), stale) if record is not None else planned.recorded[name]):
            continue
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(
                asset_key=check.asset_key,
                check_name=UP_TO_DATE,
                passed=not stale,
                severity=dg.AssetCheckSeverity.WARN,
                description=_sentence(len(stale), len(planned.nodes[name].partitions), list(_kinds(stale))),
                metadata=_about(stale),
            )
        )
        told.append(name)
    return told


def after_run(
    instance: dg.DagsterInstance, key: dg.AssetKey, made: Collection[Partition], every: Sequence[Partition]
) -> dg.AssetCheckResult:
    """What is left of the stale partitions that were last reported, once a run has made `made`."""
    done = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
    found = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(key, UP_TO_DATE), limit=1, status=done)
    before = _told(found[0]) if found else NOTHING
    now = {each or "" for each in made}
    left = [each for each in before["partitions"] if each not in now]
    unlisted = max(before["count"] - len(before["partitions"]), 0)  # which of those were made now is not known
    count = len(left) + max(unlisted - (len(now) - (len(before["partitions"]) - len(left))), 0)
    description = _sentence(count, len(every), [])
    if not found and len(now) < len(every):
        description = f"{len(now):,} of {len(every):,} partitions were made; the others have not been looked at yet"
    return dg.AssetCheckResult(
        check_name=UP_TO_DATE,
        asset_key=key,
        passed=not count,
        severity=dg.AssetCheckSeverity.WARN,
        description=description,
        metadata={
            "stale partitions": count,
            STALE: {"reasons": before["reasons"] if count else [], "partitions": left, "count": count},
        },
    )


def _is_news(before: Mapping[str, Any], stale: dict[Partition, Sequence[Reason]]) -> bool:
    """Whether there are other reasons than were told, or partitions that were not; fewer of them are no news, none are. Where not
    all were listed, more of them are."""
    if before["reasons"] != sorted(_kinds(stale)):
        return True
    if before["count"] > len(before["partitions"]):
        return len(stale) > before["count"]
    return not {each or "" for each in list(stale)[: LISTED + 1]} <= set(before["partitions"])


def _about(stale: dict[Partition, Sequence[Reason]]) -> dict[str, Any]:
    rows, kinds = [], _kinds(stale)
    for kind, of_kind in kinds.items():
        names = ", ".join(of_kind[:SHOWN]) + (", …" if len(of_kind) > SHOWN else "")
        rows.append(f"| {kind} | {len(of_kind):,} | {names or 'the whole asset'} |")
    shown = {"why": dg.MetadataValue.md("\n".join(["| reason | partitions | |", "|---|---|---|", *rows]))} if rows else {}
    told = {"reasons": sorted(kinds), "partitions": [each or "" for each in list(stale)[:LISTED]], "count": len(stale)}
    return {"stale partitions": len(stale), **shown, STALE: told}


def _kinds(stale: dict[Partition, Sequence[Reason]]) -> dict[str, list[str]]:
    """The different reasons, in the order in which they are met, and the partitions of each."""
    found: dict[str, dict[str, None]] = {}
    for partition, why in stale.items():
        for reason in why:
            found.setdefault(GONE if reason.kind == "gone" else reason.text, {})[partition or ""] = None
    return {kind: list(partitions) for kind, partitions in found.items()}


def _sentence(stale: int, of: int, kinds: Sequence[str]) -> str:
    if not stale:
        return "up to date"
    what = "stale" if of == 1 else f"{stale:,} of {of:,} partitions are stale"
    why = "; ".join(kinds[:SHOWN]) + ("; …" if len(kinds) > SHOWN else "")
    return f"{what}: {why}" if why else what


def _told(record: Any) -> Mapping[str, Any]:
    """What is under STALE of an evaluation; nothing of one that is only planned."""
    evaluation = record.event.dagster_event.event_specific_data if record.event else None
    found = getattr(evaluation, "metadata", {}).get(STALE)
    return {**NOTHING, **found.value} if found is not None else NOTHING
