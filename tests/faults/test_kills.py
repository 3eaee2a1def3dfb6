"""kill -9 at seeded moments of a rebuild: whatever dies, the next rebuild ends where an undisturbed one does.

A seed draws the moment: the n-th temporary file, whole file, file of vectors, or transaction of the event log and a few writes.
GRISTMILL_KILLS is the range of seeds, `0:10` by itself; `make soak` runs two hundred, `make soak KILLS=137:138` one of them alone.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest

from gristmill.lineage.audit import stored
from gristmill.lineage.audit.scope import Scope
from jobs.driver import Driver
from resources.audit_log import AuditLog
from tests.faults.conftest import Undisturbed
from tests.faults.deployment import UNTIL, Deployment
from tests.faults.processes import are_gone, children_of, command_of, group_of, spawned_by
from tests.faults.watch import KINDS, LOGGED, PUBLISHED, WRITTEN, Watch

FIRST, END = map(int, os.environ.get("GRISTMILL_KILLS", "0:10").split(":"))
VICTIMS = ("worker", "driver", "group", "run", "driver", "group", "worker", "daemon", "group", "driver")
# not NOT_STARTED: a run that the daemon had created and not yet queued when it died is failed by the next daemon's run monitoring
ACTIVE = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
LATEST = 0.9  # of the undisturbed rebuild's events
WRITES = 10  # to the log, from the transaction that was drawn; one is about five
TAKEN_BACK = 5  # of so many seeds the last takes the edit back after the kill, before it is made again
EARLY = 30  # events of a rebuild by the daemon, which starts two processes for every run


def victim_of(seed: int) -> str:
    return VICTIMS[seed % len(VICTIMS)]


class Fire:
    """A deployment in the middle of an edit's rebuild, to be killed at the `n`-th event of a kind."""

    def __init__(self, deployment: Deployment, seed: int, events: dict[str, int], watch: Watch):
        self.deployment, self.watch, self.random = deployment, watch, random.Random(seed)
        self.kind = self.random.choice([kind for kind in KINDS if events[kind] > 1])
        self.n = self.random.randint(1, int(LATEST * events[self.kind]))
        if victim_of(seed) in ("daemon", "run"):
            self.kind, self.n = PUBLISHED, self.random.randint(1, EARLY)

    def reached(self, process: subprocess.Popen) -> None:
        assert self.watch.until(self.kind, self.n, process.pid), f"ended before {self}\n{self.deployment.output}"
        if self.kind == LOGGED:
            assert self.watch.until(WRITTEN, self.watch.seen[WRITTEN] + self.random.randint(0, WRITES), process.pid)

    def reached_with(self, process: subprocess.Popen, victims: Callable[[], list[int]]) -> int:
        """The moment, or the first event after it at which there is somebody to kill."""
        self.reached(process)
        while not (found := victims()):
            self.n = self.watch.seen[self.kind] + 1
            self.reached(process)
        return self.random.choice(found)

    def __str__(self) -> str:
        return f"{self.kind} no. {self.n}"


@pytest.fixture
def fire(deployment: Deployment, undisturbed: Undisturbed, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Fire]:
    edited = deployment.copy(tmp_path / "home")
    edited.write_recipe(edited=True)
    with ExitStack() as stack:
        watch = stack.enter_context(Watch(edited.lake_folder, edited.log_folder))
        yield Fire(edited, request.getfixturevalue("seed"), undisturbed.events, watch)
        for process in edited.started:
            if left := group_of(process.pid):
                os.killpg(process.pid, signal.SIGKILL)
                assert are_gone(left)
            process.wait()


def kill_worker(fire: Fire) -> None:
    """One of the pool's processes: its partitions fail, the rebuild goes on with what does not need them."""
    process = fire.deployment.rebuild(workers=2)
    worker = fire.reached_with(process, lambda: spawned_by(process.pid))
    os.kill(worker, signal.SIGKILL)
    assert process.wait() in (0, 1), fire.deployment.output


def kill_driver(fire: Fire) -> None:
    """`gristmill rebuild`. Its workers do not outlive it: they could publish what a later rebuild has overtaken."""
    process = fire.deployment.rebuild(workers=fire.random.choice([1, 2]))
    fire.reached(process)
    workers = [each for each in group_of(process.pid) if each != process.pid]
    process.kill()
    process.wait()
    assert are_gone(workers), "workers outlive their driver"


