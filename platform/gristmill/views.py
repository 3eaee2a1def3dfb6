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

from typing import Literal

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
    """doc_id, text, text_hash of the clean view, in the documents' order."""
    return _edited(documents.select(COLUMNS), of_view(edits, "clean"))


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
    spans = edits.sort("doc_id", "start", "rule").group_by("doc_id", maintain_order=True).agg("start", "end", "replacement", "rule")
    touched = spans.join(texts.select("doc_id", "text"), on="doc_id", how="inner")
    if touched.is_empty():
        return texts
    changed = [
        _replaced(doc_id, text, list(zip(starts, ends, replacements, rules, strict=True)))
        for doc_id, starts, ends, replacements, rules, text in touched.iter_rows()
    ]
    new = pl.DataFrame({"doc_id": touched["doc_id"], "_text": changed, "_hash": [text_hash(text) for text in changed]})
    return texts.join(new, on="doc_id", how="left", maintain_order="left").select(
        "doc_id", pl.coalesce("_text", "text").alias("text"), pl.coalesce("_hash", "text_hash").alias("text_hash")
    )


def _replaced(doc_id: str, text: str, spans: list[tuple[int, int, str, str]]) -> str:
    """`text` with each span [start, end) replaced; the spans are sorted and must neither overlap nor leave the text."""
    pieces, at = [], 0
    for start, end, replacement, rule in spans:
        if not at <= start <= end <= len(text):
            raise ContractError(
                f"the edit {rule} [{start}, {end}) of document {doc_id} overlaps another one or leaves the text of {len(text)} characters",
                where="table edits",
                fix="Edits and documents of different versions were read together; materialise `edits` anew.",
            )
        pieces += [text[at:start], replacement]
        at = end
    return "".join([*pieces, text[at:]])
