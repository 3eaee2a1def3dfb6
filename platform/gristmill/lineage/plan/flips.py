"""What an edit of the policy would flip, before it is rebuilt: the rules under which the stored verdicts were made, as
recorded with their code version, against the recipe's rules, from stored signals (`policy.what_if`)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from gristmill.errors import GristmillError
from gristmill.lake import damage
from gristmill.lake.workspace import Partition, Workspace
from gristmill.lineage.plan.plan import Plan
from gristmill.lineage.plan.reasons import Code
from gristmill.policy.rules import Rule
from gristmill.policy.stored import shards as stored_shards
from gristmill.policy.what_if import WhatIf, what_if

SECTION = "policy"


@dataclass(frozen=True)
class Flips:
    """The answer for the asset whose verdicts the policy makes; or why there is none."""

    asset: str
    answer: WhatIf | None
    problem: str = ""


def as_json(flips: Flips | None) -> dict[str, Any] | None:
    if flips is None:
        return None
    return {"asset": flips.asset, **({"problem": flips.problem} if flips.answer is None else flips.answer.as_json())}


def policy_flips(workspace: Workspace, plan: Plan, takes: Callable[[str, Partition], bool] = lambda asset, partition: True) -> Flips | None:
    """Of the partitions that `takes` takes; None when none of them is stale for the policy. Most of them speak where
    they were made under several."""
    for asset, node in plan.nodes.items():
        if node.code is None or SECTION not in node.code.sections:
            continue
        moved = [
            partition
            for partition, why in plan.reasons[asset].items()
            if any(reason.kind == "recipe" and reason.key.startswith(f"{SECTION}.") for reason in why) and takes(asset, partition)
        ]
        if moved:
            versions = Counter(plan.recorded[asset][partition].code_version for partition in moved)
            stored = workspace.code(asset, max(versions, key=lambda version: (versions[version], version)))
            assert stored is not None  # else the reason would not name a key of the recipe
            try:
                shards = [shard for shard in stored_shards(workspace) if takes(asset, shard)]
                if not shards:
                    return Flips(asset, None, "no signals are stored of what is selected")
                rules = _rules(Code("", stored["sections"]))
                return Flips(asset, what_if(workspace, rules, workspace.recipe.policy.document_rules(), shards=shards))
            except (GristmillError, pl.exceptions.PolarsError) as error:
                return Flips(asset, None, str(damage.explained(error, workspace.lake) or error))
    return None


def _rules(code: Code) -> list[Rule]:
    return [Rule.model_validate_json(json.dumps(rule)) for rule in code.sections[SECTION]["rules"]]
