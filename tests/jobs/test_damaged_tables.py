"""A table of the lake that was cut or garbled: every command says which, whose it is and the way out, and the way out works."""

import shutil
from pathlib import Path

import pytest

from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.recipe import load_recipe
from jobs.plan_cli import error_lines

SHARD = "docs-1/0000"


@pytest.fixture
def home(built, tmp_path: Path) -> Path:
    """A copy of the built deployment, to be damaged."""
    mill, _, _ = built
    shutil.copytree(mill.folder, tmp_path / "mill")
    return tmp_path / "mill"


@pytest.fixture
def run(home: Path, command_line, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
    return command_line(home)


def table(home: Path, asset: str, name: str) -> Path:
    workspace = Workspace(Lake(home / "lake"), load_recipe(home / "recipe.toml"))
    return home / "lake" / workspace.output(asset, SHARD).tables[name].key


def test_readers_name_the_table_and_its_way_out_works(home: Path, run) -> None:
    verdicts = table(home, "filtered_shards", "verdicts")
    whole = verdicts.read_bytes()
    verdicts.write_bytes(whole[: len(whole) // 2])
    said = f"{verdicts}: is damaged: its {len(whole) // 2:,} bytes do not end as those of a Parquet file"
    for command in (("funnel",), ("duplicates", "show")):
        status, printed = run(*command)
        assert status == 1 and printed.startswith(f"error: {said}"), printed
        assert f"verdicts of filtered_shards[{SHARD}]" in printed and f"`rm {verdicts}`, then `gristmill rebuild --until" in printed
        assert "Traceback" not in printed
    verdicts.unlink()
    assert "is gone (the table verdicts of" in run("funnel")[1]
    assert run("rebuild", "--until", "filtered_shards")[0] == 0
    assert verdicts.read_bytes() == whole and run("funnel")[0] == 0
    assert "Everything is fresh" in run("plan")[1]


def test_a_step_that_reads_one_fails_with_the_same_words(home: Path, run) -> None:
    signals = table(home, "signals", "signals.gopher")
    signals.write_bytes(b"PAR1" + bytes(64) + b"PAR1")
    assert run("policy", "try", "gopher.word_count_min=55")[1].startswith(f"error: {signals}: is damaged: a part of it does not decode")
    recipe = home / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('"gopher.word_count_min" = 50', '"gopher.word_count_min" = 55'))
    status, printed = run("plan")
    assert status == 0 and f"What the policy's edit would flip is not known: {signals}: is damaged" in printed
    status, printed = run("rebuild", "--until", "filtered_shards")
    assert status == 1 and f"filtered_shards[{SHARD}] failed:\n  {signals}: is damaged" in printed and "Traceback" not in printed


def test_of_other_errors_the_end_of_the_traceback_is_printed() -> None:
    trace = "Traceback (most recent call last):\n  File x\n" + "\n".join(f"  line {n}" for n in range(20)) + "\nValueError: no"
    assert error_lines(trace)[-1] == "ValueError: no" and len(error_lines(trace)) == 12
    ours = f"{trace}\n\nThe above exception was the direct cause\n\ngristmill.errors.LakeError: /lake/x: is damaged\n  `rm /lake/x`\n"
    assert error_lines(ours) == ["/lake/x: is damaged", "  `rm /lake/x`"]
