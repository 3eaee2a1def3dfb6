"""Packs documents into sequences of equal length: plain concatenation, no padding.

A document's stream is `<|endoftext|>` and then its tokens. Streams are laid end to end and cut into sequences of
`sequence_length + 1` tokens: the first `sequence_length` are a step's inputs, the last `sequence_length` its targets. A
document therefore begins where the sequence does or at an `<|endoftext|>`, so the blocks of block-diagonal attention
follow from the tokens alone; the last token of a document learns to end it, and the first is learned from `<|endoftext|>`.

    inputs     EOT  a1  a2  a3  EOT  b1  b2         document ids  1 1 1 1 2 2 2
    targets     a1  a2  a3 EOT   b1  b2  b3

Sequences are rows of a `.npy` array, uint16 where the vocabulary fits; the provenance table says, for every run of
tokens in a sequence, whose stream it is and which part. What does not fill a last sequence is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from gristmill.errors import ContractError, RecipeError
from gristmill.lake.contracts import CONTRACTS

VERSION = "1"

Streams = Callable[[str], Sequence[int] | np.ndarray]
"""The stream of a document: <|endoftext|> and its tokens."""


def stream(ids: Sequence[int], end_of_text: int) -> np.ndarray:
    """A document's tokens as they enter a corpus."""
    return np.concatenate([np.array([end_of_text], np.uint32), np.asarray(ids, np.uint32)])


def whole_sequences(tokens: int, sequence_length: int) -> int:
    """The largest number of tokens, at most `tokens`, that fills sequences; at least one sequence's."""
    width = sequence_length + 1
    return max(1, tokens // width) * width


def pack(pieces: pl.DataFrame, phase: str, streams: Streams, sequence_length: int, vocab_size: int) -> tuple[np.ndarray, pl.DataFrame]:
    """(sequences (n, sequence_length + 1), provenance) of `pieces`, which are laid down in their order."""
    width = sequence_length + 1
    lengths = pieces["length"].to_numpy()
    ends = np.cumsum(lengths, dtype=np.int64)
    n = int(ends[-1]) // width if len(ends) else 0
    if n == 0:
        raise RecipeError(
            f"its documents do not fill one sequence of {width} tokens",
            where=f"corpus.phases.{phase}",
            fix="Ask for more tokens, or for a shorter corpus.sequence_length.",
        )
    flat = np.empty(n * width, np.uint16 if vocab_size <= 2**16 else np.uint32)
    for doc_id, length, end in zip(pieces["doc_id"], lengths, ends, strict=True):
        start = end - length
        if start < len(flat):
            flat[start:end] = np.asarray(streams(doc_id)[: min(length, len(flat) - start)])
    return flat.reshape(n, width), _provenance(pieces, phase, ends - lengths, np.minimum(ends, n * width), width)


def save(sequences: np.ndarray, path: Path) -> None:
    np.save(path, sequences, allow_pickle=False)


def load(path: Path | str) -> np.ndarray:
    """The sequences at `path`, mapped into memory, not read."""
    sequences = np.load(path, mmap_mode="r", allow_pickle=False)
    if sequences.ndim != 2 or sequences.dtype not in (np.uint16, np.uint32):
        raise ContractError(f"holds {sequences.dtype} of shape {sequences.shape}, not sequences of tokens", where=str(path))
    return sequences


def _provenance(pieces: pl.DataFrame, phase: str, starts: np.ndarray, ends: np.ndarray, width: int) -> pl.DataFrame:
    """One row for each run of one piece's tokens in one sequence; the pieces lie at starts..ends of the concatenation."""
    kept = starts < ends
    starts, ends = starts[kept], ends[kept]
    first, last = starts // width, (ends - 1) // width
    runs = last - first + 1
    piece = np.repeat(np.arange(len(starts)), runs)
    sequence = np.arange(len(piece)) - np.repeat(np.cumsum(runs) - runs, runs) + first[piece]
    begin = np.maximum(starts[piece], sequence * width)
    end = np.minimum(ends[piece], (sequence + 1) * width)
    frame = (
        pieces.filter(pl.Series(kept))[piece]
        .select("doc_id", "origin", "source", "topic", "epoch")
        .with_columns(
            pl.lit(phase).alias("phase"),
            pl.Series("sequence", sequence, dtype=pl.Int64),
            pl.Series("position", begin % width, dtype=pl.Int64),
            pl.Series("start", begin - starts[piece], dtype=pl.Int64),
            pl.Series("end", end - starts[piece], dtype=pl.Int64),
        )
    )
    return frame.select(*CONTRACTS["provenance"].schema)
