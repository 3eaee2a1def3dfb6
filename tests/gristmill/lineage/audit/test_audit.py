"""An audit's terms over a hand-made lake: what was read, what differs, what is chosen; and what is told of it elsewhere."""

import datetime as dt
import importlib.util
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Inputs, Made, Partition, Workspace
from gristmill.lineage import cards, croissant, openlineage
from gristmill.lineage.audit import audit as audits
from gristmill.lineage.audit import page as audit_page
from gristmill.lineage.audit import terminal as audit_terminal
from gristmill.lineage.audit.scope import NOT_RECOMPUTED, Event, NotRecomputed, Scope, differing
from gristmill.lineage.openness import openness, score
from gristmill.lineage.plan.plan import Recorded
from gristmill.recipe import Recipe

spec = importlib.util.spec_from_file_location("generated_lake", Path(__file__).parents[2] / "evaluation" / "generated_lake.py")
assert spec and spec.loader
generated_lake = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generated_lake)

AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
LOOKED = "a sampled audit: 3 of 9 documents"
RUN = "11111111-2222-4333-8444-555555555555"


class Told:
    """A log of the port's shape: every partition was made by one run."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace

    def assets(self) -> list[str]:
        return sorted({output.asset for output in self.workspace.outputs()})

    def events(self, asset: str, chosen: Callable[[Iterable[Partition]], Iterable[Partition]]) -> Mapping[Partition, Event]:
        mine = {o.partition: o for o in self.workspace.outputs() if o.asset == asset}
        return {
            p: Event(Recorded(mine[p].data_version, mine[p].code_version, mine[p].inputs), RUN, True, AT.timestamp()) for p in chosen(mine)
        }


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    made = generated_lake.generated(tmp_path_factory.mktemp("audited") / "lake")
    generated_lake.evaluated(made)
    return made


@pytest.fixture(scope="module")
def claims(workspace) -> pl.DataFrame:
    """A made-up table: one claim that holds, one that fails, one that was not recomputed, one that is harmless."""
    rows = [
        ("payloads match their digests", "raw_crawl[docs-1/a]", True, "3 captures"),
        ("verdicts follow from their signals", "filtered_shards[docs-1/a]", False, "kept is <b>stored</b>"),
        ("scores follow from the vectors", "quality_scores[docs-1/a]", True, f"{NOT_RECOMPUTED}other code"),
        (next(iter(audits.HARMLESS)), "tables and files", False, "1 of 9 belong to nothing"),
    ]
    return pl.DataFrame(rows, schema=CONTRACTS["audit"].schema, orient="row")


# the scope


def _edits(lake: Workspace, rows: int) -> Made:
    row = {"doc_id": "d", "end": 9, "replacement": "", "rule": "line.x"}
    return Made({"edits": pl.DataFrame([{**row, "start": n} for n in range(rows)], schema=CONTRACTS["edits"].schema)})


def test_a_step_sees_what_it_was_made_from(tmp_path):
    lake = Workspace(Lake(tmp_path), Recipe())
    old = lake.store("edits", "web/0", _edits(lake, 1), "1", Inputs({"documents": {"web/0": ""}}))
    lake.store("signals", "web/0", Made(), "1", Inputs({"edits": {"web/0": old.data_version}}))
    lake.store("edits", "web/0", _edits(lake, 2), "2", Inputs({"documents": {"web/0": ""}}))
    scope = Scope(lake, None, {}, None)
    assert scope.as_read("signals", "web/0").read("edits", "web/0").height == 1
    assert not scope.as_read("signals", "web/0").has("edits", "web/1")
    for key in lake.lake.keys("index/edits/"):
        lake.lake.delete(key)
    later = Scope(lake, None, {}, None)
    found = later.check("claim", "subject", lambda: (str(later.as_read("signals", "web/0").read("edits", "web/0")), ""))
    assert not found.passed and "nowhere any more" in found.evidence and found.evidence.startswith("missing or broken")


def test_what_other_code_made_is_not_recomputed(tmp_path):
    lake = Workspace(Lake(tmp_path), Recipe())
    lake.store("edits", "web/0", _edits(lake, 1), "1")
    scope = Scope(lake, None, {"edits": "2"}, None)
    with pytest.raises(NotRecomputed, match="other code"):
        scope.as_read("edits", "web/0")
    finding = scope.check("claim", "subject", lambda: (str(scope.as_read("edits", "web/0")), ""))
    assert finding.passed and not finding.recomputed


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(allow_nan=False) | st.none()), unique_by=lambda row: row[0], min_size=1), st.data())
def test_equal_tables_do_not_differ_and_others_do(rows, data):
    frame = pl.DataFrame(rows, schema={"key": pl.Int64, "value": pl.Float64}, orient="row")
    assert differing(frame, frame.sample(fraction=1, shuffle=True, seed=1), ["key"]) == ""
    at = data.draw(st.integers(0, len(rows) - 1))
    other = [(key, 1.5 if value != 1.5 else None) if n == at else (key, value) for n, (key, value) in enumerate(rows)]
    changed = pl.DataFrame(other, schema=frame.schema, orient="row")
    assert "1 rows differ in value" in differing(frame, changed, ["key"])
    assert "stored that do not come out again" in differing(frame, frame.head(at), ["key"])
    assert "that come out are not stored" in differing(frame.head(at), frame, ["key"])


def _documents(lake: Workspace, shard: str, ids: list[str]) -> Workspace:
    """A shard's documents, of which only the ids say something."""
    schema = CONTRACTS["documents"].schema
    lake.store("documents", shard, Made({"documents": pl.DataFrame({"doc_id": ids}).select(_columns(schema))}), "1")
    return lake


