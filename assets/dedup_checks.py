"""Checks of the dedup group: every document signed and embedded, one survivor each, and no source wiped out."""

import math

import polars as pl

from assets.kept import filtered_documents, kept
from gristmill.dedup import overview, vectors
from gristmill.lake.workspace import Check, Workspace

MAX_UNSIGNED = 0.5  # of the documents; a crawl of texts this short has no near-duplicates to find
MAX_SPLIT_DEVIATION = 5.0  # standard deviations of a split's size from its share
EXACT = ("survivor", "same", "url", "payload", "exact")


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
    lacking, documents = 0, 0
    for shard in workspace.partitions("document_embeddings"):
        wanted = kept(workspace, "filtered_shards", shard).collect()
        embeddings = workspace.read("document_embeddings", shard)
        lacking += wanted.join(embeddings, on="doc_id", how="anti").height
        documents += wanted.height
        if embeddings.height:
            table = vectors.VectorTable.open(workspace.lake, embeddings["model"][0])
            lacking += len(table.missing(embeddings["text_hash"].to_list()))
    return Check(lacking == 0, {"kept documents": documents, "without a vector": lacking}, "every kept document has its vector")


def one_survivor(workspace: Workspace) -> Check:
    """Every cluster has one survivor, which the filters kept, and every loser is as near to it as its kind demands."""
    found, settings = workspace.read("duplicate_clusters"), workspace.recipe.dedup
    least = {**dict.fromkeys(EXACT, 1.0), "near": settings.minhash.threshold, "semantic": settings.semantic.threshold}
    survivors = found.filter(pl.col("kind") == "survivor")
    several = survivors.height - survivors["cluster"].n_unique()
    orphans = found.join(survivors, left_on=["survivor", "survivor_shard"], right_on=["doc_id", "shard"], how="anti").height
    far = found.filter(pl.col("similarity") < pl.col("kind").replace_strict(least, return_dtype=pl.Float64)).height
    dropped = survivors.join(filtered_documents(workspace), on=["doc_id", "shard"], how="anti").height
    counts = {
        "clusters with several survivors": several,
        "documents whose survivor is not one": orphans,
        "documents too far from their survivor": far,
        "survivors that a filter dropped": dropped,
    }
    return Check(not any(counts.values()), counts, "Each cluster has exactly one survivor that is kept")


def fuzzy_losses(workspace: Workspace) -> Check:
    """No source loses more of its distinct texts to inexact copies than the recipe allows; the clusters that took most are named."""
    bound = workspace.recipe.dedup.max_source_loss
    table = overview.losses(filtered_documents(workspace), workspace.read("duplicate_clusters"), workspace.recipe.source_of)
    rows = table.drop("largest").to_dicts()
    return Check(
        max(table["inexact share"], default=0.0) <= bound,
        {"bound": bound, "by source": rows, "which": "; ".join(overview.excessive(table, bound))},
        f"A source loses at most {bound:.0%} of its distinct texts to near and semantic copies",
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
