"""Costs from earlier runs, and what early cutoff may save."""

import pytest

from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Inputs, Made, Workspace
from gristmill.lineage.plan.cost import Cost, duration, steps, total
from gristmill.lineage.plan.plan import Node, Plan, Recorded
from gristmill.lineage.plan.reasons import MISSING, Reason, gone_reason
from gristmill.recipe import Recipe

SHARDS = ["a", "b", "c"]
CODE = Reason("code", "code 1 -> 2")


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(Lake(tmp_path), Recipe())


def recorded(seconds: float | None, rows: int | None, device: str = "cpu", tokens: int | None = None) -> Recorded:
    return Recorded("v", "1", {}, (), seconds, rows, tokens, device)


def a_plan() -> Plan:
    """up[shard] is fresh; down[shard] is stale in a, never made in c, waiting in b; model waits."""
    return Plan(
        reasons={"up": {}, "down": {"a": [CODE], "c": [MISSING]}, "model": {}},
        waiting={"up": {}, "down": {"b": "up"}, "model": {None: "down"}},
        nodes={
            "up": Node("up", "1", SHARDS, []),
            "down": Node("down", "2", SHARDS, ["up"]),
            "model": Node("model", "1", [None], ["down"]),
        },
        recorded={
            "up": {"a": recorded(1, 10), "b": recorded(1, 20), "c": recorded(1, 100)},
            "down": {"a": recorded(2.0, 10), "b": recorded(4.0, 20)},
            "model": {None: recorded(60.0, 5, "cuda", 1_000)},
        },
        inputs={"down": {"a": {"up": "x"}, "c": {"up": "y"}}},
    )


def test_what_was_made_costs_what_it_cost_and_what_was_not_by_its_input(workspace):
    found = {(step.asset, step.state, step.reasons): step.cost for step in steps(workspace, a_plan())}
    assert found["down", "stale", ("code 1 -> 2",)] == Cost(1, 0, 0, {"cpu": 2.0}, 10, 0)
    never = found["down", "stale", ("missing",)]
    assert never.seconds["cpu"] == pytest.approx(0.2 * 100) and never.rows == 100  # six seconds for thirty rows of its input
    assert found["model", "waiting", ()] == Cost(1, 0, 0, {"cuda": 60.0}, 5, 1_000)


def test_the_certain_and_the_possible_are_summed_apart(workspace):
    found = steps(workspace, a_plan())
    certain, possible = total(found, certain=True), total(found, certain=False)
    assert certain.partitions == 2 and certain.total_seconds == pytest.approx(22.0)
    assert possible.partitions == 2 and possible.seconds == {"cpu": 4.0, "cuda": 60.0}


def test_an_asset_without_any_record_has_no_known_cost(workspace):
    planned = a_plan()
    planned.recorded["down"] = {}
    assert total(steps(workspace, planned, ["down"]), certain=True) == Cost(2, 0, 2)


def test_what_the_index_holds_costs_a_look_up(workspace):
    output = workspace.store("down", "a", Made(), "2", None)
    workspace.lake.put_json(workspace.index_key("down", "a", "2", {"up": "x"}), output.as_json())
    found = {step.reasons: step.cost for step in steps(workspace, a_plan(), ["down"]) if step.is_certain}
    assert found["code 1 -> 2",] == Cost(1, again=1)
    assert not found["missing",].again


def test_what_the_index_holds_and_the_lake_lost_is_made_again(workspace):
    inputs = Inputs({"up": {"a": "v"}})
    output = workspace.store("down", "a", Made({"edits": CONTRACTS["edits"].empty()}), "2", inputs)
    planned = a_plan()
    planned.inputs["down"]["a"] = inputs.digests
    planned.reasons["down"] = {"a": [gone_reason([output.tables["edits"].key])]}
    assert total(steps(workspace, planned, ["down"]), certain=True).again == 1  # another partition's file
    workspace.lake.delete(output.tables["edits"].key)
    assert total(steps(workspace, planned, ["down"]), certain=True) == Cost(1, 0, 0, {"cpu": 2.0}, 10, 0)


def test_a_step_of_many_partitions_can_be_shared_out():
    assert Cost(4, 2, 2, {"cpu": 8.0}, 40, 4).share(1) == Cost(1, 0, 0, {"cpu": 2.0}, 10, 1)


def test_durations_are_for_people():
    assert [duration(each) for each in (0.04, 2.5, 12.4, 60, 119, 5_400, 40 * 3600, 30 * 86_400)] == [
        "0 s", "2.5 s", "12 s", "1 min", "2.0 min", "1.5 h", "40 h", "30 days",
    ]  # fmt: skip
