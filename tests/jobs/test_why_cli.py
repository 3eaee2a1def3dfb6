"""`gristmill why` as a user types it, on the graph that was really built."""

import json

import polars as pl
import pytest
from click.testing import CliRunner

from gristmill.lineage.why.find import Keyed
from gristmill.lineage.why.why import life
from gristmill.training.ledger import documents_of_step, steps_that_saw
from jobs.cli import main


@pytest.fixture(scope="module")
def workspace(built):
    mill, recipe, _ = built
    mill.recipe()  # as the file that the command reads
    return mill.driver(recipe).workspace


@pytest.fixture(scope="module")
def gristmill(workspace):
    def call(*arguments: str, status: int = 0) -> str:
        done = CliRunner().invoke(main, ["why", *arguments])
        assert done.exit_code == status, done.output
        return done.output

    return call


def _verdicts(workspace, asset: str) -> pl.DataFrame:
    return pl.concat([workspace.read(asset, shard, "verdicts").with_columns(shard=pl.lit(shard)) for shard in workspace.partitions(asset)])


def test_every_document_has_a_life_that_agrees_with_the_tables(workspace):
    keyed, final = Keyed(workspace), _verdicts(workspace, "curated_shards")
    trained = pl.concat([workspace.read("mixed_corpus", phase, "provenance") for phase in workspace.partitions("mixed_corpus")])
    in_corpus = set(trained["doc_id"])
    for doc_id in sorted(set(final["doc_id"])):
        facts, kept = life(keyed, doc_id), final.filter(pl.col("doc_id") == doc_id)["kept"].any()
        assert facts is not None
        assert (facts["fate"]["word"] == "trained on") == (doc_id in in_corpus)
        assert (facts["fate"]["word"] == "dropped") == (not kept)
        for phase in facts["corpus"]:
            placed = trained.filter((pl.col("doc_id") == doc_id) & (pl.col("phase") == phase["phase"]))
            assert phase["tokens"] == (placed["end"] - placed["start"]).sum()
            for seen in phase["models"]:
                of_phase = placed.filter(pl.col("phase") == phase["phase"])
                steps = steps_that_saw(workspace.read("checkpoints", seen["model"], "batches"), of_phase, doc_id)
                assert seen["steps"] == steps["step"].n_unique()


def test_pages_are_found_by_url_and_by_what_they_say(workspace, gristmill):
    shard = workspace.partitions("documents")[-1]
    kept = _verdicts(workspace, "curated_shards").filter((pl.col("shard") == shard) & pl.col("kept"))["doc_id"]
    document = workspace.read("documents", shard, "documents").filter(pl.col("doc_id").is_in(kept.to_list())).row(0, named=True)
    told = json.loads(gristmill(document["url"], "--json"))
    assert told["document"]["url"] == document["url"]
    words = document["text"].split()
    sentence = " ".join(words[len(words) // 2 : len(words) // 2 + 9])
    answer = json.loads(gristmill(sentence, "--json"))
    assert document["doc_id"] in [row["doc_id"] for row in answer["matches"] or [answer["document"]]]


def test_a_step_is_what_the_ledger_says(workspace, gristmill):
    (model,) = workspace.partitions("checkpoints")
    batches = workspace.read("checkpoints", model, "batches")
    phase = batches.filter(pl.col("step") == 3)["phase"][0]
    expected = documents_of_step(batches, workspace.read("mixed_corpus", phase, "provenance"), 3)
    told = json.loads(gristmill("--step", f"{model}:3", "--limit", "1000", "--json"))
    columns = ["slot", "position", "doc_id", "origin", "start", "end", "epoch"]
    assert [tuple(row[name] for name in columns) for row in told["documents"]] == expected.select(columns).rows()
    assert all((row["url"] is None) == row["origin"].startswith("synthetic/") for row in told["documents"])
    assert "different_documents" in json.loads(gristmill("--sequence", f"{phase}:0", "--json"))
    assert "step" in gristmill("--spike", model)


def test_a_page_is_written_whole(workspace, gristmill, tmp_path):
    dropped = _verdicts(workspace, "filtered_shards").filter(~pl.col("kept")).row(0, named=True)
    page = tmp_path / "why.html"
    output = gristmill(dropped["doc_id"], "--html", str(page))
    assert dropped["first_rule"] in output and str(page) in output
    written = page.read_text()
    assert dropped["first_rule"] in written and "http-equiv" in written and "<script" not in written


def test_one_question_at_a_time(gristmill):
    assert "Ask for one thing" in gristmill(status=2)
    assert "Ask for one thing" in gristmill("x y", "--spike", "tiny", status=2)
    assert "is not NAME:NUMBER" in gristmill("--step", "tiny", status=2)
    assert "no checkpoint of a model 'big'" in gristmill("--step", "big:1", status=1)
