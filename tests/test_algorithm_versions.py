"""An algorithm's code does not change under an unchanged version.

`algorithm_versions.json` holds, for every module of the engine that names a VERSION, that version and the hash of the
normalised syntax tree of what it versions: the module, those of its room that name none, and what it imports from folders
inside the room (kernels). After a change either
move the version, since the output may differ, or say that the behaviour is the same; then record it: `make versions`.
"""

import ast
import hashlib
import json
import sys
from functools import cache
from pathlib import Path

ENGINE = Path(__file__).parents[1] / "platform" / "gristmill"
RECORD = Path(__file__).with_name("algorithm_versions.json")


@cache
def normalised(path: Path) -> str:
    """The syntax tree without docstrings, comments and positions."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            body[0].value = ast.Constant("")
    return ast.unparse(tree)


@cache
def version_of(path: Path) -> str | None:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id in ("VERSION", "VERSIONS") for t in node.targets):
            return ast.unparse(node.value)
    return None


@cache
def imports(path: Path) -> list[Path]:
    """The engine's modules that a module imports."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gristmill."):
            module = ENGINE.joinpath(*node.module.split(".")[1:])
            found += [module.with_suffix(".py"), *(module / f"{each.name}.py" for each in node.names)]
    return [each for each in found if each.exists()]


def imported(path: Path, seen: set[Path]) -> set[Path]:
    """What a module imports of the engine, and what these import, without a version of their own."""
    for found in imports(path):
        if found not in seen and version_of(found) is None:
            seen.add(found)
            imported(found, seen)
    return seen


def versions() -> dict[str, list[str]]:
    found = {}
    for path in sorted(ENGINE.rglob("*.py")):
        version = version_of(path)
        if version is None:
            continue
        beside = {p for p in path.parent.glob("*.py") if path.parent != ENGINE and version_of(p) is None}
        inside = {p for p in imported(path, set()) if path.parent in p.parents and p.parent != path.parent and path.parent != ENGINE}
        parts = [path, *sorted(beside | inside)]
        digest = hashlib.blake2b("\n".join(normalised(part) for part in parts).encode(), digest_size=8).hexdigest()
        found[path.relative_to(ENGINE).as_posix()] = [version, digest]
    return found


def test_code_moves_with_its_version():
    recorded, now = json.loads(RECORD.read_text()), versions()
    same_version = [name for name in now if name in recorded and now[name] != recorded[name] and now[name][0] == recorded[name][0]]
    assert not same_version, (
        f"changed under an unchanged version: {', '.join(same_version)}. Move VERSION if the output may differ; then run `make versions`."
    )
    assert now == recorded, "run `make versions` to record the new versions"


if __name__ == "__main__":
    RECORD.write_text(json.dumps(versions(), indent=1, sort_keys=True) + "\n")
    sys.stdout.write(f"{RECORD}: {len(versions())} versions\n")
