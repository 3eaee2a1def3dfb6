"""What the rules about lines took out of a document: Penedo et al. 2023, RefinedWeb, section 3.2 and appendix G.2.

| paper | signal | paper's rule |
|---|---|---|
| words in the corrected lines | word_share | document dropped above 5% |
| | line_share | |
| | char_share | |

Computed from the rows of `edits` and the text that they refer to, so the family is read on the **extracted** view:
lines that some edit covers, their words (as `str.split` cuts them) and the edits' characters (line ends included), as
shares of the document's. Blank lines count for nothing but their characters. Edits that are no lines (`strip.…`, `pii.…`)
are left out. The shares are of whatever rules about lines the policy has: with C4's they say how much C4 takes. Every
share is 0 for an empty document.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from gristmill.signals import lines
from gristmill.signals.chunk import Chunk, References, Values

VERSION = f"1-{lines.VERSION}"
READS = frozenset({"text", "edits"})
VIEW = "extracted"
FIXED_VIEW = True
SIGNALS = {
    "line_share": "share of the extracted document's lines that the rules about lines removed",
    "word_share": "share of its words in them",
    "char_share": "share of its characters in them",
}

_NO_LINES = ("strip.", "pii.")
_TEXT = 1 << 32  # more characters than a text has


def compute(chunk: Chunk, references: References) -> Values:
    if references.edits is None:
        raise ValueError("the family removed needs the documents' edits")
    table, documents = chunk.line_table, chunk.frame.height
    edits = (
        references.edits.filter(~pl.any_horizontal(pl.col("rule").str.starts_with(prefix) for prefix in _NO_LINES))
        .join(chunk.frame.select("doc_id").with_row_index("row"), on="doc_id")
        .select(pl.col("row").cast(pl.Int64), "start", "end")
        .sort("row", "start")
    )
    rows, starts, ends = (edits[name].to_numpy() for name in ("row", "start", "end"))
    # lines begin and end in order, so those that an edit covers are neighbours
    first = np.searchsorted(table.rows * _TEXT + table.starts, rows * _TEXT + starts, side="left")
    after = np.maximum(np.searchsorted(table.rows * _TEXT + table.ends, rows * _TEXT + ends, side="right"), first)
    filled = np.concatenate([[0], np.cumsum(table.solid_chars > 0)])
    words = np.concatenate([[0], np.cumsum(table.word_counts)])

    def share(removed: np.ndarray, total: np.ndarray) -> np.ndarray:
        return np.bincount(rows, removed, minlength=documents) / np.maximum(total, 1)

    bounds = np.searchsorted(table.rows, np.arange(documents + 1))
    return {
        "line_share": share(filled[after] - filled[first], np.diff(filled[bounds])),
        "word_share": share(words[after] - words[first], np.diff(words[bounds])),
        "char_share": share(ends - starts, chunk.n_chars),
    }
