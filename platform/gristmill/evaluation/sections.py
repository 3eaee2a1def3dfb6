"""What each section of the report shows, read from the lake. A function returns None where its assets have not been made.

Text is quoted in its final view (personal data masked) and in short excerpts.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from gristmill.dedup.shown import page, show
from gristmill.evaluation import plots
from gristmill.evaluation.excerpts import EXCERPT, excerpt, excerpts
from gristmill.lake.workspace import Workspace
from gristmill.lineage import funnel
from gristmill.policy import verdicts
from gristmill.policy.rules import Rule
from gristmill.signals.registry import SIGNALS

NEAREST = 3  # documents on each side of a threshold
CLUSTERS = 8
TOPICS = 24
SAID = {"drop": "drop", "down_weight": "down-weight"}
JUDGED = ["doc_id", "kept", "first_rule", "threshold"]
EXAMPLES = 6  # synthetic documents of a set

Section = dict[str, Any]


def build(workspace: Workspace) -> Section:
    """What the report is about: fingerprints of the recipe's sections and the partitions that stand."""
    recipe, outputs = workspace.recipe, workspace.outputs()
    assets: dict[str, Section] = {}
    for output in outputs:
        row = assets.setdefault(
            output.asset, {"asset": output.asset, "partitions": 0, "rows": 0, "code": output.code_version, "versions": []}
        )
        row["partitions"] += 1
        row["rows"] += sum(stored.rows for stored in output.tables.values())
        row["versions"].append(output.data_version)
    for row in assets.values():
        versions = row.pop("versions")
        row["data"] = versions[0][:12] if len(versions) == 1 else f"{len(set(versions))} distinct"
    return {
        "namespace": workspace.namespace,
        "policy": f"{recipe.policy.name} {recipe.policy.version}",
        "fingerprint": recipe.fingerprint(*type(recipe).model_fields),
        "fingerprints": [(name, recipe.fingerprint(name)) for name in type(recipe).model_fields if name != "namespace"],
        "assets": sorted(assets.values(), key=lambda row: row["asset"]),
    }


def flow(workspace: Workspace) -> Section | None:
    """The funnel as figure and table."""
    rows = funnel.funnel(workspace)
    if rows.is_empty():
        return None
    summed = funnel.totals(rows)
    stages = summed["stage"].to_list()
    counts = {(stage, source): n for stage, source, n in rows.select("stage", "source", "documents").iter_rows()}
    sources = rows["source"].unique(maintain_order=True).to_list()
    table = [
        {**row, "total": row["source"] == "all", "reasons": [f"{each['rule']} {each['documents']:,}" for each in row["dropped_by"]]}
        for row in funnel.with_totals(rows)
    ]
    figure = plots.funnel(stages, {source: [counts.get((stage, source), 0) for stage in stages] for source in sources})
    return {
        "figure": figure,
        "rows": table,
        "documents": dict(zip(stages, summed["documents"], strict=True)),
        "tokens": dict(zip(stages, summed["tokens"], strict=True)),
    }


def rules(workspace: Workspace) -> Section | None:
    """Every rule's signal with its threshold, and the documents nearest to it on both sides."""
    shards = [shard for shard in workspace.partitions("filtered_shards") if workspace.has("signals", shard)]
    if not shards:
        return None
    signals = pl.concat([_signals(workspace, shard) for shard in shards], how="diagonal").unique(
        "doc_id", keep="first", maintain_order=True
    )
    in_force = [rule for rule in workspace.recipe.policy.document_rules() if rule.signal in signals.columns]
    judged = pl.concat([workspace.read("filtered_shards", shard, "verdicts") for shard in shards]).unique("doc_id")
    counts = {row["rule"]: row for row in verdicts.rule_counts(judged, in_force).iter_rows(named=True)}
    near = {rule.name: nearest(signals, judged, rule) for rule in in_force}
    texts = excerpts(workspace, [row for frame in near.values() for row in frame.iter_rows(named=True)])
    figures = []
    for signal in dict.fromkeys(rule.signal for rule in in_force):
        of_signal = [rule for rule in in_force if rule.signal == signal]
        values = signals[signal].drop_nulls().to_numpy()
        figures.append(
            {
                "signal": signal,
                "meaning": SIGNALS.get(signal, ""),
                "figure": plots.histogram(values, [(rule.when, rule.threshold) for rule in of_signal], signal),
                "rules": [
                    {
                        "name": rule.name,
                        "says": f"{SAID[rule.action]} when {rule.when} {rule.threshold:,g}",
                        "source": rule.source,
                        **{name: counts[rule.name][name] for name in ("fired", "first", "alone")},
                        "except": ", ".join(rule.except_sources),
                        "near": [{**row, **texts.get(row["doc_id"], {})} for row in near[rule.name].iter_rows(named=True)],
                    }
                    for rule in of_signal
                ],
            }
        )
    return {"signals": figures, "documents": signals.height}


