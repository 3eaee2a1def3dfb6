"""The loop: it learns, and however often and wherever it is killed it ends in the same bits."""

import itertools
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from gristmill.lake.contracts import conform
from gristmill.model.config import Config
from gristmill.recipe import Model, Training
from gristmill.training import ledger
from gristmill.training.averaging import average
from gristmill.training.loop import Run, Trained, TrainingError, next_token_loss

MODEL = Model(hidden=32, layers=2, heads=2, kv_heads=1, ffn=64)
CONFIG = Config.of(MODEL, vocab_size=40, context=24)
TRAINING = Training(batch_sequences=4, learning_rate=1e-2, checkpoint_every=3, average_last=3, threads=1)


def phases() -> dict[str, np.ndarray]:
    """Counting sequences, a new document every nine tokens: easy to learn. 7 steps of general, the last one smaller, 3 of annealing."""
    starts = np.random.default_rng(1).integers(0, 30, 38)
    sequences = ((starts[:, None] + np.arange(25)) % 38 + 2).astype(np.uint16)
    sequences[:, ::9] = 0
    return {"general": sequences[:26], "annealing": sequences[26:]}


def run(scratch: Path, config: Config = CONFIG, training: Training = TRAINING, seed: int = 1) -> Run:
    return Run("small", config, training, phases(), seed, scratch)


