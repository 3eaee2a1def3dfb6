"""Markdown stripping: the syntax taken out, the words left, as edit rows over the extracted text (rule `strip.markdown`).

Llama 3 (Grattafiori et al. 2024, section 3.1.1) found Markdown harmful to a model trained mostly on web text, and
removed all Markdown markers; it does not say which. Here every edit removes characters and puts none in:

| syntax | what goes | what stays |
|---|---|---|
| `## Heading ##` | the marks | the text |
| `*a*`, `**a**`, `***a***`, `_a_`, `__a b__`, `~~a~~` | the marks | the text |
| `[text](target "title")`, `![alt](target)` | brackets, target, title | text, alternative text |
| `` `code` `` | the ticks | the code, untouched |
| a fenced block | both fence lines | the code, untouched |
| `> quote` | the mark, to any depth; `>>> ` is a Python prompt | the text |
| `--- \\| ---` rule of a table | the line | the rows and their bars, which carry the columns |
| `<!-- comment -->` | all of it, over several lines too if it begins and ends with them | |

Left as they are: list markers (plain text writes lists so too), thematic breaks and underlined headings (`---`, `===`),
backslash escapes, reference links and their definitions, autolinks, tables' bars, raw HTML.

**Careful** comes before complete. Pages about programs show code without fences, once their HTML is gone: of 4,095 edits
that a first version made on 888 pages, nine in ten took the `#` off a comment. So:

- a heading stands alone: before it and after it comes a blank line, a fence, or the text's end. `#include`, `#tag`, `# ...`
  are none;
- left alone are lines indented by four columns or more, a Python prompt's (`>>> `, `... `), of 100,000 characters, and
  documents whose language is `code`;
- emphasis opens after white space or opening punctuation, before text, and closes after text, before white space or
  closing punctuation: `2 * 3`, `snake_case`, `a*b*c`, `f(*args, **kw)`, `*.py` and URLs have none. `_` neither crosses
  another `_` nor, doubled, encloses a single word (`__init__`); single marks enclose no `=`, `|`, `;`, `<`, `>`, `{`, `}`;
  what opens in parentheses closes in them;
- `a[i](x)` is no link, since the bracket follows a word; a comment in a line stands between white space; a bare `>`
  follows a quoted line.

**Code stays as it is, and stripping twice is stripping once.** Ticks go only if the code, then in the open, would not be
taken for syntax anywhere, else they stay (`` `# so` ``); a block loses its fences only if none of its lines would be
touched without them. A line whose stripped form is not at rest, or would open or close a fence or a comment, is left
alone. A fence that nothing closes protects what follows it to the end.

Emphasis, links and comments within a line are looked for in that line alone, in a bounded number of linear passes.
"""

from __future__ import annotations

import polars as pl

from gristmill.edits.spans import SCHEMA, in_order
from gristmill.signals import segment
from gristmill.signals.chunk import Chunk, chunks

VERSION = f"1-{segment.VERSION}"
RULE = "strip.markdown"

CODE = "code"  # the language of documents that are source code, in which `# ` begins a comment


def find_markdown_edits(documents: pl.DataFrame) -> pl.DataFrame:
    """The contract `edits` for `documents` (doc_id, text): spans of Markdown syntax to remove, by doc_id and start."""
    if "language" in documents.columns:
        documents = documents.filter(pl.col("language").ne_missing(CODE))
    parts = [pl.DataFrame(schema=SCHEMA), *(_edits(chunk) for chunk in chunks(documents.select("doc_id", "text")))]
    return in_order(parts)


def _edits(chunk: Chunk) -> pl.DataFrame:
    from gristmill.signals.kernels.markdown import markdown_spans

    data, offsets = chunk.bytes
    _, spans = markdown_spans(data, offsets, segment.tables().classes)
    return pl.DataFrame(
        {"doc_id": chunk.frame["doc_id"].gather(spans[:, 0]), "start": spans[:, 1], "end": spans[:, 2], "replacement": "", "rule": RULE},
        schema=SCHEMA,
    )
