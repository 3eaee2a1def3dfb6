"""When what is learned, and how fast: the batches of every step and the learning rate.

Data and rate are scheduled apart. Phases come in order, so that the annealing phase's sequences are the last ones seen;
every sequence of every phase is seen once, in an order that is a pure function of (seed, phase): a run that
resumes at step n needs n and nothing else. The last batch of a phase may be smaller; no batch spans two phases.

The rate warms up linearly, stays, and over the last `decay` share of the steps falls as 1 - sqrt (Hägele et al. 2024,
section 3.2; SmolLM), whichever phase's data that is. A recipe whose annealing tokens are that share of all makes the two coincide.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gristmill.recipe import Training

VERSION = "1"  # of the whole room: schedule, loop, resume points and averaging (here, since this module is read without torch)


@dataclass(frozen=True)
class Schedule:
    """`phases` are (name, sequences), in order."""

    phases: tuple[tuple[str, int], ...]
    training: Training
    seed: int

    @cached_property
    def steps(self) -> int:
        return sum(self._steps_of(sequences) for _, sequences in self.phases)

    def batch(self, step: int) -> tuple[str, list[int]]:
        """(phase, its sequences) of `step`, from 0."""
        first = 0
        for phase, sequences in self.phases:
            steps = self._steps_of(sequences)
            if step < first + steps:
                at = (step - first) * self.training.batch_sequences
                return phase, list(self._orders[phase][at : at + self.training.batch_sequences])
            first += steps
        raise IndexError(f"step {step} of {self.steps}")

    def first_step(self, phase: str) -> int:
        """The step at which `phase` begins."""
        first = 0
        for name, sequences in self.phases:
            if name == phase:
                return first
            first += self._steps_of(sequences)
        raise KeyError(phase)

    def rate(self, step: int) -> float:
        """Learning rate of `step`, from 0."""
        peak = self.training.learning_rate
        warm = math.ceil(self.training.warmup * self.steps)
        if step < warm:
            return peak * (step + 1) / warm
        if step < self.decay_from:
            return peak
        return peak * (1 - math.sqrt((step - self.decay_from) / (self.steps - self.decay_from)))

    @property
    def decay_from(self) -> int:
        """The first step of the decay; that step still has the full rate."""
        return self.steps - math.ceil(self.training.decay * self.steps)

    def _steps_of(self, sequences: int) -> int:
        return math.ceil(sequences / self.training.batch_sequences)

    @cached_property
    def _orders(self) -> dict[str, Sequence[int]]:
        return {phase: order(self.seed, phase, sequences) for phase, sequences in self.phases}


def order(seed: int, phase: str, sequences: int) -> list[int]:
    """A permutation of range(sequences) that no library's random generator can change under us."""
    return sorted(range(sequences), key=lambda i: hashlib.blake2b(f"{seed}\0{phase}\0{i}".encode(), digest_size=16).digest())
