"""Lakes that hold signals and pages, and nothing else: no document, no text."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import polars as pl
import pytest

from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Workspace
from gristmill.recipe import Recipe

RECIPE = Recipe.model_validate(
    {
        "sources": {"groups": {"web": {"crawls": ["web-*"]}, "code": {"crawls": ["code"]}}},
        "corpus": {"phases": {"general": {"tokens": 9, "mix": {"web": 1.0}}, "annealing": {"tokens": 9, "mix": {"web": 1.0}}}},
    }
)


def workspace_of(folder: Path, shards: Mapping[str, Sequence[Mapping[str, object]]]) -> Workspace:
    """Rows: doc_id, words, divergence and, where they matter, language, host, url, n_bytes, topic."""
    workspace = Workspace(Lake(folder), RECIPE)
    for shard, rows in shards.items():
        given = pl.DataFrame(
            [{"language": "en", "host": "a.example", "n_bytes": 10, "topic": None, "url": None, **row} for row in rows], schema=ROW
        )
        pages = given.select(
            "doc_id", pl.col("url").fill_null(pl.format("http://{}/{}", "host", "doc_id")), "host", "language", "n_bytes", n_chars="n_bytes"
        )
        gopher = given.select("doc_id", pl.col("words").alias("gopher.word_count"))
        kl = given.select("doc_id", pl.col("divergence").alias("kl.divergence"))
        workspace.store("signals", shard, Made({"signals.gopher": gopher, "signals.kl": kl, "pages": pages}), "1")
        if scored := given.filter(pl.col("topic").is_not_null()).height:
            topics = given.filter(pl.col("topic").is_not_null()).select(
                "doc_id", quality=0.5, quality_version=pl.lit("1"), topic="topic", topic_score=0.5
            )
            assert scored
            workspace.store("quality_scores", shard, Made({"scores": topics}), "1")
    return workspace


ROW = {
    "doc_id": pl.String, "words": pl.Float64, "divergence": pl.Float64, "language": pl.String, "host": pl.String,
    "n_bytes": pl.Int64, "topic": pl.String, "url": pl.String,
}  # fmt: skip


@pytest.fixture(scope="session")
def stored() -> Callable[[Path, Mapping[str, Sequence[Mapping[str, object]]]], Workspace]:
    return workspace_of
