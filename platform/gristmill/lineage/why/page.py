"""Writes what `why` found as one HTML page that needs nothing else, in the look of the report. All that came from a document is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from gristmill.evaluation import plots
from gristmill.lake.workspace import Workspace
from gristmill.lineage.why.document import Facts
from gristmill.lineage.why.terminal import FATES
from gristmill.lineage.why.tree import batch_sheet, document_tree
from gristmill.lineage.why.why import Answer
from gristmill.policy import page as policy_page
from gristmill.policy.terminal import size


def answer_page(workspace: Workspace, answer: Answer) -> str:
    """The page of `gristmill why` on a document, on what it may be, or on why it is none."""
    document = answer.document
    good = FATES.get(document["fate"]["word"], "") if document else ""
    nodes = document_tree(document) if document else []
    return _rendered("why.html.j2", namespace=workspace.namespace, answer=answer, document=document, tone=TONES.get(good, ""), nodes=nodes)


def batch_page(workspace: Workspace, facts: Facts) -> str:
    """The page of `--step`, `--sequence` and `--spike`."""
    batches: list[dict[str, Any]] = []
    if "spikes" in facts:
        for spike in facts["spikes"]:
            says = f"Loss {spike['loss']:.4f}, {spike['above']:.4f} above the median of the {facts['window']} steps before it"
            batches += [{**_batch(step), "spike": says if step["step"] == spike["step"] else ""} for step in spike["steps"]]
        title = f"The documents around the loss spikes of {facts['model']}"
    else:
        batches = [_batch(facts)]
        title = batches[0]["title"]
    return _rendered("why_batch.html.j2", namespace=workspace.namespace, title=title, batches=batches)


TONES = {"green": "gained", "red": "lost"}


def _batch(facts: Facts) -> dict[str, Any]:
    is_step = "step" in facts
    title = f"Step {facts['step']:,} of {facts['model']}" if is_step else f"Sequence {facts['sequence']:,} of {facts['phase']}"
    seen = ", ".join(f"{row['model']} in step {row['step']:,}" for row in facts.get("seen", [])) or "no model yet"
    says = f"Phase {facts['phase']}, loss {facts['loss']:.4f}" if is_step and "loss" in facts else "" if is_step else f"Seen by {seen}"
    sheet = batch_sheet(facts, ("slot", "position") if is_step else ("position",))
    return {**facts, "title": title, "says": says, "sheet": sheet, "spike": "", "more": facts["runs"] - len(sheet.rows)}


def _rendered(template: str, **values: Any) -> str:
    rooms = [
        Path(__file__).parent,
        Path(policy_page.__file__).parent,
        Path(plots.__file__).parent,
    ]  # the frame is policy's, the style the report's
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(rooms), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"size": size}
    return environment.get_template(template).render(**values)
