"""Reads the provenance of a corpus: which documents a sequence holds, and whether they may be there.

`start` and `end` count a document's stream tokens, of which token 0 is `<|endoftext|>` (see `packing`).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from gristmill.corpus.packing import Streams
from gristmill.errors import ContractError


def rebuild(provenance: pl.DataFrame, sequence: int, streams: Streams) -> np.ndarray:
    """The tokens of one sequence, put together from its documents alone."""
    rows = provenance.filter(pl.col("sequence") == sequence).sort("position")
    if rows.is_empty():
        raise ContractError(f"no provenance for sequence {sequence}", where="table provenance")
    parts, position = [], 0
    for at, doc_id, start, end in rows.select("position", "doc_id", "start", "end").iter_rows():
        if at != position:
            raise ContractError(f"sequence {sequence} has no provenance from token {position} to {at}", where="table provenance")
        parts.append(np.asarray(streams(doc_id)[start:end], np.uint32))
        position += end - start
    return np.concatenate(parts)


def uncovered(provenance: pl.DataFrame, sequences: int, width: int) -> int:
    """Tokens of the corpus that no row, or more than one, accounts for."""
    covered = np.zeros(sequences * width + 1, np.int64)
    starts = provenance["sequence"].to_numpy() * width + provenance["position"].to_numpy()
    ends = starts + (provenance["end"] - provenance["start"]).to_numpy()
    np.add.at(covered, starts, 1)
    np.add.at(covered, ends, -1)
    return int((np.cumsum(covered)[:-1] != 1).sum())


def not_for_training(provenance: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """The documents in `provenance`, synthetic ones aside, whose split is not `train` (or that have none): doc_id, origin, split."""
    documents = provenance.filter(~pl.col("origin").str.starts_with("synthetic/")).select("doc_id", "origin").unique()
    joined = documents.join(splits.select("doc_id", "split").unique(), on="doc_id", how="left")
    return joined.filter(pl.col("split").fill_null("none") != "train").sort("doc_id")
