"""Runs whose process is dead (killed, out of memory, a machine that went down) are reported as failed, and their slots in pools given back.

Nobody else does it for a driver's runs, and for the daemon's own only a code server that outlives the run: Dagster's default launcher
has no health check. Such a run would be `STARTED` for ever, the automation would wait for it, and a step for its slot.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path

import dagster as dg
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.tags import GRPC_INFO_TAG

from gristmill.lake.lease import is_alive

DRIVER = "gristmill/driver"  # run tag: host and process that drives the run
ACTIVE = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]


def fail_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Their ids. A run is judged only if its process ran on this machine."""
    abandoned = []
    for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE)):
        is_abandoned = _is_driverless(run) if DRIVER in run.tags else _is_workerless(instance, run)
        now = instance.get_run_by_id(run.run_id)  # it may have ended while we looked
        if is_abandoned and now is not None and not now.is_finished:
            instance.report_run_failed(run, "The process that made this is gone; the next rebuild makes what it left.")
            abandoned.append(run.run_id)
    _free_slots(instance)
    return abandoned


def _is_driverless(run: dg.DagsterRun) -> bool:
    host, _, pid = run.tags[DRIVER].rpartition(":")
    return host == socket.gethostname() and not is_alive(int(pid))


def _is_workerless(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Of a run that the daemon launched: no process that its log names lives. The log names no host, so this is asked only where the
    runs lie in SQLite, which is one machine's, and a code server beside it launched the run."""
    launched = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
    if launched.get("host") != "localhost" or not isinstance(instance.run_storage, SqliteRunStorage):
        return False
    pids = set()
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        if event is not None and "pid" in event.engine_event_data.metadata:
            pids.add(int(str(event.engine_event_data.metadata["pid"].value)))
    return bool(pids) and not any(is_alive(pid) and _is_python(pid) for pid in pids)


def _is_python(pid: int) -> bool:
    """False where the id has been given to another program since; true where that cannot be told."""
    try:
        return b"python" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


def _free_slots(instance: dg.DagsterInstance) -> None:
    """Gives back the slots in pools that ended runs still hold. Else the daemon does it after a while, if one runs."""
    storage = instance.event_log_storage
    if storage.supports_global_concurrency_limits:
        for run_id in storage.get_concurrency_run_ids():
            run = instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                storage.free_concurrency_slots_for_run(run_id)
