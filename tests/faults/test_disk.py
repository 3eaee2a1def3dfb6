"""A full disk: every writer says which, how full it is and what to do; nothing is lost, nothing is left, and the rest goes on."""

import contextlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
import torch
from click.testing import CliRunner

from gristmill.dedup.spill import Spill
from gristmill.dedup.vectors import VectorTable
from gristmill.errors import GristmillError
from gristmill.lake import disk as told
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.failures import Failure, Failures
from gristmill.lake.lease import Lease
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Workspace
from gristmill.lineage.builds.builds import Origin, record
from gristmill.policy.page import write
from gristmill.recipe import Recipe
from gristmill.training.resume import RunFolder
from jobs.cli import main
from tests.faults.mounts import Disk, small_disk

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("gated_mill", ROOT / "tests" / "jobs" / "gated_mill.py")
gated_mill = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gated_mill)
EVERYTHING = 2 * len(gated_mill.SHARDS) + 1


@pytest.fixture(scope="module")
def disk(tmp_path_factory) -> Iterator[Disk]:
    with small_disk(tmp_path_factory.mktemp("disks") / "small", 16) as disk:
        yield disk


def edits(rows: int) -> pl.DataFrame:
    """A table that does not compress."""
    dice = np.random.default_rng(0)
    texts = [dice.bytes(40).hex() for _ in range(rows)]
    return pl.DataFrame(
        [{"doc_id": text, "start": 0, "end": 1, "replacement": text, "rule": "r"} for text in texts], schema=CONTRACTS["edits"].schema
    )


def large_file(folder: Path) -> Path:
    path = folder.parent / "large"
    path.write_bytes(np.random.default_rng(0).bytes(1 << 20))
    return path


def resume_point(folder: Path) -> None:
    model = torch.nn.Linear(300, 300)
    RunFolder(folder / "run", 2).save(1, model, torch.optim.SGD(model.parameters()))


def vectors(folder: Path) -> None:
    table = VectorTable.open(Lake(folder / "lake"), "model", 64)
    table.put([f"{i:032x}" for i in range(3000)], np.random.default_rng(0).random((3000, 64), dtype=np.float32))


def spilled(folder: Path) -> None:
    Spill(folder, "pairs", 2).add(np.zeros((1 << 16, 2), dtype=np.uint64))


def spilled_again(folder: Path) -> None:
    Spill(folder, "pairs", 2).rewrite(0, np.zeros((1 << 16, 2), dtype=np.uint64))


WRITERS: dict[str, Callable[[Path], Any]] = {
    "table": lambda folder: Lake(folder / "lake").write_table("edits", edits(5000)),
    "file": lambda folder: Lake(folder / "lake").write_file("model", large_file(folder.parent)),
    "partition": lambda folder: Workspace(Lake(folder / "lake"), Recipe()).store("edits", "a", Made({"edits": edits(5000)}), "1"),
    "small objects": lambda folder: [Lake(folder / "lake").put_json(f"codes/{i}.json", {}) for i in range(40)],
    "lease": lambda folder: [Lake(folder / "lake").create(f"leases/default/{i}", b"{}") for i in range(40)],
    "build": lambda folder: [
        record(Workspace(Lake(folder / "lake"), Recipe(namespace=f"n{i}")), {}, Origin(), "b", "# a recipe\n" * 1000) for i in range(20)
    ],
    "cache": lambda folder: Workspace(Lake(folder / "lake"), Recipe()).cache("teacher").put_many({"a": bytes(1 << 20)}),
    "vectors": vectors,
    "resume point": resume_point,
    "spill": spilled,
    "spill in place": spilled_again,
    "token shard": lambda folder: np.save(folder / "tokens.npy", np.zeros(1 << 18, dtype=np.uint32)),
    "sunk table": lambda folder: edits(5000).lazy().sink_parquet(folder / "part.parquet"),
    "page": lambda folder: write(folder / "page.html", "<p>" * (1 << 19)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_says_that_the_disk_is_full_and_writes_the_same_when_it_is_not(disk, name):
    folder = disk.path / name
    folder.mkdir()
    with disk.full(but=1 << 16), pytest.raises(Exception) as caught:  # each library has an error of its own
        WRITERS[name](folder)
        pytest.fail("it was written")
    with disk.full(but=1 << 16):
        error = caught.value if isinstance(caught.value, GristmillError) else told.explained(caught.value, [folder], "edits[a]")
    assert error is not None, repr(caught.value)
    text = str(error)
    assert "no space left" in text.lower() and "Debug" not in text, text
    assert str(disk.path) in text, text
    WRITERS[name](folder)
    assert disk.litter() == []


@pytest.fixture(params=["the lake", "lake and event log"])
def mill(request, disk, tmp_path, monkeypatch) -> Iterator[tuple[Path, Path]]:
    """(folder of a small graph with its lake on the small disk, DAGSTER_HOME)."""
    folder = disk.path / request.node.name.replace("/", "-")
    home = folder / "dagster" if "event log" in request.param else tmp_path / "dagster"
    home.mkdir(parents=True)
    folder.mkdir(exist_ok=True)
    monkeypatch.setattr(gated_mill, "FOLDER", tmp_path)
    with dg.DagsterInstance.local_temp(str(home)) as instance:  # Dagster makes its tables, which a full disk would leave half-made
        instance.add_dynamic_partitions("shards", gated_mill.SHARDS)
    yield folder, home


def test_a_rebuild_that_meets_full_disks_ends_with_the_same_hashes(disk, mill, tmp_path):
    folder, home = mill
    (tmp_path / "undisturbed").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "undisturbed")) as instance:
        driver = gated_mill.driver(tmp_path / "undisturbed", instance)
        assert driver.drive().succeeded
        whole = {(each.asset, each.partition): each.data_version for each in driver.workspace.outputs()}
    errors = []
    for free in (50_000, 100_000):
        with disk.full(but=free):
            try:
                with dg.DagsterInstance.local_temp(str(home)) as instance:
                    outcome = gated_mill.driver(folder, instance).drive()
            except Exception as error:  # the event log's: the command line tells it in our words
                errors.append(str(told.explained(error, [home, folder / "lake"]) or repr(error)))
            else:
                errors += [] if outcome.succeeded else list(outcome.failed.values())
        assert disk.litter() == []
    assert errors and all("no space left" in error and str(disk.path) in error for error in errors), errors
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        driver = gated_mill.driver(folder, instance)
        outcome = driver.drive()
        assert outcome.succeeded and driver.plan().is_fresh, outcome.rows()
        assert Failures(driver.workspace).all() == {}
    assert {(each.asset, each.partition): each.data_version for each in driver.workspace.outputs()} == whole
    assert len(whole) == EVERYTHING


