"""Scores of a shard's survivors: quality and topic, from their vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.lake.contracts import CONTRACTS
from gristmill.quality import heads, topics

VERSION = f"1.{heads.VERSION}.{topics.VERSION}"


def score(doc_ids: pl.Series, vectors: NDArray[np.float32], quality_head: Any, topic_head: Any, quality_version: str) -> pl.DataFrame:
    """Contract `scores` for the documents whose vectors (n, dimension) are given, row by row."""
    if not len(doc_ids):
        return CONTRACTS["scores"].empty()
    names, probabilities = topics.predict(topic_head, vectors)
    return pl.DataFrame(
        {
            "doc_id": doc_ids,
            "quality": heads.predict(quality_head, vectors),
            "quality_version": pl.Series([quality_version] * len(doc_ids), dtype=pl.String),
            "topic": pl.Series(names, dtype=pl.String),
            "topic_score": probabilities,
        },
        schema=CONTRACTS["scores"].schema,
    )
