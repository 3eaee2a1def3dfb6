"""What the clean view loses: lines that the policy's rules remove, then Markdown, then citation marks."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from gristmill.edits.citations import VERSION as CITATIONS
from gristmill.edits.citations import find_citations
from gristmill.edits.lines import VERSION as LINES
from gristmill.edits.lines import find_line_edits
from gristmill.edits.markdown import VERSION as MARKDOWN
from gristmill.edits.markdown import find_markdown_edits
from gristmill.edits.spans import apart_from
from gristmill.policy.rules import Rule

VERSION = f"1.{LINES}.{MARKDOWN}.{CITATIONS}"


def find_clean_edits(documents: pl.DataFrame, line_rules: Sequence[Rule], strips: Collection[str]) -> pl.DataFrame:
    """The contract `edits` for `documents` (doc_id, text): spans of the extracted text that do not overlap.

    A removed line takes with it what would have been stripped inside; rules about lines see them as extracted.
    """
    found = find_line_edits(documents, line_rules)
    if "markdown" in strips:
        found = apart_from(found, find_markdown_edits(documents))
    if "citations" in strips:
        found = apart_from(found, find_citations(documents))
    return found
