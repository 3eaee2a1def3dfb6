"""Decontamination: what may not be trained on, and which documents hold it."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets.kept import kept
from assets.materialize import made_asset
from gristmill import views
from gristmill.dedup import contamination, items
from gristmill.lake.workspace import Check, Made, Partition, Workspace
from gristmill.recipe import Recipe
from gristmill.texts import final_texts

SHOWN = 20
MOST_BY_ONE, MOST_BY_ONE_SHARE = 20, 0.01  # documents that hold one item; more, and it is boilerplate


def make_reference_ngrams(workspace: Workspace, partition: Partition) -> Made:
    found = contamination.reference_ngrams(_items(workspace), workspace.recipe.decontamination.ngram_words)
    kinds = found.items.with_columns(pl.col("item").str.split("/").list.first().alias("kind"))
    useless = pl.col("distinctive") == 0
    return Made(
        {"reference_ngrams": found.ngrams},
        metadata={
            "items": found.items.height,
            "n-grams": found.ngrams.height,
            "by kind": kinds.group_by("kind")
            .agg(items=pl.len(), distinctive=pl.col("distinctive").sum(), too_short_or_boilerplate=useless.sum())
            .sort("kind")
            .to_dicts(),
            "too short or boilerplate": found.items.filter(useless).head(SHOWN).to_dicts(),
        },
    )


def make_contamination(workspace: Workspace, partition: Partition) -> Made:
    assert partition is not None
    settings = workspace.recipe.decontamination
    texts = final_texts(workspace, partition, kept(workspace, "deduplicated_shards", partition).collect()["doc_id"])
    stored = workspace.output("reference_ngrams").tables["reference_ngrams"]
    found = contamination.contamination(texts, _references(workspace.lake.local_path(stored), settings.ngram_words))
    sizes = texts.select(
        "doc_id",
        n_bytes=pl.col("text").str.len_bytes().cast(pl.Int64),
        n_chars=pl.col("text").str.len_chars().cast(pl.Int64),
    )
    urls = workspace.scan("documents", partition, "documents").select("doc_id", "url")
    most = found.sort(pl.col("overlap") * -1, "doc_id", "item").head(SHOWN)
    return Made(
        {"contamination": found, "final_sizes": sizes},
        metadata={
            "documents": texts.height,
            "that share an n-gram with an item": found["doc_id"].n_unique(),
            "that share too many": found.filter(pl.col("overlap") >= settings.min_overlap)["doc_id"].n_unique(),
            "most": most.lazy().join(urls, on="doc_id").select("url", "item", "ngrams", "overlap").collect().to_dicts(),
        },
    )


@functools.lru_cache(maxsize=1)
def _references(path: Path, n: int) -> contamination.References:
    """Loaded once a process, since a worker takes many shards; a path in the lake names its content."""
    return contamination.References.load(pl.scan_parquet(path), n)


def _items(workspace: Workspace) -> Iterator[pl.DataFrame]:
    """Items of the recipe's files, and held-out documents shard by shard."""
    settings = workspace.recipe.decontamination
    for name, file in sorted(settings.items.items()):
        yield items.read_items(name, Path(file.path), file.digest)
    if settings.held_out:
        for shard in workspace.partitions("deduplicated_shards"):
            splits = workspace.read("deduplicated_shards", shard, "splits")
            wanted = splits.filter(pl.col("split") != "train")["doc_id"]
            yield items.held_out(final_texts(workspace, shard, wanted), splits)


def no_item_contaminates_everything(workspace: Workspace) -> Check:
    """No item drops more than a handful of documents: that is boilerplate, not a leak."""
    settings = workspace.recipe.decontamination
    frames = [workspace.read("contamination", shard) for shard in workspace.partitions("contamination")]
    found = pl.concat(frames).filter(pl.col("overlap") >= settings.min_overlap) if frames else pl.DataFrame(schema={"item": pl.String})
    most: list[dict[str, Any]] = found.group_by("item").len("documents").sort(pl.col("documents") * -1, "item").head(SHOWN).to_dicts()
    documents = sum(workspace.metadata("contamination", shard)["documents"] for shard in workspace.partitions("contamination"))
    bound = max(MOST_BY_ONE, int(documents * MOST_BY_ONE_SHARE))
    return Check(
        not most or most[0]["documents"] <= bound,
        {"most": most, "bound": bound},
        f"No item is found in more than {bound} documents.",
        severity="warn",
    )


def contamination_assets(recipe: Recipe, shards: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    texts = ["documents", "edits", "deduplicated_shards", "repeated_spans"]
    return [
        made_asset(
            recipe,
            "reference_ngrams",
            group="dedup",
            make=make_reference_ngrams,
            deps=texts,
            version=f"{contamination.VERSION}.{views.VERSION}",
            sections=["decontamination.ngram_words", "decontamination.held_out", "item_digests"],
            kinds={"numpy", "parquet"},
            pool="cpu",
            description="Word n-grams of what may not be trained on: held-out documents, and the evaluation items that the recipe names.",
        ),
        made_asset(
            recipe,
            "contamination",
            group="dedup",
            make=make_contamination,
            deps=[*texts, "reference_ngrams"],
            partitions=shards,
            version=f"{contamination.VERSION}.{views.VERSION}",
            sections=["decontamination.ngram_words", "decontamination.min_overlap"],  # the second for its check and counts
            kinds={"numpy", "parquet"},
            pool="cpu",
            parallel=True,
            description="Which items each survivor's final view holds, and how much of each; and how long that view is.",
            checks={"no_item_contaminates_everything": no_item_contaminates_everything},
        ),
    ]
