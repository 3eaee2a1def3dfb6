"""checkpoints: decoders trained on the mixed corpus. What needs torch is imported when a checkpoint is made."""

import math
import shutil

import dagster as dg
import numpy as np
import polars as pl

from assets.corpus import phases
from assets.materialize import made_asset
from gristmill.corpus import packing, tokenizer
from gristmill.lake.workspace import Check, Made, Partition, Workspace
from gristmill.model import config as network
from gristmill.recipe import Recipe
from gristmill.training import schedule

LAST_STEPS = 10  # whose mean loss is a run's final loss
MEASURED_BATCHES = 4  # last batches on which the average and the last point are compared
TABLE_ROWS = 12
FINITE = pl.col("loss").is_finite() & pl.col("grad_norm").is_finite()


def make_checkpoints(workspace: Workspace, partition: Partition) -> Made:
    from gristmill.model import export
    from gristmill.training import ledger, loop

    assert partition is not None
    recipe, model = workspace.recipe, workspace.recipe.models[partition]
    sequences = _sequences(workspace)
    reader = tokenizer.load(workspace.path("tokenizer"))
    context = max(array.shape[1] for array in sequences.values()) - 1
    shapes = network.Config.of(model, reader.vocab_size, context, reader.end_of_text, reader.pad)
    scratch = workspace.scratch("checkpoints", partition)
    run = loop.Run(partition, shapes, recipe.training, sequences, model.seed, scratch)
    trained = run.train()

    made = scratch / "made"
    shutil.rmtree(made, ignore_errors=True)
    export.save(trained.weights, shapes, made / "model", workspace.path("tokenizer"))
    ledger.write_record(
        made / "run",
        {
            "model": model.model_dump(),
            "training": recipe.training.model_dump(),
            "corpus": recipe.corpus.model_dump(),
            "tokenizer": recipe.tokenizer.model_dump(),
            "shapes": shapes.to_json(),
            "fingerprint": run.fingerprint,
        },
    )
    shutil.copyfile(trained.throughput, made / "throughput.jsonl")
    averaged, last = run.losses((trained.weights, trained.last), MEASURED_BATCHES)
    return Made(
        {"training_log": trained.log, "batches": trained.batches},
        {"model": made / "model"},
        unhashed={"run": made / "run", "throughput": made / "throughput.jsonl"},
        metadata={
            "parameters": shapes.parameters,
            "steps": run.schedule.steps,
            "tokens": _as_int(trained.log["tokens"].max()),
            "final loss": final_loss(trained.log),
            "unigram loss": unigram_loss(sequences, shapes.vocab_size),
            "uniform loss": round(math.log(shapes.vocab_size), 6),
            "averaged points": ", ".join(map(str, trained.averaged)),
            "loss averaged": averaged,
            "loss last point": last,
            "phases begin at": ", ".join(f"{phase} {run.schedule.first_step(phase)}" for phase in sequences),
            "decay begins at": run.schedule.decay_from,
            "tokens per second": trained.tokens_per_second,
            "device": trained.device,
            "resumed from step": trained.resumed_from,
            "loads in transformers": shapes.uniform,
            "loss": _table(trained.log),
        },
    )


def final_loss(log: pl.DataFrame) -> float:
    """Mean loss of the last steps, nats per token."""
    return round(float(log.sort("step")["loss"].tail(LAST_STEPS).mean()), 6)  # type: ignore[arg-type]


def unigram_loss(sequences: dict[str, np.ndarray], vocab_size: int) -> float:
    """Entropy of the corpus's own token frequencies, nats per token: what a model that ignores context reaches at best."""
    counts = sum(np.bincount(array.ravel(), minlength=vocab_size) for array in sequences.values())
    shares = counts[counts > 0] / counts.sum()  # type: ignore[index, union-attr]
    return round(float(-(shares * np.log(shares)).sum()), 6)


def learns(workspace: Workspace) -> Check:
    sequences = _sequences(workspace)
    vocab_size = tokenizer.load(workspace.path("tokenizer")).vocab_size
    unigram, rows, passed = unigram_loss(sequences, vocab_size), [], True
    for name, log in _logs(workspace):
        loss = final_loss(log)
        passed &= loss < unigram
        rows.append({"model": name, "final loss": loss, "unigram": unigram, "uniform": round(math.log(vocab_size), 6)})
    return Check(passed, {"losses": rows}, "the final loss is below what token frequencies alone give")


def finite_loss(workspace: Workspace) -> Check:
    bad = [
        {"model": name, **row}
        for name, log in _logs(workspace)
        for row in log.filter(~FINITE).select("step", "loss", "grad_norm").rows(named=True)
    ]
    return Check(not bad, {"steps": bad[:20]}, "every step's loss and gradient norm is finite")


def every_sequence_once(workspace: Workspace) -> Check:
    sizes, rows = {name: len(array) for name, array in _sequences(workspace).items()}, []
    for name in _made(workspace):
        seen = workspace.read("checkpoints", name, "batches")
        for phase, size in sizes.items():
            of_phase = seen.filter(pl.col("phase") == phase)["sequence"]
            if of_phase.sort().to_list() != list(range(size)):
                rows.append({"model": name, "phase": phase, "sequences": size, "seen": len(of_phase), "different": of_phase.n_unique()})
    return Check(not rows, {"phases": rows}, "every sequence of every phase was trained on exactly once")


def _sequences(workspace: Workspace) -> dict[str, np.ndarray]:
    return {phase: packing.load(workspace.path("mixed_corpus", phase, "tokens")) for phase in phases(workspace.recipe)}


def _made(workspace: Workspace) -> list[str]:
    return [name for name in sorted(workspace.recipe.models) if workspace.has("checkpoints", name)]


def _logs(workspace: Workspace) -> list[tuple[str, pl.DataFrame]]:
    return [(name, workspace.read("checkpoints", name, "training_log")) for name in _made(workspace)]


def _table(log: pl.DataFrame) -> list[dict[str, object]]:
    """Some rows of the log, the first and the last among them."""
    at = sorted({round(i * (log.height - 1) / (TABLE_ROWS - 1)) for i in range(TABLE_ROWS)})
    return log.sort("step")[at].select("step", "phase", "tokens", "loss", "learning_rate", "grad_norm").to_dicts()


def _as_int(value: object) -> int:
    return int(value)  # type: ignore[call-overload, no-any-return]


def checkpoint_assets(recipe: Recipe) -> list[dg.AssetsDefinition]:
    return [
        made_asset(
            recipe,
            "checkpoints",
            group="models",
            make=make_checkpoints,
            partitions=dg.StaticPartitionsDefinition(sorted(recipe.models)),
            deps=[("mixed_corpus", dg.AllPartitionMapping()), "tokenizer"],
            version=f"{network.VERSION}.{schedule.VERSION}",
            sections=["models", "training"],
            kinds={"pytorch", "huggingface"},
            checks={"finite_loss": finite_loss, "learns": learns, "every_sequence_once": every_sequence_once},
            description="Decoders trained on the phases in order: warm-up, stable, decay; resumable to the bit; the last resume points "
            "averaged. With the log, the exact sequences of every step, and the run's code and configuration.",
        )
    ]
