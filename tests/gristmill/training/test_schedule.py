"""The schedule: every sequence once, phases in order, and a rate that warms up, stays and decays."""

import itertools
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gristmill.recipe import Training
from gristmill.training.schedule import Schedule, order

QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no failure


def schedule(general: int = 80, annealing: int = 21, **training) -> Schedule:
    return Schedule((("general", general), ("annealing", annealing)), Training(**training), seed=1)


@QUIET
@given(st.integers(1, 70), st.integers(1, 30), st.integers(1, 20))
def test_every_sequence_is_seen_once_and_phases_do_not_mix(general: int, annealing: int, batch: int) -> None:
    plan = schedule(general, annealing, batch_sequences=batch)
    seen = [plan.batch(step) for step in range(plan.steps)]
    assert sorted(i for phase, sequences in seen for i in sequences if phase == "general") == list(range(general))
    assert sorted(i for phase, sequences in seen for i in sequences if phase == "annealing") == list(range(annealing))
    assert [phase for phase, _ in seen] == sorted((phase for phase, _ in seen), reverse=True)
    assert seen[plan.first_step("annealing")][0] == "annealing"
    assert plan.first_step("annealing") == 0 or seen[plan.first_step("annealing") - 1][0] == "general"
    with pytest.raises(IndexError):
        plan.batch(plan.steps)


def test_order_is_a_pure_function_of_seed_and_phase() -> None:
    assert order(1, "general", 6) == [4, 5, 2, 3, 0, 1]
    assert order(1, "general", 500) != order(2, "general", 500) != order(2, "annealing", 500)


def test_neighbouring_sequences_are_scattered() -> None:
    """No waves: where a sequence is seen says nothing about where it lay."""
    places = order(3, "general", 4_000)
    mean = (len(places) - 1) / 2
    lag = sum((a - mean) * (b - mean) for a, b in itertools.pairwise(places)) / sum((a - mean) ** 2 for a in places)
    assert abs(lag) < 3 / math.sqrt(len(places))


def test_the_rate_by_hand() -> None:
    plan = schedule(80, 20, batch_sequences=1, learning_rate=1.0, warmup=0.1, decay=0.2)
    assert [round(plan.rate(step), 6) for step in (0, 4, 9, 10, 50, 79, 80)] == [0.1, 0.5, 1, 1, 1, 1, 1]
    assert plan.decay_from == 80 == plan.first_step("annealing")  # the two coincide where the shares do
    assert plan.rate(85) == pytest.approx(1 - math.sqrt(0.25))
    assert plan.rate(99) == pytest.approx(1 - math.sqrt(0.95))


def test_neither_warmup_nor_decay() -> None:
    plan = schedule(warmup=0.0, decay=0.0, learning_rate=0.5)
    assert {plan.rate(step) for step in range(plan.steps)} == {0.5}


@QUIET
@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 200))
def test_the_rate_is_always_positive_and_never_above_its_peak(warmup: float, decay: float, sequences: int) -> None:
    plan = schedule(sequences, 1, warmup=warmup, decay=decay, learning_rate=0.01, batch_sequences=4)
    assert all(0 < plan.rate(step) <= 0.01 for step in range(plan.steps))
