"""Texts as vectors in LanceDB: documents, or paragraphs."""

from typing import Any, NamedTuple

import polars as pl

from gristmill.dedup import semantic, vectors
from gristmill.lake.workspace import Workspace
from gristmill.progress import Progress

VECTORS_A_COMMIT = 512  # what a killed run has to embed again at most


class Embedded(NamedTuple):
    """`embeddings`: their contract. `needs`: the folder of the lake that holds the vectors."""

    embeddings: pl.DataFrame
    model: str
    dimension: int
    new: int
    where: str
    needs: tuple[str, ...]


def embed(workspace: Workspace, port: Any, texts: pl.DataFrame, unit: str) -> Embedded:
    """Makes and stores the vectors that the table lacks of (doc_id, text, text_hash)."""
    table = vectors.VectorTable.open(workspace.lake, port.name, port.dimension)
    new = len(table.missing(texts["text_hash"].to_list()))
    with Progress("embed", new, unit) as progress:
        embeddings = vectors.embed(texts, port, table, VECTORS_A_COMMIT, progress.advance)
    needs = (table.where.removeprefix(f"{workspace.lake.root}/") + ".lance",)
    return Embedded(embeddings, port.name, port.dimension, new, table.where, needs)


def read_by(model: str, documents: pl.LazyFrame) -> pl.LazyFrame:
    """Those of the documents (with their language) whose language the model reads: others have vectors that mean nothing."""
    languages = semantic.readable(model)
    return documents if languages is None else documents.filter(pl.col("language").is_in(sorted(languages)))
