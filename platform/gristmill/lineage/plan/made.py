"""Why a partition was made, from what stood before: the plan's reasons, told again by the run that makes it.

The plan reads the event log; a run has the partition's head, which holds the same. A held asset's inputs are named too: whoever
asks for it by hand wants to know what it had missed.
"""

from __future__ import annotations

from collections.abc import Sequence

from gristmill.lake.workspace import Inputs, Output, Workspace
from gristmill.lineage.plan.plan import SOURCE
from gristmill.lineage.plan.reasons import MISSING, Code, Reason, code_reasons, gone_reason, input_reason, new_input_reason, source_reason

ASKED = "asked for: code and inputs are those of before"


def reasons(workspace: Workspace, head: Output | None, asset: str, code_version: str, code: Code, inputs: Inputs) -> list[Reason]:
    """Why a partition that holds `head` is made with this code from these inputs; [] when nothing calls for it."""
    if head is None:
        return [MISSING]
    why: list[Reason] = []
    if head.code_version != code_version:
        was = workspace.code(asset, head.code_version)
        why += code_reasons(head.code_version, code_version, Code(was["algorithm"], was["sections"]) if was else None, code)
    if gone := _gone(workspace, head):
        why.append(gone_reason(gone))
    digests = inputs.digests
    for name, read in inputs.read.items():
        if name not in head.inputs:
            why.append(new_input_reason(name))
        elif head.inputs[name] != digests[name]:
            why.append(input_reason(name, [key or None for key in read], head.read.get(name), read))
    if digests.get(SOURCE, "") != head.inputs.get(SOURCE, ""):
        why.append(source_reason(asset))
    return why


def lines(found: Sequence[Reason]) -> list[str]:
    """As people read them."""
    return [reason.text for reason in found] or [ASKED]


def _gone(workspace: Workspace, head: Output) -> list[str]:
    if workspace.is_whole(head):
        return []
    keys = [stored.key for stored in (*head.tables.values(), *head.files.values()) if not workspace.lake.is_whole(stored)]
    return keys or list(head.needs)
