"""What a command works on: the deployment's recipes, its lake, its Dagster instance. Heavy imports wait until a command runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gristmill.recipe import Recipe
    from jobs.driver import Driver


def namespace_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--namespace", default=None, help="Which of the deployment's recipes; needed where there are several.")(command)


def recipes() -> list[Recipe]:
    from jobs import settings

    return settings.recipes()


def recipe(namespace: str | None) -> Recipe:
    from gristmill.errors import RecipeError

    loaded = {each.namespace or "default": each for each in recipes()}
    namespace = "default" if namespace == "" else namespace
    if namespace is None and len(loaded) == 1:
        return next(iter(loaded.values()))
    if namespace is None or namespace not in loaded:
        raise RecipeError(
            "which recipe?" if namespace is None else f"no recipe has the namespace {namespace!r}",
            where="--namespace",
            fix=f"Loaded: {', '.join(loaded)}.",
        )
    return loaded[namespace]


def lake() -> Any:
    """`definitions.lake_resource` opened, without Dagster, which takes seconds to import: for commands that only read."""
    from gristmill.lake.store import Lake, object_store_options
    from jobs import settings

    return Lake(settings.lake_root(), object_store_options(*map(os.environ.get, settings.OBJECT_STORE)))


def workspace(recipe: Recipe) -> Any:
    from gristmill.lake.workspace import Workspace

    return Workspace(lake(), recipe)


def instance() -> Any:
    import dagster as dg

    from jobs import settings

    settings.dagster_home()
    return dg.DagsterInstance.get()


def driver(recipe: Recipe) -> Driver:
    from jobs.definitions import driver_of

    return driver_of(recipe, instance())
