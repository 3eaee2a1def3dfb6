"""Bits per byte by domain on held-out documents: what a model needs to write a text down, whatever its tokenizer.

    bits per byte = sum of -ln p(token | the tokens before it) / (ln 2 * UTF-8 bytes of the text)

A loss per token cannot be compared between tokenizers; this can (Gao et al. 2020, The Pile, section 3.1; Magnusson et
al. 2023, Paloma). A document is `<|endoftext|>` and its tokens t1 .. tn, as in training; t1 .. tn are scored, the mark
itself has no bytes. A longer document than the model's context C is read through windows that move by C/2: the first
scores all of its C tokens, each later one the last C/2, so that every token is scored once and, past the first window,
sees at least C/2 tokens before it.

    C = 4    input    EOT t1 t2 t3        scored  t1 t2 t3 t4
             input         t2 t3 t4 t5    scored        t5 t6      (t3 and t4 are context)

Every forward pass has one shape (WINDOWS x C, padded with the pad token), since a sum in another shape is other bits.

Domains are the recipe's source groups; `all` pools the bytes of every domain. The interval is a percentile bootstrap
over documents (Efron and Tibshirani 1993, chapter 13), seeded: documents, not tokens, are what was drawn at random.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gristmill.errors import GristmillError
from gristmill.lake.hashing import text_hash
from gristmill.progress import Progress

VERSION = "2"

WINDOWS = 8  # of a forward pass
RESAMPLES = 2_000  # of the bootstrap
SEED = 1
ALL = "all"

Encode = Callable[[str], Sequence[int]]


def windows(n: int, context: int) -> list[tuple[int, int]]:
    """For a document of n tokens t1 .. tn behind its mark (position 0): (first position read, first position scored) of each window.

    A window reads `context` positions from its first one on and scores the positions that follow one of them.
    """
    stride = max(1, context // 2)
    found, scored = [], 1
    for start in range(0, n, stride):
        found.append((start, scored))
        scored = start + context + 1
        if scored > n:
            break
    return found


@contextmanager
def fixed_threads(threads: int) -> Iterator[None]:
    """`threads` threads inside, what was set before outside: sums split another way are other bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.inference_mode()
def score(
    model: nn.Module, encode: Encode, texts: Sequence[str], context: int, end_of_text: int, pad: int, what: str = "model"
) -> np.ndarray:
    """Nats of each text (float64, rounded to 6 decimals). `model` maps (batch, time) ids to (batch, time, vocab) logits."""
    documents = [[end_of_text, *encode(text)] for text in texts]
    jobs = [(d, start, first) for d, ids in enumerate(documents) for start, first in windows(len(ids) - 1, context)]
    nats = np.zeros(len(documents))
    with Progress(f"score {what}", total=len(jobs), unit="windows") as progress:
        for at in range(0, len(jobs), WINDOWS):
            batch = jobs[at : at + WINDOWS]
            inputs = torch.full((WINDOWS, context), pad, dtype=torch.long)
            targets = torch.full((WINDOWS, context), -100, dtype=torch.long)
            for row, (d, start, first) in enumerate(batch):
                ids = torch.tensor(documents[d][start : start + context + 1])
                inputs[row, : min(len(ids), context)] = ids[:context]
                targets[row, first - start - 1 : len(ids) - 1] = ids[first - start :]
            losses = _losses(model, inputs, targets)
            for row, (d, _, _) in enumerate(batch):
                nats[d] += losses[row]
            progress.advance(len(batch))
    if not np.isfinite(nats).all():
        raise GristmillError(
            f"{int((~np.isfinite(nats)).sum())} of {len(nats)} documents score no finite number",
            where="evaluation",
            fix="Look at the training log of the model: its weights are not finite.",
        )
    return nats.round(6)


def _losses(model: nn.Module, inputs: Tensor, targets: Tensor) -> np.ndarray:
    """Nats of each row (float64): token losses in fp32, their sum in fp64."""
    logits = model(inputs).float()
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=-100, reduction="none")
    return losses.view(targets.shape).double().sum(dim=1).numpy()


def by_document(scores: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """What two models are compared by, document by document: `scores` with the hash of the text that was scored (`documents`:
    doc_id, text), as the contract `document_scores` has it but for the model's name."""
    hashes = pl.col("text").map_elements(text_hash, return_dtype=pl.String).alias("text_hash")
    return scores.join(documents.select("doc_id", hashes), on="doc_id", how="left", maintain_order="left")


def bits_per_byte(scores: pl.DataFrame, metric: str = "bits_per_byte") -> pl.DataFrame:
    """Per domain and for all: `scores` (doc_id, domain, nats, n_bytes) to (metric, domain, value, low, high, documents, n_bytes)."""
    return _by_domain(scores, metric, lambda nats, n_bytes: nats[:, 0] / (math.log(2) * n_bytes))


def relative_increase(scores: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    """How many more bits than `reference` the same documents cost, as a share of the reference's, same columns as bits_per_byte.

    The bootstrap draws a document with both of its scores, so what the two models find hard alike cancels out.
    """
    both = scores.join(reference.select("doc_id", "domain", other=pl.col("nats")), on=["doc_id", "domain"], how="inner")
    return _by_domain(both, "relative_increase", lambda nats, _: nats[:, 0] / nats[:, 1] - 1)


def _by_domain(scores: pl.DataFrame, metric: str, statistic: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> pl.DataFrame:
    rows = []
    pooled = scores.with_columns(domain=pl.lit(ALL))
    for (domain,), group in pl.concat([scores, pooled]).sort("domain", "doc_id").group_by("domain", maintain_order=True):
        nats = group.select(pl.col("nats", *(["other"] if "other" in group.columns else []))).to_numpy()
        n_bytes = group["n_bytes"].to_numpy()
        if n_bytes.sum() == 0:
            continue
        value = statistic(nats.sum(axis=0)[None], n_bytes.sum()[None])[0]
        low, high = _interval(nats, n_bytes, statistic) if len(nats) > 1 else (None, None)
        rows.append(
            {
                "metric": metric,
                "domain": domain,
                "value": round(float(value), 6),
                "low": low,
                "high": high,
                "documents": len(nats),
                "n_bytes": int(n_bytes.sum()),
            }
        )
    schema: Mapping[str, pl.DataType | type[pl.DataType]] = {
        "metric": pl.String,
        "domain": pl.String,
        "value": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "documents": pl.Int64,
        "n_bytes": pl.Int64,
    }
    return pl.DataFrame(rows, schema=schema)


def _interval(nats: np.ndarray, n_bytes: np.ndarray, statistic: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> tuple[float, float]:
    """95% percentile interval of a ratio of sums over documents."""
    drawn = np.random.Generator(np.random.PCG64(SEED)).integers(0, len(nats), (RESAMPLES, len(nats)))
    counts = np.zeros((RESAMPLES, len(nats)))
    np.add.at(counts, (np.arange(RESAMPLES)[:, None], drawn), 1)
    low, high = np.percentile(statistic(counts @ nats, counts @ n_bytes), [2.5, 97.5])
    return round(float(low), 6), round(float(high), 6)
