"""Tells whether a string quotes a text that is known by its shingles alone: excerpts in metadata, samples and reports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl

from gristmill.crawl.tombstones import SHINGLES, Sketch, sketched

FEWEST = 3  # shingles; a shorter string says too little
SHARE = 0.6  # of a string's shingles that are the text's
PARTS = re.compile(r"[|\n]|\\n|…")  # cells and lines of a table in metadata, each looked at by itself


class Quotes:
    """Looks for the texts behind some sketches."""

    def __init__(self, texts: Iterable[Sketch]):
        self.known = pl.Series("shingles", sorted({shingle for text in texts for shingle in text.shingles}), dtype=pl.UInt32)

    def among(self, said: Iterable[str | None]) -> int:
        """How many of the strings quote one of the texts, in a cell or line of theirs."""
        if self.known.is_empty():
            return 0
        least = SHINGLES["shingle_words"] + FEWEST - 1
        parts = [(str(n), part) for n, text in enumerate(said) for part in PARTS.split(text or "") if part.count(" ") >= least - 1]
        if not parts:
            return 0
        rows = pl.DataFrame({"doc_id": [str(n) for n in range(len(parts))], "text": [part for _, part in parts]})
        signed = sketched(rows.with_columns(text_hash=pl.lit(""))).filter(pl.col("shingles").list.len() >= FEWEST)
        sizes = signed.select("doc_id", size=pl.col("shingles").list.len())
        shared = signed.select("doc_id", "shingles").explode("shingles").join(self.known.to_frame(), on="shingles", how="semi")
        quoting = shared.group_by("doc_id").agg(shared=pl.len()).join(sizes, on="doc_id").filter(pl.col("shared") >= SHARE * pl.col("size"))
        return len({parts[int(n)][0] for n in quoting["doc_id"]})


def strings(value: Any) -> Iterator[str]:
    """Every string inside of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from strings(each)
