"""Two hosts, one lake: processes under host names of their own, with event logs of their own or one in Postgres."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from benchmarks.postgres import server
from gristmill.lake.lease import Lease
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.recipe import Recipe
from jobs.abandoned import DRIVER, fail_abandoned_runs
from tests.faults.test_disk import gated_mill

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("host_mill.py")
SHARDS = gated_mill.SHARDS
EVERYTHING = Counter({f"{asset}[{shard}]": 1 for asset in ("first", "second") for shard in SHARDS} | {"joined[None]": 1})
LONG, SHORT = 60, 1.5  # seconds without a beat after which a holder elsewhere is given up


@pytest.fixture
def on(tmp_path) -> Iterator[Callable[..., subprocess.Popen]]:
    """(host, home, patience, shard to stop at) -> a rebuild of the one lake, on that host."""
    if subprocess.run(["unshare", "--uts", "true"], capture_output=True).returncode:
        pytest.skip("a host name of its own needs the right to `unshare --uts`")
    started: list[subprocess.Popen] = []

    def rebuild(host: str, home: Path, patience: float = LONG, gated: str = "") -> subprocess.Popen:
        home.mkdir(exist_ok=True)
        process = subprocess.Popen(
            ["unshare", "--uts", sys.executable, SCRIPT, host, tmp_path, home, str(patience), *([gated] if gated else [])],
            cwd=ROOT, env=os.environ | {"PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}"},
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        started.append(process)
        return process

    yield rebuild
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def until(is_so: Callable[[], object], process: subprocess.Popen) -> None:
    while not is_so():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


def waits(process: subprocess.Popen) -> None:
    """Reads on until it says that it waits for the first host; what it says before may be a library's warning."""
    said = []
    for line in process.stdout:
        said.append(line)
        if "waits for process" in line:
            assert "on mill-a" in line
            return
    pytest.fail(f"it waited for nobody: {''.join(said)}")


def made(folder: Path) -> Counter:
    return Counter((folder / "made").read_text().split())


def left_fresh(folder: Path, home: Path) -> dict[str, str]:
    """By the instance's own log everything is fresh; content hashes by partition."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        driver = gated_mill.driver(folder, instance)
        assert driver.plan().is_fresh, driver.plan().rows()
        return {f"{each.asset}[{each.partition}]": each.data_version for each in driver.workspace.outputs()}


def test_two_hosts_with_logs_of_their_own_make_everything_once(on, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    first = on("mill-a", one, gated=SHARDS[2])
    until((tmp_path / "reached").exists, first)
    second = on("mill-b", other)
    waits(second)
    (tmp_path / "go").touch()
    said = [process.communicate()[0] for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0], said
    assert made(tmp_path) == EVERYTHING, "nothing was made twice"
    assert left_fresh(tmp_path, one) == left_fresh(tmp_path, other)


def test_what_a_host_that_died_left_is_taken_over_when_its_beat_stands_still(on, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    first = on("mill-a", one, SHORT, SHARDS[2])
    until((tmp_path / "reached").exists, first)
    lease = Lease(Lake(tmp_path / "lake"), "default", "first")
    beat = lease.holder().beat
    until(lambda: lease.holder().beat > beat + 1, first)  # it lives, and says so
    second = on("mill-b", other, SHORT)
    waits(second)
    first.send_signal(signal.SIGKILL)
    (tmp_path / "go").touch()
    output = second.communicate()[0]
    assert second.returncode == 0, output
    assert made(tmp_path) == EVERYTHING, "what the dead host had made was not made again"
    left_fresh(tmp_path, other)
    assert lease.holder() is None


@pytest.fixture
def postgres_home(tmp_path) -> Iterator[Path]:
    with server() as config:
        if config is None:
            pytest.skip("no Postgres server, or no dagster-postgres, is installed")
        home = tmp_path / "shared"
        home.mkdir()
        (home / "dagster.yaml").write_text(yaml.safe_dump({"storage": config, "telemetry": {"enabled": False}}))
        yield home


def test_two_hosts_with_one_log_neither_repeat_nor_end_each_others_runs(on, tmp_path, postgres_home):
    first = on("mill-a", postgres_home, gated=SHARDS[2])
    until((tmp_path / "reached").exists, first)
    with dg.DagsterInstance.from_config(str(postgres_home)) as instance:
        [run] = instance.get_runs()
        assert run.tags[DRIVER].startswith("mill-a:")
        assert fail_abandoned_runs(instance) == [], "whether its process lives is not for this host to say"
    second = on("mill-b", postgres_home)
    waits(second)
    (tmp_path / "go").touch()
    said = [process.communicate()[0] for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0], said
    assert made(tmp_path) == EVERYTHING
    with dg.DagsterInstance.from_config(str(postgres_home)) as instance:
        assert {each.status for each in instance.get_runs()} == {dg.DagsterRunStatus.SUCCESS}
        events = [
            record.asset_materialization
            for name in ("first", "second", "joined")
            for record in instance.fetch_materializations(dg.AssetKey(name), limit=100).records
        ]
    # where both planned the same before one had it, the other finds it made and says so
    anew = [each for each in events if not each.metadata["made before"].value]
    assert Counter(f"{each.asset_key.path[-1]}[{each.partition}]" for each in anew) == EVERYTHING
    left_fresh(tmp_path, postgres_home)
    assert len(Workspace(Lake(tmp_path / "lake"), Recipe()).outputs()) == len(EVERYTHING)
