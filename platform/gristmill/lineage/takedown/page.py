"""Writes what a takedown touches, and its receipt, as HTML pages that need nothing else, in the look of the report. No text of a
page that is taken down is on them: addresses, ids and counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from gristmill.counting import unit
from gristmill.evaluation import plots
from gristmill.lineage.plan import terminal as plan_terminal
from gristmill.lineage.plan.cost import Step
from gristmill.lineage.takedown.receipt import ABSENT, PRESENT
from gristmill.lineage.takedown.takedown import Touched
from gristmill.lineage.takedown.terminal import beside, how, plain, said_of
from gristmill.naming import named
from gristmill.policy import page as policy_page

Facts = dict[str, Any]

ROWS = 200  # documents, and copies, of a tombstone that are listed


def takedown_page(namespace: str, answers: Sequence[Touched], steps: Sequence[Step] | None, others: int = 0) -> str:
    """The page of `gristmill takedown`. `steps`: the rebuild that what is on the list now causes; None where nothing was taken down.
    `others`: partitions that are stale for other reasons."""
    told = []
    for answer in answers:
        found = answer.tombstone.found
        told.append(
            {
                "tombstone": answer.tombstone,
                "how": how(answer.tombstone),
                "documents": [{**row, "like": said_of(row)} for row in found[:ROWS]],
                "more": max(len(found) - ROWS, 0),
                "levels": [{**row, "unit": unit(row["count"], row["unit"])} for row in answer.levels],
                "seen_by": answer.tombstone.seen_by,
                "rising": answer.rising[:ROWS],
                "held": [named(*each) for each in answer.held],
                "near": answer.near,
            }
        )
    plan = None if steps is None else [{"step": step, "cost": plan_terminal.cost(step.cost)} for step in steps]
    return _rendered(
        "takedown.html.j2",
        namespace=namespace,
        answers=told,
        documents=len({row["doc_id"] for answer in answers for row in answer.tombstone.found}),
        shards=len({row["shard"] for answer in answers for row in answer.tombstone.found}),
        checkpoints=len({seen["checkpoint"] for answer in answers for seen in answer.tombstone.seen_by}),
        rising=len({row["doc_id"] for answer in answers for row in answer.rising}),
        plan=plan,
        plan_says=plan_terminal.summary(steps) if steps else "",
        others=beside(others),
    )


def receipt_page(value: Facts) -> str:
    """The page of `gristmill takedown receipt`: a receipt as JSON, signed or not, which the page holds too."""
    claims = [*value["stands"], *value["left"]]
    return _rendered(
        "receipt.html.j2",
        receipt=value,
        about=value["tombstone"],
        style={ABSENT: "gained", PRESENT: "lost"}.get(value["status"], "open"),
        failed=sum(not claim["passed"] for claim in claims),
        claims=len(claims),
        parts=[
            ("What stands", "Every artefact of the namespace as it is now, read again.", value["stands"]),
            ("Old copies", "Earlier states, builds, versions of vectors and caches.", value["left"]),
        ],
        text=json.dumps(value, ensure_ascii=False, indent=1),
    )


def _rendered(template: str, **values: Any) -> str:
    rooms = [Path(__file__).parent, Path(policy_page.__file__).parent, Path(plots.__file__).parent]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(rooms), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["plain"] = plain
    return environment.get_template(template).render(**values)
