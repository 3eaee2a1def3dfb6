"""Chooses the documents that models are scored on: curated ones of the test split, some of each domain, by hash.

A domain is a source group of the recipe. The text is the final view, the one that the corpus is made of, cut to the
recipe's `bytes_per_document` between two characters. Synthetic sets have no held-out part, so they are no domain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import polars as pl

from gristmill.lake.workspace import Workspace
from gristmill.texts import final_texts

VERSION = "1"

SCHEMA = {"doc_id": pl.String, "domain": pl.String, "text": pl.String, "n_bytes": pl.Int64}


def choose(doc_ids: Iterable[str], documents: int) -> list[str]:
    """At most `documents` of `doc_ids`, those with the lowest hash, sorted: the same whatever the order or sharding."""
    ranked = sorted({*doc_ids}, key=lambda doc_id: (hashlib.blake2b(f"evaluation\0{doc_id}".encode(), digest_size=16).digest(), doc_id))
    return sorted(ranked[:documents])


def cut(text: str, n_bytes: int) -> str:
    """The longest start of `text` that is at most `n_bytes` of UTF-8 and ends between two characters."""
    return text.encode()[:n_bytes].decode("utf-8", "ignore")


def held_out(workspace: Workspace) -> pl.DataFrame:
    """(doc_id, domain, text, n_bytes) of the chosen documents, by doc_id."""
    asked = workspace.recipe.evaluation
    shards_of: dict[str, dict[str, list[str]]] = {}  # domain -> shard -> curated test documents
    for shard in workspace.partitions("curated_shards"):
        kept = workspace.scan("curated_shards", shard, "verdicts").filter("kept").select("doc_id")
        test = workspace.scan("deduplicated_shards", shard, "splits").filter(pl.col("split") == "test").select("doc_id")
        found = kept.join(test, on="doc_id", how="semi").collect()["doc_id"].to_list()
        shards_of.setdefault(workspace.recipe.source_of(shard), {})[shard] = found
    frames = [pl.DataFrame(schema=SCHEMA)]
    for domain, shards in shards_of.items():
        chosen = {*choose((doc_id for found in shards.values() for doc_id in found), asked.documents_per_domain)}
        for shard, found in shards.items():
            if wanted := sorted(chosen.intersection(found)):
                frames.append(_texts(workspace, shard, wanted, domain, asked.bytes_per_document))
    return pl.concat(frames).filter(pl.col("n_bytes") > 0).sort("doc_id")


def domains(workspace: Workspace) -> list[str]:
    """The source groups that have a curated document, sorted: each of them should have a held-out one."""
    return sorted(
        {
            workspace.recipe.source_of(shard)
            for shard in workspace.partitions("curated_shards")
            if not workspace.scan("curated_shards", shard, "verdicts").filter("kept").head(1).collect().is_empty()
        }
    )


def _texts(workspace: Workspace, shard: str, doc_ids: list[str], domain: str, n_bytes: int) -> pl.DataFrame:
    texts = final_texts(workspace, shard, doc_ids).select(
        "doc_id", pl.col("text").map_elements(lambda text: cut(text, n_bytes), return_dtype=pl.String)
    )
    return texts.with_columns(domain=pl.lit(domain), n_bytes=pl.col("text").str.len_bytes().cast(pl.Int64)).select(*SCHEMA)
