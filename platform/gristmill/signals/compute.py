"""Signals of documents, a table per family, in one pass over their texts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from gristmill.errors import ContractError
from gristmill.signals.chunk import Chunk, References, chunks
from gristmill.signals.registry import FAMILIES, MODULES

DIGITS = 6  # after the point: what is stored and hashed


def compute_families(
    families: Iterable[str], documents: pl.DataFrame, references: References = References(), seconds: dict[str, float] | None = None
) -> dict[str, pl.DataFrame]:
    """Family -> doc_id and its columns `<family>.<signal>` (Float64, finite, never null), one row per document, in order.

    `documents`: doc_id, text in the view that the families read, and the columns of `documents` that they use. Read in
    chunks; families share what is segmented. `seconds`, if given, is told how long each family took.
    """
    names = list(families)
    for family in names:
        if family not in MODULES:
            raise ValueError(f"no module computes the family {family!r}")
    parts: dict[str, list[pl.DataFrame]] = {family: [] for family in names}
    for chunk in chunks(documents):
        for family in names:
            start = time.perf_counter()
            parts[family].append(compute_chunk(family, chunk, references))
            if seconds is not None:
                seconds[family] = seconds.get(family, 0.0) + time.perf_counter() - start
    return {family: pl.concat(frames) for family, frames in parts.items()}


def compute_chunk(family: str, chunk: Chunk, references: References = References()) -> pl.DataFrame:
    """doc_id and the family's columns of one chunk."""
    values: Mapping[str, np.ndarray] = MODULES[family].compute(chunk, references)
    columns = {}
    for name in FAMILIES[family]:
        rounded = np.round(np.asarray(values[name], np.float64), DIGITS) + 0.0
        if not np.isfinite(rounded).all():
            doc_id = chunk.frame["doc_id"][int(np.flatnonzero(~np.isfinite(rounded))[0])]
            raise ContractError(f"{family}.{name} is not a finite number for the document {doc_id}", where=f"table signals.{family}")
        columns[f"{family}.{name}"] = rounded
    return pl.DataFrame({"doc_id": chunk.frame["doc_id"], **columns})
