"""A small deployment that is to be disturbed: built once, copied, edited, rebuilt in processes of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from gristmill.crawl.sources import register
from gristmill.lake.store import Lake
from gristmill.recipe import Recipe, load_recipe
from jobs.definitions import driver_of
from jobs.driver import Driver
from tests.jobs.conftest import TINY

ROOT = Path(__file__).parents[2]
UNTIL = "mixed_corpus"
SMALL = {  # fewer and larger shards, and no teacher: its start costs more than all the rest
    "shard_bytes = 24000": "shard_bytes = 80000",
    "token_budget = 3000": "token_budget = 100",
    "stories = 1": "stories = 0",
    "[quality]": "[embedder]\nmax_tokens = 16\n[quality]",
}
EDIT = {
    "[dedup.minhash]": '[edits]\nstrip = ["markdown"]\n[dedup.minhash]',
    '"gopher.word_count_min" = 50': '"gopher.word_count_min" = 120',
}
"""What moves text (edits, signals, signatures, vectors) and what moves verdicts; both reach the corpus."""


class Deployment:
    """GRISTMILL_HOME in `folder`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.started: list[subprocess.Popen] = []
        self.lake_folder, self.log_folder = folder / "lake", folder / "dagster" / "history"
        self.env = os.environ | {
            "GRISTMILL_HOME": str(folder),
            "DAGSTER_HOME": str(folder / "dagster"),
            "GRISTMILL_RECIPE": str(folder / "recipe.toml"),
            "GRISTMILL_WORKERS": "1",
            "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}",
            "PYTHONUNBUFFERED": "1",
        }

    def write_recipe(self, edited: bool = False) -> Recipe:
        text = TINY.format(namespace="", word_count_min=50)
        for old, new in (SMALL | (EDIT if edited else {})).items():
            assert old in text, old
            text = text.replace(old, new)
        path = self.folder / "recipe.toml"
        path.write_text(text)
        return load_recipe(path)

    def copy(self, folder: Path) -> Deployment:
        shutil.copytree(self.folder, folder)
        return Deployment(folder)

    def register(self, sources: dict[str, list[Path]]) -> None:
        (self.folder / "dagster").mkdir(parents=True)
        shutil.copy(ROOT / "infra" / "dagster.yaml", self.folder / "dagster")
        recipe = self.write_recipe()
        for crawl, paths in sources.items():
            register(Lake(self.lake_folder), recipe, crawl, [str(path) for path in paths])

    @contextmanager
    def driver(self) -> Iterator[Driver]:
        """A driver in this process, that makes a shard at a time."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("GRISTMILL_HOME", "DAGSTER_HOME", "GRISTMILL_RECIPE"):
                patch.setenv(name, self.env[name])
            patch.setenv("GRISTMILL_WORKERS", "1")
            with dg.DagsterInstance.from_config(self.env["DAGSTER_HOME"]) as instance:
                yield driver_of(load_recipe(self.folder / "recipe.toml"), instance)

    def rebuild(self, workers: int) -> subprocess.Popen:
        """`gristmill rebuild` in a process group of its own."""
        self.env["GRISTMILL_WORKERS"] = str(workers)
        return self.start("-m", "jobs.cli", "rebuild", "--until", UNTIL)

    def daemon(self) -> subprocess.Popen:
        """`dagster-daemon run`: it asks the plan and starts runs of its own accord."""
        return self.start("-m", "dagster._daemon", "run", "--workspace", str(ROOT / "workspace.yaml"))

    def start(self, *command: str) -> subprocess.Popen:
        with (self.folder / "output.txt").open("a") as output:
            process = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env=self.env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.started.append(process)
        return process

    @property
    def output(self) -> str:
        return (self.folder / "output.txt").read_text()

    def versions(self) -> dict[str, str]:
        """asset[partition] -> content hash, of all that stands."""
        with self.driver() as driver:
            return {f"{each.asset}[{each.partition or ''}]": each.data_version for each in driver.workspace.outputs()}
