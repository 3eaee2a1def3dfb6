"""Writes the report of a build: one HTML file that needs nothing else, not even a network.

What has not been made is named in its place, so that the report can be written at any moment. Equal contents of the
lake give an equal file: there is no clock in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from gristmill.dedup.shown import page as duplicates
from gristmill.evaluation import sections
from gristmill.lake.workspace import Workspace
from gristmill.policy.terminal import share

VERSION = "1"

TEMPLATE = "report.html.j2"
SECTIONS: dict[str, tuple[str, Callable[[Workspace], dict[str, Any] | None], str]] = {
    "flow": ("Funnel", sections.flow, "raw_crawl"),
    "rules": ("Signals and rules", sections.rules, "filtered_shards"),
    "duplicates": ("Duplicates", sections.duplicates, "duplicate_clusters"),
    "quality": ("Quality and topics", sections.quality, "quality_scores"),
    "synthetic": ("Synthetic documents", sections.synthetic, "synthetic_sets"),
    "training": ("Training", sections.training, "checkpoints"),
    "evaluation": ("Evaluation", sections.evaluation, "eval_reports"),
    "audit": ("Audit", sections.audit, "lineage_audit"),
}


def write_report(workspace: Workspace, path: Path | str) -> Path:
    """Writes the report to `path`, all of it or nothing, and returns the path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(render(workspace), encoding="utf-8", errors="replace")
    os.replace(partial, path)
    return path


def render(workspace: Workspace) -> str:
    """The report as HTML. Everything that came from a document is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([Path(__file__).parent, duplicates.FOLDER]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"number": _number, "percent": _percent, "share": share, "figure": Markup}
    parts = {key: collect(workspace) for key, (_, collect, _) in SECTIONS.items()}
    return environment.get_template(TEMPLATE).render(
        build=sections.build(workspace),
        parts=parts,
        headline=_headline(parts),
        titles={key: title for key, (title, _, _) in SECTIONS.items()},
        missing={key: asset for key, (_, _, asset) in SECTIONS.items()},
    )


def _headline(parts: dict[str, Any]) -> list[tuple[str, str]]:
    """A few numbers that say how the build went: (label, value)."""
    found = []
    if flow := parts["flow"]:
        last = next(stage for stage in ("curated", "deduplicated", "filtered", "documents", "records") if stage in flow["documents"])
        found += [("pages read", _number(flow["documents"]["records"])), (f"documents {last}", _number(flow["documents"][last]))]
        if flow["tokens"].get("mixed"):
            found.append(("tokens in the corpus", _number(flow["tokens"]["mixed"])))
    if training := parts["training"]:
        model = training["models"][0]
        found += [(f"parameters, {model['model']}", _number(model["parameters"]))] if model["parameters"] else []
    if evaluation := parts["evaluation"]:
        model = evaluation["models"][0]
        overall = [row["cells"][-1]["value"] for row in model["rows"] if row["name"] == "float" and row["cells"] and row["cells"][-1]]
        found += [("bits per byte, float", f"{overall[0]:.3f}")] if overall else []
    return found


def _number(value: float | None) -> str:
    """1234 -> 1,234; nothing for None."""
    return "" if value is None else f"{value:,}"


def _percent(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:.{digits}%}"
