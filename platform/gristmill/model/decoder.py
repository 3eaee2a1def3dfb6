"""The network: a pre-norm decoder with RMSNorm, rotary positions, grouped-query attention and SwiGLU.

    tokens -> embedding -> [ x + attention(norm(x)) ; x + ffn(norm(x)) ] per layer -> norm -> embedding^T -> logits

RMSNorm: Zhang and Sennrich 2019. RoPE: Su et al. 2021, in the half-split layout of Hugging Face's Llama. GQA: Ainslie
et al. 2023. SwiGLU: Shazeer 2020. No biases; the embedding is tied to the output. Not covered: a key-value cache,
dropout, query-key norms.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gristmill.model.attention import Documents, attend
from gristmill.model.config import Config


class RMSNorm(nn.Module):
    """x / rms(x) * weight over the last axis, the mean of squares in fp32."""

    def __init__(self, width: int, epsilon: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.epsilon)).to(x.dtype) * self.weight


def rotary_table(head_size: int, time: int, theta: float, device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Cosines and sines of position * theta^(-2i/head_size), each (time, head_size), the half repeated, fp32."""
    frequencies = theta ** (-torch.arange(0, head_size, 2, dtype=torch.float32, device=device) / head_size)
    angles = torch.outer(torch.arange(time, dtype=torch.float32, device=device), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x (batch, heads, time, size) turned by its position, in fp32: component i pairs with component i + size/2."""
    first, second = x.chunk(2, dim=-1)
    return (x * cos + torch.cat((-second, first), dim=-1) * sin).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, hidden: int, head_size: int, heads: int, kv_heads: int):
        super().__init__()
        self.head_size = head_size
        self.query = nn.Linear(hidden, heads * head_size, bias=False)
        self.key = nn.Linear(hidden, kv_heads * head_size, bias=False)
        self.value = nn.Linear(hidden, kv_heads * head_size, bias=False)
        self.output = nn.Linear(heads * head_size, hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, documents: Documents) -> Tensor:
        batch, time, _ = x.shape
        query, key, value = (
            projection(x).view(batch, time, -1, self.head_size).transpose(1, 2) for projection in (self.query, self.key, self.value)
        )
        mixed = attend(rotate(query, cos, sin), rotate(key, cos, sin), value, documents)
        return self.output(mixed.transpose(1, 2).reshape(batch, time, -1))


class FeedForward(nn.Module):
    def __init__(self, hidden: int, ffn: int):
        super().__init__()
        self.gate = nn.Linear(hidden, ffn, bias=False)
        self.up = nn.Linear(hidden, ffn, bias=False)
        self.down = nn.Linear(ffn, hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Layer(nn.Module):
    def __init__(self, config: Config, layer: int):
        super().__init__()
        self.attention_norm = RMSNorm(config.hidden, config.norm_epsilon)
        self.attention = Attention(config.hidden, config.head_size, config.heads[layer], config.kv_heads[layer])
        self.ffn_norm = RMSNorm(config.hidden, config.norm_epsilon)
        self.ffn = FeedForward(config.hidden, config.ffn[layer])

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, documents: Documents) -> Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin, documents)
        return x + self.ffn(self.ffn_norm(x))


class Decoder(nn.Module):
    """Next-token logits. `forward(tokens, document_ids=None)`: (batch, time) ids to (batch, time, vocab)."""

    def __init__(self, config: Config, seed: int = 0):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.hidden)
        self.layers = nn.ModuleList(Layer(config, layer) for layer in range(config.layers))
        self.norm = RMSNorm(config.hidden, config.norm_epsilon)
        self.initialise(seed)

    @torch.no_grad()
    def initialise(self, seed: int) -> None:
        """Normal weights, deviation 1/sqrt(hidden) as in SmolLM; what adds to the residual stream by 1/sqrt(2 layers) less (GPT-2)."""
        generator = torch.Generator().manual_seed(seed)
        deviation = 1 / math.sqrt(self.config.hidden)
        for name, weight in self.named_parameters():
            if name.endswith("norm.weight"):
                weight.fill_(1.0)
            else:
                residual = name.endswith(("attention.output.weight", "ffn.down.weight"))
                weight.normal_(0.0, deviation / math.sqrt(2 * self.config.layers) if residual else deviation, generator=generator)

    def forward(self, tokens: Tensor, document_ids: Tensor | None = None) -> Tensor:
        documents = Documents(document_ids)
        cos, sin = rotary_table(self.config.head_size, tokens.shape[1], self.config.rope_theta, tokens.device)
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, cos, sin, documents)
        return F.linear(self.norm(x), self.embedding.weight)
