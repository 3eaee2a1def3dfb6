"""Which documents of a shard a stage let through."""

import polars as pl

from gristmill.lake.workspace import Workspace

KEPT = {"doc_id": pl.String, "shard": pl.String, "text": pl.String}


def kept(workspace: Workspace, asset: str, shard: str) -> pl.LazyFrame:
    """doc_id of the documents that the verdicts of `asset` keep."""
    return workspace.scan(asset, shard, "verdicts").filter("kept").select("doc_id")


def filtered_documents(workspace: Workspace) -> pl.DataFrame:
    """KEPT: every document of every shard that the filters kept; those of equal normalised text share `text`."""
    frames = [pl.DataFrame(schema=KEPT)]
    for shard in workspace.partitions("filtered_shards"):
        signed = workspace.scan("minhash_signatures", shard).select("doc_id", pl.col("normal_hash").alias("text"))
        rows = kept(workspace, "filtered_shards", shard).join(signed, on="doc_id")
        frames.append(rows.select("doc_id", pl.lit(shard).alias("shard"), "text").collect())
    return pl.concat(frames)
