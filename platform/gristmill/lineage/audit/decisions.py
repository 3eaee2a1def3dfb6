"""Claims about decisions: verdicts, splits and scores, from the signals, clusters and vectors that they were made from."""

from __future__ import annotations

import json
from collections.abc import Iterator

import polars as pl

from gristmill.dedup import last_verdicts, splits
from gristmill.dedup import verdicts as dedup_verdicts
from gristmill.dedup.vectors import read_vectors
from gristmill.lake.workspace import Workspace
from gristmill.lineage.audit.scope import Finding, Scope, differing
from gristmill.naming import named
from gristmill.policy import verdicts as policy
from gristmill.quality import curation, scores
from gristmill.quality.modelfile import load_model

FILTERED = "verdicts follow from their signals"
DEDUPLICATED = "verdicts and splits follow from the clusters"
SCORED = "scores follow from the vectors"
CURATED = "last verdicts follow from scores and contamination"
KEY = ["doc_id"]


def filtered(scope: Scope) -> Iterator[Finding]:
    for shard in _shards(scope, "filtered_shards"):
        yield scope.check(FILTERED, named("filtered_shards", shard), lambda s=shard: _filtered(scope, s))  # type: ignore[misc]


def _filtered(scope: Scope, shard: str) -> tuple[str, str]:
    stored = scope.workspace.read("filtered_shards", shard, "verdicts")
    lake, settings = scope.as_read("filtered_shards", shard), scope.workspace.recipe.policy
    if not lake.has("signals", shard):
        return f"{stored.height} verdicts without any signals", ""
    pages = lake.scan("signals", shard, "pages").select("doc_id", "language")
    without = stored.join(pages.select("doc_id").collect(), on="doc_id", how="anti")
    if without.height:
        return f"{without.height} verdicts without their signals, e.g. {without['doc_id'][0]}", ""
    rules = settings.document_rules()
    signals = pages
    for family, columns in policy.columns_read(rules).items():
        signals = signals.join(lake.scan("signals", shard, f"signals.{family}").select("doc_id", *columns), on="doc_id", how="left")
    again = policy.judge(signals.collect(), rules, lake.recipe.source_of(shard), f"{settings.name}@{settings.version}")
    return differing(stored, again, KEY), f"{again.height} verdicts under {len(rules)} rules"


def deduplicated(scope: Scope) -> Iterator[Finding]:
    for shard in _shards(scope, "deduplicated_shards"):
        yield scope.check(DEDUPLICATED, named("deduplicated_shards", shard), lambda s=shard: _deduplicated(scope, s))  # type: ignore[misc]


def _deduplicated(scope: Scope, shard: str) -> tuple[str, str]:
    lake, recipe = scope.as_read("deduplicated_shards", shard), scope.workspace.recipe
    clusters = lake.scan("duplicate_clusters", None, "clusters").filter(pl.col("shard") == shard).collect()
    after = dedup_verdicts.deduplicate(lake.read("filtered_shards", shard, "verdicts"), clusters, recipe.dedup)
    sides = splits.split(after.filter("kept")["doc_id"], clusters, recipe.split)
    stored = {name: scope.workspace.read("deduplicated_shards", shard, name) for name in ("verdicts", "splits")}
    found = [f"{name}: {said}" for name, again in (("verdicts", after), ("splits", sides)) if (said := differing(stored[name], again, KEY))]
    return "; ".join(found), f"{after.height} verdicts, {sides.height} sides"


def scored(scope: Scope) -> Iterator[Finding]:
    for shard in _shards(scope, "quality_scores"):
        yield scope.check(SCORED, named("quality_scores", shard), lambda s=shard: _scored(scope, s))  # type: ignore[misc]


def _scored(scope: Scope, shard: str) -> tuple[str, str]:
    lake = scope.as_read("quality_scores", shard)
    kept = lake.scan("deduplicated_shards", shard, "verdicts").filter("kept").select("doc_id").collect().sort("doc_id")
    stored = scope.workspace.read("quality_scores", shard, "scores")
    if problem := differing(stored.select(KEY), kept, KEY):
        return f"not the documents that deduplication kept: {problem}", ""
    chosen = scope.drawn(kept["doc_id"]).to_frame()
    embeddings = chosen.join(lake.read("document_embeddings", shard, "embeddings"), on="doc_id", how="inner", maintain_order="left")
    if embeddings.height < chosen.height:
        return f"{chosen.height - embeddings.height} of {chosen.height} documents have no vector", ""
    heads = (load_model(lake.path("quality_classifier")), load_model(lake.path("topic_classifier")))
    vectors = read_vectors(lake.lake, embeddings)
    again = scores.score(embeddings["doc_id"], vectors, *heads, lake.version("quality_classifier")[:12])
    return differing(stored.join(chosen, on="doc_id", how="semi"), again, KEY), f"{again.height} of {stored.height} scored again"


def curated(scope: Scope) -> Iterator[Finding]:
    for shard in _shards(scope, "curated_shards"):
        yield scope.check(CURATED, named("curated_shards", shard), lambda s=shard: _curated(scope, s))  # type: ignore[misc]


def _curated(scope: Scope, shard: str) -> tuple[str, str]:
    lake, recipe = scope.as_read("curated_shards", shard), scope.workspace.recipe
    judged = recipe.source_of(shard) not in recipe.quality.except_sources
    cutoff = _cutoff(lake) if judged else None
    sides = lake.read("deduplicated_shards", shard, "splits")
    again = curation.curate(lake.read("deduplicated_shards", shard, "verdicts"), lake.read("quality_scores", shard), cutoff)
    again = last_verdicts.judge(again, lake.read("contamination", shard, "contamination"), sides, recipe.decontamination)
    again = last_verdicts.too_short(again, lake.read("contamination", shard, "final_sizes"), recipe.dedup.min_chars)
    under = "no cutoff" if cutoff is None else f"cutoff {cutoff:g}"
    return differing(scope.workspace.read("curated_shards", shard, "verdicts"), again, KEY), f"{again.height} verdicts, {under}"


def _cutoff(lake: Workspace) -> float | None:
    found, settings = json.loads(lake.path("quality_classifier", name="metrics").read_text()), lake.recipe.quality
    return curation.cutoff(found["quantiles"], found["weights"], settings.drop_lowest, settings.except_sources)


def _shards(scope: Scope, asset: str) -> list[str]:
    """The asset's shards that are looked into; those that a full audit finds without documents, too."""
    made = [str(output.partition) for output in scope.of(asset) if output.partition]
    return made if scope.documents is None else [shard for shard in made if shard in scope.shards]
