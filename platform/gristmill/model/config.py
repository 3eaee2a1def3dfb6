"""What a decoder is made of: one width, and heads and feed-forward width of every layer.

Layer-wise scaling is OpenELM's (Mehta et al. 2024, section 2.1): early layers get fewer heads and narrower
feed-forwards, late ones more, linearly in depth. The recipe's `heads` and `ffn` are then those of the last layer;
the first has half the heads and an eighth of the width, as OpenELM's alpha 0.5 to 1.0 and beta 0.5 to 4.0 come to.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gristmill.errors import GristmillError
from gristmill.recipe import Model

VERSION = "1"  # of the whole room: shapes, decoder, attention and export (here, since this module is read without torch)

ALPHA_FIRST = 0.5  # heads of the first layer, as a share of the last one's
BETA_FIRST = 1 / 8  # feed-forward width likewise
FFN_MULTIPLE = 256  # OpenELM's; narrower models get a smaller power of two


@dataclass(frozen=True)
class Config:
    """Shapes of a decoder. `heads`, `kv_heads` and `ffn` have one entry per layer; `context` is in tokens."""

    vocab_size: int
    hidden: int
    head_size: int
    heads: tuple[int, ...]
    kv_heads: tuple[int, ...]
    ffn: tuple[int, ...]
    context: int
    rope_theta: float = 10_000.0
    norm_epsilon: float = 1e-5
    end_of_text: int = 0
    pad: int = 1

    @property
    def layers(self) -> int:
        return len(self.heads)

    @property
    def uniform(self) -> bool:
        """Whether all layers have one shape, which is what Hugging Face's Llama can express."""
        return all(len(set(values)) == 1 for values in (self.heads, self.kv_heads, self.ffn))

    @property
    def parameters(self) -> int:
        """Weights in all, the tied embedding counted once."""
        attention = sum(2 * self.hidden * self.head_size * (h + kv) for h, kv in zip(self.heads, self.kv_heads, strict=True))
        return self.vocab_size * self.hidden + attention + 3 * self.hidden * sum(self.ffn) + (2 * self.layers + 1) * self.hidden

    @classmethod
    def of(cls, model: Model, vocab_size: int, context: int, end_of_text: int = 0, pad: int = 1) -> Config:
        """The shapes that a recipe's [models.<name>] asks for."""
        if model.layerwise_scaling:
            heads, kv_heads, ffn = layerwise_scaling(model.hidden, model.layers, model.heads, model.kv_heads, model.ffn)
        else:
            heads, kv_heads, ffn = (model.heads,) * model.layers, (model.kv_heads,) * model.layers, (model.ffn,) * model.layers
        return cls(
            vocab_size=vocab_size,
            hidden=model.hidden,
            head_size=model.hidden // model.heads,
            heads=heads,
            kv_heads=kv_heads,
            ffn=ffn,
            context=context,
            rope_theta=model.rope_theta,
            end_of_text=end_of_text,
            pad=pad,
        )

    def to_json(self) -> dict[str, Any]:
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Config:
        try:
            read: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
            return cls(**read)
        except TypeError as error:
            raise GristmillError(f"is no decoder's configuration: {error}", where="config.json") from None


def layerwise_scaling(hidden: int, layers: int, heads: int, kv_heads: int, ffn: int) -> tuple[tuple[int, ...], ...]:
    """(heads, kv_heads, ffn) of every layer, first to last."""
    head_size, group = hidden // heads, heads // kv_heads
    multiple = FFN_MULTIPLE
    while multiple > 8 and (ffn % multiple or multiple > ffn // 8):
        multiple //= 2
    alphas = np.linspace(ALPHA_FIRST, 1.0, layers).round(2)
    betas = (np.linspace(BETA_FIRST, 1.0, layers) * ffn / hidden).round(2)
    scaled_heads = tuple(make_divisible(float(a) * hidden, head_size * group) // head_size for a in alphas)
    return scaled_heads, tuple(h // group for h in scaled_heads), tuple(make_divisible(float(b) * hidden, multiple) for b in betas)


def make_divisible(value: float, divisor: int) -> int:
    """`value` rounded to a multiple of `divisor`, at least one multiple and never below nine tenths of `value`."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded
