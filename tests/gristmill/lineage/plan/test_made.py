"""A run's reasons are those of the plan, from the head instead of the log."""

from dataclasses import replace

import pytest

from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Inputs, Made, Output, Workspace
from gristmill.lineage.plan.made import ASKED, Why, lines
from gristmill.lineage.plan.plan import SOURCE
from gristmill.lineage.plan.reasons import Code
from gristmill.recipe import Recipe

READ = Inputs({"documents": {"web/0": "v1", "web/1": "v1"}}, {SOURCE: "s1"})


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(Lake(tmp_path), Recipe())


@pytest.fixture
def head(workspace) -> Output:
    workspace.record_code("edits", "1-a", "1", ["extraction.max_bytes"])
    return workspace.store("edits", None, Made({"edits": CONTRACTS["edits"].empty()}), "1-a", READ)


def why(workspace: Workspace, head: Output | None, code_version: str = "1-a", algorithm: str = "1", value: int = 0, inputs: Inputs = READ):
    sections = workspace.recipe.values("extraction.max_bytes")
    code = Code(algorithm, {name: value or was for name, was in sections.items()})
    return lines(Why(workspace, "edits", code_version, code).reasons(head, inputs))


def test_each_reason_is_named(workspace, head):
    assert why(workspace, None) == ["missing"]
    assert why(workspace, head) == [ASKED]
    assert why(workspace, head, "2-a", "2") == ["algorithm 1 -> 2"]
    (edit,) = why(workspace, head, "1-b", value=7)
    assert edit.startswith("extraction.max_bytes ") and edit.endswith("-> 7")
    moved = replace(READ, read={"documents": {"web/0": "v1", "web/1": "v2"}})
    assert why(workspace, head, inputs=moved) == ["input documents changed (1 changed: web/1; of 2)"]
    assert why(workspace, head, inputs=replace(READ, source={SOURCE: "s2"})) == ["source files changed"]
    assert why(workspace, head, inputs=replace(READ, read={**READ.read, "edits": {"": "v"}})) == ["its code now reads edits"]


def test_a_file_that_is_gone_is_a_reason(workspace, head):
    workspace.lake.delete(head.tables["edits"].key)
    assert why(workspace, head) == [f"file gone: {head.tables['edits'].key}"]


def test_what_an_earlier_code_was_made_of_is_read_once_for_all_partitions(workspace, head):
    told = Why(workspace, "edits", "2-a", Code("2", workspace.recipe.values("extraction.max_bytes")))
    first = lines(told.reasons(head, READ))
    for key in workspace.lake.keys("codes/"):
        workspace.lake.delete(key)
    assert first == lines(told.reasons(head, READ)) == ["algorithm 1 -> 2"]
