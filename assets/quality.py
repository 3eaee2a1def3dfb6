"""The quality group: a graded sample, the heads that learn it, every survivor's score and topic, the last verdict."""

import functools
import json
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.kept import kept
from assets.materialize import made_asset
from assets.quality_checks import (
    beats_the_mean,
    classifier_metrics,
    drops_what_was_asked,
    grader_agrees,
    grades_vary,
    learns_the_labels,
    no_topic_takes_everything,
    teacher_grades,
)
from gristmill import views
from gristmill.dedup import last_verdicts
from gristmill.dedup.vectors import read_vectors
from gristmill.errors import GristmillError
from gristmill.lake.workspace import Made, Partition, Workspace
from gristmill.quality import annotate, curation, heads, modelfile, rubric, sample, scores, taxonomy, topics
from gristmill.recipe import Recipe
from gristmill.texts import clean_texts

EXAMPLE_CHARS = 160


def make_quality_annotations(workspace: Workspace, partition: Partition, teacher: Any) -> Made:
    settings = workspace.recipe.quality
    chosen = sample.stratified(_candidates(workspace), settings.sample)
    texts = _texts(workspace, chosen).with_columns(passage=pl.col("text").str.slice(0, settings.passage_chars))
    graded = annotate.annotate(
        chosen.join(texts.select("doc_id", "passage"), on="doc_id", how="inner", maintain_order="left"),
        teacher.open(workspace),
        token_budget=settings.token_budget,
        min_agreement=settings.min_agreement,
    )
    rows = graded.annotations
    return Made(
        {"annotations": rows},
        metadata={
            "grader": graded.grader,
            "why this grader": graded.reason,
            "documents": rows.height,
            "prompt tokens": graded.tokens,
            "sampled but not graded": graded.cut,
            "graded by the teacher": int(rows["teacher_grade"].count()),
            "grade mean": round(float(rows["grade"].to_numpy().mean()), 4),
            "grade deviation": round(float(rows["grade"].to_numpy().std()), 4),
            "agreement on contrasts": graded.calibration.to_dicts(),
            "by source and split": rows.group_by("source", "split")
            .agg(pl.len(), pl.col("grade").mean().round(3))
            .sort("source", "split")
            .to_dicts(),
            "examples": _examples(rows.join(texts, on="doc_id")),
            "rubric": [{"point": p.name, "rewards": p.rewards, "from": p.low, "full at": p.high} for p in rubric.POINTS],
        },
    )


def make_quality_classifier(workspace: Workspace, partition: Partition) -> Made:
    annotations, vectors, _ = _annotated_vectors(workspace)
    head = heads.fit(annotations, vectors)
    shown = [{"measured on": name, **head.metrics[name]} for name in ("held_out", "train_folds")]
    return Made(
        files=_files(workspace, "quality_classifier", head.model, head.metrics),
        metadata={
            "head": head.metrics["head"],
            "grader": str(annotations["grader"][0]),
            "documents": annotations.height,
            "metrics": shown,
            "calibration": head.metrics["calibration"],
            "cross-validated squared error": [
                {"head": name, "error": error} for name, error in head.metrics["cross-validated squared error"].items()
            ],
        },
    )


def make_topic_classifier(workspace: Workspace, partition: Partition, embedder: Any) -> Made:
    annotations, vectors, model = _annotated_vectors(workspace)
    port = embedder.open(workspace.recipe.embedder)
    if port.name != model:
        raise GristmillError(
            f"the topics' sentences would be embedded by {port.name}, the documents were by {model}",
            where="topic_classifier",
            fix="Materialize document_embeddings with the recipe's embedder first.",
        )
    named = taxonomy.taxonomy(workspace.recipe.quality.taxonomy)
    head = topics.fit(annotations, vectors, {topic: port.encode(list(sentences)) for topic, sentences in named.items()})
    return Made(
        {"topic_labels": head.labels},
        _files(workspace, "topic_classifier", head.model, head.metrics),
        metadata={
            "taxonomy": f"{workspace.recipe.quality.taxonomy}, {len(named)} topics",
            "documents": annotations.height,
            "largest share": head.metrics["largest_share"],
            "agreement with prototypes": head.metrics["agreement"],
            "topics": head.metrics["topics"],
        },
    )