def nearest(signals: pl.DataFrame, judged: pl.DataFrame, rule: Rule, count: int = NEAREST) -> pl.DataFrame:
    """Nearest to a rule's threshold in the sources that it judges, `count` on each side: doc_id, shard, value, dropped, fires."""
    subject = signals.filter(~pl.col("source").is_in(rule.except_sources))
    near = verdicts.near_threshold(subject, judged, [rule], count)
    return near.join(signals.select("doc_id", "shard"), on="doc_id", maintain_order="left").select(
        "doc_id", "shard", "value", dropped=pl.col("side") == "dropped", fires=pl.col("side") != "kept"
    )


def duplicates(workspace: Workspace) -> Section | None:
    """What each source lost, the largest clusters side by side with their survivors, what was cut and what quotes a reference."""
    if not workspace.has("duplicate_clusters"):
        return None
    recipe = workspace.recipe
    return {
        "found": show.duplicates(workspace, CLUSTERS),
        "order": page.order(recipe),
        "least": recipe.decontamination.min_overlap,
    }


def quality(workspace: Workspace) -> Section | None:
    """Scores of the survivors, the score under which documents are dropped, topics, and examples from both ends."""
    shards = workspace.partitions("quality_scores")
    if not shards:
        return None
    scores = pl.concat([workspace.read("quality_scores", shard, "scores").with_columns(shard=pl.lit(shard)) for shard in shards])
    if scores.is_empty():
        return None
    curated = [
        workspace.read("curated_shards", shard, "verdicts", JUDGED).with_columns(shard=pl.lit(shard))
        for shard in workspace.partitions("curated_shards")
    ]
    empty = pl.DataFrame(
        schema={"doc_id": pl.String, "kept": pl.Boolean, "first_rule": pl.String, "threshold": pl.Float64, "shard": pl.String}
    )
    ruled = pl.concat([empty, *curated])
    thresholds = ruled.filter(pl.col("first_rule").str.starts_with("quality."))["threshold"].unique().sort().to_list()
    topics = scores.group_by("topic").len().sort(["len", "topic"], descending=[True, False]).head(TOPICS)
    ranked = scores.join(ruled.select("doc_id", "shard", "kept"), on=["doc_id", "shard"], how="left").sort("quality", "doc_id")
    spared = workspace.recipe.quality.except_sources
    judged = [shard for shard in shards if workspace.recipe.source_of(shard) not in spared]
    ranked = ranked.filter(pl.col("shard").is_in(judged)).with_columns(pl.col("kept").fill_null(True))
    ends = [*ranked.tail(NEAREST).reverse().iter_rows(named=True), *ranked.head(NEAREST).iter_rows(named=True)]
    texts = excerpts(workspace, ends)
    return {
        "histogram": plots.histogram(scores["quality"].to_numpy(), [("<", value) for value in thresholds[:1]], "quality score"),
        "topics": plots.bars(topics["topic"].str.replace_all("_", " ").to_list(), topics["len"].to_list(), "Documents by topic"),
        "documents": scores.height,
        "thresholds": thresholds,
        "spared": ", ".join(spared),
        "examples": [{**row, **texts.get(row["doc_id"], {})} for row in ends],
    }


def synthetic(workspace: Workspace) -> Section | None:
    """Each synthetic set: how many were verified, and a few of its documents."""
    sets = []
    for name in workspace.partitions("synthetic_sets"):
        frame = workspace.read("synthetic_sets", name, "synthetic").sort("doc_id")
        shown = frame.filter("verified").head(EXAMPLES)
        sets.append(
            {
                "set": name,
                "documents": frame.height,
                "verified": int(frame["verified"].sum()),
                "examples": [
                    {
                        **row,
                        "title": excerpt(row["text"], 90),
                        "text": row["text"][: 2 * EXCERPT] + ("…" if len(row["text"]) > 2 * EXCERPT else ""),
                    }
                    for row in shown.select("text", "plan", "teacher", "verification").iter_rows(named=True)
                ],
            }
        )
    return {"sets": sets} if sets else None


