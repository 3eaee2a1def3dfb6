"""Spans of several finders put together, so that none overlaps another: what `views` needs to apply them."""

from __future__ import annotations

import numpy as np
import polars as pl

SCHEMA = {"doc_id": pl.String, "start": pl.Int64, "end": pl.Int64, "replacement": pl.String, "rule": pl.String}

_TEXT = 1 << 32  # more characters than a text has


def apart_from(found: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """`found` and of `others` what it leaves, by doc_id and start. Both of contract `edits`, each without overlaps.

    A span of `others` inside one of `found` goes; one that reaches out of it keeps what is outside, with its
    replacement on the first part. One that replaces nothing (an insertion) goes where text is removed around or after it.
    """
    found, others = found.select(*SCHEMA), others.select(*SCHEMA)
    if found.is_empty() or others.is_empty():
        return pl.concat([found, others]).sort("doc_id", "start")
    documents = pl.concat([found["doc_id"], others["doc_id"]]).rank("dense").cast(pl.Int64).to_numpy()
    own, theirs = documents[: found.height] * _TEXT, documents[found.height :] * _TEXT
    starts, ends = own + found["start"].to_numpy(), own + found["end"].to_numpy()
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], ends[order]
    begin, stop = theirs + others["start"].to_numpy(), theirs + others["end"].to_numpy()
    first = np.searchsorted(ends, begin, side="right")
    after = np.where(stop > begin, np.searchsorted(starts, stop, side="left"), np.searchsorted(starts, begin, side="right"))
    covered = first < after
    rows = []
    for at in np.flatnonzero(covered):
        doc_id, _, _, replacement, rule = others.row(int(at))
        for a, b in _outside(int(begin[at]), int(stop[at]), starts[first[at] : after[at]], ends[first[at] : after[at]]):
            rows.append((doc_id, a % _TEXT, b - a + a % _TEXT, replacement, rule))
            replacement = ""
    parts = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return pl.concat([found, others.filter(~covered), parts]).sort("doc_id", "start")


def _outside(begin: int, stop: int, starts: np.ndarray, ends: np.ndarray) -> list[tuple[int, int]]:
    """What of [begin, stop) lies in none of the sorted spans."""
    left = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if begin < start:
            left.append((begin, start))
        begin = max(begin, end)
    return [*left, (begin, stop)] if begin < stop else left
