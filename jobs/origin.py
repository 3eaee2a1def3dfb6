"""Who is at work here and with what code: what a build remembers of its making."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import subprocess
from functools import cache
from importlib.metadata import distributions

from gristmill.errors import RecipeError
from gristmill.lake.workspace import Workspace
from gristmill.lineage.builds import builds
from gristmill.lineage.plan.plan import Plan
from gristmill.recipe import Recipe, load_recipe
from jobs import settings


def record(workspace: Workspace, planned: Plan) -> builds.Build:
    """Records what a fresh plan says that there is; see `builds.record`."""
    recorded = {name: {p: planned.recorded[name][p] for p in node.partitions} for name, node in planned.nodes.items()}
    name, text = _written(workspace.recipe)
    return builds.record(workspace, recorded, origin(), name, text)


@cache
def origin() -> builds.Origin:
    """Of this process."""
    packages = {each.name.lower(): each.version for each in distributions() if each.name}
    return builds.Origin(whoever(), _commit(), platform.python_version(), dict(sorted(packages.items())))


def whoever() -> str:
    """user@host"""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _written(recipe: Recipe) -> tuple[str, str]:
    """What builds of the recipe are called, and its file's text; "" when the file says something else by now."""
    for path in settings.recipe_paths():
        try:
            loaded = load_recipe(path)
        except RecipeError:
            continue
        if loaded.namespace == recipe.namespace:
            return recipe.namespace or path.stem, path.read_text() if loaded == recipe else ""
    return recipe.namespace or "default", ""


def _commit() -> str:
    """The commit of the checkout that this runs from, with `+` where tracked files differ from it; "" outside of one."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(settings.PROJECT), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        if os.path.realpath(git("rev-parse", "--show-toplevel")) != os.path.realpath(settings.PROJECT):
            return ""
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""
