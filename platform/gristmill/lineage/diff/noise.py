"""Whether two builds' scores differ by more than noise.

Where both were scored on the same documents: a paired test by randomisation (Fisher 1935, section 21; for language models Riezler
and Maxwell 2005). If the two builds were alike, it would not matter which of a document's two scores is called the old one;
the p-value is the share of all such exchanges (10,000 seeded draws of them from 13 documents on) with a difference at least as
large, either way. It keeps its level however few the documents; a percentile bootstrap does not. Beside it stands the 95%
interval of the difference by paired bootstrap over documents (Efron and Tibshirani 1993, chapter 13), which says how large
the difference is, and decides nothing.

Where the documents differ: the two 95% intervals, taken for independent and normal; their half-widths add in squares. An interval
from fewer than LEAST documents is worth nothing, and nothing is said.

Several scores are judged together by Holm (1979): the chance that any of them is wrongly called more than noise is LEVEL.

This is the noise of which documents were drawn. Another seed trains another model: where a recipe trains the same model under
several seeds, `between_runs` compares the builds by pooled t-test over the runs; else nothing here speaks of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl

LEVEL = 0.05
DRAWS = 10_000
EXACT = 12  # documents up to which every exchange is counted: 4,096
LEAST = 6  # documents with which p can fall below LEVEL: 2 of 64 exchanges
SEED = 1
NORMAL = 1.959963984540054  # half of a 95% interval, in standard errors
TIE = 1e-9  # relative: sums in another order are other bits

Statistic = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Compared:
    """`difference` is new minus old, with its 95% interval; `old` and `new` are on the documents compared. `how`: paired over
    `documents` that both have, or apart; "" where nothing can be said."""

    old: float
    new: float
    difference: float
    low: float | None
    high: float | None
    p: float | None
    how: str
    documents: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def paired(old: pl.DataFrame, new: pl.DataFrame, on: Sequence[str], columns: Sequence[str], statistic: Statistic) -> Compared | None:
    """Compares a statistic of sums over documents: `statistic` maps (..., len(columns)) sums to (...). Rows are matched by `on`;
    None when none does. With fewer than LEAST no p can fall below LEVEL."""
    both = old.join(new.select(*on, *(pl.col(name).alias(f"new {name}") for name in columns)), on=list(on), how="inner").sort(on)
    if both.is_empty():
        return None
    before = both.select(columns).to_numpy().astype(float)
    after = both.select(f"new {name}" for name in columns).to_numpy().astype(float)
    total_before, total_after = before.sum(axis=0), after.sum(axis=0)
    value_before, value_after = float(statistic(total_before)), float(statistic(total_after))
    difference = value_after - value_before
    moved = _exchanges(len(before)) @ (after - before)
    exchanged = statistic(total_after - moved) - statistic(total_before + moved)
    as_large = int((np.abs(exchanged) >= abs(difference) - TIE * max(abs(value_before), abs(value_after))).sum())
    p = as_large / len(moved) if len(before) <= EXACT else (1 + as_large) / (1 + len(moved))
    drawn = np.random.Generator(np.random.PCG64(SEED)).multinomial(len(before), np.full(len(before), 1 / len(before)), DRAWS)
    low, high = np.percentile(statistic(drawn @ after) - statistic(drawn @ before), [2.5, 97.5]) if len(before) > 1 else (None, None)
    return Compared(value_before, value_after, difference, _plain(low), _plain(high), p, "paired", len(before))


def apart(old: Sequence[float | None], new: Sequence[float | None]) -> Compared:
    """Compares two (value, low, high) with 95% intervals over different documents; without an interval nothing can be said."""
    (a, a_low, a_high), (b, b_low, b_high) = old, new
    assert a is not None and b is not None
    if None in (a_low, a_high, b_low, b_high):
        return Compared(a, b, b - a, None, None, None, "", 0)
    half = math.hypot(a_high - a_low, b_high - b_low) / 2  # type: ignore[operator]
    p = math.erfc(abs(b - a) / (half / NORMAL) / math.sqrt(2)) if half else float(a == b)
    return Compared(a, b, b - a, b - a - half, b - a + half, p, "apart", 0)


def more_than_noise(ps: Sequence[float | None], level: float = LEVEL) -> list[bool]:
    """Which of the p-values are small enough, together, by Holm's step-down; None never is."""
    known = sorted((p, at) for at, p in enumerate(ps) if p is not None)
    found = [False] * len(ps)
    for rank, (p, at) in enumerate(known):
        if p > level / (len(known) - rank):
            break
        found[at] = True
    return found


def between_runs(old: Sequence[float], new: Sequence[float]) -> Compared | None:
    """Compares the means of scores of runs that differ in their seed alone; None where no build has two of them."""
    freedom = len(old) + len(new) - 2
    if freedom < 1 or not old or not new:
        return None
    from scipy.stats import t  # a second to import

    spread = sum(float(np.var(runs)) * len(runs) for runs in (old, new)) / freedom
    error = math.sqrt(spread * (1 / len(old) + 1 / len(new)))
    a, b = float(np.mean(old)), float(np.mean(new))
    half = float(t.ppf(0.975, freedom)) * error
    p = float(2 * t.sf(abs(b - a) / error, freedom)) if error else float(a == b)
    return Compared(a, b, b - a, b - a - half, b - a + half, p, "runs", 0)


def signed(value: float, form: str) -> str:
    """A difference with its sign; of what rounds to nothing no sign is left."""
    told = f"{value:+{form}}"
    return told if any(digit in told for digit in "123456789") else told[1:]


def _plain(value: Any) -> float | None:
    return None if value is None else float(value)


def _exchanges(documents: int) -> np.ndarray:
    """Which documents' scores change sides, one row an exchange: (exchanges, documents) of 0 and 1."""
    if documents <= EXACT:
        return (np.arange(2**documents)[:, None] >> np.arange(documents) & 1).astype(float)
    return np.random.Generator(np.random.PCG64(SEED)).integers(0, 2, (DRAWS, documents)).astype(float)
