"""A clock that was moved back an hour, for whole processes: what is latest, who lives and what is gone does not hang on it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from gristmill.crawl.tombstones import tombstones
from gristmill.lake.lease import Lease
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.lineage.builds.builds import builds, find
from gristmill.recipe import Recipe
from tests.faults.test_disk import gated_mill

ROOT = Path(__file__).parents[2]
GATED_MILL = ROOT / "tests" / "jobs" / "gated_mill.py"
HOUR = 3600


@pytest.fixture(scope="module")
def at(tmp_path_factory) -> Callable[..., str]:
    """(seconds, *arguments) -> what python prints with the clock moved by so many seconds; its error where it fails."""
    compiler, library = shutil.which("cc"), tmp_path_factory.mktemp("clock") / "clock.so"
    if compiler is None:
        pytest.skip("moving the clock of a process takes a C compiler")
    done = subprocess.run([compiler, "-shared", "-fPIC", "-o", library, Path(__file__).with_name("clock.c"), "-ldl"], capture_output=True)
    if done.returncode:
        pytest.skip(f"a library to preload cannot be made here: {done.stderr.decode()[:200]}")

    def run(shift: int, *arguments: object) -> str:
        env = os.environ | {"PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}", "CLOCK_SHIFT": str(shift), "LD_PRELOAD": str(library)}
        done = subprocess.run([sys.executable, *map(str, arguments)], cwd=ROOT, env=env, text=True, capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert abs(float(run(-HOUR, "-c", "import time; print(time.time())")) + HOUR - time.time()) < HOUR / 2
    return run


def made(folder: Path) -> int:
    return len((folder / "made").read_text().split())


def test_a_rebuild_an_hour_earlier_is_the_latest_all_the_same(at, tmp_path, monkeypatch):
    """By the ids of events, not their times; and it makes exactly what is stale."""
    monkeypatch.setattr(gated_mill, "FOLDER", tmp_path)
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        assert gated_mill.driver(tmp_path, instance).drive().succeeded
    assert made(tmp_path) == 2 * len(gated_mill.SHARDS) + 1
    lake = Lake(tmp_path / "lake")
    [output] = [each for each in Workspace(lake, Recipe()).outputs() if (each.asset, each.partition) == ("second", gated_mill.SHARDS[1])]
    lake.delete(output.tables["edits"].key)
    printed = at(-HOUR, GATED_MILL, tmp_path)
    assert made(tmp_path) == 2 * len(gated_mill.SHARDS) + 2, printed
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        driver = gated_mill.driver(tmp_path, instance)
        key = driver.graph().key("second")
        records = instance.fetch_materializations(dg.AssetRecordsFilter(key, asset_partitions=[gated_mill.SHARDS[1]]), limit=2).records
        assert records[0].timestamp < records[1].timestamp - HOUR / 2, "the later event has the earlier time"
        assert driver.plan().is_fresh


def test_builds_and_takedowns_are_in_the_order_of_their_numbers(at, tmp_path):
    code = f"""
from gristmill.crawl.tombstones import add
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.lineage.builds.builds import Origin, record
from gristmill.recipe import Recipe
import sys
lake = Lake({str(tmp_path)!r})
print(record(Workspace(lake, Recipe.model_validate({{"split": {{"test": float(sys.argv[1])}}}})), {{}}, Origin(), "b").name)
from gristmill.crawl.tombstones import now
row = dict(action="takedown", kind="url", pattern="http://a.example/" + sys.argv[1], who="w", why="y", when=now(), exactly=True)
print(add(lake, row | dict(threshold=None, sketched="", texts=[], found=[], seen_by=[])))
"""
    assert at(0, "-c", code, 0.1).split() == ["b/1", "t1"]
    assert at(-HOUR, "-c", code, 0.2).split() == ["b/2", "t2"]
    lake = Lake(tmp_path)
    first, second = builds(lake, "default")
    assert (first.name, second.name) == ("b/1", "b/2") and second.made_at < first.made_at
    assert find(lake, "default", "b/2").recipe["split"]["test"] == 0.2
    assert [each.id for each in tombstones(lake)] == ["t1", "t2"]


@pytest.mark.parametrize("shift", [-HOUR, HOUR])
def test_a_lease_is_held_as_long_as_its_process_lives_whatever_the_clock(at, tmp_path, shift):
    code = f"""
from gristmill.lake.lease import Lease
from gristmill.lake.store import Lake
print(Lease(Lake({str(tmp_path)!r}), "default", "kept").at_work())
"""
    with Lease(Lake(tmp_path), "default", "kept").held({"run": "abc"}, print, print):
        assert f"process {os.getpid()} on " in at(shift, "-c", code)
    assert at(shift, "-c", code).strip() == "None"


def test_vectors_that_are_forgotten_an_hour_earlier_are_not_called_gone(at, tmp_path):
    """LanceDB lets old versions go by their age: one from the future stays, and the vectors in it."""
    key = "abcdef0123456789" * 2
    code = f"""
import sys
import numpy as np
from gristmill.dedup import upkeep
from gristmill.dedup.vectors import VectorTable
from gristmill.errors import LakeError
from gristmill.lake.store import Lake
table = VectorTable.open(Lake({str(tmp_path)!r}), "m", 4)
try:
    if sys.argv[1] == "put":
        table.put([{key!r}, "0" * 32], np.eye(4, dtype=np.float32)[:2])
    else:
        upkeep.forget(table, [{key!r}])
except LakeError as error:
    print(error)
"""

    def holding() -> list[Path]:
        return [path for path in tmp_path.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]

    at(0, "-c", code, "put")
    assert holding()
    told = at(-HOUR, "-c", code, "forget")
    assert "old versions, and what was forgotten with them" in told and "Set the clock right" in told, told
    assert at(0, "-c", code, "forget") == ""
    assert holding() == []
