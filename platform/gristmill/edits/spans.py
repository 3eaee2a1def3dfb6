"""Spans of several finders put together, so that none overlaps another: what `views` needs to apply them.

A shard has a hundred edits for a document. So documents are told apart where the rows pass from one to the next, and
everything else is done with numbers: joins and sorts by strings cost ten times as much.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

SCHEMA = {"doc_id": pl.String, "start": pl.Int64, "end": pl.Int64, "replacement": pl.String, "rule": pl.String}

_TEXT = 1 << 32  # more characters than a text has

Numbers = npt.NDArray[np.int64]


def runs(doc_ids: pl.Series) -> tuple[pl.Series, Numbers]:
    """The document of each run of equal rows, and how many rows the run has."""
    if doc_ids.is_empty():
        return doc_ids, np.zeros(0, np.int64)
    begins = np.concatenate([[0], np.flatnonzero((doc_ids.slice(1) != doc_ids.slice(0, len(doc_ids) - 1)).to_numpy()) + 1])
    return doc_ids.gather(begins), np.diff([*begins, len(doc_ids)])


def in_order(found: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The rows of all (contract `edits`) by doc_id, start and rule."""
    table = pl.concat([each.select(*SCHEMA) for each in found])
    return _by_place(table, _documents(table["doc_id"]) * _TEXT + table["start"].to_numpy())


def _by_place(table: pl.DataFrame, place: Numbers) -> pl.DataFrame:
    """The rows by `place` (document and start of each), those of one place by rule."""
    if (place[1:] > place[:-1]).all():
        return table
    order = np.argsort(place, kind="stable")
    rules = table["rule"]
    for group in _alike(place[order]):
        order[group] = sorted(order[group], key=lambda row: rules[int(row)])
    return table[order]


def apart_from(found: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """`found` and of `others` what it leaves, by doc_id and start. Both of contract `edits`, each without overlaps.

    A span of `others` inside one of `found` goes; one that reaches out of it keeps what is outside, with its
    replacement on the first part. One that replaces nothing (an insertion) goes where text is removed around or after it.
    """
    found, others = found.select(*SCHEMA), others.select(*SCHEMA)
    if found.is_empty() or others.is_empty():
        return in_order([found, others])
    documents = _documents(pl.concat([found["doc_id"], others["doc_id"]])) * _TEXT
    own, theirs = documents[: found.height], documents[found.height :]
    places, ends = own + found["start"].to_numpy(), own + found["end"].to_numpy()
    order = np.argsort(places, kind="stable")
    starts, ends = places[order], ends[order]
    begin, stop = theirs + others["start"].to_numpy(), theirs + others["end"].to_numpy()
    first = np.searchsorted(ends, begin, side="right")
    after = np.where(stop > begin, np.searchsorted(starts, stop, side="left"), np.searchsorted(starts, begin, side="right"))
    covered = first < after
    rows, parts = [], []
    for at, (doc_id, _, _, replacement, rule) in zip(np.flatnonzero(covered), others.filter(covered).iter_rows(), strict=True):
        for a, b in _outside(int(begin[at]), int(stop[at]), starts[first[at] : after[at]], ends[first[at] : after[at]]):
            rows.append((doc_id, a % _TEXT, b - a + a % _TEXT, replacement, rule))
            parts.append(a)
            replacement = ""
    table = pl.concat([found, others.filter(~covered), pl.DataFrame(rows, schema=SCHEMA, orient="row")])
    return _by_place(table, np.concatenate([places, begin[~covered], np.array(parts, np.int64)]))


def _documents(doc_ids: pl.Series) -> Numbers:
    """The place of each row's document among all of them, by doc_id."""
    heads, sizes = runs(doc_ids)
    return np.repeat(heads.unique().sort().search_sorted(heads).cast(pl.Int64).to_numpy(), sizes)


def _alike(values: Numbers) -> list[slice]:
    """Where several equal ones follow each other."""
    same = np.flatnonzero(values[1:] == values[:-1])
    firsts = same[np.diff(same, prepend=-2) > 1]
    lasts = same[np.diff(same, append=len(values) + 1) > 1]
    return [slice(int(first), int(last) + 2) for first, last in zip(firsts, lasts, strict=True)]


def _outside(begin: int, stop: int, starts: np.ndarray, ends: np.ndarray) -> list[tuple[int, int]]:
    """What of [begin, stop) lies in none of the sorted spans."""
    left = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if begin < start:
            left.append((begin, start))
        begin = max(begin, end)
    return [*left, (begin, stop)] if begin < stop else left
