"""Repeated text: lines, paragraphs and long substrings that other survivors hold too, as cuts that the final view leaves out."""

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from assets.blocks import search
from assets.embedded import embed, read_by
from assets.kept import kept
from assets.materialize import made_asset
from gristmill import views
from gristmill.dedup import centroids, cuts, lines, semantic, semantic_paragraphs, substrings, survival, vectors
from gristmill.lake.contracts import CONTRACTS, TIME
from gristmill.lake.workspace import Check, Made, Partition, Workspace
from gristmill.recipe import Recipe
from gristmill.texts import clean_texts

MAX_CUT = 0.5  # of a source's characters; more means that what is cut is what the source is about
SHOWN = 20
DOCUMENTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "doc_id": pl.String,
    "shard": pl.String,
    "priority": pl.Int64,
    "n_chars": pl.Int64,
    "fetched_at": TIME,
}
UNITS = {"lines": "line", "paragraphs": "paragraph"}


def make_text_keys(workspace: Workspace, partition: Partition) -> Made:
    assert partition is not None
    settings, texts = workspace.recipe.dedup, _survivors(workspace, partition)
    source = workspace.recipe.source_of(partition)
    units = [] if source in settings.lines.except_sources else [UNITS[level] for level in settings.levels if level in UNITS]
    counted = lines.text_counts(texts, settings.lines, units)
    whole = "substrings" in settings.levels and source not in settings.substrings.except_sources
    prints = substrings.fingerprints(texts if whole else texts.head(0), settings.substrings.words)
    return Made(
        {"text_counts": counted, "fingerprints": prints},
        metadata={
            "documents": texts.height,
            **{f"distinct {unit}s": counted.filter(pl.col("unit") == unit).height for unit in lines.UNITS},
            "fingerprints": prints.height,
        },
    )


def make_repeated_text(workspace: Workspace, partition: Partition) -> Made:
    settings = workspace.recipe.dedup
    shards = workspace.partitions("text_keys")
    counts = pl.concat([pl.LazyFrame(schema=lines.TEXT_COUNTS), *(workspace.scan("text_keys", s, "text_counts") for s in shards)])
    repeated = lines.repeated(counts, settings.lines.max_documents)
    ranks = _ranks(workspace, shards)
    found = [CONTRACTS["cuts"].empty()]
    with tempfile.TemporaryDirectory(dir=workspace.scratch("repeated_text")) as folder:
        if "substrings" in settings.levels:
            found += [part for _, part in _substring_cuts(workspace, ranks, Path(folder))]
    across, tables = pl.concat(found), dict[str, pl.DataFrame]()
    if "semantic_paragraphs" in settings.levels:
        alike, blocks = _paragraph_cuts(workspace, ranks)
        across, tables = pl.concat([across, alike]), {"searched_blocks": blocks.searched, "block_pairs": blocks.pairs}
    return Made(
        {"text_counts.repeated": repeated, "cuts.found": across, **tables},
        metadata={
            **{f"repeated {unit}s": repeated.filter(pl.col("unit") == unit).height for unit in lines.UNITS},
            "most documents that hold one": int(repeated["documents"].max() or 0),  # type: ignore[arg-type]
            "cuts found across documents": by_rule(across),
        },
    )


def make_repeated_spans(workspace: Workspace, partition: Partition) -> Made:
    assert partition is not None
    settings, source = workspace.recipe.dedup.lines, workspace.recipe.source_of(partition)
    texts = _survivors(workspace, partition)
    own = pl.LazyFrame({"doc_id": texts["doc_id"]})
    found = workspace.scan("repeated_text", None, "cuts.found").join(own, on="doc_id", how="semi").collect()
    if source not in settings.except_sources:
        own_keys = workspace.scan("text_keys", partition, "text_counts")
        held = workspace.scan("repeated_text", None, "text_counts.repeated").join(own_keys, on=["unit", "bucket", "key"], how="semi")
        found = pl.concat([found, lines.line_cuts(texts, held.collect(), settings)])
    cut = cuts.merged(found)
    characters = int(texts["text"].str.len_chars().sum())
    removed = int((cut["end"] - cut["start"]).sum())
    return Made(
        {"cuts": cut},
        metadata={
            "documents": texts.height,
            "documents cut": cut["doc_id"].n_unique(),
            "characters": characters,
            "characters cut": removed,
            "share cut": round(removed / max(characters, 1), 4),
            "by rule": by_rule(cut),
            "longest": _longest(cut),
        },
    )