def training(workspace: Workspace) -> Section | None:
    """Each model's loss curve."""
    models = []
    for name in workspace.partitions("checkpoints"):
        log = workspace.read("checkpoints", name, "training_log").sort("step")
        if log.is_empty():
            continue
        found = workspace.metadata("checkpoints", name)
        unigram = found.get("unigram loss")
        models.append(
            {
                "model": name,
                "steps": log.height,
                "tokens": int(log["tokens"][-1]),
                "parameters": found.get("parameters"),
                "loss": found.get("final loss", float(log["loss"][-1])),
                "figure": plots.loss(
                    log["tokens"].to_numpy(),
                    log["loss"].to_numpy(),
                    log["learning_rate"].to_numpy(),
                    log["phase"].to_list(),
                    float(unigram) if isinstance(unigram, int | float) else None,
                ),
            }
        )
    return {"models": models} if models else None


def evaluation(workspace: Workspace) -> Section | None:
    """Bits per byte by variant and domain, and what each variant writes after the fixed prompts."""
    keys = workspace.partitions("eval_reports")
    if not keys:
        return None
    scores = pl.concat([workspace.read("eval_reports", key, "eval_scores") for key in keys])
    samples = pl.concat([workspace.read("eval_reports", key, "samples") for key in keys])
    domains = funnel.eval_table(workspace).columns[2:]
    models = []
    for model in scores["model"].unique().sort():
        of_model = scores.filter(pl.col("model") == model)
        schemes = sorted(set(of_model["scheme"]), key=lambda scheme: funnel.SCHEMES.index(scheme) if scheme in funnel.SCHEMES else 99)
        cells = {(row["scheme"], row["metric"], row["domain"]): row for row in of_model.iter_rows(named=True)}
        variants = {scheme: [cells.get((scheme, "bits_per_byte", domain)) for domain in domains] for scheme in schemes}
        baselines = {
            label: [cells.get(("float", metric, domain)) for domain in domains]
            for metric, label in (("unigram", "unigram"), ("uniform_tokens", "uniform tokens"))
        }
        drawn = {
            scheme: [None if row is None else (row["value"], row["low"], row["high"]) for row in rows] for scheme, rows in variants.items()
        }
        ticks = {label: [None if row is None else row["value"] for row in rows] for label, rows in baselines.items()}
        models.append(
            {
                "model": model,
                "domains": domains,
                "figure": plots.bits_per_byte(domains, drawn, ticks),
                "rows": [
                    *(
                        {"name": scheme, "cells": rows, "increase": cells.get((scheme, "relative_increase", "all"))}
                        for scheme, rows in variants.items()
                    ),
                    *({"name": label, "cells": rows, "increase": None, "baseline": True} for label, rows in baselines.items()),
                ],
                "counts": [cells.get((schemes[0], "bits_per_byte", domain)) for domain in domains],
                "samples": [
                    {
                        "prompt": prompt,
                        "texts": [
                            row
                            for scheme in schemes
                            for row in samples.filter(
                                (pl.col("model") == model) & (pl.col("scheme") == scheme) & (pl.col("prompt") == prompt)
                            ).iter_rows(named=True)
                        ],
                    }
                    for prompt in workspace.recipe.evaluation.prompts
                ],
            }
        )
    return {"models": models}


def audit(workspace: Workspace) -> Section | None:
    """What the last audit claimed and found."""
    if not workspace.has("lineage_audit"):
        return None
    claims = workspace.read("lineage_audit")
    by_claim = claims.group_by("claim").agg(subjects=pl.len(), failed=(~pl.col("passed")).sum()).sort("claim")
    return {"claims": by_claim.to_dicts(), "failures": claims.filter(~pl.col("passed")).head(10).to_dicts()}


def _signals(workspace: Workspace, shard: str) -> pl.DataFrame:
    """doc_id, shard, source, language and every signal column of a shard."""
    tables = [name for name in workspace.output("signals", shard).tables if name.split(".")[0] == "signals"]
    frame = workspace.read("signals", shard, "pages", ["doc_id", "language"])
    for name in tables:
        frame = frame.join(workspace.read("signals", shard, name), on="doc_id", how="left")
    return frame.with_columns(shard=pl.lit(shard), source=pl.lit(workspace.recipe.source_of(shard)))
