"""Lines that the policy's rules remove from the clean view: rules with the action `edit`, over the signals of a line.

One edit per removed line, with its line end, so that no empty line stays; where all lines to the end of a text without
a final line end go, each takes the line end before it instead, so that none stays at the end either. The rule is the
first of the policy that fires on the line. Lines that follow one another are edits of their own: counts by rule are
counts of lines.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from gristmill.edits.spans import SCHEMA, in_order
from gristmill.errors import RecipeError
from gristmill.policy.rules import Rule
from gristmill.signals import lines
from gristmill.signals.chunk import Chunk, chunks

VERSION = f"1-{lines.VERSION}"


def find_line_edits(documents: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """The contract `edits` for `documents` (doc_id, text: as extracted) under rules with the action `edit`."""
    for rule in rules:
        if rule.signal not in lines.LINE_SIGNALS:
            raise RecipeError(
                f"the rule {rule.name} reads the signal {rule.signal!r}, which no line has",
                where="policy rules",
                fix=f"Signals of a line: {', '.join(lines.LINE_SIGNALS)}.",
            )
    found = [pl.DataFrame(schema=SCHEMA)]
    if rules:
        found += [_of_chunk(chunk, rules) for chunk in chunks(documents.select("doc_id", "text"))]
    return in_order(found)


def _of_chunk(chunk: Chunk, rules: Sequence[Rule]) -> pl.DataFrame:
    table = lines.line_signals(chunk, sorted({rule.signal for rule in rules}))
    first = np.full(table.height, len(rules), np.int64)
    for at, rule in reversed(list(enumerate(rules))):
        first[_holds(table[rule.signal].to_numpy(), rule)] = at
    removed = first < len(rules)
    rows, starts, ends, nexts = (table[name].to_numpy() for name in ("row", "start", "end", "next"))
    begin, stop = starts.copy(), nexts.copy()
    backwards = _at_the_end(rows, ends == nexts, removed)
    begin[backwards] = ends[backwards - 1]
    stop[backwards] = ends[backwards]
    return pl.DataFrame(
        {
            "doc_id": chunk.frame["doc_id"].gather(rows[removed]),
            "start": begin[removed],
            "end": stop[removed],
            "replacement": pl.repeat("", int(removed.sum()), eager=True),
            "rule": pl.Series([rule.name for rule in rules], dtype=pl.String).gather(first[removed]),
        },
        schema=SCHEMA,
    )


def _at_the_end(rows: npt.NDArray[np.int64], endless: npt.NDArray[np.bool_], removed: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """The removed lines after which no line of the text stays and before which one does, of texts that do not end in a line end."""
    lines = np.arange(len(rows))
    begins = np.flatnonzero(np.diff(rows, prepend=-1))
    sizes = np.diff(begins, append=len(rows))
    first, last = np.repeat(begins, sizes), np.repeat(begins + sizes - 1, sizes)
    stayed = np.maximum.accumulate(np.where(removed, -1, lines))  # the last line that stays
    stays = np.minimum.accumulate(np.where(removed, len(rows), lines)[::-1])[::-1]  # the next line that stays
    return np.flatnonzero(removed & (stays > last) & (stayed >= first) & endless[last])


def _holds(values: npt.NDArray[np.float64], rule: Rule) -> npt.NDArray[np.bool_]:
    compare = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}[rule.when]
    return compare(values, rule.threshold)  # type: ignore[no-any-return]
