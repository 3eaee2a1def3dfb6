"""The whole graph on a small real crawl: made once, rebuilt exactly, the same whatever the order and the interruption."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).parents[2]


def counts(outcome) -> dict[str, int]:
    return {name: len(made) for name, made in outcome.made.items()}


def test_every_asset_was_made_and_every_error_check_passed(built):
    mill, recipe, outcome = built
    names = {node.name for node in mill.driver(recipe).graph().nodes()}
    assert set(outcome.made) == names
    # one story of sixteen tokens is no whole story, and ten thousand tokens teach a model little
    expected = {("synthetic_sets", "verified"), ("eval_reports", "beats_unigram"), ("checkpoints", "learns")}
    failed = [check for check in outcome.failed_checks if check["severity"] == "ERROR"]
    assert {(check["asset"], check["check"]) for check in failed} <= expected, failed
    assert len(mill.driver(recipe).workspace.partitions("documents")) >= 4


def test_a_second_drive_makes_nothing(built):
    mill, recipe, _ = built
    assert mill.drive(recipe).seconds == {}


def test_the_audit_holds(built):
    mill, recipe, _ = built
    claims = mill.driver(recipe).workspace.read("lineage_audit")
    assert claims["passed"].all(), claims.filter(~pl.col("passed")).rows()
    assert claims["claim"].n_unique() == 30


def test_masks_duplicates_and_drops_are_where_they_should_be(built):
    mill, recipe, _ = built
    workspace = mill.driver(recipe).workspace
    read = lambda asset, table=None: pl.concat([workspace.read(asset, shard, table) for shard in workspace.partitions(asset)])  # noqa: E731
    assert set(read("edits")["rule"]) >= {"pii.email", "pii.ip"}
    documents, verdicts = read("documents"), read("filtered_shards")
    short = documents.filter(pl.col("url").str.ends_with("short.html"))["doc_id"][0]
    assert "gopher.word_count_min" in verdicts.filter(pl.col("doc_id") == short)["fired"][0]
    clusters = workspace.read("duplicate_clusters")
    mirrors = documents.filter(pl.col("host") == "mirror.example").join(verdicts.filter("kept"), on="doc_id", how="semi")
    assert mirrors.height and mirrors.join(clusters, on="doc_id", how="semi").height == mirrors.height


def test_transformers_loads_the_checkpoint_with_equal_logits(built):
    from gristmill.model.export import load

    mill, recipe, _ = built
    folder = mill.driver(recipe).workspace.path("checkpoints", "tiny", "model")
    theirs = AutoModelForCausalLM.from_pretrained(folder).eval()
    ours, _ = load(folder)
    ids = torch.tensor([AutoTokenizer.from_pretrained(folder)("The yield expression is used").input_ids])
    with torch.no_grad():
        assert torch.allclose(theirs(ids).logits, ours.eval()(ids), atol=1e-5)


def test_an_edited_threshold_rebuilds_what_it_touches_and_stops_where_content_is_equal(built):
    mill, recipe, _ = built
    workspace = mill.driver(recipe).workspace
    shards = workspace.partitions("signals")
    words = pl.concat([workspace.read("signals", each, "signals.gopher").with_columns(shard=pl.lit(each)) for each in shards])
    kept = pl.concat([workspace.read("filtered_shards", each) for each in shards]).filter("kept")
    shortest = words.join(kept, on="doc_id", how="semi").filter(~pl.col("shard").str.starts_with("code")).sort("gopher.word_count")
    before = {each: workspace.version("filtered_shards", each) for each in shards}

    below_all = mill.recipe(word_count_min=51 if shortest["gopher.word_count"][0] >= 51 else 50)
    assert not mill.drive(below_all, "curated_shards").failed

    flips_one = mill.recipe(word_count_min=int(shortest["gopher.word_count"][0]) + 1)
    outcome = mill.drive(flips_one, "curated_shards")
    assert not outcome.failed
    assert counts(outcome)["filtered_shards"] == len(shards)
    moved = [each for each in shards if workspace.version("filtered_shards", each) != before[each]]
    # the shard of the flipped document, and those whose short documents now name another threshold
    assert shortest["shard"][0] in moved
    assert set(moved) <= set(words.filter(pl.col("gopher.word_count") < int(shortest["gopher.word_count"][0]) + 1)["shard"])
    assert len(moved) < len(shards)
    assert counts(outcome)["document_embeddings"] == len(moved)
    assert not {"raw_crawl", "documents", "signals", "minhash_signatures"} & set(outcome.made)

    back = mill.drive(mill.recipe(), "curated_shards")
    assert set(back.made) <= {"document_embeddings"} and not back.failed  # which looks its vectors up and embeds nothing
    assert {each: workspace.version("filtered_shards", each) for each in shards} == before


def test_two_recipes_live_side_by_side_and_share_equal_work(built, sources):
    mill, recipe, _ = built
    other = mill.recipe(namespace="trial", word_count_min=120, name="trial.toml")
    outcome = mill.drive(other, "filtered_shards")
    assert not outcome.failed
    assert "documents" not in outcome.made and "signals" not in outcome.made
    assert len(outcome.reused["documents"]) == len(mill.driver(recipe).workspace.partitions("documents"))
    assert len(outcome.made["filtered_shards"]) == len(outcome.reused["documents"])
    assert mill.drive(mill.recipe()).seconds == {}


def test_the_corpus_is_the_same_from_four_workers_in_another_order_and_after_a_kill(built, sources, tmp_path, corpus_hash_of):
    """The files registered the other way round, four worker processes, and a kill -9 of the process group in the middle."""
    mill, recipe, _ = built
    expected = corpus_hash_of(mill.driver(recipe).workspace)
    (tmp_path / "recipe.toml").write_text((mill.folder / "recipe.toml").read_text())
    environment = os.environ | {
        "GRISTMILL_HOME": str(tmp_path),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
        "GRISTMILL_RECIPE": str(tmp_path / "recipe.toml"),
        "GRISTMILL_WORKERS": "4",
        "PYTHONUNBUFFERED": "1",
    }
    environment.pop("GRISTMILL_LAKE", None)

    def gristmill(*arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "jobs.cli", *arguments],
            cwd=ROOT,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    for crawl, paths in reversed(sources.items()):
        assert gristmill("crawl", "add", crawl, *[str(path) for path in reversed(paths)]).wait() == 0
    killed = gristmill("rebuild", "--until", "mixed_corpus")
    for line in killed.stdout:
        if "filtered_shards" in line or "signals:" in line:
            break
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    again = gristmill("rebuild", "--until", "mixed_corpus")
    output, _ = again.communicate()
    assert again.returncode == 0, output

    from gristmill.lake.store import Lake
    from gristmill.lake.workspace import Workspace

    assert corpus_hash_of(Workspace(Lake(tmp_path / "lake"), recipe)) == expected


def test_deleted_vectors_are_embedded_again_and_nothing_else_is_made(built):
    import shutil

    mill, recipe, _ = built
    workspace = mill.driver(recipe).workspace
    shutil.rmtree(Path(workspace.lake.root) / "vectors")
    outcome = mill.drive(recipe)
    assert {name: len(made) for name, made in outcome.made.items()} == {
        "document_embeddings": len(workspace.partitions("document_embeddings"))
    }
    assert outcome.reused == {} and not outcome.failed
    assert "every_kept_document_embedded" not in {check["check"] for check in outcome.failed_checks}
