"""Rebuilds in processes of their own: interrupted, killed, and two at once, on a small graph."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from gristmill.lake.failures import Failures
from gristmill.lake.lease import Lease
from jobs.driver import Driver

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("gated_mill.py")
spec = importlib.util.spec_from_file_location("gated_mill", SCRIPT)
gated_mill = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gated_mill)
SHARDS = gated_mill.SHARDS
DEATHS = 2
EVERYTHING = {f"{asset}[{shard}]" for asset in ("first", "second") for shard in SHARDS} | {"joined[None]"}


@pytest.fixture
def start(tmp_path) -> Iterator:
    started: list[subprocess.Popen] = []

    def rebuild(gated: str = "") -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, SCRIPT, tmp_path, gated], cwd=ROOT, env=os.environ | {"PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}"},
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        started.append(process)
        return process

    yield rebuild
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture
def mill(tmp_path) -> Iterator[Driver]:
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        yield gated_mill.driver(tmp_path, instance)


def reached(folder: Path, process: subprocess.Popen) -> None:
    while not (folder / "reached").exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def made(folder: Path) -> Counter:
    return Counter((folder / "made").read_text().split()) if (folder / "made").exists() else Counter()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_rebuild_keeps_what_it_made_marks_its_run_and_goes_on(tmp_path, start, mill, sent):
    process = start(gated=SHARDS[2])
    reached(tmp_path, process)
    process.send_signal(sent)
    output = process.communicate()[0]
    assert process.returncode == 130, output
    assert "What was made stays; run the same command again" in output
    [run] = mill.instance.get_runs()
    assert run.status == dg.DagsterRunStatus.CANCELED
    assert Lease(mill.workspace.lake, "default", "first").holder() is None
    assert made(tmp_path) == Counter(f"first[{shard}]" for shard in SHARDS[:2])
    assert mill.plan().ready("first") == SHARDS[2:]
    again = start()
    output = again.communicate()[0]
    assert again.returncode == 0, output
    assert made(tmp_path) == Counter(EVERYTHING)
    assert mill.plan().is_fresh


def test_a_killed_rebuild_is_gone_on_with_and_its_death_is_counted(tmp_path, start, mill):
    for death in range(1, DEATHS + 1):
        process = start(gated=SHARDS[2])
        reached(tmp_path, process)
        (tmp_path / "reached").unlink()
        process.kill()
        process.communicate()
        assert Lease(mill.workspace.lake, "default", "first").holder().process.pid == process.pid
        assert mill.plan().known_failures["first"].keys() >= set(SHARDS[2:])
        counted = Failures(mill.workspace).of("first")
        assert {partition: failure.times for partition, failure in counted.items()} == (
            dict.fromkeys(SHARDS[2:], death - 1) if death > 1 else {}
        )
    (tmp_path / "go").touch()
    again = start()
    output = again.communicate()[0]
    assert again.returncode == 0, output
    assert made(tmp_path) == Counter(EVERYTHING)
    assert mill.plan().is_fresh and Failures(mill.workspace).all() == {}
    assert [run.status for run in mill.instance.get_runs()].count(dg.DagsterRunStatus.FAILURE) == DEATHS


def test_an_edit_that_was_killed_and_taken_back_leaves_nothing_behind(tmp_path, start, mill):
    """The killed run had published two heads and logged neither: no record tells of them, and what reads them would take them."""
    first = start()
    assert first.wait() == 0, first.stdout.read()
    workspace, before = mill.workspace, {each.partition: each.data_version for each in mill.workspace.outputs() if each.asset == "first"}
    lease = Lease(workspace.lake, "default", "first")
    with lease.held({"run": "killed", "code_version": "2", "partitions": SHARDS[:3]}, print, print):
        for shard in SHARDS[:2]:
            workspace.store("first", shard, gated_mill.frame("of the edit"), "2")
    told = [(shard, str(why)) for shard, reasons in mill.plan().reasons["first"].items() for why in reasons]
    assert told == [(shard, "an interrupted run left other content than the event log tells of") for shard in SHARDS[:2]]
    again = start()
    output = again.communicate()[0]
    assert again.returncode == 0, output
    assert made(tmp_path) == Counter(EVERYTHING), "it was found made before"
    assert {each.partition: each.data_version for each in workspace.outputs() if each.asset == "first"} == before
    assert mill.plan().is_fresh


def test_two_rebuilds_at_once_share_the_work(tmp_path, start, mill):
    one = start(gated=SHARDS[1])
    reached(tmp_path, one)
    other = start()
    line = next(line for line in other.stdout if "waits for" in line)
    assert f"waits for process {one.pid} on " in line
    (tmp_path / "go").touch()
    outputs = [one.communicate()[0], other.stdout.read()]
    assert [process.wait() for process in (one, other)] == [0, 0], outputs
    assert made(tmp_path) == Counter(EVERYTHING)
    assert mill.plan().is_fresh
