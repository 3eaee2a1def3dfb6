"""Paragraphs that say what an earlier paragraph says: where they are, and which of them the final view leaves out.

SemDeDup's search (see `semantic`) over paragraphs in the place of documents, where the paper has whole documents only:
boilerplate that is reworded from page to page is a duplicate that no line hash finds. It is off unless the recipe names it,
since every paragraph has to be embedded.

A paragraph is a run of lines between blank ones with at least `paragraph_words` words between white space. Of all
places of the survivors, in the order of the documents' survival and then position, the first paragraph left stays and
every one left that is the same text, or whose cosine with it reaches the threshold, goes: chains do not merge, and
what goes names the document that keeps its twin. A paragraph's vector stands in the same table as a document's.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.hashing import text_hash

VERSION = "1"
RULE = "dedup.semantic_paragraph"

PARAGRAPHS = {"doc_id": pl.String, "start": pl.Int64, "end": pl.Int64, "text_hash": pl.String, "text": pl.String}


def paragraphs(texts: pl.DataFrame, min_words: int) -> pl.DataFrame:
    """(doc_id, text) -> PARAGRAPHS: every paragraph of at least `min_words` words; characters [start, end) of the text, line ends between
    its lines but not after it. Sorted by doc_id and start."""
    lines = (
        texts.select("doc_id", pl.col("text").str.split("\n").alias("line"))
        .explode("line")
        .with_columns(
            (pl.col("line").str.len_chars().cast(pl.Int64) + 1).alias("width"), pl.col("line").str.contains(r"\S").alias("filled")
        )
        .with_columns((pl.col("width").cum_sum().over("doc_id") - pl.col("width")).alias("start"))
        .with_columns((~pl.col("filled")).cast(pl.Int64).cum_sum().over("doc_id").alias("run"))
        .filter("filled")
    )
    found = (
        lines.group_by("doc_id", "run", maintain_order=True)
        .agg(pl.col("start").min(), (pl.col("start") + pl.col("width") - 1).max().alias("end"), pl.col("line").str.join("\n").alias("text"))
        .filter(pl.col("text").str.count_matches(r"\S+") >= min_words)
    )
    hashes = pl.Series([text_hash(text) for text in found["text"]], dtype=pl.String)
    return found.with_columns(hashes.alias("text_hash")).select(list(PARAGRAPHS)).sort("doc_id", "start")


def paragraph_cuts(places: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """The contract `cuts`: every paragraph that repeats an earlier one.

    `places` (doc_id, rank, start, end, text_hash) are the paragraphs of all documents that survive, `rank` their order of survival (0
    first, distinct); `pairs` (left, right, similarity) of their text hashes. `documents` counts those that hold the paragraph that
    stays or one that goes for it; `twin` is the document that keeps it, which may be the document itself.
    """
    ordered = places.select("doc_id", "rank", "start", "end", "text_hash").sort("rank", "start")
    first = (
        ordered.unique("text_hash", keep="first", maintain_order=True)
        .with_row_index("node")
        .select("node", "text_hash", pl.col("doc_id").alias("home"), pl.col("start").alias("at"))
    )
    survivor, similarity = _elected(first, pairs)
    taken = first.with_columns(pl.Series("survivor", survivor, pl.UInt32), pl.Series("similarity", similarity)).join(
        first.select(pl.col("node").alias("survivor"), pl.col("home").alias("twin"), pl.col("at").alias("kept_at")), on="survivor"
    )
    all_places = ordered.join(taken.select("text_hash", "survivor", "similarity", "twin", "kept_at"), on="text_hash")
    held = all_places.group_by("survivor").agg(pl.col("doc_id").n_unique().cast(pl.Int64).alias("documents"))
    stays = (pl.col("doc_id") == pl.col("twin")) & (pl.col("start") == pl.col("kept_at"))
    cuts = all_places.filter(~stays).join(held, on="survivor").with_columns(pl.lit(RULE).alias("rule"))
    return cuts.select(list(CONTRACTS["cuts"].schema)).cast(CONTRACTS["cuts"].schema).sort("doc_id", "start")  # type: ignore[arg-type]


def _elected(first: pl.DataFrame, pairs: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Each node's survivor and its cosine with it; nodes are distinct texts in the order of their first places."""
    from gristmill.dedup.vector_kernels import elect

    number = first.select("text_hash", "node")
    linked = pairs.join(number.rename({"node": "a"}), left_on="left", right_on="text_hash").join(
        number.rename({"node": "b"}), left_on="right", right_on="text_hash"
    )
    links = linked.select(
        pl.min_horizontal("a", "b").cast(pl.Int64).alias("node"), pl.max_horizontal("a", "b").cast(pl.Int64).alias("other"), "similarity"
    ).sort("node", "other")
    nodes, bounds = links["node"].to_numpy(), np.arange(first.height)
    survivor, similarity = np.full(first.height, -1, np.int64), np.zeros(first.height)
    starts, ends = np.searchsorted(nodes, bounds, "left"), np.searchsorted(nodes, bounds, "right")
    elect(starts, ends, links["other"].to_numpy(), links["similarity"].to_numpy(), survivor, similarity)
    return survivor, similarity
