"""Duplicates: signatures and vectors of every shard, clusters over all shards, and each shard's verdicts and splits after them."""

import math
from typing import Any

import dagster as dg
import polars as pl

from assets.materialize import made_asset
from gristmill import views
from gristmill.dedup import clusters, minhash, near, semantic, splits, vectors, verdicts
from gristmill.lake.workspace import Check, Made, Partition, Workspace
from gristmill.progress import Progress
from gristmill.recipe import Recipe

VECTORS_A_COMMIT = 512  # what a killed run has to embed again at most
MAX_FUZZY_LOSS = 0.5  # of a source's distinct texts, to near and semantic copies; more means that a threshold is wrong
MAX_UNSIGNED = 0.5  # of the documents; a crawl of texts this short has no near-duplicates to find
MAX_SPLIT_DEVIATION = 5.0  # standard deviations of a split's size from its share


def make_minhash_signatures(workspace: Workspace, partition: Partition) -> Made:
    texts = _clean(workspace, partition)
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
    kept = workspace.scan("filtered_shards", partition, "verdicts").filter("kept").select("doc_id").collect()
    texts = _clean(workspace, partition).join(kept, on="doc_id", how="semi")
    port = embedder.open(workspace.recipe.embedder)
    table = vectors.VectorTable.open(workspace.lake, port.name, port.dimension)
    new = len(table.missing(texts["text_hash"].to_list()))
    with Progress("embed", new, "texts") as progress:
        embeddings = vectors.embed(texts, port, table, VECTORS_A_COMMIT, progress.advance)
    return Made(
        {"embeddings": embeddings},
        needs=(table.where.removeprefix(f"{workspace.lake.root}/") + ".lance",),
        metadata={
            "documents": embeddings.height,
            "texts embedded now": new,
            "model": port.name,
            "dimension": port.dimension,
            "vectors": table.where,
        },
    )


def make_duplicate_clusters(workspace: Workspace, partition: Partition) -> Made:
    settings = workspace.recipe.dedup
    members = _members(workspace)
    shards = workspace.partitions("filtered_shards")
    texts = _comparable(workspace).join(members, on="text_hash", how="semi").unique("text_hash").sort("text_hash")
    pairs = semantic.semantic_pairs(texts["text_hash"].to_list(), vectors.read_vectors(workspace.lake, texts), settings.semantic)
    signatures = pl.concat(
        [pl.LazyFrame(schema=SIGNATURES), *(workspace.scan("minhash_signatures", shard).select(list(SIGNATURES)) for shard in shards)]
    )
    found = clusters.duplicate_clusters(members, signatures, pairs, settings.minhash.threshold)
    kinds = dict(found["kind"].value_counts().iter_rows())
    sizes = found.group_by("cluster", "survivor").len("documents").sort(pl.col("documents") * -1, "cluster").head(10)
    return Made(
        {"clusters": found},
        metadata={
            "documents": members.height,
            "texts compared by meaning": texts.height,
            "clusters": kinds.get("survivor", 0),
            **{kind: kinds.get(kind, 0) for kind in verdicts.KINDS},
            "lost by source": losses(workspace, members, found).to_dicts(),
            "largest clusters": sizes.to_dicts(),
        },
    )


SIGNATURES = {name: minhash.SIGNATURES[name] for name in ("text_hash", "bands", "shingles")}


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


def every_document_signed(workspace: Workspace) -> Check:
    """Every document has a signature, and not more than MAX_UNSIGNED of them are too short for one shingle."""
    shards = workspace.partitions("minhash_signatures")
    signed = pl.concat([workspace.read("minhash_signatures", shard, columns=["doc_id", "n_shingles"]) for shard in shards])
    documents = pl.concat([workspace.read("documents", shard, "documents", ["doc_id"]) for shard in shards])
    unsigned = documents.join(signed, on="doc_id", how="anti").height
    short = signed.filter(pl.col("n_shingles") == 0).height
    passed = unsigned == 0 and short <= MAX_UNSIGNED * max(signed.height, 1)
    return Check(
        passed, {"documents": documents.height, "unsigned": unsigned, "too short": short, "bound": MAX_UNSIGNED}, "every document is signed"
    )