def by_rule(found: pl.DataFrame) -> list[dict[str, Any]]:
    """rule, cuts, documents and characters, by rule."""
    length = (pl.col("end") - pl.col("start")).sum()
    return found.group_by("rule").agg(cuts=pl.len(), documents=pl.col("doc_id").n_unique(), characters=length).sort("rule").to_dicts()


def _longest(found: pl.DataFrame) -> list[dict[str, Any]]:
    """The longest cuts. Their text is not quoted, since masks belong to a later view: `gristmill duplicates show` has it, masked."""
    length = (pl.col("end") - pl.col("start")).alias("characters")
    longest = found.sort(pl.col("start") - pl.col("end"), "doc_id", "start").head(SHOWN)
    return longest.select("doc_id", "rule", length, "documents", "twin").to_dicts()


def _survivors(workspace: Workspace, shard: str) -> pl.DataFrame:
    """doc_id, text, text_hash (clean view) of what deduplication left of the shard, by doc_id."""
    return clean_texts(workspace, shard, kept(workspace, "deduplicated_shards", shard).collect()["doc_id"]).sort("doc_id")


def _ranks(workspace: Workspace, shards: list[str]) -> pl.DataFrame:
    """doc_id, shard, rank of every survivor, in the order of survival."""
    frames = [pl.LazyFrame(schema=DOCUMENTS)]
    for shard in shards:
        priority = workspace.recipe.sources.groups[workspace.recipe.source_of(shard)].priority
        survivors = kept(workspace, "deduplicated_shards", shard)
        sizes = workspace.scan("minhash_signatures", shard).select("doc_id", "n_chars")
        times = workspace.scan("documents", shard, "documents").select("doc_id", "fetched_at")
        rows = survivors.join(sizes, on="doc_id").join(times, on="doc_id")
        frames.append(rows.with_columns(pl.lit(shard).alias("shard"), pl.lit(priority, pl.Int64).alias("priority")).select(list(DOCUMENTS)))
    return survival.ranked(pl.concat(frames), workspace.recipe.dedup.survivor).collect()


def _substring_cuts(workspace: Workspace, ranks: pl.DataFrame, scratch: Path) -> Iterator[tuple[str, pl.DataFrame]]:
    settings = workspace.recipe.dedup.substrings
    shards = [shard for shard in ranks["shard"].unique() if workspace.recipe.source_of(shard) not in settings.except_sources]

    @functools.lru_cache(maxsize=2)
    def texts(shard: str) -> pl.DataFrame:
        return clean_texts(workspace, shard)

    def texts_of(shard: str, doc_ids: pl.Series) -> pl.DataFrame:
        return texts(shard).filter(pl.col("doc_id").is_in(doc_ids.implode())).select("doc_id", "text")

    def prints(shard: str) -> pl.LazyFrame:
        return workspace.scan("text_keys", shard, "fingerprints")

    return substrings.substring_cuts(ranks.filter(pl.col("shard").is_in(shards)), prints, texts_of, settings.words, scratch)


def _paragraph_cuts(workspace: Workspace, ranks: pl.DataFrame) -> tuple[pl.DataFrame, semantic.Blocks]:
    """Paragraphs that say what a paragraph of an earlier survivor says."""
    of = ranks.select("doc_id", "rank")
    shards = workspace.partitions("paragraph_embeddings")
    places = [workspace.read("paragraph_embeddings", shard).join(of, on="doc_id") for shard in shards]
    blocks = search(workspace, "repeated_text", "paragraph_embeddings", (table.select("text_hash", "model") for table in places))
    empty = pl.DataFrame(schema={**CONTRACTS["paragraphs"].schema, "rank": pl.Int64})
    return semantic_paragraphs.paragraph_cuts(pl.concat([empty, *places]), blocks.distinct()), blocks


def make_paragraph_embeddings(workspace: Workspace, partition: Partition, embedder: Any) -> Made:
    assert partition is not None
    port = embedder.open(workspace.recipe.embedder)
    read = read_by(port.name, workspace.scan("documents", partition, "documents").select("doc_id", "language"))
    texts = _survivors(workspace, partition).join(read.collect(), on="doc_id", how="semi")
    found = semantic_paragraphs.paragraphs(texts, workspace.recipe.dedup.semantic.paragraph_words)
    done = embed(workspace, port, found.select("doc_id", "text", "text_hash"), "paragraphs")
    return Made(
        {"paragraphs": found.select("doc_id", "start", "end", "text_hash", pl.lit(port.name).alias("model"))},
        needs=done.needs,
        metadata={"documents": texts.height, "paragraphs": found.height, "texts embedded now": done.new, "model": done.model},
    )


# checks


