"""Citation marks, cut out of the clean view: `[1]`, `[]`, `[edit]`, `[citation needed]`.

Raffel et al. 2020 do not mention it, C4's code does it ("remove citations": Wikipedia's marks), and so does datatrove.
Digits are decimal digits of any script; the words are in lower case. The space before a mark stays, as there. One edit
per mark, rule `strip.citations`.
"""

from __future__ import annotations

import re

import polars as pl

from gristmill.edits.spans import SCHEMA, in_order

VERSION = "1"

RULE = "strip.citations"

_MARK = re.compile(r"\[(?:\d*|edit|citation needed)\]")
_MAY_HOLD = r"\[(?:\p{Nd}|\]|edit\]|citation needed\])"


def find_citations(extracted: pl.DataFrame) -> pl.DataFrame:
    """The contract `edits` for the documents of `extracted` (doc_id, text)."""
    rows = [
        (doc_id, *mark.span(), "", RULE)
        for doc_id, text in extracted.filter(pl.col("text").str.contains(_MAY_HOLD)).select("doc_id", "text").iter_rows()
        for mark in _MARK.finditer(text)
    ]
    return in_order([pl.DataFrame(rows, schema=SCHEMA, orient="row")])
