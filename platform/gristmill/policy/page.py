"""Writes a what-if or a sweep as one HTML page that needs nothing else, in the look of the report.

All that came from a document is escaped. Text is read for the page's examples alone, and only when excerpts are asked for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup

from gristmill.evaluation import plots
from gristmill.evaluation.excerpts import excerpts
from gristmill.lake.workspace import Workspace
from gristmill.policy import plot
from gristmill.policy.sweep import Sweep
from gristmill.policy.terminal import drops, number, share, shown, size, worth
from gristmill.policy.what_if import BY, WhatIf
from gristmill.policy.wording import change, exact, fires, moved_verdict

TOP = 15  # names shown of each `by`


def what_if_page(workspace: Workspace, answer: WhatIf, quote: bool = False) -> str:
    """The page of `gristmill policy try`; `quote` reads the examples' text, with personal data masked."""
    quoted = excerpts(workspace, answer.nearest.iter_rows(named=True)) if quote else {}
    moved, counts = ({row["rule"]: row for row in rows.iter_rows(named=True)} for rows in (answer.changed, answer.rules))
    changes = [
        {
            "name": each.name,
            "says": change(each.before, each.after),
            "fires": fires(moved[each.name], counts[each.name]),
            "gone": each.after is None,
            "sides": {side: _examples(answer, each.name, side, quoted) for side in ("fires", "passes")},
        }
        for each in answer.changes
    ]
    names = ("lost_documents", "gained_documents", "lost_bytes", "gained_bytes", "lost_tokens", "gained_tokens")
    return _rendered(
        "what_if.html.j2",
        policy=f"{workspace.recipe.policy.name} {workspace.recipe.policy.version}",
        namespace=workspace.namespace,
        changes=changes,
        total={
            **{name: answer.total(name) for name in ("documents", "kept_before", "kept_after")},
            **{n: answer.flipped(n) for n in names},
        },
        copies=answer.copies,
        weighed=_weighed(answer),
        sources=_sources(answer),
        flips=[_flips(answer, by) for by in BY],
        rules=answer.rules.to_dicts(),
        warnings=answer.warnings,
    )


def sweep_page(found: Sweep) -> str:
    """The page of `gristmill policy sweep`."""
    sources = found.sources["source"].to_list()[1:]
    parts = []
    for when in found.comparisons:
        curve = found.of(when)
        marks = [mark for mark in found.marks if mark.when == when]
        by_source = {source: found.of(when, source)["share"].to_list() for source in sources}
        rows = [
            {
                **curve.row(n, named=True),
                "sources": [by_source[source][n] for source in sources],
                "marks": [mark for mark in marks if mark.threshold == curve["threshold"][n]],
            }
            for n in shown(curve, [mark.threshold for mark in marks])
        ]
        figures = [plot.curve(found, when), *([plot.by_source(found, when)] if len(sources) > 1 else [])]
        parts.append({"when": when, "figures": figures, "rows": rows})
    total = found.sources.row(0, named=True)
    left_out = found.sources.filter(~pl.col("judged"))["source"].to_list()
    in_force = [(mark, drops(mark)) for mark in found.marks if mark.asked is not None]
    return _rendered("sweep.html.j2", sweep=found, sources=sources, parts=parts, total=total, left_out=left_out, in_force=in_force)


def write(path: Path, page: str) -> None:
    """All of the page or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(page, encoding="utf-8", errors="replace")
    os.replace(partial, path)


def _rendered(template: str, **values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([Path(__file__).parent, Path(plots.__file__).parent]),  # the style is the report's
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "count": _count,
        "size": size,
        "share": share,
        "number": number,
        "exact": exact,
        "worth": worth,
        "figure": Markup,
    }
    return environment.get_template(template).render(**values)


def _count(value: int | None) -> str:
    """1,234; nothing for none; a question mark for what is not known."""
    return "?" if value is None else f"{value:,}" if value else ""


def _examples(answer: WhatIf, rule: str, side: str, quoted: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    rows = answer.nearest.filter((pl.col("rule") == rule) & (pl.col("side") == side))
    return [
        {**row, "verdict": moved_verdict(row), "excerpt": quoted.get(row["doc_id"], {}).get("excerpt", "")}
        for row in rows.iter_rows(named=True)
    ]


def _sources(answer: WhatIf) -> list[dict[str, Any]]:
    flips = {row["name"]: row for row in answer.flips.filter(pl.col("by") == "source").iter_rows(named=True)}
    nothing = dict.fromkeys(answer.flips.columns[2:], 0)
    return [{**row, **flips.get(row["source"], nothing)} for row in answer.sources.iter_rows(named=True)]


def _weighed(answer: WhatIf) -> list[dict[str, Any]]:
    """The sources of which both policies keep documents that they weigh otherwise; the sum last, where there are several."""
    columns = [column for column in answer.sources.columns if column.startswith("weight_")]
    part = answer.sources.filter((pl.col("weight_gained") > 0) | (pl.col("weight_lost") > 0)).select("source", *columns)
    sums = [pl.when(pl.col(column).null_count() == 0).then(pl.col(column).sum()).alias(column) for column in columns]
    return [*part.to_dicts(), *part.select(pl.lit("all").alias("source"), *sums).to_dicts()][: None if part.height > 1 else part.height]


def _flips(answer: WhatIf, by: str) -> dict[str, Any]:
    part = answer.flips.filter(pl.col("by") == by)
    rows, rest = part.head(TOP).to_dicts(), part.slice(TOP)
    most = max([row["lost_documents"] + row["gained_documents"] for row in rows], default=0)
    return {"by": by, "rows": rows, "most": most, "more": rest.height, "rest": rest.drop("by", "name").sum().row(0, named=True)}
