"""The house stands as the design says: import direction, a light engine, a fast command line, no shadowing."""

import ast
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = {"gristmill": 0, "resources": 1, "assets": 2, "jobs": 3}
NETWORKS = {"model", "training", "quantization", "evaluation"}  # the rooms that may import torch at their top


def modules():
    for room, folder in {"gristmill": "platform/gristmill", "resources": "resources", "assets": "assets", "jobs": "jobs"}.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield room, path


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize(("room", "path"), [pytest.param(r, p, id=str(p.relative_to(ROOT))) for r, p in modules()])
def test_imports_run_one_way(room: str, path: Path):
    for name in imported(path):
        other = name.split(".")[0]
        if other in ROOMS:
            assert ROOMS[other] <= ROOMS[room], f"{path.relative_to(ROOT)} imports {name}"
    if room == "gristmill":
        assert not any(name.split(".")[0] in ("dagster", "dagster_aws") for name in imported(path)), path


def test_importing_the_engine_imports_neither_dagster_nor_torch():
    engine = ROOT / "platform" / "gristmill"
    names = [
        ".".join(("gristmill", *path.relative_to(engine).with_suffix("").parts)).removesuffix(".__init__")
        for path in sorted(engine.rglob("*.py"))
        if not (path.relative_to(engine).parts[0] in NETWORKS and path.name != "__init__.py")
    ]
    script = "\n".join(
        [
            "import importlib, sys",
            f"for name in {names!r}: importlib.import_module(name)",
            "print([name for name in ('dagster', 'torch') if name in sys.modules])",
        ]
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_command_line_starts_light():
    script = "import jobs.cli, sys; print([m for m in ('dagster', 'torch', 'polars', 'pydantic') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.strip() == "[]"


def test_platform_does_not_shadow_the_standard_library():
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert platform.system()


def test_the_lock_holds_hashes_and_no_addresses():
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    for block in lock.split("\n\n")[-1].replace(" \\\n", " ").splitlines():
        if block and not block.startswith("#"):
            assert "==" in block and "--hash=sha256:" in block, block
