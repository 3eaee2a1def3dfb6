"""Trains a decoder: AdamW under Accelerate, resumable to the bit.

The state of a run is (weights, optimizer, random generator) after a number of steps; which sequences a step sees is a
function of the step (`schedule`), so there is no data loader whose state could be lost. Killed at any moment, a
run goes on from its last resume point and ends in the same weights, bit for bit, on the same platform and thread count.

fp32 on a CPU; bf16 autocast on CUDA. One process: spreading a batch over several is refused, not approximated.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor

from gristmill.errors import GristmillError
from gristmill.lake.contracts import CONTRACTS
from gristmill.model.attention import document_ids
from gristmill.model.config import Config
from gristmill.model.decoder import Decoder
from gristmill.progress import Progress
from gristmill.recipe import Training
from gristmill.training import ledger
from gristmill.training.averaging import average
from gristmill.training.resume import run_folder
from gristmill.training.schedule import Schedule

BETAS = (0.9, 0.95)  # OpenELM, SmolLM, OLMo


class TrainingError(GristmillError):
    """A run that cannot go on."""


@dataclass(frozen=True)
class Trained:
    """What a run made. `log` and `batches` are tables; `throughput` is a JSONL file with clock times."""

    weights: dict[str, Tensor]  # the average of the last resume points
    last: dict[str, Tensor]  # the last resume point
    averaged: list[int]  # steps done at each point of the average
    log: pl.DataFrame
    batches: pl.DataFrame
    throughput: Path
    tokens_per_second: float  # of the steps that this process ran
    resumed_from: int  # steps that an earlier process had done
    device: str


class Run:
    """One training run. `phases` maps each phase, in order, to its sequences (n, length + 1); `seed` sets weights and order.

    >>> run = Run("small", config, training, phases, seed=1, scratch=folder)    # doctest: +SKIP
    >>> trained = run.train()                                                   # doctest: +SKIP
    """

    def __init__(self, name: str, config: Config, training: Training, phases: Mapping[str, np.ndarray], seed: int, scratch: Path):
        self.name, self.config, self.training, self.phases = name, config, training, phases
        self.schedule = Schedule(tuple((phase, len(sequences)) for phase, sequences in phases.items()), training, seed)
        self.seed = seed
        self.folder = run_folder(scratch, self.fingerprint, training.average_last)

    @cached_property
    def fingerprint(self) -> str:
        """32 hex digits over all that decides the weights: shapes, training section, seed, data, code, torch, device."""
        digest = hashlib.blake2b(digest_size=16)
        made_by = [ledger.source_hash(), torch.__version__, torch.cuda.is_available()]
        digest.update(json.dumps([self.config.to_json(), self.training.model_dump(), self.seed, made_by], sort_keys=True).encode())
        for phase, sequences in self.phases.items():
            digest.update(f"{phase} {sequences.shape} {sequences.dtype}".encode())
            digest.update(np.ascontiguousarray(sequences).data)
        return digest.hexdigest()

    def train(self) -> Trained:
        """Runs, or goes on, to the end."""
        done = max(self.folder.points, default=0)
        tokens, start = 0, time.monotonic()
        with Progress(f"train {self.name}", total=self._tokens(done), unit="tokens") as progress:
            for row in self.steps():
                tokens += row["n"]
                progress.advance(row["n"])
        seconds = time.monotonic() - start
        points = self.folder.points
        weights = [self.folder.weights(point) for point in points]
        log = [{**row, "model": self.name} for row in self.folder.log()]
        return Trained(
            weights=average(weights),
            last=weights[-1],
            averaged=points,
            log=pl.DataFrame(log, schema=CONTRACTS["training_log"].schema),
            batches=ledger.batches(self.name, self.schedule),
            throughput=self.folder.path / "throughput.jsonl",
            tokens_per_second=round(tokens / seconds, 1) if tokens else 0.0,
            resumed_from=done,
            device=str(_accelerator().device),
        )

    def steps(self) -> Iterator[dict[str, Any]]:
        """Does one step after the other from the last resume point, and yields what it logs. Stopping anywhere loses nothing."""
        with _deterministic(self.training.threads):
            accelerator = _accelerator()
            model, optimizer = self._build(accelerator)
            done = max(self.folder.points, default=0)
            if done:
                self.folder.restore(done, accelerator.unwrap_model(model), optimizer.optimizer)
            log = self.folder.rewind_log(done)
            tokens = log[-1]["tokens"] if log else 0
            for step in range(done, self.schedule.steps):
                start = time.monotonic()
                phase, indices = self.schedule.batch(step)
                batch = torch.from_numpy(self.phases[phase][indices].astype(np.int64)).to(accelerator.device)
                n = batch[:, 1:].numel()
                tokens += n
                row = {"step": step, "phase": phase, **self._step(step, batch, model, optimizer, accelerator), "tokens": tokens}
                self.folder.append_log(row)
                self._refuse_what_is_not_finite(row)
                if (step + 1) % self.training.checkpoint_every == 0 or step + 1 == self.schedule.steps:
                    self.folder.save(step + 1, accelerator.unwrap_model(model), optimizer.optimizer)
                seconds = time.monotonic() - start
                with (self.folder.path / "throughput.jsonl").open("a") as file:
                    file.write(json.dumps({"step": step, "seconds": round(seconds, 4), "tokens_per_second": round(n / seconds, 1)}) + "\n")
                yield {**row, "n": n}

    def losses(self, candidates: Sequence[dict[str, Tensor]], batches: int) -> list[float]:
        """Mean loss of each set of weights on the run's last batches, which it has trained on: a comparison, not a score."""
        steps = range(max(0, self.schedule.steps - batches), self.schedule.steps)
        arrays = [self.phases[phase][indices].astype(np.int64) for phase, indices in map(self.schedule.batch, steps)]
        found = []
        with _deterministic(self.training.threads), torch.no_grad():
            for weights in candidates:
                model = Decoder(self.config)
                model.load_state_dict(weights)
                losses = [next_token_loss(model, torch.from_numpy(array), self.config.end_of_text).item() for array in arrays]
                found.append(round(sum(losses) / len(losses), 6))
        return found

    def _build(self, accelerator: Accelerator) -> tuple[Any, Any]:
        model = Decoder(self.config, self.seed).to(accelerator.device)
        torch.manual_seed(self.seed)
        # norms and the tied embedding are not decayed: decay would pull down what scales every logit
        decayed = [weight for name, weight in model.named_parameters() if weight.ndim == 2 and not name.startswith("embedding")]
        kept = [weight for name, weight in model.named_parameters() if weight.ndim != 2 or name.startswith("embedding")]
        groups = [{"params": decayed, "weight_decay": self.training.weight_decay}, {"params": kept, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=self.training.learning_rate, betas=BETAS, fused=True)
        return accelerator.prepare(model, optimizer)

    def _step(self, step: int, batch: Tensor, model: Any, optimizer: Any, accelerator: Accelerator) -> dict[str, float]:
        rate = self.schedule.rate(step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = next_token_loss(model, batch, self.config.end_of_text)
        optimizer.zero_grad()
        accelerator.backward(loss)
        norm = accelerator.clip_grad_norm_(model.parameters(), self.training.clip)
        if math.isfinite(loss.item()) and math.isfinite(float(norm)):
            optimizer.step()
        return {"loss": round(loss.item(), 6), "learning_rate": round(rate, 12), "grad_norm": round(float(norm), 6)}

    def _refuse_what_is_not_finite(self, row: Mapping[str, Any]) -> None:
        if not (math.isfinite(row["loss"]) and math.isfinite(row["grad_norm"])):
            raise TrainingError(
                f"loss {row['loss']}, gradient norm {row['grad_norm']} at step {row['step']} of {self.schedule.steps}",
                where=f"checkpoints[{self.name}]",
                fix=f"Lower training.learning_rate or raise training.warmup; the log is in {self.folder.path / 'log.jsonl'}, and "
                f"the step's sequences are {self.schedule.batch(row['step'])[1]} of phase {row['phase']}.",
            )

    def _tokens(self, from_step: int) -> int:
        """Targets still to be trained on."""
        width = {phase: sequences.shape[1] - 1 for phase, sequences in self.phases.items()}
        batches = (self.schedule.batch(step) for step in range(from_step, self.schedule.steps))
        return sum(len(sequences) * width[phase] for phase, sequences in batches)


def next_token_loss(model: Any, sequences: Tensor, end_of_text: int) -> Tensor:
    """Mean nats per target of `sequences` (batch, length + 1), attention kept inside documents."""
    inputs, targets = sequences[:, :-1], sequences[:, 1:]
    logits = model(inputs, document_ids(inputs, end_of_text))
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())


def _accelerator() -> Accelerator:
    cuda = torch.cuda.is_available()
    accelerator = Accelerator(cpu=not cuda, mixed_precision="bf16" if cuda else "no")
    if accelerator.num_processes > 1:
        raise TrainingError(
            f"was started as {accelerator.num_processes} processes",
            where="accelerate",
            fix="Start one; several would each train on the whole batch.",
        )
    return accelerator


@contextmanager
def _deterministic(threads: int) -> Iterator[None]:
    """Fixed threads and deterministic kernels inside, what was set before outside."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS refuses to be deterministic
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
