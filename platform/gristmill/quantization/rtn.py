"""Makes weight-only variants of a checkpoint by round-to-nearest (RTN) with groups.

Every matrix of a linear layer is cut into groups of neighbouring inputs of one output row. A group keeps two
half-precision numbers, `minimum` and `scale`, and one integer q of `bits` bits per weight (asymmetric, as GGUF's
Q4_1 or the baseline of Frantar et al. 2022, GPTQ, section 4):

    minimum = min(0, smallest weight) rounded down to fp16
    scale   = (max(0, largest weight) - minimum) / (2^bits - 1) rounded up to fp16
    q       = round((weight - minimum) / scale)                      in 0 .. 2^bits - 1
    weight' = minimum + scale * q                                    |weight - weight'| <= scale / 2

The rounding directions keep every weight inside the range, so nothing is clipped and the bound holds for each weight;
zero is always in the range, so fp16 is fine enough for `minimum`. Quantizing weight' again gives weight' while the scale
is a normal fp16 number (6e-5 or more; a trained layer's 8-bit scales are ten times that).

Group size: the largest divisor of the layer's input width that is at most the one asked for (a width of 576 and 128
asked for: 96), written down per layer. Embeddings (tied to the output) and norms stay as they are, in float.

On disk: `config.json` of the checkpoint, `quantization.json`, and `quantized.safetensors` with `<layer>.q` (uint8; 8,
4 or 2 bits a value, low bits first), `<layer>.scale`, `<layer>.minimum` (fp16, outputs x groups) and what stayed float.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from gristmill.errors import GristmillError
from gristmill.model import export
from gristmill.model.decoder import Decoder

VERSION = "1"

BITS = (8, 4, 2)
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class Quantized:
    """A matrix in `bits` bits. `q` (outputs, inputs) uint8, one value each; `scale`, `minimum` (outputs, groups) fp16."""

    q: np.ndarray
    scale: np.ndarray
    minimum: np.ndarray

    def dequantized(self) -> np.ndarray:
        """(outputs, inputs) fp32."""
        outputs, groups = self.scale.shape
        q = self.q.reshape(outputs, groups, -1).astype(np.float32)
        values = self.minimum.astype(np.float32)[..., None] + self.scale.astype(np.float32)[..., None] * q
        return values.reshape(self.q.shape)


def quantize(folder: Path | str, bits: int, group_size: int, out: Path | str) -> dict[str, int | float]:
    """Writes the variant of the checkpoint in `folder` to `out`; returns sizes and errors."""
    folder, out = Path(folder), Path(out)
    if bits not in BITS:
        raise GristmillError(f"no {bits}-bit scheme", where="quantization.bits", fix=f"Known: {', '.join(map(str, BITS))}.")
    out.mkdir(parents=True, exist_ok=True)
    weights = load_file(folder / "model.safetensors")
    stored: dict[str, Tensor] = {}
    layers: dict[str, dict[str, Any]] = {}
    squared_error = squared = 0.0
    for name, weight in weights.items():
        if not is_linear(name, weight):
            stored[name] = weight
            continue
        matrix = weight.float().numpy()
        group = group_of(matrix.shape[1], group_size)
        quantized = round_to_nearest(matrix, bits, group, name)
        stored |= {
            f"{name}.q": torch.from_numpy(pack(quantized.q, bits)),
            f"{name}.scale": torch.from_numpy(quantized.scale),
            f"{name}.minimum": torch.from_numpy(quantized.minimum),
        }
        layers[name] = {"shape": list(matrix.shape), "group_size": group}
        squared_error += float(np.square(matrix.astype(np.float64) - quantized.dequantized()).sum())
        squared += float(np.square(matrix.astype(np.float64)).sum())
    save_file({name: stored[name].contiguous() for name in sorted(stored)}, out / "quantized.safetensors", {"format": "pt"})
    described = {"method": "rtn", "version": VERSION, "bits": bits, "group_size": group_size, "symmetric": False, "layers": layers}
    (out / "quantization.json").write_text(json.dumps(described, indent=2, sort_keys=True) + "\n")
    shutil.copyfile(folder / "config.json", out / "config.json")
    for name in TOKENIZER_FILES:
        if (folder / name).exists():
            shutil.copyfile(folder / name, out / name)
    return _sizes(weights, stored, layers) | {"relative_error": round((squared_error / squared) ** 0.5, 6) if squared else 0.0}


def load_quantized(folder: Path | str) -> Decoder:
    """The variant's decoder with its weights dequantized to fp32, ready to evaluate."""
    folder = Path(folder)
    with tempfile.TemporaryDirectory() as scratch:
        save_file(dequantized(folder), Path(scratch) / "model.safetensors", {"format": "pt"})
        shutil.copyfile(folder / "config.json", Path(scratch) / "config.json")
        decoder, _ = export.load(scratch)
    return decoder


