"""Semantic pairs of texts as links between documents, and which of them the earlier run did not have.

The pairs are found elsewhere (`gristmill.dedup.semantic`) and handed in by text hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from gristmill.dedup import state
from gristmill.dedup.keys import parse
from gristmill.dedup.members import EXACT_TEXT, ROWS_AT_ONCE, Documents, Lookup
from gristmill.dedup.spill import Spill


class SemanticPairs:
    """`edges`: (row, row, millionths) of the pairs of texts that members have; `new`: how many the earlier run did not have."""

    def __init__(self, documents: Documents, texts: Lookup, pairs: pl.LazyFrame | None, previous: state.State | None, folder: Path):
        self.edges, self.new, self._documents = Spill(folder, "semantic", 3), 0, documents
        schema = state.SCHEMAS["semantic_edges"]
        found = pairs.select(list(schema)) if pairs is not None else state.empty("semantic_edges")
        known = previous["semantic_edges"].select(list(schema)) if previous is not None else state.empty("semantic_edges")
        for batch in found.collect_batches(chunk_size=ROWS_AT_ONCE):
            self._add(texts, batch, touch=previous is None)
        if previous is None:
            return
        names = list(schema)
        for one, other in ((found, known), (known, found)):
            for batch in one.join(other, on=names, how="anti").collect_batches(chunk_size=ROWS_AT_ONCE):
                left, right = (texts.rows(parse(batch[name])) for name in ("left", "right"))
                both = (left >= 0) & (right >= 0)
                documents.touched[left[both]] = documents.touched[right[both]] = True
                self.new += int(both.sum()) if one is found else 0

    def _add(self, texts: Lookup, batch: pl.DataFrame, touch: bool) -> None:
        left, right = (texts.rows(parse(batch[name])) for name in ("left", "right"))
        both = (left >= 0) & (right >= 0)
        similarity = np.rint(batch["similarity"].to_numpy() * 1e6).astype(np.int64)
        self.edges.add(np.column_stack([left, right, similarity])[both].view(np.uint64))
        if touch:
            self._documents.touched[left[both]] = self._documents.touched[right[both]] = True
            self.new += int(both.sum())

    def tables(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """The table `semantic_edges` of `state.SCHEMAS`, in parts."""
        for part in self.edges.chunks(ROWS_AT_ONCE):
            left, right = (self._documents.hexes(part[:, i].astype(np.int64), EXACT_TEXT, "") for i in (0, 1))
            yield "semantic_edges", pl.DataFrame({"left": left, "right": right, "similarity": part[:, 2].astype(np.int64) / 1e6})
