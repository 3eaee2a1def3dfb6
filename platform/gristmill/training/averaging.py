"""Averages the last resume points of a run into its final weights, summed in fp64 (OpenELM averages its last five).

What the window covers is the recipe's choice: `average_last` points, `checkpoint_every` steps apart. A window that
reaches back to where the loss still fell steeply makes the average worse than the last point, so the asset reports both.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def average(points: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of equally named weights, each in its own type; one point comes back as it is."""
    if len({tuple(sorted(weights)) for weights in points}) != 1:
        raise ValueError("the points to average hold different weights, or there are none")
    mean = {}
    for name, weight in points[0].items():
        total = weight.to(torch.float64, copy=True)
        for other in points[1:]:
            total += other[name]
        mean[name] = (total / len(points)).to(weight.dtype)
    return mean
