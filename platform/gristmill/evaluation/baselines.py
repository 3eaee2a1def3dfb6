"""What a model must beat: guessing without having learned, and counting tokens without looking at context.

Uniform over bytes costs 8 bits per byte. Uniform over tokens costs log2(vocabulary) bits per token. The unigram model
gives token t the probability (count + 1) / (tokens + vocabulary), counted over the training sequences (add-one,
Laplace): every byte-level token has a probability, whatever the training text lacked. All in bits per byte.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from gristmill.evaluation.bits_per_byte import Encode, bits_per_byte

VERSION = "1"

UNIFORM_BYTES = 8.0


def count_tokens(sequences: Iterable[np.ndarray], vocab_size: int) -> np.ndarray:
    """How often each token occurs in arrays of ids, (vocab_size,)."""
    counts = np.zeros(vocab_size, np.int64)
    for array in sequences:
        counts += np.bincount(np.asarray(array).reshape(-1), minlength=vocab_size)
    return counts


def unigram_nats(counts: np.ndarray, encode: Encode, texts: Sequence[str]) -> np.ndarray:
    """Nats of each text under the unigram model of `counts`."""
    losses = -np.log((counts + 1) / (counts.sum() + len(counts)))
    return np.array([float(losses[np.asarray(encode(text), np.int64)].sum()) for text in texts]).round(6)


def baseline_scores(documents: pl.DataFrame, counts: np.ndarray, encode: Encode) -> pl.DataFrame:
    """The baselines of `documents` (doc_id, domain, text, n_bytes), as `bits_per_byte` gives them."""
    texts = documents["text"].to_list()
    tokens = np.array([len(encode(text)) for text in texts], np.float64)
    described = documents.select("doc_id", "domain", "n_bytes")
    models = {
        "uniform_bytes": documents["n_bytes"].to_numpy() * UNIFORM_BYTES * math.log(2),
        "uniform_tokens": tokens * math.log(len(counts)),
        "unigram": unigram_nats(counts, encode, texts),
    }
    return pl.concat([bits_per_byte(described.with_columns(nats=pl.Series(nats, dtype=pl.Float64)), name) for name, nats in models.items()])
