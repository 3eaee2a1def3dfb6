"""Duplicates among documents: signatures and vectors of every shard, clusters over all shards, and each shard's verdicts and splits
after them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets.blocks import search, standing
from assets.dedup_checks import (
    each_document_once,
    every_document_signed,
    every_kept_document_embedded,
    fuzzy_losses,
    one_survivor,
    split_sizes,
)
from assets.embedded import embed, read_by
from assets.kept import filtered_documents, kept
from assets.materialize import made_asset
from gristmill import views
from gristmill.dedup import centroids, clusters, minhash, overview, semantic, splits, state, vectors, verdicts
from gristmill.dedup.members import MEMBERS, Shard
from gristmill.lake.workspace import Made, Partition, Workspace
from gristmill.progress import Progress
from gristmill.recipe import Recipe
from gristmill.texts import clean_texts


def make_minhash_signatures(workspace: Workspace, partition: Partition) -> Made:
    assert partition is not None
    texts = clean_texts(workspace, partition)
    with Progress("minhash", texts.height, "documents") as progress:
        signatures = minhash.sign(texts, workspace.recipe.dedup.minhash)
        progress.advance(texts.height)
    without = signatures.filter(pl.col("n_shingles") == 0).height
    return Made(
        {"signatures": signatures},
        metadata={
            "documents": signatures.height,
            "shingles": int(signatures["n_shingles"].sum()),
            "documents too short for a shingle": without,
        },
    )


def make_document_embeddings(workspace: Workspace, partition: Partition, embedder: Any) -> Made:
    assert partition is not None
    texts = clean_texts(workspace, partition, kept(workspace, "filtered_shards", partition).collect()["doc_id"])
    done = embed(workspace, embedder.open(workspace.recipe.embedder, workspace.cache("embedders")), texts, "texts")
    return Made(
        {"embeddings": done.embeddings},
        needs=done.needs,
        metadata={
            "documents": done.embeddings.height,
            "texts embedded now": done.new,
            "model": done.model,
            "dimension": done.dimension,
            "vectors": done.where,
        },
    )


def make_semantic_centroids(workspace: Workspace, partition: Partition) -> Made:
    settings = workspace.recipe.dedup.semantic
    columns = {"doc_id": pl.String, "text_hash": pl.String, "model": pl.String}
    shards = workspace.partitions("document_embeddings")
    embedded = [workspace.scan("document_embeddings", shard).select(list(columns)) for shard in shards]
    everything = pl.concat([pl.LazyFrame(schema=columns), *embedded])
    texts = int(everything.select(pl.col("text_hash").n_unique()).collect().item())
    chosen = centroids.sampled(everything, settings.sample)
    models = (
        everything.select("text_hash", "model").unique("text_hash").filter(pl.col("text_hash").is_in(chosen)).sort("text_hash").collect()
    )
    found = centroids.learn_centroids(vectors.read_vectors(workspace.lake, models), texts, settings)
    return Made(
        {"centroids": found},
        metadata={
            "texts": texts,
            "learned from": len(chosen),
            "blocks": found.height,
            "texts a block": round(texts / max(found.height, 1), 1),
        },
    )


def make_duplicate_clusters(workspace: Workspace, partition: Partition) -> Made:
    recipe = workspace.recipe
    keys = workspace.partitions("filtered_shards")
    before = standing(workspace, "duplicate_clusters", ["clusters", *state.SCHEMAS])
    blocks = search(workspace, "duplicate_clusters", "document_embeddings", _comparable(workspace, keys))
    shards = [Shard(key, _members(workspace, key), workspace.scan("minhash_signatures", key)) for key in keys]
    with tempfile.TemporaryDirectory(dir=workspace.scratch("duplicate_clusters")) as folder:
        clustering = clusters.duplicate_clusters(shards, blocks.distinct().lazy(), recipe.dedup, Path(folder), before)
        tables = {name: table.collect() for name, table in clustering.tables.items()}
    return Made(
        {**tables, "searched_blocks": blocks.searched, "block_pairs": blocks.pairs},
        metadata={
            **overview.overview(filtered_documents(workspace), tables["clusters"], recipe.source_of),
            "recomputed": {**clustering.counts, "blocks": blocks.searched.height, "blocks searched": blocks.anew},
            "texts in the largest block": int(blocks.searched["texts"].max() or 0),  # type: ignore[arg-type]
        },
    )


def make_deduplicated_shards(workspace: Workspace, partition: Partition) -> Made:
    found = workspace.scan("duplicate_clusters").filter(pl.col("shard") == partition).collect()
    after = verdicts.deduplicate(workspace.read("filtered_shards", partition, "verdicts"), found, workspace.recipe.dedup)
    sides = splits.split(after.filter("kept")["doc_id"], found, workspace.recipe.split)
    lost = dict(found["kind"].value_counts().iter_rows())
    return Made(
        {"verdicts": after, "splits": sides},
        metadata={
            "documents": after.height,
            "kept": int(after["kept"].sum()),
            **{f"lost as {kind}": lost.get(kind, 0) for kind in verdicts.KINDS},
            **{f"in {side}": int((sides["split"] == side).sum()) for side in ("train", "validation", "test")},
        },
    )


def _members(workspace: Workspace, shard: str) -> pl.LazyFrame:
    """A shard's kept documents, as `members.MEMBERS`."""
    documents = workspace.scan("documents", shard, "documents").select("doc_id", "url", "fetched_at")
    payloads = workspace.scan("raw_crawl", shard, "records").select("doc_id", pl.col("payload_digest").alias("payload")).unique("doc_id")
    signed = workspace.scan("minhash_signatures", shard).select("doc_id", "normal_hash", "text_hash", "n_shingles", "n_chars")
    priority = workspace.recipe.sources.groups[workspace.recipe.source_of(shard)].priority
    rows = (
        kept(workspace, "filtered_shards", shard)
        .join(documents, on="doc_id")
        .join(payloads, on="doc_id", how="left")
        .join(signed, on="doc_id")
    )
    return rows.with_columns(pl.lit(priority, pl.Int64).alias("priority")).select(list(MEMBERS))


