"""What a dead process leaves in Dagster: runs that look alive, slots that nobody gives back, workers without a parent."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.storage.tags import GRPC_INFO_TAG

from jobs.abandoned import DRIVER, fail_abandoned_runs
from tests.faults.processes import are_gone, spawned_by

ROOT = Path(__file__).parents[2]
STARTED = dg.DagsterRunStatus.STARTED
LOCAL = {GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": "/tmp/server"})}
POOLED = """
import sys
from resources.workers import Workers
def work(item):
    print(item, flush=True)
    while True:
        pass
if __name__ == "__main__":
    list(Workers(processes=2).map(work, ["one", "two"]))
"""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def started(instance: dg.DagsterInstance, tags: dict[str, str], *pids: int) -> str:
    """A run in work, whose log names these processes."""
    run = instance.create_run_for_job(job_def=_job, tags=tags, status=STARTED)
    for pid in pids:
        instance.report_engine_event("Started process for run", run, EngineEventData.in_process(pid))
    return run.run_id


@dg.op
def _op() -> None: ...


@dg.job
def _job() -> None:
    _op()


def test_a_run_of_the_daemon_is_failed_when_none_of_its_processes_lives(instance: dg.DagsterInstance, dead: int) -> None:
    gone = started(instance, LOCAL, dead)
    in_work = started(instance, LOCAL, dead, os.getpid())
    elsewhere = started(instance, {GRPC_INFO_TAG: json.dumps({"host": "code.example", "port": 4000})}, dead)
    untold = started(instance, LOCAL)
    assert fail_abandoned_runs(instance) == [gone]
    assert [instance.get_run_by_id(each).status for each in (in_work, elsewhere, untold)] == [STARTED] * 3


def test_an_ended_run_keeps_no_slot_and_one_in_work_keeps_its_own(instance: dg.DagsterInstance, dead: int) -> None:
    storage, host = instance.event_log_storage, os.uname().nodename
    storage.set_concurrency_slots("cpu", 2)
    gone, in_work = started(instance, {DRIVER: f"{host}:{dead}"}), started(instance, {DRIVER: f"{host}:{os.getpid()}"})
    for run in (gone, in_work):
        assert storage.claim_concurrency_slot("cpu", run, "step").is_claimed
    assert fail_abandoned_runs(instance) == [gone]
    assert storage.get_concurrency_run_ids() == {in_work}


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "pooled.py"
    script.write_text(POOLED)
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}"}
    process = subprocess.Popen([sys.executable, script], env=env, stdout=subprocess.PIPE, text=True)
    assert {process.stdout.readline().strip() for _ in range(2)} == {"one", "two"}
    workers = spawned_by(process.pid)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(workers) == 2
    assert are_gone(workers)
