"""Continues fixed prompts, so that a reader can see what the numbers mean.

Sampling at a temperature within the most likely tokens (Fan et al. 2018, top-k), seeded by the prompt: the same weights
give the same text. Greedy decoding shows a small model only in its loops, so it is not used. No key-value cache: a
few dozen tokens of a small model do not need one, and every step has one shape, so that the bits are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from torch import nn

from gristmill.corpus.tokenizer import Tokenizer

VERSION = "1"

TEMPERATURE = 0.7
TOP_K = 40


@torch.inference_mode()
def continuations(
    model: nn.Module, prompts: Sequence[Sequence[int]], tokens: int, context: int, end_of_text: int, pad: int, seeds: Sequence[int]
) -> list[list[int]]:
    """For each prompt up to `tokens` ids after `<|endoftext|>` and the prompt, ended by the model's own `<|endoftext|>`.

    All prompts go through the model together, (prompts, context) at every step, whether or not some have ended.
    """
    generators = [np.random.Generator(np.random.PCG64(seed)) for seed in seeds]
    texts = [[end_of_text, *prompt] for prompt in prompts]
    ended = [False] * len(texts)
    for _ in range(tokens):
        seen = [ids[-context:] for ids in texts]
        logits = model(torch.tensor([[*ids, *[pad] * (context - len(ids))] for ids in seen]))
        for i, ids in enumerate(seen):
            chosen = _draw(logits[i, len(ids) - 1].double().numpy(), pad, generators[i])
            ended[i] = ended[i] or chosen == end_of_text
            if not ended[i]:
                texts[i].append(chosen)
        if all(ended):
            break
    return [ids[1 + len(prompt) :] for ids, prompt in zip(texts, prompts, strict=True)]


def _draw(logits: np.ndarray, pad: int, generator: np.random.Generator) -> int:
    logits[pad] = -np.inf  # never learned as a target
    best = np.argsort(-logits, kind="stable")[:TOP_K]
    weights = np.exp((logits[best] - logits[best[0]]) / TEMPERATURE)
    return int(best[min(np.searchsorted(np.cumsum(weights), generator.random() * weights.sum()), len(best) - 1)])


def samples(model: nn.Module, tokenizer: Tokenizer, prompts: Sequence[str], tokens: int, context: int) -> pl.DataFrame:
    """(prompt, text): each distinct prompt's continuation, the prompt left out."""
    distinct = sorted(set(prompts))
    seeds = [int.from_bytes(hashlib.blake2b(prompt.encode(), digest_size=8).digest(), "little") for prompt in distinct]
    encoded = [tokenizer.encode(prompt) for prompt in distinct]
    written = continuations(model, encoded, tokens, context, tokenizer.end_of_text, tokenizer.pad, seeds) if distinct else []
    texts = [tokenizer.decode(ids) for ids in written]
    return pl.DataFrame({"prompt": distinct, "text": texts}, schema={"prompt": pl.String, "text": pl.String})
