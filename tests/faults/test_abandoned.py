"""What a dead process leaves in Dagster: runs that look alive, slots that nobody gives back, workers without a parent."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.storage.tags import GRPC_INFO_TAG

from assets.materialize import STEP
from gristmill.lake import lease
from gristmill.lake.lease import Lease
from gristmill.lake.processes import Process
from gristmill.lake.store import Lake
from jobs.abandoned import DRIVER, fail_abandoned_runs, settle_abandoned_runs
from tests.faults.processes import are_gone, spawned_by

ROOT = Path(__file__).parents[2]
STARTED, STARTING = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING
LOCAL = {GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": __file__})}  # its code server's socket lies here
ELSEWHERE = {GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": "/nowhere/server"})}
POOLED = """
import sys
from resources.workers import Workers
def work(item):
    print(f"{item}\\n", end="", flush=True)  # at once, where two write to one pipe
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


@dg.asset
def first() -> None: ...


_assets = dg.Definitions(assets=[first]).resolve_implicit_global_asset_job_def()


def test_a_run_of_the_daemon_is_failed_when_none_of_its_processes_lives(instance: dg.DagsterInstance, dead: int) -> None:
    gone = started(instance, LOCAL, dead)
    in_work = started(instance, LOCAL, dead, os.getpid())
    elsewhere = started(instance, {GRPC_INFO_TAG: json.dumps({"host": "code.example", "port": 4000})}, dead)
    untold = started(instance, LOCAL)
    assert fail_abandoned_runs(instance) == [gone]
    assert [instance.get_run_by_id(each).status for each in (in_work, elsewhere, untold)] == [STARTED] * 3


def test_a_run_whose_launch_was_cut_short_is_given_up_when_no_code_server_goes_on_with_it(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "PATIENCE", 0.0)
    lake = Lake(tmp_path / "lake")

    def at(place: dict[str, str | int]) -> dict[str, str]:
        return {GRPC_INFO_TAG: json.dumps({"host": "localhost"} | place)}

    def starting(tags: dict[str, str], status: dg.DagsterRunStatus = STARTING) -> str:
        return instance.create_run_for_job(job_def=_assets, asset_selection={dg.AssetKey("first")}, tags=tags, status=status).run_id

    with (
        socket.socket(socket.AF_UNIX) as killed,
        socket.socket(socket.AF_UNIX) as on_file,
        socket.socket(socket.AF_UNIX) as busy,
        socket.socket(socket.AF_UNIX) as caller,
        socket.socket() as on_port,
    ):
        for server, place in ((killed, "killed"), (on_file, "serves"), (busy, "busy")):
            server.bind(str(tmp_path / place))
            server.listen(0 if server is busy else 9)
        killed.close()  # its file stays
        caller.connect(str(tmp_path / "busy"))  # it takes nobody else until it takes this one
        on_port.bind(("127.0.0.1", 0))
        on_port.listen()
        port = on_port.getsockname()[1]
        about_to_start = [
            starting(at(place)) for place in ({"socket": str(tmp_path / "serves")}, {"socket": str(tmp_path / "busy")}, {"port": port})
        ]
        begun = starting(at({"socket": str(tmp_path / "killed")}))
        instance.report_engine_event("Started process", instance.get_run_by_id(begun), EngineEventData.in_process(os.getpid()))
        created = starting({}, dg.DagsterRunStatus.NOT_STARTED)
        gone = [starting(at({"socket": str(tmp_path / "killed")})), starting({})]
        assert fail_abandoned_runs(instance, lake) == [], "never at the first look"
        settle_abandoned_runs(instance, lake, print)
    assert [instance.get_run_by_id(run).status for run in [*about_to_start, begun]] == [STARTING] * 4
    assert instance.get_run_by_id(created).status == dg.DagsterRunStatus.NOT_STARTED
    assert [instance.get_run_by_id(run).status for run in gone] == [dg.DagsterRunStatus.FAILURE] * 2


