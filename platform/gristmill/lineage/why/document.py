"""One document's life from its capture to the last verdict, shard by shard, as facts: plain values that JSON can hold.

What was not made yet, or is not part of an older lake, is None.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from gristmill import views
from gristmill.edits.spans import SCHEMA as SPANS
from gristmill.evaluation.excerpts import excerpt
from gristmill.lake.contracts import CONTRACTS
from gristmill.lineage.index.quantiles import share_below
from gristmill.lineage.why.find import Keyed
from gristmill.policy.rules import Rule

Facts = dict[str, Any]

STAGES = (("filters", "filtered_shards"), ("deduplication", "deduplicated_shards"), ("curation", "curated_shards"))
TWINS = 20  # copies of a survivor that are listed
HITS = 20  # cuts, and items of contamination


def in_shard(keyed: Keyed, doc_id: str, shard: str) -> Facts:
    """All that the tables of a shard say of one of its documents."""
    source = keyed.workspace.recipe.source_of(shard)
    captures = _rows(keyed, "raw_crawl", shard, "records", doc_id) or []
    refused = refusals(keyed, shard, [row["capture"] for row in captures])
    document = next(iter(_rows(keyed, "documents", shard, "documents", doc_id) or []), None)
    language = document["language"] if document else ""
    signals = _signals(keyed, doc_id, shard, source)
    return {
        "shard": shard,
        "source": source,
        "captures": captures,
        "refused": refused,
        "extraction": _extraction(document),
        "edits": _edits(keyed, doc_id, shard),
        "signals": signals,
        "verdicts": _verdicts(keyed, doc_id, shard, language, signals),
        "duplicates": _duplicates(keyed, doc_id, shard),
        "cuts": _cuts(keyed, doc_id, shard),
        "contamination": _contamination(keyed, doc_id, shard),
        "split": _first(keyed, "deduplicated_shards", shard, "splits", doc_id, "split"),
        "score": _score(keyed, doc_id, shard),
        "excerpt": _excerpt(keyed, doc_id, shard, document),
    }


def refusals(keyed: Keyed, shard: str, captures: list[str]) -> list[Facts]:
    """Why captures of a shard gave no document: stage, error and message of each."""
    found = []
    for asset in ("raw_crawl", "documents"):
        rows = keyed.rows(asset, shard, "quarantine", {"capture": captures})
        found += rows.to_dicts() if rows is not None else []
    return [{**row, "shard": shard} for row in {(row["capture"], row["stage"]): row for row in found}.values()]


def clean_text(keyed: Keyed, doc_id: str, shard: str) -> str | None:
    """The clean view, personal data and all: to look for a quotation, not to be shown. None where the document is not there."""
    document, edits = (keyed.rows(asset, shard, asset, {"doc_id": [doc_id]}) for asset in ("documents", "edits"))
    return None if document is None or document.is_empty() or edits is None else str(views.clean(document, edits)["text"][0])


def final_text(keyed: Keyed, doc_id: str, shard: str) -> str | None:
    """The final view, in which personal data is masked; None where the document is not there, or its edits are not."""
    document, edits = (keyed.rows(asset, shard, asset, {"doc_id": [doc_id]}) for asset in ("documents", "edits"))
    if document is None or document.is_empty() or edits is None:
        return None
    cuts = keyed.rows("repeated_spans", shard, "cuts", {"doc_id": [doc_id]})
    return str(views.final(document, edits, CONTRACTS["cuts"].empty() if cuts is None else cuts)["text"][0])


def _rows(keyed: Keyed, asset: str, shard: str, table: str, doc_id: str) -> list[Facts] | None:
    found = keyed.rows(asset, shard, table, {"doc_id": [doc_id]})
    return None if found is None else found.to_dicts()


def _first(keyed: Keyed, asset: str, shard: str, table: str, doc_id: str, column: str) -> Any:
    found = _rows(keyed, asset, shard, table, doc_id)
    return found[0][column] if found else None


def _extraction(document: Facts | None) -> Facts | None:
    if document is None:
        return None
    return {name: document[name] for name in ("extractor", "language", "language_score", "n_chars", "n_bytes", "fetched_at", "text_hash")}


def _excerpt(keyed: Keyed, doc_id: str, shard: str, document: Facts | None) -> str | None:
    text = final_text(keyed, doc_id, shard) if document else None
    return None if text is None else excerpt(text)


def _edits(keyed: Keyed, doc_id: str, shard: str) -> list[Facts] | None:
    """By rule: how many edits, the characters that they take away, and the view that they make."""
    rows = keyed.rows("edits", shard, "edits", {"doc_id": [doc_id]}, list(SPANS))
    if rows is None:
        return None
    length = (pl.col("end") - pl.col("start")).sum()
    is_mask = pl.col("rule").str.starts_with(views.FINAL)
    found = rows.group_by("rule").agg(edits=pl.len(), characters=length).sort("rule")
    return found.with_columns(view=pl.when(is_mask).then(pl.lit("final")).otherwise(pl.lit("clean"))).to_dicts()


def _signals(keyed: Keyed, doc_id: str, shard: str, source: str) -> list[Facts] | None:
    """Every signal with its value and the shares below it and not above it among the sample of its source (None without quantiles)."""
    head = keyed.head("signals", shard)
    if head is None:
        return None
    values: dict[str, float] = {}
    for table in sorted(head.tables):
        if table.startswith("signals."):
            rows = _rows(keyed, "signals", shard, table, doc_id)
            values |= {name: value for name, value in (rows[0] if rows else {}).items() if name != "doc_id"}
    among = keyed.rows("signal_quantiles", None, "signal_quantiles", {"source": [source]})
    known = {} if among is None else {row["signal"]: row for row in among.to_dicts()}
    found = []
    for name, value in sorted(values.items()):
        below, at_most = share_below(value, known[name]["quantiles"]) if name in known else (None, None)
        found.append(
            {
                "signal": name,
                "value": value,
                "below": below,
                "at_most": at_most,
                "among": known[name]["sampled"] if name in known else None,
            }
        )
    return found


def _verdicts(keyed: Keyed, doc_id: str, shard: str, language: str, signals: list[Facts] | None) -> list[Facts]:
    """What each stage said, in order; a later stage repeats what an earlier one dropped, so only its own reasons are new."""
    rules = {rule.name: rule for rule in keyed.workspace.recipe.policy.document_rules()}
    values = {row["signal"]: row["value"] for row in signals or []}
    found: list[Facts] = []
    alive, known = True, set[str]()
    for stage, asset in STAGES:
        rows = _rows(keyed, asset, shard, "verdicts", doc_id)
        if rows is None or not rows:
            continue
        row = rows[0]
        named = [rule for rule in row["fired"] if rule not in known]
        dropped_here = alive and not row["kept"]
        fired = [_fired(name, rules.get(name), values, language) for name in named]
        for each in fired:
            if dropped_here and each["rule"] == row["first_rule"]:
                each |= {"value": row["value"], "threshold": row["threshold"], "margin": _margin(row["value"], row["threshold"])}
        first = row["first_rule"] if dropped_here else None
        told = {name: row[name] if dropped_here else None for name in ("value", "threshold")}
        found.append(
            {
                "stage": stage,
                "kept": row["kept"],
                "dropped_here": dropped_here,
                "first_rule": first,
                **told,
                "margin": _margin(told["value"], told["threshold"]),
                "fired": sorted(fired, key=lambda each: each["rule"] != first),
                "weight": row["weight"],
                "policy": row["policy"],
            }
        )
        alive, known = row["kept"], known | set(row["fired"])
    return found


def _fired(name: str, rule: Rule | None, values: dict[str, float], language: str) -> Facts:
    """A rule that fired, by the recipe as it is now; of one that the recipe no longer has, the name alone."""
    empty = dict.fromkeys(("signal", "when", "value", "threshold", "margin", "action", "source"))
    if rule is None:
        return {"rule": name, **empty}
    value, threshold = values.get(rule.signal), rule.by_language.get(language, rule.threshold)
    return {
        "rule": name,
        "signal": rule.signal,
        "when": rule.when,
        "value": value,
        "threshold": threshold,
        "margin": _margin(value, threshold),
        "action": rule.action,
        "source": rule.source,
    }


def _margin(value: float | None, threshold: float | None) -> float | None:
    """How far on the wrong side of the threshold a value lies."""
    return None if value is None or threshold is None else round(abs(value - threshold), 6)


def _duplicates(keyed: Keyed, doc_id: str, shard: str) -> Facts | None:
    """The document's place in its cluster: what outlived it and how alike they are, or the copies that it outlived."""
    rows = keyed.rows("duplicate_clusters", None, "clusters", {"doc_id": [doc_id]})
    if rows is None:
        return None
    mine = rows.filter(pl.col("shard") == shard).to_dicts()
    if not mine:
        return {"kind": "unique", "outlived": [], "copies": 0}
    row = mine[0]
    twins = keyed.rows("duplicate_twins", None, "twins", {"survivor": [doc_id]}) if row["kind"] == "survivor" else None
    shown = [] if twins is None else twins.sort("kind", "doc_id", "shard").head(TWINS).to_dicts()
    urls = _urls(keyed, [(each["doc_id"], each["shard"]) for each in shown] + [(row["survivor"], row["survivor_shard"])])
    return {
        **{name: row[name] for name in ("kind", "cluster", "survivor", "survivor_shard")},
        "similarity": similarity(row),
        "survivor_url": urls.get((row["survivor"], row["survivor_shard"])),
        "copies": None if row["kind"] == "survivor" and twins is None else 0 if twins is None else twins.height,
        "outlived": [{**each, "similarity": similarity(each), "url": urls.get((each["doc_id"], each["shard"]))} for each in shown],
    }


