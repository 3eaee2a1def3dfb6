"""Text vectors in a LanceDB table beside the lake, one row per text hash, and the port of what makes them.

A vector is stored rounded to DECIMALS, so that it is also exactly a vector of small integers (value x 10^4): dot
products of those are exact in float64 whatever the order of summation, and a similarity is the same number on
any number of threads.

A text's vector is written once and never changes. Rows are upserted by text hash, so that a retry, or a
second process embedding the same text, leaves one row; a document finds its vector through the contract `embeddings`
(doc_id -> text_hash), so a text that a hundred documents share is embedded once. That table is published after the
vectors: a crash in between leaves vectors that the next attempt finds.

One LanceDB table per embedder, every commit a version of it; `upkeep` compacts it, indexes it and takes texts out for good.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import random
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import filelock
import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.dedup import upkeep
from gristmill.errors import LakeError
from gristmill.lake.store import Lake

VERSION = "1"

DECIMALS = 4
KEYS_AT_ONCE = 2_000  # text hashes in one look-up
ATTEMPTS = 8  # of a commit that another process's commit overtook
LISTS_LOOKED_AT = 32  # of the approximate index, per question
CANDIDATES = 10  # of the approximate index, per answer: they are scored again by their whole vectors


class Embedder(Protocol):
    """What turns texts into vectors. `name` identifies the weights and all that the vector of a text depends on."""

    name: str
    dimension: int

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit vectors, one row per text, rounded to DECIMALS. A text's vector does not depend on the other texts."""
        ...


