"""Why a partition was made, from what stood before: the plan's reasons, told again by the run that makes it.

The plan reads the event log; a run has the partition's head, which holds the same. A held asset's inputs are named too: whoever
asks for it by hand wants to know what it had missed.
"""

from __future__ import annotations

from collections.abc import Sequence

from gristmill.lake.workspace import Inputs, Output, Workspace
from gristmill.lineage.plan.plan import SOURCE
from gristmill.lineage.plan.reasons import MISSING, Code, CodeReasons, Reason, gone_reason, input_reason, new_input_reason, source_reason

ASKED = "asked for: code and inputs are those of before"


class Why:
    """Why partitions of one asset are made with this code."""

    def __init__(self, workspace: Workspace, asset: str, code_version: str, code: Code):
        def was(version: str) -> Code | None:
            value = workspace.code(asset, version)
            return Code(value["algorithm"], value["sections"]) if value else None

        self.workspace, self.asset, self.codes = workspace, asset, CodeReasons(code_version, code, was, asset)

    def reasons(self, head: Output | None, inputs: Inputs) -> list[Reason]:
        """Why a partition that holds `head` is made from these inputs; [] when nothing calls for it."""
        if head is None:
            return [MISSING]
        why: list[Reason] = [*self.codes.since(head.code_version)]
        if gone := _gone(self.workspace, head):
            why.append(gone_reason(gone))
        digests = inputs.digests
        for name, read in inputs.read.items():
            if name not in head.inputs:
                why.append(new_input_reason(name))
            elif head.inputs[name] != digests[name]:
                why.append(input_reason(name, [key or None for key in read], head.read.get(name), read))
        if digests.get(SOURCE, "") != head.inputs.get(SOURCE, ""):
            why.append(source_reason(self.asset))
        return why


def lines(found: Sequence[Reason]) -> list[str]:
    """As people read them."""
    return [reason.text for reason in found] or [ASKED]


def _gone(workspace: Workspace, head: Output) -> list[str]:
    if workspace.is_whole(head):
        return []
    keys = [stored.key for stored in (*head.tables.values(), *head.files.values()) if not workspace.lake.is_whole(stored)]
    return keys or list(head.needs)