def every_kept_document_embedded(workspace: Workspace) -> Check:
    """Every kept document has an embedding whose vector lies in the table."""
    lacking, kept = 0, 0
    for shard in workspace.partitions("document_embeddings"):
        wanted = workspace.scan("filtered_shards", shard, "verdicts").filter("kept").select("doc_id").collect()
        embeddings = workspace.read("document_embeddings", shard)
        lacking += wanted.join(embeddings, on="doc_id", how="anti").height
        kept += wanted.height
        if embeddings.height:
            table = vectors.VectorTable.open(workspace.lake, embeddings["model"][0])
            lacking += len(table.missing(embeddings["text_hash"].to_list()))
    return Check(lacking == 0, {"kept documents": kept, "without a vector": lacking}, "every kept document has its vector")


def one_survivor(workspace: Workspace) -> Check:
    """Every cluster has one survivor, which the filters kept, and every loser is as near to it as its kind demands."""
    found, settings = workspace.read("duplicate_clusters"), workspace.recipe.dedup
    least = {"survivor": 1.0, "same": 1.0, "exact": 1.0, "near": settings.minhash.threshold, "semantic": settings.semantic.threshold}
    survivors = found.filter(pl.col("kind") == "survivor")
    several = survivors.height - survivors["cluster"].n_unique()
    orphans = found.join(survivors, left_on=["survivor", "survivor_shard"], right_on=["doc_id", "shard"], how="anti").height
    far = found.filter(pl.col("similarity") < pl.col("kind").replace_strict(least, return_dtype=pl.Float64)).height
    dropped = survivors.join(_members(workspace), on=["doc_id", "shard"], how="anti").height
    counts = {
        "clusters with several survivors": several,
        "documents whose survivor is not one": orphans,
        "documents too far from their survivor": far,
        "survivors that a filter dropped": dropped,
    }
    return Check(not any(counts.values()), counts, "Each cluster has exactly one survivor that is kept")


def fuzzy_losses(workspace: Workspace) -> Check:
    """No source loses more of its distinct texts to near and semantic copies than any honest threshold would take."""
    table = losses(workspace, _members(workspace), workspace.read("duplicate_clusters"))
    worst = max(table["fuzzy share"], default=0.0)
    return Check(
        worst <= MAX_FUZZY_LOSS,
        {"bound": MAX_FUZZY_LOSS, "by source": table.to_dicts()},
        f"A source loses at most {MAX_FUZZY_LOSS:.0%} of its distinct texts to near and semantic copies",
    )


def each_document_once(workspace: Workspace) -> Check:
    """A kept document is kept in one shard, every loser of `duplicate_clusters` is dropped, and the kept ones have a split each."""
    shards = workspace.partitions("deduplicated_shards")
    after = pl.concat(
        [
            workspace.read("deduplicated_shards", s, "verdicts", ["doc_id", "kept", "first_rule"]).with_columns(pl.lit(s).alias("shard"))
            for s in shards
        ]
    )
    sides = pl.concat([workspace.read("deduplicated_shards", s, "splits", ["doc_id", "split"]) for s in shards])
    kept = after.filter("kept")
    losers = workspace.read("duplicate_clusters").filter((pl.col("kind") != "survivor") & pl.col("shard").is_in(shards))
    dropped = after.filter(~pl.col("kept") & pl.col("first_rule").str.starts_with("dedup."))
    twice, unsplit = kept.height - kept["doc_id"].n_unique(), kept.join(sides, on="doc_id", how="anti").height + sides.height - kept.height
    unmatched = (
        losers.join(dropped, on=["doc_id", "shard"], how="anti").height + dropped.join(losers, on=["doc_id", "shard"], how="anti").height
    )
    counts = {
        "kept": kept.height,
        "kept twice": twice,
        "without a split, or with a stray one": unsplit,
        "duplicates and verdicts that disagree": unmatched,
    }
    return Check(
        not (twice or unsplit or unmatched), counts, "Every kept document is kept once and has a split; verdicts and clusters agree"
    )


def split_sizes(workspace: Workspace) -> Check:
    """The splits' realised sizes are what hashing into their shares gives."""
    shares = workspace.recipe.split
    sides = pl.concat([workspace.read("deduplicated_shards", s, "splits", ["split"]) for s in workspace.partitions("deduplicated_shards")])[
        "split"
    ]
    rows, worst = [], 0.0
    for side, share in (("validation", shares.validation), ("test", shares.test)):
        expected, realised = share * len(sides), int((sides == side).sum())
        deviation = abs(realised - expected) / max(math.sqrt(expected * (1 - share)), 1.0)
        worst = max(worst, deviation)
        rows.append(
            {
                "split": side,
                "share": share,
                "expected": round(expected, 1),
                "realised": realised,
                "standard deviations": round(deviation, 2),
            }
        )
    return Check(
        worst <= MAX_SPLIT_DEVIATION, {"documents": len(sides), "splits": rows}, "Validation and test have the sizes that the recipe says"
    )


