"""Writes a plan as one HTML page that needs nothing else, in the look of the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2

from gristmill.evaluation import plots
from gristmill.lake.workspace import Workspace
from gristmill.lineage.plan import terminal
from gristmill.lineage.plan.cost import WAITING, Step, duration, total
from gristmill.lineage.plan.flips import Flips
from gristmill.lineage.plan.plan import Plan
from gristmill.policy import page
from gristmill.policy.what_if import BY

NAMED = 200  # partitions listed of a step
TOP = 12  # names shown of each `by` of the flips


def plan_page(workspace: Workspace, plan: Plan, steps: Sequence[Step], flips: Flips | None) -> str:
    """The page of `gristmill plan`. `steps` are `cost.steps` of the plan."""
    certain, possible = total(steps, certain=True), total(steps, certain=False)
    most = max([step.cost.total_seconds for step in steps], default=0.0)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([Path(__file__).parent, Path(page.__file__).parent, Path(plots.__file__).parent]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    rows = [
        {
            "step": step,
            "cost": terminal.cost(step.cost),
            "waits": step.state == WAITING,
            "share": 100 * step.cost.total_seconds / most if most else 0.0,
            "named": [partition for partition in step.partitions if partition is not None][:NAMED],
            "more": max(len([partition for partition in step.partitions if partition is not None]) - NAMED, 0),
        }
        for step in steps
    ]
    fresh = [
        {"asset": asset, "partitions": len(node.partitions)}
        for asset, node in plan.nodes.items()
        if not plan.reasons[asset] and not plan.waiting[asset]
    ]
    return environment.get_template("plan.html.j2").render(
        namespace=workspace.namespace,
        rows=rows,
        summary=terminal.summary(steps),
        certain=certain,
        possible=possible,
        certain_time=duration(certain.total_seconds),
        possible_time=duration(possible.total_seconds),
        held_back=[(name, moved, terminal.follow(plan, name)) for name, moved in plan.held_back.items()],
        failed=[(step.asset, partition, text) for step in steps for partition, text in step.failed.items()],
        fresh=fresh,
        all_fresh=terminal.FRESH if plan.is_fresh else terminal.SELECTED_FRESH,
        flips=flips,
        flips_says=terminal.flips_summary(flips) if flips and flips.answer else "",
        flips_by=_flips_by(flips),
    )


def _flips_by(flips: Flips | None) -> list[dict[str, object]]:
    if flips is None or flips.answer is None:
        return []
    table = flips.answer.flips
    return [{"by": by, "rows": rows} for by in BY if (rows := table.filter(table["by"] == by).head(TOP).to_dicts())]