def make_quality_scores(workspace: Workspace, shard: Partition) -> Made:
    assert shard is not None
    survivors = kept(workspace, "deduplicated_shards", shard).collect().sort("doc_id")
    embeddings = survivors.join(workspace.read("document_embeddings", shard, "embeddings"), on="doc_id", how="inner", maintain_order="left")
    if embeddings.height < survivors.height:
        raise GristmillError(
            f"{survivors.height - embeddings.height} of {survivors.height} survivors have no vector",
            where=f"quality_scores[{shard}]",
            fix="Materialize document_embeddings of this shard again.",
        )
    scored = scores.score(
        embeddings["doc_id"],
        read_vectors(workspace.lake, embeddings),
        _model(workspace.path("quality_classifier")),
        _model(workspace.path("topic_classifier")),
        workspace.version("quality_classifier")[:12],
    )
    return Made(
        {"scores": scored},
        metadata={
            "documents": scored.height,
            "quality mean": round(scored["quality"].sum() / max(scored.height, 1), 4),
            "topics": scored.group_by("topic").agg(documents=pl.len()).sort("documents", "topic", descending=[True, False]).to_dicts(),
        },
    )


def make_curated_shards(workspace: Workspace, shard: Partition) -> Made:
    settings = workspace.recipe.quality
    before = workspace.read("deduplicated_shards", shard, "verdicts")
    judged = workspace.recipe.source_of(str(shard)) not in settings.except_sources
    cutoff = _cutoff(workspace) if judged else None
    after = curation.curate(before, workspace.read("quality_scores", shard), cutoff)
    scored = int(after["kept"].sum())
    splits = workspace.read("deduplicated_shards", shard, "splits")
    after = last_verdicts.judge(after, workspace.read("contamination", shard, "contamination"), splits, workspace.recipe.decontamination)
    after = last_verdicts.too_short(after, workspace.read("contamination", shard, "final_sizes"), workspace.recipe.dedup.min_chars)
    dropped = after.filter(~pl.col("kept"))["first_rule"]
    return Made(
        {"verdicts": after},
        metadata={
            "survivors before": int(before["kept"].sum()),
            "kept": int(after["kept"].sum()),
            "dropped by quality": int(before["kept"].sum()) - scored,
            "contaminated": int(dropped.str.starts_with(last_verdicts.CONTAMINATED).sum()),
            "nothing left after cuts": int((dropped == last_verdicts.TOO_SHORT).sum()),
            "judged": judged and cutoff is not None,
            "cutoff": cutoff if cutoff is not None else "none",
            "nearest to the cutoff": [] if cutoff is None else _nearest(workspace, str(shard), cutoff),
        },
    )


# parts


def _candidates(workspace: Workspace) -> pl.DataFrame:
    """doc_id, shard, source, split of every survivor."""
    parts = [
        workspace.scan("deduplicated_shards", shard, "verdicts")
        .filter("kept")
        .select("doc_id")
        .join(workspace.scan("deduplicated_shards", shard, "splits").select("doc_id", "split"), on="doc_id", how="inner")
        .with_columns(shard=pl.lit(shard), source=pl.lit(workspace.recipe.source_of(shard)))
        .collect()
        for shard in workspace.partitions("deduplicated_shards")
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema=dict.fromkeys(sample.CANDIDATES, pl.String))


def _texts(workspace: Workspace, chosen: pl.DataFrame) -> pl.DataFrame:
    """doc_id, text (clean view) of the chosen documents (doc_id, shard)."""
    parts = []
    for (shard,), rows in chosen.sort("shard").group_by("shard", maintain_order=True):
        parts.append(clean_texts(workspace, str(shard), rows["doc_id"]).select("doc_id", "text"))
    return pl.concat(parts)


def _annotated_vectors(workspace: Workspace) -> tuple[pl.DataFrame, NDArray[np.float32], str]:
    """The annotated documents that still have a vector, their vectors and who made them. What is gone is not learned from."""
    annotations = workspace.read("quality_annotations")
    shards = [shard for shard in annotations["shard"].unique().sort() if workspace.has("document_embeddings", shard)]
    if not shards:
        raise GristmillError(
            "no annotated document has a vector",
            where="document_embeddings",
            fix="Materialize document_embeddings, then quality_annotations.",
        )
    embeddings = pl.concat(
        [
            workspace.scan("document_embeddings", shard, "embeddings")
            .filter(pl.col("doc_id").is_in(annotations["doc_id"].to_list()))
            .collect()
            for shard in shards
        ]
    ).unique("doc_id")
    both = annotations.join(embeddings, on="doc_id", how="inner").sort("doc_id")
    if both.is_empty():
        raise GristmillError("no annotated document is in the corpus any more", where="quality_annotations", fix="Materialize it again.")
    return both.select(annotations.columns), read_vectors(workspace.lake, both.select(embeddings.columns)), str(both["model"][0])


def _files(workspace: Workspace, asset: str, model: Any, metrics: dict[str, Any]) -> dict[str, Path]:
    folder = workspace.scratch(asset)
    path = folder / "metrics.json"
    path.write_text(json.dumps(metrics, indent=1, sort_keys=True, allow_nan=False))
    return {"model": modelfile.save_model(model, folder / "model.skops"), "metrics": path}


