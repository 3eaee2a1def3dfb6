"""The average of weights, summed in fp64."""

import pytest
import torch

from gristmill.training.averaging import average


def test_the_mean_by_hand() -> None:
    points = [{"a": torch.tensor([1.0, 2.0]), "b": torch.tensor(3.0)}, {"a": torch.tensor([3.0, 6.0]), "b": torch.tensor(0.0)}]
    mean = average(points)
    assert mean["a"].tolist() == [2.0, 4.0]
    assert mean["b"].item() == 1.5
    assert points[0]["a"].tolist() == [1.0, 2.0]


def test_sums_do_not_lose_what_fp32_would() -> None:
    """In fp32 1 + 2^-24 is 1: seven such terms would be lost one by one."""
    points = [{"a": torch.tensor(1.0)}] + [{"a": torch.tensor(2.0**-24)} for _ in range(7)]
    assert average(points)["a"].item() == torch.tensor((1 + 7 * 2.0**-24) / 8).item()
    assert average(points)["a"].item() != 0.125


def test_one_point_is_itself_and_none_is_an_error() -> None:
    weights = {"a": torch.randn(5)}
    assert torch.equal(average([weights])["a"], weights["a"])
    for points in ([], [{"a": torch.ones(1)}, {"b": torch.ones(1)}]):
        with pytest.raises(ValueError, match="different weights"):
            average(points)