def _columns(schema: Mapping[str, Any]) -> list[pl.Expr]:
    filler = {pl.String: pl.lit("x"), pl.List(pl.String): pl.concat_list(pl.lit("x")), pl.Datetime: pl.lit(AT)}
    return [
        pl.col(name) if name == "doc_id" else filler.get(kind, filler.get(type(kind), pl.lit(0))).cast(kind).alias(name)
        for name, kind in schema.items()
    ]


def test_a_sampled_audit_looks_into_every_shard_that_it_draws(tmp_path):
    lake = _documents(_documents(Workspace(Lake(tmp_path), Recipe()), "web/0", ["a1", "a2", "a3"]), "web/1", ["c1", "c2"])
    scope = Scope(lake, 2, {}, None)
    assert [list(scope.chosen(shard)) for shard in ("web/0", "web/1")] == [["a1", "a2"], ["c1"]]
    assert scope.looked == "a sampled audit: 3 of 5 documents, from 2 of 2 shards; `gristmill audit --full` looks at all"
    full = Scope(lake, None, {}, None)
    assert [len(full.chosen(shard)) for shard in ("web/0", "web/1")] == [3, 2]
    assert full.looked == "a full audit: all of 5 documents in 2 shards"


def test_rows_of_strangers_are_among_what_is_stored(tmp_path):
    lake = _documents(Workspace(Lake(tmp_path), Recipe()), "web/0", ["a1", "a2", "c1"])
    for documents, expected in ((1, ["a1"]), (2, ["a1", "a2"]), (None, ["a1", "a2", "c1"])):
        scope = Scope(lake, documents, {}, None)
        assert list(scope.stored("documents", "web/0", "documents", pl.Series(["a1"]))["doc_id"]) == expected


# what is told


def test_the_answer_as_json(claims):
    answer = json.loads(json.dumps(audits.as_json(claims, LOOKED)))
    assert answer["looked_at"] == LOOKED and not answer["holds"] and answer["failed"] == 2 and answer["subjects"] == 4
    assert [finding["recomputed"] for finding in answer["findings"]] == [True, True, False, True]
    assert audits.as_json(claims.filter(pl.col("claim") != "verdicts follow from their signals"), LOOKED)["holds"]


def test_the_terminal_and_the_page(workspace, claims):
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    audit_terminal.print_audit(claims, LOOKED, console)
    said = console.export_text()
    assert (
        "! verdicts follow from their signals: filtered_shards[docs-1/a]" in said
        and "2 of 4 claims do not hold, in 2 places (4 subjects looked at)." in said
    )
    assert f"This was {LOOKED}." in said
    page = audit_page.audit_page(workspace, claims, AT, LOOKED)
    assert LOOKED in page and "claims do not hold, in 2 places" in page
    assert "kept is &lt;b&gt;stored&lt;/b&gt;" in page and "<b>stored</b>" not in page
    assert "src=" not in page and "<script" not in page