class VectorTable:
    """The vectors of one embedder."""

    def __init__(self, table: Any, model: str, where: str):
        self.rows, self.model, self.where = table, model, where  # `rows` is LanceDB's table
        self.dimension: int = table.schema.field("vector").type.list_size

    @classmethod
    def open(cls, lake: Lake, model: str, dimension: int | None = None) -> VectorTable:
        """The table of the embedder `model`; made if it is new and `dimension` is given, LakeError if it is new and not."""
        import lancedb  # more than a second
        import pyarrow as pa

        database = lancedb.connect(
            lake.vectors_uri,
            storage_options=lake.storage_options or None,
            read_consistency_interval=datetime.timedelta(0),  # see what other processes have written
        )
        name, where = table_name(model), f"{lake.vectors_uri}/{table_name(model)}"
        try:
            table = cls(database.open_table(name), model, where)
        except ValueError as error:  # LanceDB's word for a table that is not there
            if dimension is None:
                raise LakeError(f"holds no vectors of {model}: {error}", where=where, fix="Materialize document_embeddings.") from None
            vector = pa.list_(pa.float32(), dimension)
            schema = pa.schema([pa.field("text_hash", pa.string(), nullable=False), pa.field("vector", vector, nullable=False)])
            table = cls(database.create_table(name, schema=schema, exist_ok=True), model, where)
        if dimension not in (None, table.dimension):
            raise LakeError(
                f"holds vectors of {table.dimension} dimensions, {model} makes {dimension}",
                where=where,
                fix="Give the changed model another name.",
            )
        return table

    def put(self, text_hashes: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Stores the vectors (n, dimension) of the texts that have none yet, all or nothing."""
        if vectors.shape != (len(text_hashes), self.dimension):
            raise LakeError(f"given {len(text_hashes)} text hashes and vectors of shape {vectors.shape}", where=self.where)
        if not np.isfinite(vectors).all():
            raise LakeError("given vectors that are not finite", where=self.where)
        first = {key: i for i, key in reversed(list(enumerate(text_hashes)))}  # the source of a merge must not repeat a key
        keys = sorted(first)
        if not keys:
            return
        import pyarrow as pa

        values = pa.array(vectors[[first[key] for key in keys]].astype(np.float32).ravel())
        rows = pa.Table.from_arrays([pa.array(keys), pa.FixedSizeListArray.from_arrays(values, self.dimension)], schema=self.rows.schema)
        for attempt in range(ATTEMPTS):
            try:
                with self.alone():
                    self.rows.merge_insert("text_hash").when_not_matched_insert_all().execute(rows)
                if not self.missing(keys):
                    return
                problem: Exception | str = "a concurrent commit took its rows away"
            except Exception as error:  # LanceDB raises plain RuntimeError and OSError; the text tells them apart
                problem = error
                if not upkeep.CONFLICT.search(str(error)):
                    break
            time.sleep(random.uniform(0, 0.1 * 2**attempt))
        cause = problem if isinstance(problem, Exception) else None
        raise LakeError(f"cannot be written: {problem}", where=self.where, fix="Nothing was half-written; run it again.") from cause

    def nearest(self, query: NDArray[np.float32] | str, k: int = 10) -> pl.DataFrame:
        """text_hash and similarity (cosine, rounded to 6 decimals) of the `k` texts nearest to a vector, or to a text hash (itself left
        out), nearest first. For people: exact in a small table, approximate in a large one; nothing that is stored may depend on it."""
        vector = self.get([query])[0] if isinstance(query, str) else query
        search = self.rows.search(vector.astype(np.float32)).distance_type("cosine").nprobes(LISTS_LOOKED_AT).refine_factor(CANDIDATES)
        keys = search.select(["text_hash", "_distance"]).limit(k + 1).to_arrow()["text_hash"].to_pylist()
        found = as_integers(self.get(keys)).astype(np.float64)
        wanted = as_integers(vector).astype(np.float64)
        lengths = np.sqrt((found**2).sum(axis=1)) * np.sqrt((wanted**2).sum())
        cosines = np.round(found @ wanted / np.where(lengths == 0, np.inf, lengths), 6)
        frame = pl.DataFrame({"text_hash": keys, "similarity": cosines}, schema={"text_hash": pl.String, "similarity": pl.Float64})
        return (
            frame.filter(pl.col("text_hash") != (query if isinstance(query, str) else ""))
            .sort(pl.col("similarity") * -1, "text_hash")
            .head(k)
        )

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One writer at a time on this machine. LanceDB 0.40 resolves conflicting commits by itself, and under two local
        writers now and then one commit's rows were gone without an error."""
        if "://" in self.where:
            yield
        else:
            with filelock.FileLock(f"{self.where}.lock"):
                yield

    def missing(self, text_hashes: Sequence[str]) -> list[str]:
        """The distinct text hashes without a vector, sorted."""
        wanted = set(text_hashes)
        return sorted(wanted - {key for rows in self._rows(sorted(wanted), ["text_hash"]) for key in rows["text_hash"].to_pylist()})

    def get(self, text_hashes: Sequence[str]) -> NDArray[np.float32]:
        """The vectors (n, dimension) in the order of `text_hashes`, which may repeat; LakeError naming those that are missing."""
        place = {key: i for i, key in enumerate(sorted(set(text_hashes)))}
        found = np.full((len(place), self.dimension), np.nan, dtype=np.float32)
        for rows in self._rows(list(place), ["text_hash", "vector"]):
            at = [place[key] for key in rows["text_hash"].to_pylist()]
            found[at] = rows["vector"].combine_chunks().flatten().to_numpy().reshape(-1, self.dimension)
        absent = [key for key, i in place.items() if np.isnan(found[i, 0])]
        if absent:
            raise LakeError(
                f"lacks the vectors of {len(absent)} of {len(place)} texts, for example text_hash {', '.join(absent[:3])}",
                where=self.where,
                fix="Materialize document_embeddings of their shards again.",
            )
        return found[[place[key] for key in text_hashes]]

    def addresses(self, text_hashes: Sequence[str]) -> list[int]:
        """LanceDB's row ids of those texts that have a vector. They change when the table is settled."""
        return [at for rows in self._rows(sorted(set(text_hashes)), ["text_hash"], True) for at in rows["_rowid"].to_pylist()]

    def move(self, text_hashes: Sequence[str]) -> None:
        """Writes the texts' rows again as they are, into a new file, one commit."""
        import pyarrow as pa

        rows = pa.concat_tables(self._rows(sorted(set(text_hashes)), ["text_hash", "vector"]))
        self.rows.merge_insert("text_hash").when_matched_update_all().execute(rows)

    def delete(self, text_hashes: Sequence[str]) -> None:
        """Marks the texts' rows as deleted; they stay in the files and in old versions (`upkeep.forget` purges them)."""
        for part in _parts(sorted(set(text_hashes))):
            self.rows.delete(_among(part))

    def _rows(self, keys: list[str], columns: list[str], addressed: bool = False) -> Any:
        for part in _parts(keys):
            yield self.rows.search().where(_among(part)).select(columns).with_row_id(addressed).limit(len(part)).to_arrow()


def read_vectors(lake: Lake, embeddings: pl.DataFrame) -> NDArray[np.float32]:
    """The vectors (n, dimension) of rows of the contract `embeddings`, in their order; (0, 0) for no rows."""
    models = embeddings["model"].unique().sort().to_list()
    if len(models) > 1:
        raise LakeError(
            f"vectors of several models cannot be compared: {', '.join(models)}",
            where="embeddings",
            fix="Materialize document_embeddings of all shards.",
        )
    if not models:
        return np.zeros((0, 0), dtype=np.float32)
    return VectorTable.open(lake, models[0]).get(embeddings["text_hash"].to_list())


def embed(texts: pl.DataFrame, embedder: Embedder, table: VectorTable, at_once: int, advance: Any = None) -> pl.DataFrame:
    """(doc_id, text, text_hash) -> the contract `embeddings`; the vectors that the table lacks are made and stored, `at_once` a commit."""
    missing = table.missing(texts["text_hash"].to_list())
    known = texts.filter(pl.col("text_hash").is_in(missing)).unique("text_hash").sort("text_hash")
    for part in known.iter_slices(at_once):
        table.put(part["text_hash"].to_list(), embedder.encode(part["text"].to_list()))
        if upkeep.untidy(table):
            upkeep.settle(table)
        if advance:
            advance(part.height)
    vectors = table.get(texts["text_hash"].to_list())
    return texts.select(
        "doc_id",
        "text_hash",
        pl.lit(embedder.name).alias("model"),
        pl.Series("vector_hash", [vector_hash(v) for v in vectors], dtype=pl.String),
    )


def as_integers(vectors: NDArray[np.float32]) -> NDArray[np.int16]:
    """Rounded vectors as integers of 10^-DECIMALS."""
    return np.rint(vectors.astype(np.float64) * 10**DECIMALS).astype(np.int16)


def vector_hash(vector: NDArray[np.float32]) -> str:
    """32 hex digits of a rounded vector."""
    return hashlib.blake2b(as_integers(vector).astype("<i2").tobytes(), digest_size=16).hexdigest()


def table_name(model: str) -> str:
    """A readable table name that no two models share."""
    return f"{re.sub('[^A-Za-z0-9]+', '-', model).strip('-')[:60]}-{hashlib.blake2b(model.encode(), digest_size=4).hexdigest()}"


def _parts(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), KEYS_AT_ONCE):
        yield keys[start : start + KEYS_AT_ONCE]


def _among(keys: list[str]) -> str:
    """A filter expression."""
    listed = ", ".join(f"'{_checked(key)}'" for key in keys)
    return f"text_hash IN ({listed})"


def _checked(text_hash: str) -> str:
    """Hex digits only: the key goes into a filter expression."""
    if not re.fullmatch("[0-9a-f]+", text_hash):
        raise LakeError(f"a text hash must be hex digits, got {text_hash!r}", where="vectors")
    return text_hash