def kill_group(fire: Fire) -> None:
    process = fire.deployment.rebuild(workers=2)
    fire.reached(process)
    kill_all_of(process)


def kill_run(fire: Fire) -> None:
    """A run worker under the daemon, and then everything, as when the machine goes down."""
    process = fire.deployment.daemon()
    worker = fire.reached_with(process, lambda: [run for server in code_servers(process.pid) for run in spawned_by(server)])
    os.kill(worker, signal.SIGKILL)
    assert are_gone([worker])
    kill_all_of(process)


def kill_daemon(fire: Fire) -> None:
    """The daemon alone: what it started goes on, and the next rebuild waits for it."""
    process = fire.deployment.daemon()
    fire.reached(process)
    process.kill()
    process.wait()


def kill_all_of(process: subprocess.Popen) -> None:
    """Its whole process group, of which nobody is left."""
    group = group_of(process.pid)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert are_gone(group)


def code_servers(daemon: int) -> list[int]:
    return [each for each in children_of(daemon) if "grpc" in command_of(each)]


KILL = {"worker": kill_worker, "driver": kill_driver, "group": kill_group, "run": kill_run, "daemon": kill_daemon}


@pytest.mark.parametrize("seed", range(FIRST, END), ids=lambda seed: f"{victim_of(seed)}-{seed}")
def test_a_killed_rebuild_is_completed_as_if_nothing_had_happened(
    fire: Fire, deployment: Deployment, undisturbed: Undisturbed, seed: int
) -> None:
    KILL[victim_of(seed)](fire)
    print(f"seed {seed}: {victim_of(seed)} killed at {fire}")  # noqa: T201
    if seed % TAKEN_BACK == TAKEN_BACK - 1:  # the edit is taken back: nothing of it may be left under records that are fresh again
        fire.deployment.write_recipe()
        with fire.deployment.driver() as driver:
            assert not driver.drive([UNTIL]).failed
            assert fire.deployment.versions() == deployment.versions()
        fire.deployment.write_recipe(edited=True)
    with fire.deployment.driver() as driver:
        assert unread(driver) == []
        outcome = driver.drive([UNTIL])
        assert not outcome.failed, outcome.errors
        assert [row for row in outcome.left.rows() if row["asset"] in outcome.wanted] == []
        versions = fire.deployment.versions()  # the daemon may have made more by then
        assert {name: versions.get(name) for name in undisturbed.versions} == undisturbed.versions
        assert false_claims(driver, outcome.wanted) == []
        assert driver.instance.get_runs(dg.RunsFilter(statuses=ACTIVE)) == []


def unread(driver: Driver) -> list[str]:
    """What a reader finds right after the kill and cannot read, or does not find though a head points at it."""
    lake, workspace, bad = driver.workspace.lake, driver.workspace, []
    for prefix in ("heads/", "index/", "codes/", "failures/", "leases/", "crawls/"):
        for key in lake.keys(prefix):
            try:
                json.loads(lake.get(key) or b"")
            except ValueError:
                bad.append(key)
    claims = Scope(workspace, None, {}, None)
    bad += [str(finding) for finding in stored.stored_files(claims) if not finding.passed]
    return bad + [f"{each.asset}[{each.partition}]" for each in workspace.outputs() if not workspace.is_whole(each)]


def false_claims(driver: Driver, assets: Collection[str]) -> list[str]:
    """What the audit's claims on stored files, inputs, code versions and events come to, recomputed from what lies there. Of what was
    rebuilt: a daemon also begins what lies beyond, which the plan calls stale."""
    codes = {name: node.code_version for name, node in driver.plan().nodes.items()}
    scope = Scope(driver.workspace, None, codes, AuditLog(driver.instance, ""))
    claims = (stored.stored_files, stored.inputs_exist, stored.code_follows, stored.events)
    found = [finding for claim in claims for finding in claim(scope) if not finding.passed]
    return [str(finding) for finding in found if finding.subject.partition("[")[0] in assets]
