"""Where this deployment lives, from the environment. Nothing here is secret: credentials go through `EnvVar`.

GRISTMILL_HOME     folder of everything that is made (default: demo/ in the working directory)
GRISTMILL_RECIPE   recipe files, separated by the path separator (default: recipes/quickstart.toml)
GRISTMILL_LAKE     folder or URI of the lake (default: $GRISTMILL_HOME/lake)
GRISTMILL_WORKERS  shards worked on at a time (default: one per core)
DAGSTER_HOME       Dagster's instance (default: $GRISTMILL_HOME/dagster)
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL   for s3:// lakes and sources
"""

from __future__ import annotations

import os
from pathlib import Path

from gristmill.errors import RecipeError
from gristmill.recipe import Recipe, load_recipe

# Waiting threads sleep instead of spinning: on a busy machine training with two threads ran at a tenth of its speed.
# Read when torch is loaded, so it is set here, where every process of the deployment passes first.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

OBJECT_STORE = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL")

PROJECT = Path(__file__).resolve().parents[1]


def home() -> Path:
    return Path(os.environ.get("GRISTMILL_HOME", "demo")).absolute()


def lake_root() -> str:
    return os.environ.get("GRISTMILL_LAKE") or str(home() / "lake")


def workers() -> int:
    return int(os.environ.get("GRISTMILL_WORKERS", "0"))


def recipe_paths() -> list[Path]:
    given = os.environ.get("GRISTMILL_RECIPE")
    return [Path(path) for path in given.split(os.pathsep)] if given else [PROJECT / "recipes" / "quickstart.toml"]


def unnamed_builds() -> str:
    """What builds of the recipe without a namespace are called: its file's name."""
    paths = recipe_paths()
    if len(paths) == 1:
        return paths[0].stem
    return next((path.stem for path in paths if not load_recipe(path).namespace), "default")


def recipes() -> list[Recipe]:
    """The recipes of this deployment, one per namespace."""
    loaded: dict[str, Recipe] = {}
    for path in recipe_paths():
        recipe = load_recipe(path)
        if recipe.namespace in loaded:
            raise RecipeError(
                f"another recipe has the namespace {recipe.namespace!r} already",
                where=str(path),
                fix='Give each recipe of a deployment its own, such as `namespace = "trial"`.',
            )
        loaded[recipe.namespace] = recipe
    return list(loaded.values())


def dagster_home_path() -> Path:
    return Path(os.environ.get("DAGSTER_HOME") or home() / "dagster").absolute()


def dagster_home() -> Path:
    """DAGSTER_HOME, made and configured when it is not there, and set for this process and its children."""
    folder = dagster_home_path()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "dagster.yaml"
    if not config.exists():
        config.write_text((PROJECT / "infra" / "dagster.yaml").read_text())
    os.environ["DAGSTER_HOME"] = str(folder)
    return folder
