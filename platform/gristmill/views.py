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

from typing import Any, Literal, NoReturn

import numpy as np
import numpy.typing as npt
import polars as pl

from gristmill.edits.spans import apart_from, runs
from gristmill.errors import ContractError
from gristmill.lake.hashing import text_hash
from gristmill.lake.order import rises
from gristmill.signals.chunk import chunks
from gristmill.signals.segment import column, series

VERSION = "3"

FINAL = "pii."
"""What the name of a rule begins with whose edits make the final view. All other edits make the clean one."""

View = Literal["clean", "final"]
EDITED: tuple[View, ...] = ("clean", "final")

COLUMNS = ["doc_id", "text", "text_hash"]

FEW = 500
"""Edits that Python applies sooner than it loads what is compiled: `gristmill why` asks for one document."""


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
    """`texts` with the edits applied; documents without an edit keep their hash."""
    heads, sizes = runs(edits["doc_id"])
    places = texts.select("doc_id").with_row_index("row")
    found = heads.to_frame().join(places, on="doc_id", how="left", maintain_order="left")["row"].fill_null(-1).cast(pl.Int64)
    spans = edits.with_columns(pl.Series("row", np.repeat(found.to_numpy(), sizes))).filter(pl.col("row") >= 0)
    if spans.is_empty():
        return texts
    if not rises(spans, ["row", "start"], strictly=True):
        spans = spans.sort("row", "start", "rule")
    rows = spans["row"].to_numpy()
    new = _sliced(texts["text"], spans) if spans.height <= FEW else _spliced(texts, rows, spans)
    if "text_hash" not in texts.columns:
        return texts.with_columns(new)
    changed = np.unique(rows)
    return texts.with_columns(new, texts["text_hash"].scatter(changed, [text_hash(text) for text in new.gather(changed)]))


def _sliced(texts: pl.Series, spans: pl.DataFrame) -> pl.Series:
    """The texts with the sorted spans applied."""
    new = texts.to_list()
    for (row,), edits in spans.group_by("row", maintain_order=True):
        pieces: list[str] = []
        text, at = new[row], 0
        for start, end, replacement in edits.select("start", "end", "replacement").iter_rows():
            if not at <= start <= end <= len(text):
                _refuse(edits.row(len(pieces) // 2, named=True), len(text))
            pieces += (text[at:start], replacement)
            at = end
        new[row] = "".join([*pieces, text[at:]])
    return pl.Series("text", new, dtype=pl.String)


def _spliced(texts: pl.DataFrame, rows: npt.NDArray[np.int64], spans: pl.DataFrame) -> pl.Series:
    """As `_sliced`, compiled: for many spans. `rows` are theirs."""
    from gristmill.edits.splice_kernels import spliced

    parts: list[pl.Series] = []
    at = 0
    for chunk in chunks(texts):
        first, last = np.searchsorted(rows, [at, at + chunk.frame.height])
        edits = spans[first:last]
        starts, ends = (edits[name].cast(pl.Int64).to_numpy() for name in ("start", "end"))
        pieces = column(edits["replacement"])
        room = np.empty(len(chunk.bytes.data) + len(pieces.data), np.uint8)  # NumPy's, in huge pages, as in `signals.chunk`
        data, offsets, broken = spliced(*chunk.bytes, rows[first:last] - at, starts, ends, *pieces, room)
        if broken >= 0:
            _refuse(edits.row(broken, named=True), chunk.n_chars[rows[first + broken] - at])
        parts.append(series(data, offsets))
        at += chunk.frame.height
    return pl.concat(parts).alias("text")


def _refuse(edit: dict[str, Any], n_chars: int) -> NoReturn:
    raise ContractError(
        f"the edit {edit['rule']} [{edit['start']}, {edit['end']}) of document {edit['doc_id']} overlaps another one or leaves the text of "
        f"{n_chars} characters",
        where="table edits",
        fix="Edits and documents of different versions were read together; materialise `edits` anew.",
    )
