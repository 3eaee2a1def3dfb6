"""Shapes: what the recipe asks for, OpenELM's golden lists, and parameter counts."""

import pytest

from gristmill.model.config import Config, layerwise_scaling, make_divisible
from gristmill.model.decoder import Decoder
from gristmill.recipe import Model


def test_openelm_270m_by_layer() -> None:
    heads, kv_heads, ffn = layerwise_scaling(hidden=1280, layers=16, heads=20, kv_heads=5, ffn=5120)
    assert heads == (12,) * 5 + (16,) * 7 + (20,) * 4
    assert kv_heads == (3,) * 5 + (4,) * 7 + (5,) * 4
    assert ffn == (768, 1024, 1280, 1536, 1792, 2048, 2560, 2816, 3072, 3328, 3584, 3840, 4352, 4608, 4864, 5120)


@pytest.mark.parametrize(
    ("hidden", "layers", "head_size", "millions"),
    [
        (1280, 16, 64, 271.53),
        (1536, 20, 64, 457.18),
        (2048, 28, 64, 1_079.89),
        (3072, 36, 128, 3_036.65),
    ],
)
def test_openelm_parameter_counts(hidden: int, layers: int, head_size: int, millions: float) -> None:
    """OpenELM's published sizes count its query-key norms, two per layer of the head's size, which our decoder has not."""
    heads = hidden // head_size
    scaled = layerwise_scaling(hidden, layers, heads, heads // 4, 4 * hidden)
    config = Config(32_000, hidden, head_size, *scaled, context=2_048)
    assert round((config.parameters + 2 * layers * head_size) / 1e6, 2) == millions


@pytest.mark.parametrize("scaling", [False, True])
def test_counted_parameters_are_those_of_the_network(scaling: bool) -> None:
    config = Config.of(Model(hidden=64, layers=5, heads=8, kv_heads=4, ffn=192, layerwise_scaling=scaling), 300, 32)
    assert config.parameters == sum(weight.numel() for weight in Decoder(config).parameters())
    assert config.uniform is not scaling
    assert (config.heads[-1], config.kv_heads[-1], config.ffn[-1]) == (8, 4, 192)  # the recipe's are the last layer's
    assert all(h == 2 * kv for h, kv in zip(config.heads, config.kv_heads, strict=True))
    assert Config.from_json(config.to_json()) == config


@pytest.mark.parametrize(("value", "expected"), [(1, 64), (96, 128), (95, 128), (66, 64), (200, 192), (64 * 1.49, 64 * 2), (640, 640)])
def test_make_divisible(value: float, expected: int) -> None:
    assert make_divisible(value, 64) == expected
