"""What a takedown causes of a plan in which other things are stale too."""

from collections.abc import Mapping, Sequence

from gristmill.lineage.plan.plan import Node, Partition, Plan
from gristmill.lineage.plan.reasons import Reason
from gristmill.lineage.takedown.rebuild import caused

SHARDS: Sequence[Partition] = ("a", "b", "c")
EDITED = Reason("recipe", "edits.x 1 -> 2")
TAKEN = Reason("input", "input tombstones changed", input="tombstones")
PARENTS: Mapping[str, list[str]] = {
    "tombstones": [],
    "documents": ["tombstones"],
    "edits": ["documents"],
    "clusters": ["edits"],
    "verdicts": ["clusters", "edits"],
    "sets": [],
    "graded": ["edits"],
}


class Shown:
    """The graph that the plan was made of: shards one to one, `clusters` of all of them."""

    def parent_partitions(self, node: str, partition: Partition, parent: str) -> Sequence[Partition]:
        if node in ("clusters", "graded"):
            return SHARDS
        return ONE if parent == "clusters" else (partition,)


ONE: Sequence[Partition] = (None,)


def plan(taken: bool) -> Plan:
    found = Plan()
    for name, parents in PARENTS.items():
        partitions = ONE if name in ("clusters", "sets", "graded") else SHARDS
        found.nodes[name] = Node(name, "1", partitions, parents)
        found.reasons[name], found.waiting[name] = {}, {}
    found.reasons["documents"] = {"b": (TAKEN,)} if taken else {}
    found.reasons["edits"] = dict.fromkeys(SHARDS, (EDITED,))
    found.waiting["edits"] = {"b": "documents"} if taken else {}
    found.waiting["clusters"] = {None: "edits"}
    found.waiting["verdicts"] = dict.fromkeys(SHARDS, "clusters")
    found.reasons["sets"] = {None: (EDITED,)}
    found.reasons["graded"] = {None: (Reason("missing", "missing"),)}
    return found


def shown(of: Plan) -> dict[str, list[Partition]]:
    return {name: [*{**of.reasons[name], **of.waiting[name]}] for name in of.nodes if of.reasons[name] or of.waiting[name]}


def test_the_touched_shard_and_what_reads_it():
    found = caused(Shown(), plan(True))  # type: ignore[arg-type]
    assert shown(found.plan) == {"documents": ["b"], "edits": ["b"], "clusters": [None], "verdicts": [*SHARDS], "graded": [None]}
    assert found.others == 3  # edits of a and c, and sets


def test_nothing_where_nothing_was_touched_but_what_is_released():
    assert shown(caused(Shown(), plan(False)).plan) == {}  # type: ignore[arg-type]
    released = caused(Shown(), plan(False), [("graded", None)])  # type: ignore[arg-type]
    assert shown(released.plan) == {"graded": [None]} and released.others == 4