def _comparable(workspace: Workspace, shards: list[str]) -> Iterator[pl.DataFrame]:
    """text_hash and model of every embedded text in a language that its model reads, shard by shard."""
    for shard in shards if "semantic" in workspace.recipe.dedup.levels else ():
        embedded = workspace.scan("document_embeddings", shard).join(kept(workspace, "filtered_shards", shard), on="doc_id", how="semi")
        embeddings = embedded.select("doc_id", "text_hash", "model").collect()
        documents = workspace.scan("documents", shard, "documents").select("doc_id", "language")
        for (model,), rows in embeddings.group_by("model", maintain_order=True):
            yield rows.join(read_by(str(model), documents).collect(), on="doc_id", how="semi").select("text_hash", "model")


def dedup_assets(recipe: Recipe, shards: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    return [
        made_asset(
            recipe,
            "minhash_signatures",
            group="dedup",
            make=make_minhash_signatures,
            deps=["documents", "edits"],
            partitions=shards,
            version=f"{minhash.VERSION}.{views.VERSION}",
            sections=[f"dedup.minhash.{name}" for name in ("shingle_words", "bands", "rows", "seed")],
            kinds={"numpy", "parquet"},
            pool="cpu",
            parallel=True,
            description="Band keys and shingle hashes of every document's clean text; near-duplicates share a band key.",
            checks={"every_document_signed": every_document_signed},
        ),
        made_asset(
            recipe,
            "document_embeddings",
            group="dedup",
            make=make_document_embeddings,
            deps=["documents", "edits", "filtered_shards"],
            partitions=shards,
            version=f"{vectors.VERSION}.{views.VERSION}",
            sections=["embedder.model", "embedder.max_tokens"],
            kinds={"pytorch", "lancedb"},
            pool="lancedb",
            resources=("embedder",),
            description="A sentence-transformers vector of every kept document, in LanceDB by text hash, made once a text.",
            checks={"every_kept_document_embedded": every_kept_document_embedded},
        ),
        made_asset(
            recipe,
            "semantic_centroids",
            group="dedup",
            make=make_semantic_centroids,
            deps=["document_embeddings"],
            version=centroids.VERSION,
            sections=[
                "dedup.semantic.documents_per_block",
                "dedup.semantic.sample",
                "dedup.semantic.seed",
                "embedder.model",
                "embedder.max_tokens",
            ],
            held="dedup.semantic.refresh",
            kinds={"numpy", "parquet"},
            pool="cpu",
            description="The blocks in which texts are compared by meaning: k-means over a sample that a hash chooses. Held.",
        ),
        made_asset(
            recipe,
            "duplicate_clusters",
            group="dedup",
            make=make_duplicate_clusters,
            deps=["raw_crawl", "documents", "filtered_shards", "minhash_signatures", "document_embeddings", "semantic_centroids"],
            version=f"{clusters.VERSION}-{semantic.VERSION}-{centroids.VERSION}",
            sections=[
                "dedup.levels",
                "dedup.survivor",
                "dedup.minhash",
                "dedup.semantic.threshold",
                "dedup.semantic.probes",
                "sources.groups",
                "dedup.max_source_loss",  # its check is looked at again
            ],
            kinds={"polars", "parquet"},
            pool="cpu",
            description="Duplicates across all shards by URL, payload, normalised text, MinHash and meaning (SemDeDup), and each survivor.",
            checks={"one_survivor": one_survivor, "fuzzy_losses": fuzzy_losses},
        ),
        made_asset(
            recipe,
            "deduplicated_shards",
            group="dedup",
            make=make_deduplicated_shards,
            deps=["filtered_shards", "duplicate_clusters"],
            partitions=shards,
            version=f"{verdicts.VERSION}-{splits.VERSION}",
            sections=["dedup.minhash.threshold", "dedup.semantic.threshold", "split"],
            kinds={"polars", "parquet"},
            pool="cpu",
            description="A shard's verdicts after deduplication, and the train, validation or test split of what it keeps.",
            checks={"each_document_once": each_document_once, "split_sizes": split_sizes},
        ),
    ]
