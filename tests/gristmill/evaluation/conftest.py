"""A generated lake, made once."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("generated_lake", Path(__file__).with_name("generated_lake.py"))
generated_lake = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generated_lake)


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Every asset, the evaluation made up. Read only."""
    workspace = generated_lake.generated(tmp_path_factory.mktemp("built") / "lake")
    generated_lake.evaluated(workspace)
    return workspace
