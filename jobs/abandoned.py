"""Runs whose process is dead (killed, out of memory, a machine that went down) are reported as failed, and their slots in pools given back.

Nobody else does it for a driver's runs, and for the daemon's own only a code server that outlives the run: Dagster's default launcher
has no health check. Such a run would be `STARTED` for ever, the automation would wait for it, and a step for its slot.

A process that can be seen from here is looked at. One of another container, or from before a restart, cannot be: its run is given up when
nobody has worked on its assets for as long as a lease waits for a beat, by our own clock.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.storage.runs import SqliteRunStorage
from dagster._core.storage.tags import GRPC_INFO_TAG

from assets.materialize import STEP
from gristmill.lake import lease
from gristmill.lake.lease import Holder, Lease
from gristmill.lake.processes import Process, is_alive
from gristmill.lake.store import Lake

DRIVER = "gristmill/driver"  # run tag: the process that drives the run
ACTIVE = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]


@dataclass(frozen=True)
class _Watched:
    """The leases of a run's assets as they were seen since `since`, a moment of our clock."""

    holders: list[Holder | None]
    since: float
    moved: bool  # since it was first looked at


_watched: dict[str, _Watched] = {}  # by run: a code server looks again at every tick


def fail_abandoned_runs(instance: dg.DagsterInstance, lake: Lake | None = None) -> list[str]:
    """Their ids. Runs of processes that cannot be seen are only judged by what moves in the `lake`, and never at the first look."""
    abandoned, unseen = [], set()
    for run in instance.get_runs(dg.RunsFilter(statuses=ACTIVE)):
        is_abandoned = _is_driverless(instance, run) if DRIVER in run.tags else _is_workerless(instance, run)
        if is_abandoned is None:
            unseen.add(run.run_id)
            is_abandoned = lake is not None and _stands_still(lake, run)
        now = instance.get_run_by_id(run.run_id)  # it may have ended while we looked
        if is_abandoned and now is not None and not now.is_finished:
            instance.report_run_failed(run, "The process that made this is gone; the next rebuild makes what it left.")
            abandoned.append(run.run_id)
    for run_id in set(_watched) - unseen | set(abandoned):
        _watched.pop(run_id, None)
    _free_slots(instance)
    return abandoned


def settle_abandoned_runs(instance: dg.DagsterInstance, lake: Lake, say: Callable[[str], object]) -> None:
    """The same, until it is known of every run: who makes something now would wait for the slots of those that are dead."""
    waited = False
    while True:
        fail_abandoned_runs(instance, lake)
        unknown = [run_id[:8] for run_id, watched in _watched.items() if not watched.moved]
        if not unknown:
            return
        if not waited:
            say(f"looks up to {lease.PATIENCE:.0f} s whether run {', '.join(unknown)} lives: its process cannot be seen from here")
        waited = True
        time.sleep(lease.POLL)


def _is_driverless(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool | None:
    """None when it cannot be told from here. What runs on another host is for that to say, unless SQLite says that it is the same
    machine: a container that was made anew."""
    process = Process.parse(run.tags[DRIVER])
    if process.is_visible:
        return not process.is_alive
    return None if process.host == socket.gethostname() or isinstance(instance.run_storage, SqliteRunStorage) else False


def _is_workerless(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool | None:
    """Of a run that the daemon launched; None when it cannot be told from here. This is asked only where the runs lie in SQLite, which is
    one machine's, and a code server beside it launched the run.

    Once its step has begun, the run says which processes work on it. Before, its log has their ids and nothing else: they are ours if
    its code server's socket lies here. Before that, a code server that answers is about to start one. Where none does, or the daemon had
    not come to ask one, whoever should have gone on is dead, or has a process that will say so in a moment."""
    if not isinstance(instance.run_storage, SqliteRunStorage):
        return False
    launched = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
    if not launched and run.status == dg.DagsterRunStatus.STARTING and isinstance(instance.run_launcher, DefaultRunLauncher):
        return None
    if launched.get("host") != "localhost":
        return False
    if STEP in run.tags:
        processes = [Process.parse(each) for each in json.loads(run.tags[STEP])]
        if any(each.is_visible and each.is_alive for each in processes):
            return False
        return True if all(each.is_visible for each in processes) else None
    pids = set()
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        if event is not None and "pid" in event.engine_event_data.metadata:
            pids.add(int(str(event.engine_event_data.metadata["pid"].value)))
    if not pids:
        return False if _answers(launched) else None
    if not Path(launched.get("socket") or "/nowhere").exists():
        return None
    return not any(is_alive(pid) and _is_python(pid) for pid in pids)


def _stands_still(lake: Lake, run: dg.DagsterRun) -> bool:
    """Whether nobody has worked on its assets for a lease's patience: neither the run, nor somebody else for whom it may wait."""
    keys = sorted(run.asset_selection or (), key=str)
    holders = [Lease(lake, "/".join(key.path[:-1]) or "default", key.path[-1]).holder() for key in keys]
    before, now = _watched.get(run.run_id), time.monotonic()
    at_work = any(holder is not None and holder.process.is_visible and holder.process.is_alive for holder in holders)
    if not keys or at_work or before is None or before.holders != holders:
        _watched[run.run_id] = _Watched(holders, now, moved=not keys or at_work or before is not None)
        return False
    return now - before.since >= lease.PATIENCE


def _answers(code_server: dict[str, Any]) -> bool:
    """Whether somebody listens there. A server that was killed leaves its socket's file behind."""
    unix = "socket" in code_server
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as probe:
        probe.settimeout(5.0)
        try:
            probe.connect(code_server["socket"] if unix else (code_server["host"], code_server["port"]))
        except (TimeoutError, BlockingIOError):  # its queue is full: a port lets us wait, a socket's file does not
            return True
        except OSError:
            return False
    return True


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