def test_a_partition_without_room_fails_alone_and_the_others_are_made(disk, tmp_path, monkeypatch):
    folder = disk.path / "alone"
    folder.mkdir()
    monkeypatch.setattr(gated_mill, "FOLDER", tmp_path)
    small = gated_mill.make_first

    def make(workspace: Workspace, partition: str) -> Made:
        small(workspace, partition)
        return Made({"edits": edits(20_000 if partition == gated_mill.SHARDS[1] else 1)})

    monkeypatch.setattr(gated_mill, "make_first", make)
    with disk.full(but=1 << 20), dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        outcome = gated_mill.driver(folder, instance).drive()
    assert outcome.made["first"] == [shard for shard in gated_mill.SHARDS if shard != gated_mill.SHARDS[1]]
    assert list(outcome.errors["first"]) == [gated_mill.SHARDS[1]]
    assert "tables/edits/" in outcome.failed["first"] and "no space left on the disk" in outcome.failed["first"]
    [failure] = Failures(Workspace(Lake(folder / "lake"), Recipe())).of("first").values()
    assert failure.last_line.startswith("gristmill.errors.LakeError: /") and "MB free" in failure.last_line


def test_a_lease_that_cannot_be_written_off_is_left_all_the_same(disk):
    lease = Lease(Lake(disk.path / "leased"), "default", "kept")
    with contextlib.ExitStack() as full:
        with lease.held({}, print, print):
            full.enter_context(disk.full())
        assert lease.holder() is None, "this process would wait for itself"
    with lease.held({}, pytest.fail, pytest.fail):
        pass


def test_the_command_line_says_that_the_event_log_found_no_room(disk, tmp_path, monkeypatch):
    home = disk.path / "home"
    home.mkdir()
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("")
    for name, value in {"GRISTMILL_HOME": home, "DAGSTER_HOME": home / "dagster", "GRISTMILL_RECIPE": recipe}.items():
        monkeypatch.setenv(name, str(value))
    with disk.full(but=30_000):
        result = CliRunner().invoke(main, ["rebuild"])
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result.exception
    assert f"error: {home}" in result.output and "no space left on the disk" in result.output and "Free some space there" in result.output


def test_a_limit_of_file_size_is_told_as_such(tmp_path):
    """Where nobody may mount: the same ways, by `ulimit -f`."""
    code = """
import resource, signal, sys
sys.path.insert(0, "platform")
from gristmill.lake.store import Lake
from gristmill.lake.disk import explained
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
lake = Lake(sys.argv[1])
try:
    lake.put("tables/a", bytes(100_000))
except Exception as error:
    print(error)
try:
    open(sys.argv[1] + "/spill", "wb").write(bytes(100_000))
except Exception as error:
    print(explained(error, [sys.argv[1]]))
print(lake.keys("tables"))
"""
    (tmp_path / "lake").mkdir()
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "lake"], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.count("larger than this process, or the file system, may write") == 2, done.stdout
    assert f"{tmp_path}/lake/tables/a: " in done.stdout and "ulimit -f" in done.stdout
    assert done.stdout.strip().endswith("[]")


def test_a_full_disk_that_no_folder_lies_on_is_found_where_the_error_names_none(tmp_path):
    error = RuntimeError("unable to write to file </torch_12_3>: No space left on device (28)")
    with small_disk(tmp_path / "shared memory", 4) as disk, disk.full():
        assert str(told.explained(error, [tmp_path])).startswith(f"{disk.path}: no space left on the disk: 0 B of ")
    assert str(told.explained(error, [tmp_path])).startswith(f"{tmp_path}: no space left on the disk")


def test_an_error_that_is_no_disks_is_left_as_it_is(tmp_path):
    for error in (ValueError("x"), KeyError("a"), OSError(5, "Input/output error"), FileNotFoundError(2, "no", "/x")):
        assert told.explained(error, [tmp_path]) is None
    unreadable = PermissionError(13, "Permission denied", "/somewhere/else")
    assert told.explained(unreadable, [tmp_path]) is None, "a source that cannot be read"


def test_a_failure_shows_the_exceptions_line_and_not_the_way_out_below_it():
    error = "Traceback\n  File x\ngristmill.errors.LakeError: /lake/a: no space left\n  Free some space there.\n"
    assert Failure(1, error, "1", {}).last_line == "gristmill.errors.LakeError: /lake/a: no space left"
