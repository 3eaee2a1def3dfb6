"""Reads evaluation items: what a model will be examined with, and so may not be trained on."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from gristmill.errors import RecipeError
from gristmill.recipe.section import content_digest

HELD_OUT = "held_out"
"""What the items begin with that are documents of the validation and test splits; `<file's name in the recipe>` for the others."""

ITEMS = pl.Schema({"item": pl.String, "text": pl.String})


def read_items(name: str, path: str | Path, digest: str) -> pl.DataFrame:
    """ITEMS (item `<name>/<id>`) of a file of JSON lines with `id` (text or an integer) and `text`; other fields and blank lines do
    not count. RecipeError where a line cannot be one, where two lines share an id, and where the content is not `digest`'s any more.
    """
    path = Path(path)
    section = f"decontamination.items.{name}"
    if name == HELD_OUT or "/" in name or not name:
        raise RecipeError(
            f"cannot be called {name!r}", where=section, fix=f"`{HELD_OUT}` is the held-out documents' name; `/` ends a name."
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"cannot be read: {error.strerror}", where=str(path), fix=f"{section}.path names it.") from None
    if content_digest(data) != digest:
        raise RecipeError(
            "changed after the recipe was loaded",
            where=str(path),
            fix="Reload the definitions: the items' content is part of versions.",
        )
    lines: dict[str, int] = {}
    texts: list[str] = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number:,}"
        identity, text = _item(line, where)
        if identity in lines:
            raise RecipeError(
                f"the `id` {identity!r} is that of line {lines[identity]:,} too", where=where, fix="An item's id names it alone."
            )
        lines[identity] = number
        texts.append(text)
    return pl.DataFrame({"item": [f"{name}/{identity}" for identity in lines], "text": texts}, schema=ITEMS)


def held_out(texts: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """ITEMS: those of the documents (doc_id, text) whose split is not train."""
    kept_back = splits.filter(pl.col("split") != "train").select("doc_id")
    return texts.join(kept_back, on="doc_id", how="semi").select(pl.format(f"{HELD_OUT}/{{}}", "doc_id").alias("item"), "text")


def _item(line: bytes, where: str) -> tuple[str, str]:
    """id and text of one line."""
    try:
        value = json.loads(line)
    except UnicodeDecodeError as error:
        raise RecipeError(f"is not UTF-8: byte {error.start + 1:,} of the line is {line[error.start]:#x}", where=where) from None
    except json.JSONDecodeError as error:
        raise RecipeError(f"is not JSON: {error.msg} at column {error.colno:,}", where=where, fix="One JSON object a line.") from None
    if not isinstance(value, dict):
        raise RecipeError("is no JSON object", where=where, fix='A line is {"id": ..., "text": ...}.')
    for field in ("id", "text"):
        if field not in value:
            raise RecipeError(f"lacks the field `{field}`", where=where, fix=f"It has: {', '.join(value) or 'none'}.")
    identity, text = value["id"], value["text"]
    if isinstance(identity, bool) or not isinstance(identity, str | int) or identity == "":
        raise RecipeError(f"`id` must be text or an integer, is {json.dumps(identity)[:40]}", where=where)
    if not isinstance(text, str):
        raise RecipeError(f"`text` must be text, is {json.dumps(text)[:40]}", where=where)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RecipeError("`text` holds half a surrogate pair, which no text has", where=where) from None
    return str(identity), text