def cuts_are_sound(workspace: Workspace) -> Check:
    """Cuts do not overlap, lie in survivors, and take at most MAX_CUT of a source's characters."""
    overlapping, strangers = 0, 0
    characters, removed = dict[str, int](), dict[str, int]()
    for shard in workspace.partitions("repeated_spans"):
        cut = workspace.read("repeated_spans", shard).sort("doc_id", "start")
        before = pl.col("end").shift(1).over("doc_id")
        overlapping += cut.filter((pl.col("start") < before).fill_null(False) | (pl.col("end") <= pl.col("start"))).height
        strangers += cut.join(kept(workspace, "deduplicated_shards", shard).collect(), on="doc_id", how="anti").height
        about, source = workspace.metadata("repeated_spans", shard), workspace.recipe.source_of(shard)
        characters[source] = characters.get(source, 0) + about["characters"]
        removed[source] = removed.get(source, 0) + about["characters cut"]
    rows: list[dict[str, Any]] = [
        {"source": source, "characters": n, "cut": removed[source], "share": round(removed[source] / max(n, 1), 4)}
        for source, n in sorted(characters.items())
    ]
    return Check(
        not overlapping and not strangers and all(row["share"] <= MAX_CUT for row in rows),
        {"overlapping or empty": overlapping, "of documents that do not survive": strangers, "by source": rows},
        f"Cuts do not overlap and take at most {MAX_CUT:.0%} of the characters of a source.",
    )


def repeated_assets(recipe: Recipe, shards: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    paragraphs = "semantic_paragraphs" in recipe.dedup.levels
    meaning = f".{semantic_paragraphs.VERSION}.{semantic.VERSION}.{centroids.VERSION}"
    keyed = ["documents", "edits", "deduplicated_shards"]
    found = [
        made_asset(
            recipe,
            "text_keys",
            group="dedup",
            make=make_text_keys,
            deps=keyed,
            partitions=shards,
            version=f"{lines.VERSION}.{substrings.VERSION}.{views.VERSION}",
            sections=[
                "dedup.levels",
                "dedup.lines.min_words",
                "dedup.lines.buckets",
                "dedup.lines.except_sources",
                "dedup.substrings",
                "sources.groups",
            ],
            kinds={"numpy", "parquet"},
            pool="cpu",
            parallel=True,
            description="In how many of a shard's survivors each line and paragraph stands; n-grams by which long substrings are found.",
        ),
        made_asset(
            recipe,
            "repeated_text",
            group="dedup",
            make=make_repeated_text,
            deps=[*keyed, "minhash_signatures", "text_keys", *(["paragraph_embeddings", "semantic_centroids"] if paragraphs else [])],
            version=f"{lines.VERSION}.{substrings.VERSION}.{survival.VERSION}.{views.VERSION}{meaning if paragraphs else ''}",
            sections=[
                "dedup.levels",
                "dedup.survivor",
                "dedup.lines.max_documents",
                "dedup.substrings",
                "sources.groups",
                *(["dedup.semantic.threshold", "dedup.semantic.probes"] if paragraphs else []),
            ],
            kinds={"numpy", "parquet"},
            pool="cpu",
            description="Lines and paragraphs that more documents hold than they may, and the long substrings that stay in one place only.",
        ),
        made_asset(
            recipe,
            "repeated_spans",
            group="dedup",
            make=make_repeated_spans,
            deps=[*keyed, "text_keys", "repeated_text"],
            partitions=shards,
            version=f"{lines.VERSION}.{cuts.VERSION}.{views.VERSION}",
            sections=["dedup.lines.min_words", "dedup.lines.buckets", "dedup.lines.except_sources", "sources.groups"],
            kinds={"polars", "parquet"},
            pool="cpu",
            parallel=True,
            description="What of a survivor's clean view its final view leaves out, since others hold it: how many, and who keeps it.",
            checks={"cuts_are_sound": cuts_are_sound},
        ),
    ]
    if paragraphs:
        found.append(
            made_asset(
                recipe,
                "paragraph_embeddings",
                group="dedup",
                make=make_paragraph_embeddings,
                deps=keyed,
                partitions=shards,
                version=f"{semantic_paragraphs.VERSION}.{semantic.VERSION}.{vectors.VERSION}.{views.VERSION}",
                sections=["embedder.model", "embedder.max_tokens", "dedup.semantic.paragraph_words"],
                kinds={"pytorch", "lancedb"},
                pool="lancedb",
                resources=("embedder",),
                description="A vector of every paragraph of the survivors, in LanceDB by text hash.",
            )
        )
    return found
