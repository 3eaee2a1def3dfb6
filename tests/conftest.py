"""Workspaces over lakes of their own."""

import os
from pathlib import Path

import pytest

from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.recipe import Recipe

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def workspace(lake: Lake) -> Workspace:
    return Workspace(lake, Recipe())