@functools.lru_cache(maxsize=4)
def _model(path: Path) -> Any:
    return modelfile.load_model(path)  # a path in the lake names its content, so it may be kept


def _cutoff(workspace: Workspace) -> float | None:
    found, settings = classifier_metrics(workspace), workspace.recipe.quality
    return curation.cutoff(found["quantiles"], found["weights"], settings.drop_lowest, settings.except_sources)


def _examples(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """The first document by id at each whole grade that occurs."""
    first = (
        rows.with_columns(at=pl.col("grade").round().cast(pl.Int64)).sort("at", "doc_id").unique("at", keep="first", maintain_order=True)
    )
    return first.select(
        grade="at",
        exact="grade",
        teacher="teacher_grade",
        rubric="rubric_grade",
        doc_id="doc_id",
        source="source",
        text=pl.col("text").str.slice(0, EXAMPLE_CHARS),
    ).to_dicts()


def _nearest(workspace: Workspace, shard: str, cutoff: float) -> list[dict[str, Any]]:
    """Six documents on either side of the cutoff, by distance."""
    near = workspace.read("quality_scores", shard).with_columns(margin=(pl.col("quality") - cutoff).round(6))
    near = near.sort(pl.col("margin").abs(), "doc_id").head(6).sort("margin", "doc_id")
    urls = (
        workspace.scan("documents", shard, "documents")
        .select("doc_id", "url")
        .filter(pl.col("doc_id").is_in(near["doc_id"].to_list()))
        .collect()
    )
    return near.join(urls, on="doc_id", how="left", maintain_order="left").select("doc_id", "url", "quality", "margin", "topic").to_dicts()


def quality_assets(recipe: Recipe, shards: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    held = "quality.refresh"
    return [
        made_asset(
            recipe,
            "quality_annotations",
            group="quality",
            make=make_quality_annotations,
            deps=["documents", "edits", "deduplicated_shards"],
            resources=("teacher",),
            held=held,
            version=f"{sample.VERSION}.{annotate.VERSION}.{views.VERSION}",
            sections=[
                "quality.sample",
                "quality.passage_chars",
                "quality.token_budget",
                "quality.min_agreement",
                "teacher.kind",
                "teacher.model",
                "sources.groups",
            ],
            kinds={"python", "polars"},
            checks={"grades_vary": grades_vary, "teacher_grades": teacher_grades, "grader_agrees": grader_agrees},
            description="A stratified sample graded 0 to 5 for educational value: by the teacher if it tells real passages "
            "from damaged ones, else by a declared rubric.",
        ),
        made_asset(
            recipe,
            "quality_classifier",
            group="quality",
            make=make_quality_classifier,
            deps=["quality_annotations", "document_embeddings"],
            held=held,
            version=heads.VERSION,
            sections=[],
            kinds={"scikitlearn"},
            checks={"beats_the_mean": beats_the_mean},
            description="A regression head on embeddings that learned the grades, with held-out metrics, calibration, quantiles.",
        ),
        made_asset(
            recipe,
            "topic_classifier",
            group="quality",
            make=make_topic_classifier,
            deps=["quality_annotations", "document_embeddings"],
            resources=("embedder",),
            held=held,
            version=topics.VERSION,
            sections=["quality.taxonomy", "embedder.model", "embedder.max_tokens"],
            kinds={"scikitlearn"},
            checks={"learns_the_labels": learns_the_labels},
            description="A topic head on embeddings, taught by sentences that describe WebOrganizer's 24 topics; sees no host name.",
        ),
        made_asset(
            recipe,
            "quality_scores",
            group="quality",
            make=make_quality_scores,
            partitions=shards,
            parallel=True,
            deps=["deduplicated_shards", "document_embeddings", "quality_classifier", "topic_classifier"],
            version=scores.VERSION,
            sections=[],
            kinds={"scikitlearn", "parquet"},
            checks={"no_topic_takes_everything": no_topic_takes_everything},
            description="Quality score and topic of each survivor of the shard.",
        ),
        made_asset(
            recipe,
            "curated_shards",
            group="quality",
            make=make_curated_shards,
            partitions=shards,
            parallel=True,
            deps=["documents", "deduplicated_shards", "quality_scores", "quality_classifier", "contamination"],
            version=f"{curation.VERSION}.{last_verdicts.VERSION}",
            sections=[
                "quality.drop_lowest",
                "quality.except_sources",
                "sources.groups",
                "decontamination.min_overlap",
                "decontamination.held_out",
                "dedup.min_chars",
            ],
            kinds={"polars", "parquet"},
            checks={"drops_what_was_asked": drops_what_was_asked},
            description="The shard's final verdicts: the lowest scores, what holds an evaluation item, and what cuts left empty are "
            "dropped too. What may enter a corpus.",
        ),
    ]
