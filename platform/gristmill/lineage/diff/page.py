"""Writes a diff as one HTML page that needs nothing else, in the look of the report. All that came from a document is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup

from gristmill.evaluation import plots
from gristmill.lineage.diff import plot
from gristmill.lineage.diff.diff import TEST, Diff
from gristmill.lineage.diff.documents import BY
from gristmill.lineage.diff.terminal import TITLES, score_cells
from gristmill.lineage.plan.components import difference
from gristmill.lineage.plan.recipe_diff import Change, shown
from gristmill.policy import page as policy_page
from gristmill.policy.terminal import share, size

TOP = 15  # names shown of each `by`


def diff_page(diff: Diff) -> str:
    """The page of `gristmill diff`."""
    rooms = [Path(__file__).parent, Path(policy_page.__file__).parent, Path(plots.__file__).parent]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(rooms), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"count": _count, "size": size, "share": _share, "shown": shown, "figure": Markup}
    names = (diff.old.name, diff.new.name)
    return environment.get_template("diff.html.j2").render(
        diff=diff,
        commits=[side.origin.commit[:12] if side.origin else "" for side in (diff.old, diff.new)],
        causes=[("Recipe", diff.recipe), ("Algorithms", [_algorithm(each) for each in diff.algorithms]), ("Packages", diff.packages)],
        shards=[("new", diff.shards.new), ("gone", diff.shards.gone), ("changed", diff.shards.changed)],
        moved={way: {what: diff.documents.count(way, what) for what in ("documents", "bytes", "tokens")} for way in ("in", "out")},
        by=[_by(diff, name) for name in BY],
        examples=[(way, reason, urls) for (way, reason), urls in diff.documents.examples.items()],
        phases=[_phase(diff, row) for row in diff.corpus.phases.iter_rows(named=True)],
        curves=[plot.curves(model, names) for model in diff.training if model.old or model.new],
        scores=[_scores(diff, metric, title) for metric, title in TITLES.items()],
        baselines=diff.scores.filter(~pl.col("metric").is_in(list(TITLES))).to_dicts(),
        test=TEST,
    )


def _algorithm(change: Change) -> Change:
    """Its parts that moved, on both sides."""
    moves = difference(change.key, change.old, change.new)
    before = ", ".join(f"{each.name} {each.old}".strip() for each in moves if each.old)
    return Change(change.key, before, ", ".join(f"{each.name} {each.new}".strip() for each in moves))


def _by(diff: Diff, name: str) -> dict[str, Any]:
    table = diff.documents.by(name)
    rows, rest = table.head(TOP).to_dicts(), table.slice(TOP)
    most = max([row["in_documents"] + row["out_documents"] for row in rows], default=0)
    return {"by": name, "rows": rows, "most": most, "more": rest.height, "rest": rest.drop("name").sum().row(0, named=True)}


def _phase(diff: Diff, row: dict[str, Any]) -> dict[str, Any]:
    of_phase = pl.col("phase") == row["phase"]
    topics = diff.corpus.by("topic").filter(of_phase & (pl.col("name") != ""))
    moved = (pl.col("tokens_after") - pl.col("tokens_before")).abs()
    topics = topics.filter(moved > 0).sort(-moved, "name").head(TOP)
    return {**row, "sources": diff.corpus.by("source").filter(of_phase).to_dicts(), "topics": topics.to_dicts()}


def _scores(diff: Diff, metric: str, title: str) -> dict[str, Any]:
    rows = [{**row, "cells": score_cells(row)} for row in diff.scores.filter(pl.col("metric") == metric).iter_rows(named=True)]
    figure = plot.differences(rows, metric.replace("_", " ")) if rows else ""
    return {"title": title, "rows": rows, "figure": figure}


def _count(value: int | None) -> str:
    """1,234; nothing for none; a question mark for what is not known."""
    return "?" if value is None else f"{value:,}" if value else ""


def _share(value: float | None) -> str:
    return "" if value is None else share(value)
