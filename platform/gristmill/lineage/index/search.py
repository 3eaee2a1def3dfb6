"""A full-text index of a shard's clean view, in LanceDB: a phrase finds its documents without a scan of text.

One small table a shard, written once and named in the lake by its content like every other file. One table for all shards was
tried: LanceDB 0.40 merges a full-text index anew on every update, so that each shard costs what all before it cost (1,025 pages
in twelve shards: 18 s and 140 MB in one table, 2 s and 17 MB in twelve). A look-up asks the tables side by side, a few milliseconds each.

Words are found by ICU's segmentation, which knows languages that write without spaces; case and accents do not count. The
index says which documents hold the words in that order; whether they hold the phrase is then read in their text.
"""

from __future__ import annotations

import functools
import re
import shutil
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

VERSION = "1"

TABLE = "text"
COLUMNS = ["doc_id", "text"]
SOFT_HYPHEN = "\N{SOFT HYPHEN}"


def write_search_index(texts: pl.DataFrame, folder: Path) -> None:
    """Writes the index of (doc_id, text) under `folder`, which is emptied first. An empty shard's index has no rows."""
    import lancedb  # more than a second
    import pyarrow as pa
    from lancedb.index import FTS

    shutil.rmtree(folder, ignore_errors=True)
    schema = pa.schema([pa.field(name, pa.large_string(), nullable=False) for name in COLUMNS])
    plain = texts.select("doc_id", text=pl.Series([text.translate(_SIGNS) for text in texts["text"]], dtype=pl.String)).sort("doc_id")
    rows = plain.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)
    table = lancedb.connect(str(folder)).create_table(TABLE, rows, schema=schema)
    if texts.height:
        words = FTS(
            with_position=True, base_tokenizer="icu", stem=False, remove_stop_words=False, ascii_folding=True, max_token_length=None
        )
        table.create_index("text", config=words)


def candidates(uri: str, storage_options: dict[str, str] | None, phrase: str, limit: int) -> list[str]:
    """At most `limit` doc_ids, sorted, of documents of the index at `uri` that hold the phrase's words in their order."""
    import lancedb
    from lancedb.query import PhraseQuery

    table = lancedb.connect(uri, storage_options=storage_options).open_table(TABLE)
    if not table.count_rows():
        return []
    query: Any = table.search(PhraseQuery(phrase.translate(_SIGNS), "text", slop=0, document_granularity=None), query_type="fts")
    return sorted(query.limit(limit).select(["doc_id", "_score"]).to_arrow()["doc_id"].to_pylist())


def places(text: str, phrase: str) -> list[tuple[int, int]]:
    """Where a text holds the phrase, as character spans: case, accents, runs of white space and typographic quotes do not count."""
    words = [re.escape(word) for word in folded(phrase)[0].split()]
    if not words:
        return []
    plain, at = folded(text)
    return [(at[found.start()], at[found.end() - 1] + 1) for found in re.finditer(r"\s+".join(words), plain)]


def folded(text: str) -> tuple[str, Sequence[int]]:
    """The text as it is compared, and for each of its characters the place of the one that it came from."""
    if text.isascii():
        return text.lower(), range(len(text))
    out: list[str] = []
    at: list[int] = []
    for place, char in enumerate(text):
        for each in _folded(char):
            out.append(each)
            at.append(place)
    return "".join(out), at


@functools.lru_cache(maxsize=1 << 16)
def _folded(char: str) -> str:
    plain = unicodedata.normalize("NFKD", char.translate(_SIGNS)).casefold()
    return "".join(each for each in plain if not unicodedata.combining(each) and each != SOFT_HYPHEN)


# one character for one, so that places stay
_SIGNS = str.maketrans({**dict.fromkeys("‘’‚‛′", "'"), **dict.fromkeys("“”„‟″«»", '"'), **dict.fromkeys("‐‑‒–—−", "-")})
