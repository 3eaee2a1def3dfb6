"""What stands and was made of something that stands no more: where it is read beside its inputs, two states are mixed.

This asks the lake alone, and so at once: the plan, which also knows of code, recipes and files that are new, asks Dagster.
"""

from __future__ import annotations

from collections.abc import Collection

from gristmill.lake.workspace import Output, Workspace


def overtaken(workspace: Workspace, shown: Collection[str]) -> dict[str, int]:
    """Asset -> how many of its partitions read, when they were made, a version of an input that was replaced since: of the assets
    `shown` and of all that they are made of. What is held is meant to lag."""
    outputs = workspace.outputs()
    now = {(each.asset, each.partition or ""): each.data_version for each in outputs}
    parents: dict[str, set[str]] = {}
    for output in outputs:
        parents.setdefault(output.asset, set()).update(output.read)
    wanted, left = set(shown), list(shown)
    while left:
        new = parents.get(left.pop(), set()) - wanted
        wanted |= new
        left += new
    found: dict[str, int] = {}
    for output in outputs:
        if output.asset in wanted and not output.held and _reads_another(output, now):
            found[output.asset] = found.get(output.asset, 0) + 1
    return found


def _reads_another(output: Output, now: dict[tuple[str, str], str]) -> bool:
    return any(now.get((asset, partition)) != version for asset, read in output.read.items() for partition, version in read.items())