def losses(workspace: Workspace, members: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """By source: kept documents, those lost to same or exact copies, distinct texts, and those lost to near and semantic ones."""
    shards = members["shard"].unique().sort()
    sources = pl.DataFrame(
        {"shard": shards, "source": [workspace.recipe.source_of(s) for s in shards]}, schema={"shard": pl.String, "source": pl.String}
    )
    fuzzy = pl.col("kind").is_in(["near", "semantic"])
    return (
        members.join(sources, on="shard")
        .join(found.select("doc_id", "shard", "kind"), on=["doc_id", "shard"], how="left")
        .group_by("source")
        .agg(
            pl.len().alias("documents"),
            pl.col("kind").is_in(["same", "exact"]).sum().alias("same or exact"),
            pl.col("text_hash").n_unique().alias("texts"),
            pl.col("text_hash").filter(fuzzy).n_unique().alias("fuzzy"),
        )
        .with_columns((pl.col("fuzzy") / pl.col("texts")).round(6).alias("fuzzy share"))
        .sort("source")
    )


def _clean(workspace: Workspace, shard: Partition) -> pl.DataFrame:
    """doc_id, text, text_hash of the shard's clean view."""
    return views.clean(workspace.read("documents", shard, "documents"), workspace.read("edits", shard))


def _comparable(workspace: Workspace) -> pl.DataFrame:
    """text_hash and model of every embedded text in a language that its model reads."""
    frames = [pl.DataFrame(schema={"text_hash": pl.String, "model": pl.String})]
    for shard in workspace.partitions("filtered_shards"):
        embeddings = workspace.read("document_embeddings", shard, columns=["doc_id", "text_hash", "model"])
        for model in embeddings["model"].unique():
            languages = semantic.readable(model)
            documents = workspace.scan("documents", shard, "documents").select("doc_id", "language")
            read = documents.filter(pl.col("language").is_in(sorted(languages))) if languages is not None else documents
            frames.append(
                embeddings.lazy()
                .filter(pl.col("model") == model)
                .join(read, on="doc_id", how="semi")
                .select("text_hash", "model")
                .collect()
            )
    return pl.concat(frames)


def _members(workspace: Workspace) -> pl.DataFrame:
    """The kept documents of every shard, as `clusters.MEMBERS`."""
    frames = [pl.DataFrame(schema=clusters.MEMBERS)]
    for shard in workspace.partitions("filtered_shards"):
        kept = workspace.scan("filtered_shards", shard, "verdicts").filter("kept").select("doc_id")
        times = workspace.scan("documents", shard, "documents").select("doc_id", "fetched_at")
        signatures = workspace.scan("minhash_signatures", shard).select("doc_id", "text_hash", "n_chars")
        priority = workspace.recipe.sources.groups[workspace.recipe.source_of(shard)].priority
        rows = kept.join(times, on="doc_id").join(signatures, on="doc_id")
        frames.append(
            rows.with_columns(pl.lit(shard).alias("shard"), pl.lit(priority, pl.Int64).alias("priority"))
            .select(list(clusters.MEMBERS))
            .collect()
        )
    return pl.concat(frames)


def dedup_assets(recipe: Recipe, shards: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    return [
        made_asset(
            recipe,
            "minhash_signatures",
            group="dedup",
            make=make_minhash_signatures,
            deps=["documents", "edits"],
            partitions=shards,
            version=minhash.VERSION,
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
            version=vectors.VERSION,
            sections=["embedder.model", "embedder.max_tokens"],
            kinds={"pytorch", "lancedb"},
            pool="lancedb",
            resources=("embedder",),
            description="A sentence-transformers vector of every kept document, in LanceDB by text hash, made once a text.",
            checks={"every_kept_document_embedded": every_kept_document_embedded},
        ),
        made_asset(
            recipe,
            "duplicate_clusters",
            group="dedup",
            make=make_duplicate_clusters,
            deps=["documents", "filtered_shards", "minhash_signatures", "document_embeddings"],
            version="-".join((clusters.VERSION, near.VERSION, semantic.VERSION)),
            sections=["dedup.minhash.threshold", "dedup.semantic", "sources.groups"],
            kinds={"polars", "parquet"},
            pool="cpu",
            description="Same, exact, near (MinHash) and semantic (SemDeDup) duplicates across all shards, and each survivor.",
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
