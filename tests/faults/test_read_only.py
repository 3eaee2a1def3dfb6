"""A lake that cannot be written: what makes something says so before it begins, what only reads works."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from gristmill.crawl.sources import register
from gristmill.errors import LakeError
from gristmill.lake.disk import check_writable
from gristmill.lake.store import Lake
from gristmill.lineage.builds.builds import Origin, record
from jobs.cli import main
from tests.faults.mounts import Disk, small_disk
from tests.jobs.conftest import Mill

UNTIL = "document_index"
PAGES = {"one": "The mill grinds slowly.\n" * 40, "two": "The stones want dressing.\n" * 40}


@pytest.fixture(scope="module")
def mill(tmp_path_factory) -> Iterator[tuple[Disk, Path]]:
    """A small crawl, made up to its index and named twice as a build; its lake on a disk that can be made read-only."""
    folder = tmp_path_factory.mktemp("mill")
    with small_disk(folder / "lake", 24) as disk, pytest.MonkeyPatch.context() as patch:
        mill = Mill(folder, patch)
        (folder / "dagster" / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
        source = folder / "code"
        source.mkdir()
        for name, text in PAGES.items():
            (source / f"{name}.md").write_text(text)
        recipe = mill.recipe()
        register(Lake(disk.path), recipe, "code", [str(source)])
        outcome = mill.drive(recipe, UNTIL)
        assert outcome.succeeded, outcome.failed
        driver = mill.driver(recipe)
        recorded = {name: records for name, records in driver.plan().recorded.items() if records}
        record(driver.workspace, recorded, Origin(by="somebody"), "recipe")
        record(mill.driver(mill.recipe(word_count_min=60)).workspace, recorded, Origin(by="somebody"), "recipe")
        mill.recipe()
        yield disk, folder


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def state(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


READING = {
    "builds list": ["builds", "list", "--json"],
    "builds show": ["builds", "show", "1"],
    "builds gc --dry-run": ["builds", "gc", "--dry-run"],
    "crawl list": ["crawl", "list"],
    "diff": ["diff", "--json"],
    "plan": ["plan", "--json"],
    "rebuild --dry-run": ["rebuild", "--dry-run", "--until", UNTIL],
    "why": ["why", "--json", "file://code/one.md"],
    "audit": ["audit", "--json"],
}


@pytest.mark.parametrize("name", READING)
def test_what_only_reads_works(mill, name):
    disk, _ = mill
    shutil.rmtree(disk.path / "cache" / "plan", ignore_errors=True)  # the plan's cache can be neither read nor written
    before = state(disk.path)
    with disk.read_only():
        code, output = run(*READING[name])
    assert code in ((0, 1) if name == "audit" else (0,)), output  # an audit of half a graph finds what is missing
    assert output.strip() and "read-only" not in output, output
    assert state(disk.path) == before


WRITING = ["rebuild", "builds pin 1 --why reason", "builds gc", "crawl add code ."]


@pytest.mark.parametrize("command", WRITING)
def test_what_writes_says_before_it_begins_which_folder_and_which_user(mill, command):
    disk, folder = mill
    before = len(list((folder / "dagster").rglob("*")))
    with disk.read_only():
        code, output = run(*command.split())
    assert code == 1, output
    assert f"error: {disk.path}" in output and f"uid {os.geteuid()}" in output and "mounted read-only" in output, output
    assert "GRISTMILL_LAKE" in output and "Traceback" not in output
    assert len(list((folder / "dagster").rglob("*"))) == before, "no run was begun"


def test_an_event_log_that_cannot_be_written_is_named(mill, tmp_path_factory, monkeypatch):
    with small_disk(tmp_path_factory.mktemp("log") / "home", 4) as home:
        monkeypatch.setenv("DAGSTER_HOME", str(home.path / "dagster"))
        with home.read_only():
            code, output = run("rebuild")
    assert code == 1 and f"error: {home.path}" in output and "mounted read-only" in output, output


def test_a_folder_of_another_user_is_told_with_its_owner(tmp_path):
    """As an ordinary user, where the tests run as root."""
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o755)
    for each in (tmp_path, *tmp_path.parents):
        if "pytest-of-" in str(each):  # its user's alone
            each.chmod(0o755)
    if os.geteuid():
        folder.chmod(0o555)
        with pytest.raises(LakeError, match="mode 0555"):
            check_writable(folder)
        return
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.setuid(65534)
        try:
            check_writable(folder)
        except LakeError as error:
            os.write(writing, json.dumps([error.where, error.what]).encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    where, what = json.loads(os.read(reading, 9999))
    assert where == str(folder) and "uid 65534" in what and "belongs to uid 0, mode 0755" in what