def same(first: Trained, second: Trained) -> bool:
    return first.log.equals(second.log) and all(
        torch.equal(ours[name], theirs[name])
        for ours, theirs in ((first.weights, second.weights), (first.last, second.last))
        for name in ours
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run that nobody disturbed."""
    return run(tmp_path_factory.mktemp("whole")).train()


def test_it_learns(tmp_path) -> None:
    trained = run(tmp_path, training=TRAINING.model_copy(update={"batch_sequences": 1})).train()
    assert trained.log["loss"].tail(5).mean() < 0.6 * trained.log["loss"].head(3).mean()


def test_log_and_batches_keep_their_contracts(whole: Trained) -> None:
    assert conform("training_log", whole.log).equals(whole.log)
    assert conform("batches", whole.batches).equals(whole.batches)
    assert whole.log["phase"].to_list() == ["general"] * 7 + ["annealing"] * 3
    assert whole.log["tokens"].to_list() == [96, 192, 288, 384, 480, 576, 624, 720, 816, 912]
    assert whole.log["learning_rate"].to_list()[-1] < whole.log["learning_rate"].max() == TRAINING.learning_rate
    lines = [json.loads(line) for line in whole.throughput.read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(10))


def test_the_same_run_gives_the_same_bits_and_another_seed_others(tmp_path, whole: Trained) -> None:
    assert same(run(tmp_path / "again").train(), whole)
    assert not torch.equal(run(tmp_path / "other", seed=2).train().last["norm.weight"], whole.last["norm.weight"])


@pytest.mark.parametrize("stops", [[0], [1], [2], [3], [5], [8], [9], [4, 1, 2]])
def test_stopped_after_any_step_it_goes_on_to_the_same_bits(tmp_path, whole: Trained, stops: list[int]) -> None:
    for steps in stops:
        for done, _ in enumerate(run(tmp_path).steps()):
            if done == steps:
                break
    trained = run(tmp_path).train()
    assert same(trained, whole)
    assert trained.resumed_from % 3 == 0 or trained.resumed_from == 10


def test_killed_by_the_system_it_goes_on_to_the_same_bits(tmp_path, whole: Trained) -> None:
    """A process that `kill -9` ends in the middle of step 8, after the step's log line and before its resume point."""
    script = textwrap.dedent(f"""
        import importlib.util, os, pathlib, signal
        spec = importlib.util.spec_from_file_location("test_loop", {__file__!r})
        test_loop = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(test_loop)
        run = test_loop.run(pathlib.Path({str(tmp_path)!r}))
        append = run.folder.__class__.append_log
        def dying(folder, row):
            append(folder, row)
            if row["step"] == 8:
                os.kill(os.getpid(), signal.SIGKILL)
        run.folder.__class__.append_log = dying
        run.train()
    """)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    killed = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    left = run(tmp_path).folder
    assert left.points == [3, 6]
    assert len(left.log()) == 9
    trained = run(tmp_path).train()
    assert trained.resumed_from == 6
    assert same(trained, whole)


def test_a_log_line_cut_short_is_written_again(tmp_path, whole: Trained) -> None:
    for done, _ in enumerate(run(tmp_path).steps()):
        if done == 4:
            break
    log = run(tmp_path).folder.path / "log.jsonl"
    log.write_text(log.read_text()[:-7])
    (log.parent / "step-00000006.part").mkdir()  # a resume point that was being written
    assert same(run(tmp_path).train(), whole)


def test_a_finished_run_is_not_run_again(tmp_path, whole: Trained) -> None:
    run(tmp_path).train()
    again = run(tmp_path).train()
    assert again.resumed_from == 10
    assert same(again, whole)


def test_the_last_points_are_averaged_and_older_ones_forgotten(tmp_path, whole: Trained) -> None:
    first = run(tmp_path)
    trained = first.train()
    assert trained.averaged == first.folder.points == [6, 9, 10]
    mean = average([first.folder.weights(point) for point in (6, 9, 10)])
    assert all(torch.equal(mean[name], trained.weights[name]) for name in mean)
    assert not torch.equal(trained.weights["norm.weight"], trained.last["norm.weight"])
    averaged, last = first.losses((trained.weights, trained.last), 2)
    assert 0 < last < 4
    assert 0 < averaged < 4


def test_another_run_of_the_model_starts_over(tmp_path) -> None:
    for _ in zip(range(5), run(tmp_path).steps(), strict=False):
        pass
    other = run(tmp_path, training=TRAINING.model_copy(update={"learning_rate": 2e-3}))
    assert other.folder.points == []
    assert len(list(tmp_path.glob("run-*"))) <= 1


@pytest.mark.parametrize(
    "change",
    [
        {"training": TRAINING.model_copy(update={"clip": 0.5})},
        {"seed": 2},
        {"config": Config.of(MODEL.model_copy(update={"ffn": 32}), vocab_size=40, context=24)},
    ],
)
def test_the_fingerprint_sees_what_decides_the_weights(tmp_path, change) -> None:
    assert run(tmp_path, **change).fingerprint != run(tmp_path).fingerprint
    data = phases()
    data["annealing"][0, 3] += 1
    assert Run("small", CONFIG, TRAINING, data, 1, tmp_path).fingerprint != run(tmp_path).fingerprint


def test_a_loss_that_is_not_finite_stops_the_run_with_the_log_written(tmp_path) -> None:
    wild = run(tmp_path, training=TRAINING.model_copy(update={"learning_rate": 1e30, "warmup": 0.0, "clip": 1e30}))
    with pytest.raises(TrainingError, match=r"at step \d+ of 10") as error:
        wild.train()
    assert "checkpoints[small]" in str(error.value)
    assert "learning_rate" in str(error.value)
    last = wild.folder.log()[-1]
    assert not (math.isfinite(last["loss"]) and math.isfinite(last["grad_norm"]))
    assert all(math.isfinite(row["loss"]) for row in wild.folder.log()[:-1])
    assert str(last["step"]) in str(error.value)


def test_loss_is_what_its_definition_says() -> None:
    """Mean over all targets, the document's end and the first token after <|endoftext|> included; documents kept apart."""
    from gristmill.model.decoder import Decoder

    model, sequences = Decoder(CONFIG, 1), torch.from_numpy(phases()["general"][:2].astype(np.int64))
    with torch.no_grad():
        expected = []
        for sequence in sequences:
            boundaries = [i for i in range(24) if i == 0 or sequence[i] == 0] + [24]
            for start, end in itertools.pairwise(boundaries):
                logs = model(sequence[None, start:end]).log_softmax(-1)[0]
                expected += [-logs[i, sequence[start + i + 1]].item() for i in range(end - start)]
        assert next_token_loss(model, sequences, 0).item() == pytest.approx(sum(expected) / len(expected), abs=1e-5)
    assert len(expected) == 2 * 24


def test_settings_of_torch_are_put_back(tmp_path) -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    run(tmp_path).train()
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_the_ledger_tells_what_every_step_saw(whole: Trained) -> None:
    schedule = run(whole.throughput.parent.parent).schedule
    assert whole.batches.equals(ledger.batches("small", schedule))
    assert whole.batches.filter(pl.col("step") == 6).height == 2
