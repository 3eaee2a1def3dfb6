"""The plan over a small graph: raw[shard] -> kept[shard] -> clusters -> final[shard], and a held model."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.lake.failures import ATTEMPTS, Failure
from gristmill.lake.workspace import version_digest, versions_digest
from gristmill.lineage.plan.plan import SOURCE, Node, Plan, Recorded, plan
from gristmill.lineage.plan.reasons import Code, code_reasons, source_reason

SHARDS = [f"web/{i:04d}" for i in range(120)]  # past the hundred from which Dagster's own staleness is blind


@dataclass
class Memory:
    """A graph and an event log in memory."""

    shards: list[str] = field(default_factory=lambda: list(SHARDS))
    versions: dict[str, str] = field(default_factory=lambda: dict.fromkeys(("raw", "kept", "model", "clusters", "final"), "1"))
    sources: dict[str, str] = field(default_factory=dict)
    log: dict[str, dict[str | None, Recorded]] = field(default_factory=dict)
    files: set[str] | None = None
    held: str = "model.refresh"
    codes: dict[tuple[str, str], Code] = field(default_factory=dict)
    reads: dict[tuple[str, str | None], dict[str, dict[str, str]]] = field(default_factory=dict)
    failed: dict[str, dict[str | None, Failure]] = field(default_factory=dict)
    strays: dict[str, set[str | None]] = field(default_factory=dict)

    def nodes(self):
        def node(name, parents, one=False, **more):
            code = self.codes.get((name, self.versions[name]))
            return Node(name, self.versions[name], [None] if one else self.shards, parents, code=code, **more)

        return [
            node("raw", [], source_version=lambda p: self.sources.get(p, "s1")),
            node("kept", ["raw"]),
            node("model", ["kept"], one=True, held=self.held),
            node("clusters", ["kept"], one=True),
            node("final", ["clusters", "kept", "model"]),
        ]

    def is_one_to_one(self, node, parent):
        return node in ("kept", "final") and parent in ("raw", "kept")

    def parent_partitions(self, node, partition, parent):
        if parent in ("model", "clusters"):
            return [None]
        return self.shards if partition is None else [partition]

    def recorded(self, node):
        return self.log.get(node, {})

    def present(self):
        return self.files

    def code(self, node, code_version):
        return self.codes.get((node, code_version))

    def read(self, node, partition, parent, digest):
        return self.reads.get((node, partition), {}).get(parent)

    def astray(self, node, recorded):
        return self.strays.get(node, set())

    def failures(self, node):
        return self.failed.get(node, {})

    def make(self, node: str, partition: str | None, version: str = "v1"):
        """Records a materialisation made of what stands now."""
        definition = next(each for each in self.nodes() if each.name == node)
        read = self.reads[node, partition] = {
            parent: {
                p or "": r.data_version if (r := self.recorded(parent).get(p)) else ""
                for p in self.parent_partitions(node, partition, parent)
            }
            for parent in definition.parents
        }
        inputs = {parent: versions_digest(versions) for parent, versions in read.items()}
        if definition.source_version:
            inputs[SOURCE] = definition.source_version(partition)
        self.log.setdefault(node, {})[partition] = Recorded(version, self.versions[node], inputs, (f"{node}/{partition}",))

    def make_everything(self):
        made = []
        for node in self.nodes():
            for partition in plan(self).ready(node.name):
                self.make(node.name, partition)
                made.append((node.name, partition))
        return made


@pytest.fixture
def built() -> Memory:
    graph = Memory()
    graph.make_everything()
    assert plan(graph).is_fresh
    return graph


def stale(result: Plan) -> dict[str, int]:
    return {name: len(result.reasons[name]) for name in result.reasons if result.reasons[name]}


def said(result: Plan, node: str) -> dict[str | None, list[str]]:
    return {partition: [reason.text for reason in why] for partition, why in result.reasons[node].items()}


def test_from_nothing_only_the_roots_are_ready_and_everything_is_made_in_order():
    graph = Memory()
    result = plan(graph)
    assert [name for name in result.reasons if result.ready(name)] == ["raw"]
    assert result.waiting["final"][SHARDS[0]] in ("clusters", "kept", "model")
    assert len(graph.make_everything()) == 3 * 120 + 2


def test_equal_content_stops_the_rebuild(built: Memory):
    built.versions["kept"] = "2"
    assert stale(plan(built)) == {"kept": 120}
    for shard in SHARDS:
        built.make("kept", shard)
    assert plan(built).is_fresh


def test_one_changed_shard_of_120_moves_itself_and_the_fan_in(built: Memory):
    built.versions["kept"] = "2"
    for shard in SHARDS:
        built.make("kept", shard, "v2" if shard == SHARDS[7] else "v1")
    assert stale(plan(built)) == {"clusters": 1, "final": 1}
    assert plan(built).ready("clusters") == [None]
    assert plan(built).ready("final") == []
    built.make("clusters", None)
    assert plan(built).ready("final") == [SHARDS[7]]


def test_what_may_yet_change_waits(built: Memory):
    built.versions["raw"] = "2"
    result = plan(built)
    assert len(result.ready("raw")) == 120
    assert result.reasons["kept"] == {}
    assert set(result.waiting["kept"]) == set(SHARDS)
    assert result.waiting["clusters"] == {None: "kept"}


def test_held_assets_stay_when_their_inputs_move(built: Memory):
    built.make("kept", SHARDS[0], "v2")
    result = plan(built)
    assert result.reasons["model"] == {}
    assert result.held_back == {"model": ["kept"]}
    built.held = ""
    assert plan(built).ready("model") == [None]


def test_a_held_asset_is_remade_when_its_code_moves(built: Memory):
    built.versions["model"] = "2"
    assert plan(built).ready("model") == [None]
    assert set(plan(built).waiting["final"].values()) == {"model"}


def test_a_replaced_source_file_is_seen(built: Memory):
    built.sources[SHARDS[3]] = "s2"
    assert said(plan(built), "raw") == {SHARDS[3]: ["source files changed"]}


def test_a_new_shard_brings_itself_and_the_fan_in(built: Memory):
    built.shards = [*SHARDS, "web/0120"]
    result = plan(built)
    shards = ("raw", "kept", "final")
    assert {name: list(result.reasons[name]) for name in shards} == {name: ["web/0120"] for name in shards}
    assert said(result, "clusters") == {None: ["input kept changed (1 new: web/0120; of 121)"]}
    assert result.ready("raw") == ["web/0120"]


def test_a_deleted_file_is_a_reason_of_its_own(built: Memory):
    built.files = {f"{name}/{p}" for name, records in built.log.items() for p in records} - {f"kept/{SHARDS[5]}"}
    assert stale(plan(built)) == {"kept": 1}
    assert said(plan(built), "kept") == {SHARDS[5]: [f"file gone: kept/{SHARDS[5]}"]}


def test_rows_name_reasons_and_what_is_waited_for(built: Memory):
    built.versions["clusters"] = "2"
    rows = {(row["asset"], row["partition"]): row for row in plan(built).rows()}
    assert rows["clusters", ""]["reasons"] == ["code 1 -> 2"]
    assert rows["final", SHARDS[0]] == {
        "asset": "final",
        "partition": SHARDS[0],
        "state": "waiting",
        "reasons": [],
        "why": [],
        "waits_for": "clusters",
    }


def test_a_code_version_is_told_by_what_it_is_made_of(built: Memory):
    built.codes = {
        ("kept", "1"): Code(
            "3", {"policy": {"name": "p", "version": "1", "rules": [{"name": "words", "threshold": 50.0}]}, "split": {"test": 0.1}}
        ),
        ("kept", "2"): Code(
            "4", {"policy": {"name": "p", "version": "1", "rules": [{"name": "words", "threshold": 60.0}]}, "split": {"test": 0.1}}
        ),
    }
    built.versions["kept"] = "2"
    result = plan(built)
    assert set(map(tuple, said(result, "kept").values())) == {("algorithm 3 -> 4", "policy.thresholds.words 50 -> 60")}
    assert result.rows()[0]["why"][1] == {
        "kind": "recipe", "text": "policy.thresholds.words 50 -> 60", "key": "policy.thresholds.words", "old": 50.0, "new": 60.0,
    }  # fmt: skip


def test_what_the_code_newly_reads_is_no_edit_of_the_recipe():
    def said(old: dict, new: dict) -> list[str]:
        return [reason.text for reason in code_reasons("1-a", "1-b", Code("1", old), Code("1", new))]

    values = {"teacher": {"kind": "http", "batch": 8}}
    assert said(values, {"teacher.kind": "http"}) == ["its code now reads teacher.kind, no longer reads teacher"]
    assert said(values, {"teacher.kind": "other", "x": 1})[0] == "teacher.kind http -> other", "an edit is told beside it"
    assert said({"teacher.kind": "other"}, values)[0] == "teacher.kind other -> http"
    assert said({"a": 1}, {"a": 2, "b": 3}) == ["a 1 -> 2", "its code now reads b"]
    assert said({}, dict.fromkeys("abcde", 1)) == ["its code now reads a, b, c and 2 more keys"]
    assert said({"b": 1}, {}) == ["its code no longer reads b"]


def test_an_input_that_was_not_read_before_is_told_apart_from_one_that_changed(built: Memory):
    for shard in SHARDS:
        del built.log["final"][shard].inputs["model"]
    assert said(plan(built), "final")[SHARDS[0]] == ["its code now reads model"]


def test_what_is_read_outside_the_graph_is_called_what_it_is():
    assert [source_reason(asset).text for asset in ("raw_crawl", "tombstones")] == ["source files changed", "list of takedowns changed"]


@given(partition=st.none() | st.text(min_size=1), version=st.text())
def test_the_digest_of_one_version_is_that_of_the_mapping(partition, version):
    try:
        expected = versions_digest({partition: version})
    except UnicodeEncodeError:  # a lone surrogate is no name
        return
    assert version_digest(partition, version) == expected


def test_a_fan_in_says_which_of_its_inputs_partitions_changed(built: Memory):
    for shard in SHARDS[:5]:
        built.make("kept", shard, "v2")
    result = plan(built)
    assert said(result, "clusters") == {None: ["input kept changed (5 changed: web/0000, web/0001, web/0002, …; of 120)"]}
    assert result.reasons["clusters"][None][0].partitions == tuple(SHARDS[:5])
    assert said(result, "final") == {shard: ["input kept changed"] for shard in SHARDS[:5]}
    assert result.reasons["final"][SHARDS[2]][0].partitions == (SHARDS[2],)
    del built.reads["clusters", None]
    assert said(plan(built), "clusters") == {None: ["input kept changed"]}


def test_a_failure_belongs_to_the_code_and_the_inputs_that_it_happened_with(built: Memory):
    built.versions["kept"] = "2"
    inputs = plan(built).inputs["kept"][SHARDS[0]]
    built.failed = {
        "kept": {SHARDS[0]: Failure(ATTEMPTS, "Traceback\nValueError: no", "2", inputs), SHARDS[1]: Failure(1, "E", "1", inputs)}
    }
    result = plan(built)
    assert str(result.failed["kept"][SHARDS[0]]) == f"failed {ATTEMPTS} times, left alone: ValueError: no"
    assert result.left_alone("kept") == [SHARDS[0]] and set(result.failed["kept"]) == {SHARDS[0]}
    assert result.rows()[0]["failed"]["times"] == ATTEMPTS
    built.versions["kept"] = "3"
    assert plan(built).failed == {}