def _facets(value: Any) -> Iterator[dict]:
    if isinstance(value, dict):
        if "_schemaURL" in value:
            yield value
        for inner in value.values():
            yield from _facets(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _facets(inner)


REQUIRED = {  # beside _producer and _schemaURL
    "ParentRunFacet": {"run", "job"},
    "JobTypeJobFacet": {"processingType", "integration"},
    "DatasetVersionDatasetFacet": {"datasetVersion"},
    "SchemaDatasetFacet": set(),
    "OutputStatisticsOutputDatasetFacet": {"rowCount"},
    "DataQualityAssertionsDatasetFacet": {"assertions"},
    "JobFacet": set(),
}


def test_openlineage_events_have_what_the_specification_requires(workspace, claims):
    events = [
        json.loads(line) for line in openlineage.as_lines(openlineage.openlineage(workspace, claims, Told(workspace), AT)).splitlines()
    ]
    heads = [output for output in workspace.outputs() if output.asset != "lineage_audit"]
    assert len(events) == len(heads) + 1
    assert len({event["run"]["runId"] for event in events}) == len(events)
    for event in events:
        assert {"run", "job", "eventTime", "producer", "schemaURL"} <= event.keys() and event["eventType"] == "COMPLETE"
        assert dt.datetime.fromisoformat(event["eventTime"]).tzinfo is not None
        uuid.UUID(event["run"]["runId"])
        for dataset in (event["job"], *event["inputs"], *event["outputs"]):
            assert dataset["namespace"] and dataset["name"]
        for facet in _facets(event):
            assert facet["_producer"] and facet["_schemaURL"].startswith("https://openlineage.io/spec/")
            assert REQUIRED[facet["_schemaURL"].rpartition("/")[2]] <= facet.keys()
    told = {each["name"]: each["inputFacets"]["dataQualityAssertions"]["assertions"] for each in events[-1]["inputs"]}
    assert told["default/filtered_shards/docs-1/a"] == [{"assertion": "verdicts follow from their signals", "success": False}]
    assert any(not each["success"] for each in told["default"])  # what is of no partition


def test_what_no_run_made_has_no_event(workspace, claims):
    class Silent(Told):
        def events(self, asset, chosen):
            return {p: event._replace(run_known=False) for p, event in super().events(asset, chosen).items()}

    assert [event["job"]["name"] for event in openlineage.openlineage(workspace, claims, Silent(workspace), AT)] == ["lineage_audit"]


def test_croissant_names_files_that_are_there_and_their_columns(workspace):
    import hashlib

    told = json.loads(json.dumps(croissant.croissant(workspace)))
    assert told["@type"] == "sc:Dataset" and told["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert {"@context", "name", "description", "license", "url", "version", "citeAs", "distribution", "recordSet"} <= told.keys()
    files = {each["@id"]: each for each in told["distribution"]}
    for each in files.values():
        data = (Path(workspace.lake.root) / each["contentUrl"]).read_bytes()
        assert each["sha256"] == hashlib.sha256(data).hexdigest() and each["contentSize"] == f"{len(data)} B"
    ids = [each["@id"] for part in (told["distribution"], told["recordSet"]) for each in part]
    assert len(set(ids)) == len(ids)
    for records in told["recordSet"]:
        fields = {field["@id"] for field in records["field"]}
        assert {key["@id"] for key in records["key"]} <= fields
        for field in records["field"]:
            path = Path(workspace.lake.root) / files[field["source"]["fileObject"]["@id"]]["contentUrl"]
            assert field["source"]["extract"]["column"] in pl.read_parquet_schema(path)


def test_cards_say_what_is_known_and_what_is_not(workspace, claims, tmp_path):
    folder = cards.write_cards(workspace, claims, tmp_path / "cards")
    data, model = (folder / "DATA.md").read_text(), (folder / "MODEL-small.md").read_text()
    assert "Licences: unknown" in data and "| exercises | 8 | 7 | program |" in data
    assert "verdicts follow from their signals" in data and "&lt;b>stored" in data  # what came from a page is no markup
    assert "| float | all | 2.200 |" in model and "| layers | unknown |" in model  # no run record in this lake
    assert f"**{score(openness(workspace, 'small', claims)):g} of 6**" in model


def test_openness_falls_with_what_the_audit_finds(workspace, claims):
    columns = {column.name: column for column in openness(workspace, "small", claims)}
    assert list(columns) == ["data", "code", "configuration", "logs", "checkpoints", "evaluations"]
    assert columns["data"].level == "partly" and columns["code"].level == "no"  # there is no run record
    told = {"payloads match their digests": "raw_crawl[docs-1/a]", "weights give the loss that was recorded": "checkpoints[small]"}
    rows = [(claim, subject, False, "") for claim, subject in told.items()]
    broken = pl.DataFrame(rows, schema=CONTRACTS["audit"].schema, orient="row")
    found = openness(workspace, "small", broken)
    assert {column.name: column.level for column in found} | {"data": "no", "checkpoints": "no"} == {
        column.name: column.level for column in found
    }
    assert score(found) < score(list(columns.values()))
