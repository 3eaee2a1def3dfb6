"""The runs that led to a build: those that carry its name as the tag `gristmill/build`, in Dagster's run storage."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import dagster as dg
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from assets.shown import BUILD

SHOWN = 50  # in a terminal, the latest


def runs_of(instance: dg.DagsterInstance, build: str) -> list[dict[str, Any]]:
    """Oldest first: run, assets, status, when it began (ISO, UTC) and how many seconds it took. Runs that were deleted are not known."""
    found = []
    for record in reversed(instance.get_run_records(dg.RunsFilter(tags={BUILD: build}))):
        run, start, end = record.dagster_run, record.start_time, record.end_time
        assets = sorted(key.to_user_string() for key in run.asset_selection or ())
        found.append(
            {
                "run": run.run_id,
                "assets": assets,
                "status": run.status.value.lower(),
                "began": dt.datetime.fromtimestamp(start, dt.UTC).isoformat(timespec="seconds") if start else "",
                "seconds": round(end - start, 1) if start and end else None,
            }
        )
    return found


def print_runs(runs: Sequence[dict[str, Any]], console: Console) -> None:
    if not runs:
        console.print("No run is known that led to it.", style="dim")
        return
    title = f"{len(runs):,} run{'' if len(runs) == 1 else 's'} led to it"
    table = Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("run", "asset", "status", "began", "seconds"):
        table.add_column(name, justify="right" if name == "seconds" else "left", no_wrap=name != "asset")
    for run in runs[-SHOWN:]:
        failed = "red" if run["status"] in ("failure", "canceled") else ""
        seconds = "" if run["seconds"] is None else f"{run['seconds']:,.1f}"
        table.add_row(
            run["run"][:8],
            ", ".join(run["assets"]),
            run["status"],
            run["began"].replace("T", " ").removesuffix("+00:00"),
            seconds,
            style=failed,
        )
    console.print(table)