def test_once_its_step_has_begun_a_run_of_the_daemon_is_judged_by_its_processes_and_not_by_ids(instance: dg.DagsterInstance) -> None:
    mine = Process.here()
    ticks, _, boot = mine.started.partition("@")
    used_again, apart = replace(mine, started=f"{int(ticks) - 1}@{boot}"), replace(mine, namespace="pid:[1]")

    def at_work(*processes: Process) -> str:
        return started(instance, LOCAL | {STEP: json.dumps([str(each) for each in processes])}, os.getpid())

    gone, in_work, unseen = at_work(used_again, used_again), at_work(used_again, mine), at_work(used_again, apart)
    driven = started(instance, {DRIVER: str(used_again)})
    living, driven_apart = started(instance, {DRIVER: str(mine)}), started(instance, {DRIVER: str(apart)})
    assert set(fail_abandoned_runs(instance)) == {gone, driven}
    assert [instance.get_run_by_id(each).status for each in (in_work, unseen, living, driven_apart)] == [STARTED] * 4


@pytest.mark.parametrize("tags", [{DRIVER: "another-container:7"}, {DRIVER: f"{os.uname().nodename}:7 1@an-earlier-boot"}, ELSEWHERE])
def test_a_run_whose_process_cannot_be_seen_is_given_up_when_nobody_works_on_its_assets(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tags: dict[str, str]
) -> None:
    monkeypatch.setattr(lease, "PATIENCE", 0.3)
    lake, key, said = Lake(tmp_path / "lake"), dg.AssetKey("first"), []
    run = instance.create_run_for_job(job_def=_assets, asset_selection={key}, tags=tags, status=STARTED)
    instance.report_engine_event("Started process for run", run, EngineEventData.in_process(7))

    def beat(number: int) -> None:
        who = {"host": "another-container", "pid": 7, "started": "", "claims": {"run": run.run_id}}
        lake.put_json("leases/default/first/000000000001.json", {**who, "beat": number, "released": False})

    assert fail_abandoned_runs(instance) == fail_abandoned_runs(instance, lake) == [], "never at the first look"
    beat(1)
    settle_abandoned_runs(instance, lake, said.append)
    assert said == [] and not instance.get_run_by_id(run.run_id).is_finished, "it has moved since"
    while not (failed := fail_abandoned_runs(instance, lake)):
        pass
    assert failed == [run.run_id]


def test_a_rebuild_looks_at_a_run_that_it_cannot_see_until_it_knows(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "PATIENCE", 0.2)
    monkeypatch.setattr(lease, "POLL", 0.01)
    said: list[str] = []
    key = dg.AssetKey("first")
    run = instance.create_run_for_job(job_def=_assets, asset_selection={key}, tags={DRIVER: "another-container:7"}, status=STARTED)
    settle_abandoned_runs(instance, Lake(tmp_path / "lake"), said.append)
    assert len(said) == 1 and run.run_id[:8] in said[0]
    assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE


def test_a_run_that_cannot_be_seen_may_wait_for_who_is_at_work_here(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "PATIENCE", 0.0)
    lake, key = Lake(tmp_path / "lake"), dg.AssetKey("first")
    run = instance.create_run_for_job(job_def=_assets, asset_selection={key}, tags={DRIVER: "another-container:7"}, status=STARTED)
    with Lease(lake, "default", "first").held({"run": "another"}, print, print):
        assert [fail_abandoned_runs(instance, lake) for _ in range(3)] == [[], [], []]
        settle_abandoned_runs(instance, lake, pytest.fail)
    assert [fail_abandoned_runs(instance, lake) for _ in range(2)] == [[], [run.run_id]]


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
    with subprocess.Popen([sys.executable, script], env=env, stdout=subprocess.PIPE, text=True) as process:
        said = [process.stdout.readline().strip() for _ in range(2)]
        workers = spawned_by(process.pid)
        process.send_signal(signal.SIGKILL)
    assert are_gone(workers)
    assert len(workers) == 2 and sorted(said) == ["one", "two"]
