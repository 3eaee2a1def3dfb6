"""How much of a text is Markdown: see Llama 3 (Grattafiori et al. 2024, section 3.1.1), which found it harmful in web text.

| signal | is |
|---|---|
| syntax_share | share of characters that `edits.markdown` removes: marks, link targets, fences, comments |
| heading_line_share | share of lines that are headings (`# `) |
| list_line_share | share of lines that are list items (`- `, `* `, `+ `, `1. `, `1) `) |
| code_line_share | share of lines that are code fences or between them |
| table_line_share | share of lines that are rows of a table (`\\|` at both ends) |
| quote_line_share | share of lines that are block quotes |
| links_per_word | inline links and images per word |

Lines end at line feeds and count where they are not blank. A line counts as one thing; one inside a fence or indented by
four columns or more is no heading, item, row or quote. Words are `segment`'s. Every signal is 0 for an empty text.
A text read in the clean view of a recipe that strips Markdown has lost what these count, list items and rows aside.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals import segment
from gristmill.signals.chunk import Chunk, References, Values

VERSION = f"1-{segment.VERSION}"
READS = frozenset({"text"})
SIGNALS = {
    "syntax_share": "share of characters that are removable Markdown syntax",
    "heading_line_share": "share of lines that are headings",
    "list_line_share": "share of lines that are list items",
    "code_line_share": "share of lines in fenced code blocks, fences included",
    "table_line_share": "share of lines that are table rows",
    "quote_line_share": "share of lines that are block quotes",
    "links_per_word": "inline links and images per word",
}


def compute(chunk: Chunk, references: References) -> Values:
    from gristmill.signals.kernels import markdown as k

    data, offsets = chunk.bytes
    counts, _ = k.markdown_spans(data, offsets, segment.tables().classes)
    lines = np.maximum(counts[:, k.LINES], 1)
    return {
        "syntax_share": counts[:, k.REMOVED] / np.maximum(chunk.n_chars, 1),
        "heading_line_share": counts[:, k.HEADINGS] / lines,
        "list_line_share": counts[:, k.ITEMS] / lines,
        "code_line_share": counts[:, k.FENCED] / lines,
        "table_line_share": counts[:, k.TABLE_ROWS] / lines,
        "quote_line_share": counts[:, k.QUOTES] / lines,
        "links_per_word": counts[:, k.LINKS] / np.maximum(chunk.words.counts, 1),
    }