def asked_for(tombstone: Facts) -> str:
    """`t1, 2026-11-21, asked for by Ann: the author asked`"""
    return f"{tombstone['id']}, {tombstone['when'][:10]}, asked for by {tombstone['who']}: {tombstone['why']}"


def similarity(member: Facts) -> float | None:
    """How alike a member of a cluster and its survivor are; None for `url`, which compares no texts (its rows hold 1)."""
    return None if member["kind"] == "url" else member["similarity"]


def _urls(keyed: Keyed, wanted: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    found = keyed.documents({doc_id for doc_id, _ in wanted})
    return {(row["doc_id"], row["shard"]): row["url"] for row in found.iter_rows(named=True)}


def _cuts(keyed: Keyed, doc_id: str, shard: str) -> list[Facts] | None:
    """What the final view leaves out since other documents hold it too, the longest first."""
    rows = keyed.rows("repeated_spans", shard, "cuts", {"doc_id": [doc_id]})
    if rows is None:
        return None
    cuts = rows.with_columns(characters=pl.col("end") - pl.col("start")).sort("characters", "start", descending=[True, False])
    return cuts.drop("doc_id").head(HITS).to_dicts()


def _contamination(keyed: Keyed, doc_id: str, shard: str) -> list[Facts] | None:
    """Evaluation items and held-out documents whose n-grams it holds, the largest overlap first."""
    rows = keyed.rows("contamination", shard, "contamination", {"doc_id": [doc_id]})
    return None if rows is None else rows.drop("doc_id").sort("overlap", "item", descending=[True, False]).head(HITS).to_dicts()


def _score(keyed: Keyed, doc_id: str, shard: str) -> Facts | None:
    rows = _rows(keyed, "quality_scores", shard, "scores", doc_id)
    if not rows:
        return None
    curated = keyed.head("curated_shards", shard)
    cutoff = curated.metadata.get("cutoff") if curated else None
    judged = isinstance(cutoff, float)
    margin = round(rows[0]["quality"] - cutoff, 6) if judged else None
    return {
        **{name: rows[0][name] for name in ("quality", "quality_version", "topic", "topic_score")},
        "cutoff": cutoff if judged else None,
        "margin": margin,
    }
