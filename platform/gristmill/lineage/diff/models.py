"""How two builds' models learned, and every score of theirs with its uncertainty (`noise`)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from gristmill.lake.workspace import Workspace
from gristmill.lineage.diff import noise
from gristmill.lineage.funnel import SCHEMES

BITS, INCREASE, FLOAT, ALL = "bits_per_byte", "relative_increase", "float", "all"
TAIL = 20  # the last loss is the mean over the last 1/TAIL of the steps
MATCHED = ("doc_id", "text_hash")  # the same text of the same document
SCORES = {
    **dict.fromkeys(("model", "scheme", "metric", "domain"), pl.String),
    **dict.fromkeys(("old", "new", "difference", "low", "high", "p"), pl.Float64),
    "how": pl.String,  # paired over `documents` that both scored, or apart; "" where nothing can be said
    **dict.fromkeys(("documents", "documents_before", "documents_after"), pl.Int64),
    "more": pl.Boolean,  # than the noise of the documents, by Holm over all of the table that are not headline, or over the headline
    "headline": pl.Boolean,  # bits per byte of a float model over all domains
}


@dataclass(frozen=True)
class Curve:
    """A model's training, one array entry a step."""

    tokens: np.ndarray
    losses: np.ndarray
    phases: list[str]

    @property
    def last(self) -> float:
        return float(self.losses[-max(1, len(self.losses) // TAIL) :].mean())

    def as_json(self) -> dict[str, Any]:
        return {"steps": len(self.losses), "tokens": int(self.tokens[-1]), "last_loss": round(self.last, 6)}


@dataclass(frozen=True)
class Trained:
    """A model in both builds, or in one. `same`: the weights are equal, bit for bit."""

    model: str
    old: Curve | None
    new: Curve | None
    same: bool

    def as_json(self) -> dict[str, Any]:
        curves = {name: curve.as_json() if curve else None for name, curve in (("old", self.old), ("new", self.new))}
        return {"model": self.model, "same_weights": self.same, **curves}


def trained(old: Workspace, new: Workspace) -> list[Trained]:
    names = dict.fromkeys([*old.partitions("checkpoints"), *new.partitions("checkpoints")])
    return [Trained(name, _curve(old, name), _curve(new, name), _same_weights(old, new, name)) for name in names]


def scores(old: Workspace, new: Workspace) -> pl.DataFrame:
    """SCORES: every score that both builds have; baselines are not tested, since nothing was trained for them."""
    both = [_scores(each) for each in (old, new)]
    keys = ["model", "scheme", "metric", "domain"]
    matched = both[0].join(both[1], on=keys, suffix="_new", maintain_order="left")
    by_document = [_by_document(each) for each in (old, new)]
    rows = []
    for row in matched.iter_rows(named=True):
        found = _compared(row, *by_document)
        counted = {"documents_before": row["documents"], "documents_after": row["documents_new"]}
        headline = (row["metric"], row["scheme"], row["domain"]) == (BITS, FLOAT, ALL)
        rows.append({**{key: row[key] for key in keys}, **found.as_json(), **counted, "more": False, "headline": headline})
    for headline in (True, False):
        judged = [row for row in rows if row["headline"] == headline]
        for row, more in zip(judged, noise.more_than_noise([row["p"] for row in judged]), strict=True):
            row["more"] = more
    order = {name: n for n, name in enumerate([BITS, INCREASE])}
    return pl.DataFrame(rows, schema=SCORES).sort(
        ~pl.col("headline"),
        pl.col("metric").replace_strict(order, default=len(order), return_dtype=pl.Int64),
        "metric",
        "model",
        pl.col("scheme").replace_strict(SCHEMES, range(len(SCHEMES)), default=len(SCHEMES), return_dtype=pl.Int64),
        pl.col("domain") != ALL,
        "domain",
    )


def between_seeds(old: Workspace, new: Workspace, table: pl.DataFrame) -> list[dict[str, Any]]:
    """For each model that both builds train under several seeds: `models` that differ in nothing else, and the builds compared over
    those runs (`noise.between_runs`)."""
    groups = _same_but_for_seed(old.recipe.models), _same_but_for_seed(new.recipe.models)
    headline = {row["model"]: row for row in table.filter("headline").iter_rows(named=True)}
    found = []
    for config in groups[0].keys() & groups[1].keys():
        names = [[name for name in group[config] if name in headline] for group in groups]
        compared = noise.between_runs([headline[n]["old"] for n in names[0]], [headline[n]["new"] for n in names[1]])
        if compared:
            found.append({"models": sorted({*names[0], *names[1]}), **compared.as_json()})
    return sorted(found, key=lambda each: each["models"])


def _same_but_for_seed(models: Mapping[str, Any]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, model in models.items():
        groups.setdefault(json.dumps(model.model_dump(exclude={"seed"}), sort_keys=True), []).append(name)
    return groups


def _curve(workspace: Workspace, model: str) -> Curve | None:
    if not workspace.has("checkpoints", model):
        return None
    log = workspace.read("checkpoints", model, "training_log", ["step", "tokens", "loss", "phase"]).sort("step")
    return Curve(log["tokens"].to_numpy(), log["loss"].to_numpy(), log["phase"].to_list()) if log.height else None


def _same_weights(old: Workspace, new: Workspace, model: str) -> bool:
    before, after = (each.head("checkpoints", model) for each in (old, new))
    return bool(before and after and before.files["model"].hash == after.files["model"].hash)


def _scores(workspace: Workspace) -> pl.DataFrame:
    wanted = ["model", "scheme", "metric", "domain", "value", "low", "high", "documents"]
    frames = [workspace.read("eval_reports", key, "eval_scores", wanted) for key in workspace.partitions("eval_reports")]
    schema = {**dict.fromkeys(wanted[:4], pl.String), **dict.fromkeys(wanted[4:7], pl.Float64), "documents": pl.Int64}
    return pl.concat([pl.DataFrame(schema=schema), *frames])


def _by_document(workspace: Workspace) -> pl.DataFrame:
    """`document_scores` of every report, with the float model's nats beside a variant's."""
    frames = [
        workspace.read("eval_reports", key, "document_scores")
        for key in workspace.partitions("eval_reports")
        if "document_scores" in workspace.output("eval_reports", key).tables
    ]
    if not frames:
        return pl.DataFrame()
    table = pl.concat(frames)
    plain = table.filter(pl.col("scheme") == FLOAT).select("model", *MATCHED, float_nats="nats")
    return table.join(plain, on=["model", *MATCHED], how="left")


def _compared(row: Mapping[str, Any], old: pl.DataFrame, new: pl.DataFrame) -> noise.Compared:
    """Document by document where enough are shared, or all of those that there are; else by the two intervals."""
    untested = noise.Compared(row["value"], row["value_new"], row["value_new"] - row["value"], None, None, None, "", 0)
    if row["metric"] not in (BITS, INCREASE):
        return untested
    found, counts = _paired(row, old, new), (row["documents"], row["documents_new"])
    if found and (found.documents >= noise.LEAST or {found.documents} == {*counts}):
        return found
    if min(counts) < noise.LEAST:
        return untested
    return noise.apart((row["value"], row["low"], row["high"]), (row["value_new"], row["low_new"], row["high_new"]))


def _paired(row: Mapping[str, Any], old: pl.DataFrame, new: pl.DataFrame) -> noise.Compared | None:
    if old.is_empty() or new.is_empty():
        return None
    chosen = (pl.col("model") == row["model"]) & (pl.col("scheme") == row["scheme"])
    if row["domain"] != ALL:
        chosen &= pl.col("domain") == row["domain"]
    before, after = (each.filter(chosen) for each in (old, new))
    if row["metric"] == INCREASE:
        before, after = (part.drop_nulls("float_nats") for part in (before, after))
        return noise.paired(before, after, MATCHED, ["nats", "float_nats"], lambda sums: sums[..., 0] / sums[..., 1] - 1)
    return noise.paired(before, after, MATCHED, ["nats", "n_bytes"], lambda sums: sums[..., 0] / (math.log(2) * sums[..., 1]))
