"""Writes an audit as one HTML page that needs nothing else, in the look of the report."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import jinja2
import polars as pl

from gristmill.evaluation import plots
from gristmill.lake.workspace import Workspace
from gristmill.lineage.audit.audit import failures, summary
from gristmill.lineage.audit.scope import NOT_RECOMPUTED
from gristmill.lineage.audit.terminal import verdict
from gristmill.lineage.openness import openness, score
from gristmill.policy import page as policy_page

SHOWN = 40  # failures named first
ROWS = 200  # subjects of a claim; those that fail come before the others


def audit_page(workspace: Workspace, claims: pl.DataFrame, at: dt.datetime, looked: str) -> str:
    """The page of `gristmill audit`."""
    rooms = [Path(__file__).parent, Path(policy_page.__file__).parent, Path(plots.__file__).parent]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(rooms), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    told = []
    for row in summary(claims).iter_rows(named=True):
        of = claims.filter(pl.col("claim") == row["claim"]).with_columns(open=pl.col("evidence").str.starts_with(NOT_RECOMPUTED))
        rows = of.sort(pl.col("passed"), ~pl.col("open"), maintain_order=True).head(ROWS).to_dicts()
        told.append({**row, "rows": rows, "more": of.height - len(rows)})
    models = []
    for name in workspace.partitions("checkpoints"):
        columns = openness(workspace, name, claims)
        models.append({"name": name, "score": f"{score(columns):g}", "columns": columns})
    return environment.get_template("audit.html.j2").render(
        namespace=workspace.namespace,
        at=f"{at:%Y-%m-%d %H:%M} UTC",
        claims=told,
        subjects=claims.height,
        failing=failures(claims)["claim"].n_unique(),
        failed=failures(claims).to_dicts(),
        left=sum(row["not_recomputed"] for row in told),
        says=verdict(claims, looked),
        shown=SHOWN,
        models=models,
    )
