"""The ledger: from a step to its documents and back, and the record of a run."""

import json

import polars as pl

from gristmill.lake.contracts import CONTRACTS, conform
from gristmill.recipe import Training
from gristmill.training import ledger
from gristmill.training.schedule import Schedule

SCHEDULE = Schedule((("general", 5), ("annealing", 2)), Training(batch_sequences=2), seed=1)
BATCHES = ledger.batches("small", SCHEDULE)


def provenance() -> pl.DataFrame:
    """Two documents per sequence; document `shared` lies in general 3 and in annealing 1."""
    rows = [
        {
            "phase": phase,
            "sequence": i,
            "position": position,
            "doc_id": doc_id,
            "origin": "web-1/0",
            "source": "web",
            "topic": "Games",
            "start": 0,
            "end": 4,
            "epoch": 0,
        }
        for phase, n in (("general", 5), ("annealing", 2))
        for i in range(n)
        for position, doc_id in (
            (0, f"{phase}-{i}"),
            (4, "shared" if (phase, i) in {("general", 3), ("annealing", 1)} else f"{phase}-{i}-b"),
        )
    ]
    return pl.DataFrame(rows, schema=CONTRACTS["provenance"].schema)


def test_batches_are_those_of_the_schedule() -> None:
    assert conform("batches", BATCHES).equals(BATCHES)
    for step in range(SCHEDULE.steps):
        mine = BATCHES.filter(pl.col("step") == step).sort("slot")
        assert (mine["phase"][0], mine["sequence"].to_list()) == SCHEDULE.batch(step)


def test_from_a_step_to_its_documents_and_back() -> None:
    rows = provenance()
    for step in range(SCHEDULE.steps):
        phase, sequences = SCHEDULE.batch(step)
        documents = ledger.documents_of_step(BATCHES, rows, step)
        assert documents.filter(pl.col("position") == 0)["doc_id"].to_list() == [f"{phase}-{i}" for i in sequences]
    steps = ledger.steps_that_saw(BATCHES, rows, "shared")
    assert [(phase, sequence) for phase, sequence in steps.select("phase", "sequence").rows()] == [("general", 3), ("annealing", 1)]
    assert all("shared" in set(ledger.documents_of_step(BATCHES, rows, step)["doc_id"]) for step in steps["step"])
    assert ledger.steps_that_saw(BATCHES, rows, "nobody").is_empty()


def test_code_and_configuration_are_kept(tmp_path) -> None:
    ledger.write_record(tmp_path / "run", {"training": Training().model_dump()})
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["configuration"]["training"]["learning_rate"] == Training().learning_rate
    assert record["source_hash"] == ledger.source_hash()
    assert record["packages"]["torch"]
    for path in ledger.source_files():
        assert (tmp_path / "run" / "code" / path.parent.name / path.name).read_bytes() == path.read_bytes()
    assert {"decoder.py", "loop.py"} <= {path.name for path in ledger.source_files()}
