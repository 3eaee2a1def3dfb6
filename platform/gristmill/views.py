"""The views of a document's text: what each stage sees, computed when read and never stored.

- extracted: `documents.text`, never changed; seen by `edits`.
- clean: extracted without the lines that the policy's rules remove and without what the recipe strips; seen by signals,
  dedup, embeddings and scores.
- final: clean without what other documents hold too (`cuts`), and with personal data masked; seen by tokenizer, decontamination,
  corpus and evaluation.

An edit is a row (`doc_id`, start, end, replacement, rule): characters [start, end) of the view before the one
that the rule belongs to are replaced; a cut is one that replaces by nothing. `text_hash` is the blake2b-128 of the UTF-8
text, in hex, of the view itself.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, NoReturn

import numpy as np
import polars as pl

from gristmill.edits.spans import apart_from
from gristmill.errors import ContractError
from gristmill.lake.hashing import text_hash

VERSION = "3"

FINAL = "pii."
"""What the name of a rule begins with whose edits make the final view. All other edits make the clean one."""

View = Literal["clean", "final"]
EDITED: tuple[View, ...] = ("clean", "final")

COLUMNS = ["doc_id", "text", "text_hash"]


def clean(documents: pl.DataFrame, edits: pl.DataFrame) -> pl.DataFrame:
    """doc_id, text, text_hash of the clean view, in the documents' order; of `documents` without text_hash no text is hashed."""
    return _edited(documents.select(name for name in COLUMNS if name in documents.columns), of_view(edits, "clean"))


def final(documents: pl.DataFrame, edits: pl.DataFrame, cuts: pl.DataFrame) -> pl.DataFrame:
    """doc_id, text, text_hash of the final view, in the documents' order; `cuts` as their contract, without overlaps."""
    gone = cuts.select("doc_id", "start", "end", pl.lit("").alias("replacement"), "rule")
    return _edited(clean(documents, edits), apart_from(gone, of_view(edits, "final")))


def of_view(edits: pl.DataFrame, view: View) -> pl.DataFrame:
    """The edits that make `view`."""
    final = pl.col("rule").str.starts_with(FINAL)
    return edits.filter(final if view == "final" else ~final)


def _edited(texts: pl.DataFrame, edits: pl.DataFrame) -> pl.DataFrame:
    """`texts` with the edits applied; documents without an edit keep text and hash as they are."""
    spans = edits.join(texts.select("doc_id").with_row_index("row"), on="doc_id", how="inner", maintain_order="left")
    if spans.is_empty():
        return texts
    row, start = pl.col("row"), pl.col("start")
    if not spans.select(((row > row.shift()) | ((row == row.shift()) & (start > start.shift()))).all()).item():
        spans = spans.sort("row", "start", "rule")
    rows, starts, ends = (spans[name].cast(pl.Int64).to_numpy() for name in ("row", "start", "end"))
    opens = np.concatenate([[True], rows[1:] != rows[:-1]])  # a document's first edit
    touched = texts[rows[opens]]
    before = np.where(opens, 0, np.concatenate([[0], ends[:-1]]))
    sizes = touched["text"].str.len_chars().cast(pl.Int64).to_numpy()
    broken = (starts < before) | (ends < starts) | (ends > np.repeat(sizes, np.diff([*np.flatnonzero(opens), len(rows)])))
    if broken.any():
        _refuse(spans.row(int(broken.argmax()), named=True), texts)
    # What removes text right after the edit before it is one with it: lines that go come in long runs.
    own = opens | (starts > before) | (spans["replacement"].str.len_bytes().to_numpy() > 0)
    last = np.concatenate([own[1:], [True]])
    bounds = np.concatenate([np.flatnonzero(opens[own]), [int(own.sum())]])
    merged = list(zip(starts[own].tolist(), ends[last].tolist(), spans["replacement"].filter(own).to_list(), strict=True))
    changed = [_replaced(text, merged[first:stop]) for text, (first, stop) in zip(touched["text"], pairwise(bounds.tolist()), strict=True)]
    new = pl.DataFrame({"doc_id": touched["doc_id"], "new.text": changed})
    if "text_hash" in texts.columns:
        new = new.with_columns(pl.Series("new.text_hash", [text_hash(text) for text in changed]))
    found = texts.join(new, on="doc_id", how="left", maintain_order="left")
    return found.select("doc_id", *(pl.coalesce(f"new.{name}", name).alias(name) for name in texts.columns[1:]))


def _refuse(edit: dict[str, Any], texts: pl.DataFrame) -> NoReturn:
    n_chars = len(texts["text"][edit["row"]])
    raise ContractError(
        f"the edit {edit['rule']} [{edit['start']}, {edit['end']}) of document {edit['doc_id']} overlaps another one or leaves the text of "
        f"{n_chars} characters",
        where="table edits",
        fix="Edits and documents of different versions were read together; materialise `edits` anew.",
    )


def _replaced(text: str, spans: list[tuple[int, int, str]]) -> str:
    """`text` with each span [start, end) replaced; the spans are sorted and neither overlap nor leave the text."""
    pieces: list[str] = []
    at = 0
    for start, end, replacement in spans:
        pieces += (text[at:start], replacement)
        at = end
    return "".join([*pieces, text[at:]])
