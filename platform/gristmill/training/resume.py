"""Resume points of a run: everything that a killed run needs to go on as if nothing had happened.

A run's folder is named by its fingerprint and holds `step-00000050/` after fifty steps (state.safetensors: weights,
both moments and the step count of the optimizer, torch's random state) and `log.jsonl`, one line per step done. A point is
written beside its name and renamed, so what is there is whole; the last `keep` are kept. No pickle.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from gristmill.errors import GristmillError

WEIGHTS, OPTIMIZER, RANDOM = "weights/", "optimizer/", "random_state"


@dataclass(frozen=True)
class RunFolder:
    """The scratch folder of one run."""

    path: Path
    keep: int

    @property
    def points(self) -> list[int]:
        """Steps done at each resume point, oldest first."""
        return sorted(int(point.name.removeprefix("step-")) for point in self.path.glob("step-*") if point.suffix != ".part")

    def weights(self, point: int) -> dict[str, Tensor]:
        return {name.removeprefix(WEIGHTS): value for name, value in self._state(point).items() if name.startswith(WEIGHTS)}

    def save(self, point: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Writes the state after `point` steps, then forgets all but the last `keep`."""
        state = {f"{WEIGHTS}{name}": weight.detach() for name, weight in model.named_parameters()}
        for name, weight in model.named_parameters():
            state |= {f"{OPTIMIZER}{name}/{slot}": torch.as_tensor(value) for slot, value in optimizer.state[weight].items()}
        state[RANDOM] = torch.get_rng_state()
        partial = self.path / f"step-{point:08d}.part"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_file({name: value.cpu().contiguous() for name, value in state.items()}, partial / "state.safetensors")
        _flush(partial / "state.safetensors")
        partial.replace(self._point(point))
        for old in self.points[: -self.keep]:
            shutil.rmtree(self._point(old))

    def restore(self, point: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Puts model, optimizer and torch's random generator where they were after `point` steps."""
        state = self._state(point)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.copy_(state[f"{WEIGHTS}{name}"])
                prefix = f"{OPTIMIZER}{name}/"
                optimizer.state[weight] = {
                    slot.removeprefix(prefix): value if slot == f"{prefix}step" and not weight.is_cuda else value.to(weight.device)
                    for slot, value in state.items()
                    if slot.startswith(prefix)
                }
        torch.set_rng_state(state[RANDOM])

    def log(self) -> list[dict[str, Any]]:
        """What has been logged, one entry per step. A line that a kill cut short is left out."""
        if not (self.path / "log.jsonl").exists():
            return []
        rows = []
        for line in (self.path / "log.jsonl").read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return rows

    def rewind_log(self, point: int) -> list[dict[str, Any]]:
        """Cuts the log back to its first `point` steps, which a run that resumes there has behind it."""
        self.path.mkdir(parents=True, exist_ok=True)
        rows = self.log()[:point]
        if [row["step"] for row in rows] != list(range(point)):
            raise GristmillError(f"its log lacks steps before {point}", where=str(self.path), fix="Delete the folder; the run starts over.")
        partial = self.path / "log.jsonl.part"
        partial.write_text("".join(json.dumps(row) + "\n" for row in rows))
        partial.replace(self.path / "log.jsonl")
        return rows

    def append_log(self, row: Mapping[str, Any]) -> None:
        with (self.path / "log.jsonl").open("a") as log:
            log.write(json.dumps(row) + "\n")

    def _point(self, point: int) -> Path:
        return self.path / f"step-{point:08d}"

    def _state(self, point: int) -> dict[str, Tensor]:
        return load_file(self._point(point) / "state.safetensors")


def run_folder(scratch: Path, fingerprint: str, keep: int) -> RunFolder:
    """The folder of the run `fingerprint` in `scratch`; what other runs of the same model left there is removed."""
    for other in scratch.glob("run-*"):
        if other.name != f"run-{fingerprint}":
            shutil.rmtree(other, ignore_errors=True)
    return RunFolder(scratch / f"run-{fingerprint}", keep)


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