def dequantized(folder: Path | str) -> dict[str, Tensor]:
    """The variant's tensors under the checkpoint's names, matrices as fp32."""
    folder = Path(folder)
    try:
        described = json.loads((folder / "quantization.json").read_text())
    except FileNotFoundError:
        raise GristmillError("holds no quantization.json", where=str(folder), fix="Materialize `quantized_variants`.") from None
    stored = load_file(folder / "quantized.safetensors")
    for name, layer in described["layers"].items():
        outputs, inputs = layer["shape"]
        q = unpack(stored.pop(f"{name}.q").numpy(), described["bits"], outputs * inputs).reshape(outputs, inputs)
        matrix = Quantized(q, stored.pop(f"{name}.scale").numpy(), stored.pop(f"{name}.minimum").numpy()).dequantized()
        stored[name] = torch.from_numpy(matrix)
    return stored


def is_linear(name: str, weight: Tensor) -> bool:
    """Whether a tensor is the matrix of a linear layer: two axes, and not the embedding."""
    return weight.ndim == 2 and "embed" not in name and "lm_head" not in name


def group_of(inputs: int, group_size: int) -> int:
    """The largest divisor of `inputs` that is at most `group_size`."""
    return next(size for size in range(min(group_size, inputs), 0, -1) if inputs % size == 0)


def round_to_nearest(matrix: np.ndarray, bits: int, group_size: int, name: str = "weight") -> Quantized:
    """`matrix` (outputs, inputs) fp32 in `bits` bits; `group_size` divides inputs."""
    outputs, inputs = matrix.shape
    limit = float(np.finfo(np.float16).max) / 2
    if not np.isfinite(matrix).all() or np.abs(matrix).max(initial=0) > limit:
        raise GristmillError(
            f"has weights that are not finite or exceed {limit:g}", where=name, fix="Look at the training log: the run diverged."
        )
    groups = matrix.reshape(outputs, inputs // group_size, group_size)
    levels = np.float32(2**bits - 1)
    minimum = _rounded(np.minimum(groups.min(axis=2), 0), -np.inf)
    span = (np.maximum(groups.max(axis=2), 0) - minimum.astype(np.float32)) / levels
    scale = _rounded(span, np.inf)
    scale[scale == 0] = 1  # a group of zeros
    q = np.rint((groups - minimum.astype(np.float32)[..., None]) / scale.astype(np.float32)[..., None])
    return Quantized(np.clip(q, 0, levels).astype(np.uint8).reshape(outputs, inputs), scale, minimum)


def pack(values: np.ndarray, bits: int) -> np.ndarray:
    """Integers below 2^bits as bytes, 8 / bits of them in each, the first in the low bits; flat, the last byte filled with zeros."""
    per_byte = 8 // bits
    flat = np.zeros(-(-values.size // per_byte) * per_byte, np.uint8)
    flat[: values.size] = values.reshape(-1)
    shifts = np.arange(per_byte, dtype=np.uint8) * np.uint8(bits)
    return np.bitwise_or.reduce(flat.reshape(-1, per_byte) << shifts, axis=1)


def unpack(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """The first `count` integers that `pack` put together."""
    shifts = np.arange(8 // bits, dtype=np.uint8) * np.uint8(bits)
    return ((packed[:, None] >> shifts) & np.uint8(2**bits - 1)).reshape(-1)[:count]


def _rounded(values: np.ndarray, towards: float) -> np.ndarray:
    """fp32 values as fp16, never past the value on the far side of `towards`."""
    half = values.astype(np.float16)
    wide = half.astype(np.float32)
    short = wide > values if towards < 0 else wide < values
    half[short] = np.nextafter(half[short], np.float16(towards))
    return half


def _sizes(weights: dict[str, Tensor], stored: dict[str, Tensor], layers: dict[str, Any]) -> dict[str, int | float]:
    quantized = sum(weights[name].numel() for name in layers)
    payload = sum(_bytes(tensor) for name, tensor in stored.items() if name not in weights)
    return {
        "layers": len(layers),
        "smallest_group": min((layer["group_size"] for layer in layers.values()), default=0),
        "quantized_weights": quantized,
        "float_weights": sum(tensor.numel() for name, tensor in weights.items() if name not in layers),
        "bits_per_quantized_weight": round(8 * payload / quantized, 3) if quantized else 0.0,
        "bytes_before": sum(map(_bytes, weights.values())),
        "bytes_after": sum(map(_bytes, stored.values())),
    }


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
