"""checkpoints over a small lake: what is made and kept, that it resumes, and checks that fail when they should."""

import json

import numpy as np
import polars as pl
import pytest
import torch

from assets import models
from gristmill.corpus import packing, tokenizer
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Workspace
from gristmill.model import export
from gristmill.recipe import Recipe

RECIPE = Recipe.model_validate(
    {
        "models": {
            "small": {"hidden": 32, "layers": 2, "heads": 2, "kv_heads": 1, "ffn": 64},
            "scaled": {"hidden": 32, "layers": 3, "heads": 4, "kv_heads": 2, "ffn": 128, "layerwise_scaling": True},
        },
        "training": {"batch_sequences": 2, "learning_rate": 1e-2, "checkpoint_every": 4, "average_last": 2, "threads": 1},
        "corpus": {
            "sequence_length": 31,
            "phases": {"general": {"tokens": 2_560, "mix": {"web": 1.0}}, "annealing": {"tokens": 320, "mix": {"web": 1.0}}},
        },
    }
)
SIZES = {"general": 80, "annealing": 10}


def fill(lake: Lake, folder) -> Workspace:
    """A tokenizer, and phases made of one sentence over and over."""
    workspace = Workspace(lake, RECIPE)
    sentence = "The mill by the river grinds the grain of the valley, sack after sack, from morning until the evening bell rings. "
    trained = tokenizer.train(pl.DataFrame({"doc_id": ["1"], "text": [sentence * 5]}), 300)
    trained.save(folder / "tokenizer")
    workspace.store("tokenizer", None, Made(files={"model": folder / "tokenizer"}), "1")
    stream = packing.stream(trained.encode(sentence * 2), trained.end_of_text).astype(np.uint16)
    for phase, n in SIZES.items():
        packing.save(np.resize(stream, (n, 32)), folder / "tokens.npy")
        workspace.store(
            "mixed_corpus", phase, Made({"provenance": CONTRACTS["provenance"].empty()}, {"tokens": folder / "tokens.npy"}), "1"
        )
    return workspace


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("lake")
    workspace = fill(Lake(folder / "lake"), folder)
    for name in RECIPE.models:
        workspace.store("checkpoints", name, models.make_checkpoints(workspace, name), "1")
    return workspace


@pytest.mark.parametrize("check", [models.finite_loss, models.learns, models.every_sequence_once])
def test_checks_pass(trained: Workspace, check) -> None:
    assert check(trained).passed


def test_the_checkpoint_is_whole(trained: Workspace) -> None:
    decoder, config = export.load(trained.path("checkpoints", "small"))
    reader = tokenizer.load(trained.path("checkpoints", "small"))
    assert (config.vocab_size, config.context) == (reader.vocab_size, 31)
    metadata = trained.metadata("checkpoints", "small")
    assert metadata["parameters"] == sum(weight.numel() for weight in decoder.parameters())
    assert metadata["steps"] == 45
    assert metadata["tokens"] == 90 * 31
    assert metadata["phases begin at"] == "general 0, annealing 40"
    assert metadata["averaged points"] == "44, 45"
    assert metadata["final loss"] < metadata["unigram loss"] < metadata["uniform loss"]
    record = json.loads((trained.path("checkpoints", "small", "run") / "run.json").read_text())
    assert record["configuration"]["model"]["hidden"] == 32
    assert (trained.path("checkpoints", "small", "run") / "code" / "model" / "decoder.py").exists()
    assert trained.path("checkpoints", "small", "throughput").read_text().count("\n") == 45


def test_transformers_loads_it_and_completes_the_sentence(trained: Workspace) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = trained.path("checkpoints", "small")
    theirs, words = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ours, _ = export.load(folder)
    ids = words("The mill by the river", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        assert torch.allclose(theirs(ids).logits, ours(ids), atol=1e-5)


def test_layerwise_scaling_says_that_transformers_cannot_load_it(trained: Workspace) -> None:
    assert trained.metadata("checkpoints", "small")["loads in transformers"] is True
    assert trained.metadata("checkpoints", "scaled")["loads in transformers"] is False
    assert export.load(trained.path("checkpoints", "scaled"))[1].ffn == (16, 80, 128)


def test_a_killed_run_goes_on_and_gives_the_same_version(tmp_path, trained: Workspace) -> None:
    from gristmill.model.config import Config
    from gristmill.training.loop import Run

    workspace = fill(Lake(tmp_path / "lake"), tmp_path)
    reader, sequences = tokenizer.load(workspace.path("tokenizer")), models._sequences(workspace)
    model = RECIPE.models["small"]
    config = Config.of(model, reader.vocab_size, 31, reader.end_of_text, reader.pad)
    for row in Run("small", config, RECIPE.training, sequences, model.seed, workspace.scratch("checkpoints", "small")).steps():
        if row["step"] == 20:
            break
    made = models.make_checkpoints(workspace, "small")
    assert made.metadata["resumed from step"] == 20
    assert workspace.store("checkpoints", "small", made, "1").data_version == trained.version("checkpoints", "small")


def stored(trained: Workspace, folder, **tables: pl.DataFrame) -> Workspace:
    """The same checkpoint in a lake of its own, with other tables."""
    workspace = fill(Lake(folder / "lake"), folder)
    names = ("training_log", "batches")
    workspace.store(
        "checkpoints",
        "small",
        Made(
            {name: tables.get(name, trained.read("checkpoints", "small", name)) for name in names},
            {"model": trained.path("checkpoints", "small")},
        ),
        "1",
    )
    return workspace


def test_checks_fail_when_they_should(tmp_path, trained: Workspace) -> None:
    log, batches = (trained.read("checkpoints", "small", name) for name in ("training_log", "batches"))
    last = pl.col("step") == pl.col("step").max()
    workspace = stored(trained, tmp_path / "nan", training_log=log.with_columns(loss=pl.when(last).then(float("nan")).otherwise("loss")))
    assert not models.finite_loss(workspace).passed
    assert not models.learns(workspace).passed
    assert not models.learns(stored(trained, tmp_path / "high", training_log=log.with_columns(loss=pl.lit(5.9)))).passed
    outcome = models.every_sequence_once(stored(trained, tmp_path / "short", batches=batches[1:]))
    assert not outcome.passed
    assert outcome.metadata["phases"][0]["seen"] == outcome.metadata["phases"][0]["sequences"] - 1
