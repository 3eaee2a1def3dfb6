"""Writes duplicates as one HTML page that needs nothing else, in the look of the report.

All that came from a document is escaped.
"""

from __future__ import annotations

from pathlib import Path

import jinja2

from gristmill import evaluation
from gristmill.dedup.shown.show import Duplicates
from gristmill.lake.workspace import Workspace
from gristmill.policy.page import write
from gristmill.policy.terminal import share
from gristmill.recipe import Recipe

__all__ = ["FOLDER", "duplicates_page", "order", "write"]

FOLDER = Path(__file__).parent  # of the templates, of which the report takes one

SAID = {"priority": "its source's priority", "longest": "the longest text", "earliest": "the earliest fetch", "latest": "the latest fetch"}


def duplicates_page(workspace: Workspace, found: Duplicates) -> str:
    """The page of `gristmill duplicates show`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([FOLDER, Path(evaluation.__file__).parent]),  # the style is the report's
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["share"] = share
    recipe = workspace.recipe
    return environment.get_template("page.html.j2").render(
        found=found,
        namespace=workspace.namespace,
        levels=recipe.dedup.levels,
        order=order(recipe),
        least=recipe.decontamination.min_overlap,
    )


def order(recipe: Recipe) -> str:
    """The declared order of survival in words."""
    return ", then ".join([*(SAID[each] for each in recipe.dedup.survivor), "the smallest id"])
