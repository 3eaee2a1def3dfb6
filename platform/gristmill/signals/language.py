"""The language signal: how sure the identifier is of the document's language.

The language is identified when a page is extracted (`documents.language_score`, over the extracted text; source code
has 1.0), as FineWeb does (Penedo et al. 2024, section 3.2, keeps English at 0.65 and above).
"""

from __future__ import annotations

import polars as pl

VERSION = "1"


def language(documents: pl.DataFrame) -> pl.DataFrame:
    """doc_id and `language.score` in [0, 1]."""
    return documents.select("doc_id", pl.col("language_score").clip(0, 1).round(6).alias("language.score"))
