"""Quantiles of every signal among a source's documents, so that one document's value can be given its percentile.

From a sample: the SAMPLE documents of a source with the smallest doc_ids. A doc_id is a hash, so they are drawn evenly, whatever
the sharding; a shard's tables are sorted by it, so that only their heads are read. A percentile is good to half a point.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from gristmill.lake.contracts import CONTRACTS

VERSION = "1"

SAMPLE = 20_000
STEPS = 400  # between the lowest and the highest value


def drawn(ids: Iterable[pl.Series]) -> str:
    """The largest doc_id of a source's sample, given the first SAMPLE doc_ids of each of its shards in order; empty for no document."""
    smallest = pl.Series("doc_id", [], dtype=pl.String)
    for part in ids:
        smallest = pl.concat([smallest, part.head(SAMPLE)]).unique().sort().head(SAMPLE)
    return str(smallest[-1]) if len(smallest) else ""


def quantiles(source: str, documents: int, signals: pl.DataFrame) -> pl.DataFrame:
    """Contract `signal_quantiles` for a source of `documents` documents, from a sample's signals: doc_id and a column each, null
    where a document's shard has not computed it."""
    sample = signals.unique("doc_id").sort("doc_id").drop("doc_id")
    rows = []
    for name in sorted(sample.columns):
        values = np.sort(sample[name].drop_nulls().to_numpy())
        if len(values):
            at = np.rint(np.linspace(0, len(values) - 1, STEPS + 1)).astype(np.int64)
            rows.append(
                {"source": source, "signal": name, "documents": documents, "sampled": len(values), "quantiles": values[at].tolist()}
            )
    return pl.DataFrame(rows, schema=CONTRACTS["signal_quantiles"].schema)


def share_below(value: float, values: Sequence[float]) -> tuple[float, float]:
    """The shares of documents with a smaller value, and with a smaller or an equal one, to one step of `values` (quantiles)."""
    last = len(values) - 1
    if last < 0:
        return 0.0, 0.0
    if not last:
        return float(value > values[0]), float(value >= values[0])
    low, high = bisect.bisect_left(values, value), bisect.bisect_right(values, value)
    if low < high:  # a value that many share: from its first quantile to its last
        return low / last if low else 0.0, 1.0 if high > last else (high - 1) / last
    if low == 0 or low > last:
        return float(low > 0), float(low > 0)
    before, after = values[low - 1], values[low]
    share = (low - 1 + (value - before) / (after - before)) / last
    return share, share
