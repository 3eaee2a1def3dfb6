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
def continuation(model: nn.Module, prompt: Sequence[int], tokens: int, context: int, end_of_text: int, pad: int, seed: int) -> list[int]:
    """Up to `tokens` ids after `<|endoftext|>` and `prompt`, ended by the model's own `<|endoftext|>`."""
    generator = np.random.Generator(np.random.PCG64(seed))
    ids = [end_of_text, *prompt]
    for _ in range(tokens):
        seen = ids[-context:]
        inputs = torch.tensor([[*seen, *[pad] * (context - len(seen))]])
        logits = model(inputs)[0, len(seen) - 1].double().numpy()
        logits[pad] = -np.inf  # never learned as a target
        best = np.argsort(-logits, kind="stable")[:TOP_K]
        weights = np.exp((logits[best] - logits[best[0]]) / TEMPERATURE)
        chosen = int(best[min(np.searchsorted(np.cumsum(weights), generator.random() * weights.sum()), len(best) - 1)])
        if chosen == end_of_text:
            break
        ids.append(chosen)
    return ids[1 + len(prompt) :]


def samples(model: nn.Module, tokenizer: Tokenizer, prompts: Sequence[str], tokens: int, context: int) -> pl.DataFrame:
    """(prompt, text): each distinct prompt's continuation, the prompt left out."""
    rows = []
    for prompt in sorted(set(prompts)):
        seed = int.from_bytes(hashlib.blake2b(prompt.encode(), digest_size=8).digest(), "little")
        ids = continuation(model, tokenizer.encode(prompt), tokens, context, tokenizer.end_of_text, tokenizer.pad, seed)
        rows.append({"prompt": prompt, "text": tokenizer.decode(ids)})
    return pl.DataFrame(rows, schema={"prompt": pl.String, "text": pl.String})
