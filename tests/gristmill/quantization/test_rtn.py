"""Round-to-nearest: the bound, idempotence, packing, and variants on disk."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from gristmill.errors import GristmillError
from gristmill.model import export
from gristmill.model.config import Config
from gristmill.model.decoder import Decoder
from gristmill.quantization import rtn

CONFIG = Config(vocab_size=40, hidden=24, head_size=6, heads=(4, 4), kv_heads=(2, 2), ffn=(40, 40), context=16)


@st.composite
def matrices(draw):
    """Matrices of several scales and offsets, with zeros and one-sided groups among them."""
    groups, group = draw(st.integers(1, 4)), draw(st.sampled_from([1, 3, 8]))
    seed, scale, offset = (
        draw(st.integers(0, 2**31)),
        draw(st.sampled_from([0.0, 1e-7, 1e-3, 1.0, 50.0])),
        draw(st.sampled_from([0.0, 0.3, -7.0])),
    )
    values = np.random.default_rng(seed).normal(offset, scale, (draw(st.integers(1, 4)), groups * group))
    return values.astype(np.float32), group


@pytest.mark.parametrize("bits", rtn.BITS)
@given(case=matrices())
@settings(max_examples=60, deadline=None)
def test_every_weight_is_within_half_a_scale(bits, case):
    matrix, group = case
    quantized = rtn.round_to_nearest(matrix, bits, group)
    error = np.abs(quantized.dequantized().astype(np.float64) - matrix).reshape(*quantized.scale.shape, group).max(axis=2)
    rounding = 4 * np.finfo(np.float32).eps * np.abs(matrix).max(initial=0)
    assert (error <= quantized.scale.astype(np.float64) / 2 + rounding).all()
    assert quantized.q.max(initial=0) < 2**bits


@pytest.mark.parametrize("bits", rtn.BITS)
@given(case=matrices())
@settings(max_examples=60, deadline=None)
def test_quantizing_again_changes_nothing(bits, case):
    matrix, group = case
    first = rtn.round_to_nearest(matrix, bits, group)
    again = rtn.round_to_nearest(first.dequantized(), bits, group)
    normal = (first.scale >= np.finfo(np.float16).tiny)[..., None]  # below, a scale has too few digits to come out again
    groups = (*first.scale.shape, group)
    assert np.array_equal((again.dequantized().reshape(groups) * normal), first.dequantized().reshape(groups) * normal)


@given(bits=st.sampled_from(rtn.BITS), values=st.lists(st.integers(0, 255), max_size=40))
def test_packing_round_trips(bits, values):
    array = np.array([value % 2**bits for value in values], np.uint8)
    packed = rtn.pack(array, bits)
    assert packed.size == -(-array.size * bits // 8)
    assert np.array_equal(rtn.unpack(packed, bits, array.size), array)


def test_golden_values():
    quantized = rtn.round_to_nearest(np.array([[-1.0, -0.25, 0.5, 2.0]], np.float32), 2, 4)
    assert quantized.q.tolist() == [[0, 1, 2, 3]]  # scale 1: -0.25 lies nearest to 0, 0.5 (a tie) goes to even
    assert (quantized.minimum.item(), quantized.scale.item()) == (-1.0, 1.0)
    assert rtn.pack(quantized.q, 2).tolist() == [0b11_10_01_00]
    assert rtn.pack(np.array([1, 2, 15], np.uint8), 4).tolist() == [0x21, 0x0F]


@pytest.mark.parametrize(("inputs", "asked", "group"), [(576, 128, 96), (128, 32, 32), (24, 32, 24), (7, 4, 1)])
def test_the_group_divides_the_width(inputs, asked, group):
    assert rtn.group_of(inputs, asked) == group


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    export.save(Decoder(CONFIG, seed=3).state_dict(), CONFIG, tmp_path / "model")
    return tmp_path / "model"


def logits(decoder: Decoder) -> torch.Tensor:
    with torch.inference_mode():
        return decoder(torch.arange(16)[None])


def test_fewer_bits_are_smaller_and_further_away(checkpoint: Path, tmp_path: Path):
    exact = logits(export.load(checkpoint)[0])
    sizes, errors, distances = [], [], []
    for bits in rtn.BITS:
        found = rtn.quantize(checkpoint, bits, 8, tmp_path / f"w{bits}")
        assert found["layers"] == 14 and found["smallest_group"] == 8
        assert found["bits_per_quantized_weight"] == bits + 32 / 8
        sizes.append(found["bytes_after"])
        errors.append(found["relative_error"])
        distances.append((logits(rtn.load_quantized(tmp_path / f"w{bits}")) - exact).abs().max().item())
    assert sizes == sorted(sizes, reverse=True) and sizes[0] < found["bytes_before"]
    assert errors == sorted(errors) and errors[0] < 0.01
    assert distances == sorted(distances) and 0 < distances[0] < 0.1


def test_embeddings_and_norms_stay_as_they_are(checkpoint: Path, tmp_path: Path):
    rtn.quantize(checkpoint, 2, 8, tmp_path / "w2")
    before, after = load_file(checkpoint / "model.safetensors"), rtn.dequantized(tmp_path / "w2")
    assert set(before) == set(after)
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert same == {name for name in before if "norm" in name or "embed" in name}


def test_layers_of_different_shapes(tmp_path: Path):
    config = Config(vocab_size=40, hidden=24, head_size=6, heads=(2, 4), kv_heads=(1, 2), ffn=(12, 36), context=16)
    export.save(Decoder(config, seed=3).state_dict(), config, tmp_path / "model")
    rtn.quantize(tmp_path / "model", 8, 8, tmp_path / "w8")
    assert torch.allclose(logits(rtn.load_quantized(tmp_path / "w8")), logits(export.load(tmp_path / "model")[0]), atol=0.1)


def test_equal_checkpoints_give_equal_files(checkpoint: Path, tmp_path: Path):
    for out in ("first", "second"):
        rtn.quantize(checkpoint, 4, 8, tmp_path / out)
    for name in ("quantized.safetensors", "quantization.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    assert json.loads((tmp_path / "first" / "quantization.json").read_text())["symmetric"] is False


def test_refuses_what_it_cannot_hold(checkpoint: Path, tmp_path: Path):
    with pytest.raises(GristmillError, match="not finite"):
        rtn.round_to_nearest(np.array([[np.nan]], np.float32), 8, 1)
    with pytest.raises(GristmillError, match="exceed"):
        rtn.round_to_nearest(np.array([[1e6]], np.float32), 8, 1)
    with pytest.raises(GristmillError, match="no 3-bit scheme"):
        rtn.quantize(checkpoint, 3, 8, tmp_path / "w3")
    with pytest.raises(GristmillError, match=r"quantization\.json"):
        rtn.load_quantized(checkpoint)
