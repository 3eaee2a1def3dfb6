"""How open a model is, by the columns in which OLMo's release was compared (data, code, configuration, logs, checkpoints, evaluations).

Judged by what is in the lake and what the audit found of it, not by what somebody means to publish: `yes` counts one, `partly` a half.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import polars as pl

from gristmill.lake.workspace import Workspace
from gristmill.lineage.audit import corpus, documents, models, stored
from gristmill.lineage.builds.builds import builds

Level = Literal["yes", "partly", "no"]
WORTH: dict[Level, float] = {"yes": 1.0, "partly": 0.5, "no": 0.0}


class Column(NamedTuple):
    name: str
    level: Level
    why: str


def openness(workspace: Workspace, model: str, claims: pl.DataFrame) -> list[Column]:
    """The six columns of a model; `claims` is the audit's table."""
    return [
        _data(workspace, claims),
        _code(workspace, model, claims),
        _config(workspace, model, claims),
        _logs(workspace, model, claims),
        _checkpoints(workspace, model, claims),
        _evals(workspace, model, claims),
    ]


def score(columns: list[Column]) -> float:
    """Of as many as there are columns."""
    return sum(WORTH[column.level] for column in columns)


def _data(workspace: Workspace, claims: pl.DataFrame) -> Column:
    if not workspace.partitions("mixed_corpus"):
        return Column("data", "no", "there is no corpus")
    if broken := _failed(claims, (documents.PAYLOADS, documents.TEXTS, corpus.SOURCES, corpus.REBUILT)):
        return Column("data", "no", f"the audit does not hold: {broken}")
    return Column("data", "partly", "sources, texts, every decision and every token's provenance are stored; no page's licence is known")


def _code(workspace: Workspace, model: str, claims: pl.DataFrame) -> Column:
    if not _has(workspace, model, "run"):
        return Column("code", "no", "no run record")
    if broken := _failed(claims, (models.RUNS,), model):
        return Column("code", "no", f"the audit does not hold: {broken}")
    recorded = builds(workspace.lake, workspace.namespace)
    commit = recorded[-1].origin.commit if recorded else ""
    if commit and not commit.endswith("+"):
        return Column("code", "yes", f"the trainer's sources lie beside the weights; the last build names commit {commit}")
    return Column("code", "partly", "the trainer's sources lie beside the weights; no build names a clean commit for the rest")


def _config(workspace: Workspace, model: str, claims: pl.DataFrame) -> Column:
    if broken := _failed(claims, (models.RUNS, stored.CODE), model):
        return Column("configuration", "partly", f"the audit does not hold: {broken}")
    if not _has(workspace, model, "run"):
        return Column("configuration", "partly", "recipe values are on record for every asset; there is no run record")
    return Column("configuration", "yes", "recipe values of every asset, and the run's own record with package versions")


def _logs(workspace: Workspace, model: str, claims: pl.DataFrame) -> Column:
    if not workspace.has("checkpoints", model):
        return Column("logs", "no", "not trained")
    if broken := _failed(claims, (models.BATCHES,), model):
        return Column("logs", "no", f"the audit does not hold: {broken}")
    steps = workspace.output("checkpoints", model).tables["training_log"].rows
    return Column("logs", "yes", f"loss, rate and gradient norm of {steps:,} steps, and the sequences of each")


def _checkpoints(workspace: Workspace, model: str, claims: pl.DataFrame) -> Column:
    if not _has(workspace, model, "model"):
        return Column("checkpoints", "no", "no weights are stored")
    if broken := _failed(claims, (models.WEIGHTS,), model):
        return Column("checkpoints", "no", f"the audit does not hold: {broken}")
    return Column("checkpoints", "partly", "the final weights; resume points of the run are scratch and not kept")


def _evals(workspace: Workspace, model: str, claims: pl.DataFrame) -> Column:
    reports = [key for key in workspace.partitions("eval_reports") if key.rsplit("/", 1)[0] == model]
    if not reports:
        return Column("evaluations", "no", "not evaluated")
    if broken := _failed(claims, (models.REPORTS, models.DOCUMENTS), model):
        return Column("evaluations", "no", f"the audit does not hold: {broken}")
    if any("document_scores" not in workspace.output("eval_reports", key).tables for key in reports):
        return Column("evaluations", "partly", "scores by domain and samples; not the score of each document")
    return Column("evaluations", "yes", f"{len(reports)} reports with the score of every held-out document, and samples")


def _failed(claims: pl.DataFrame, names: tuple[str, ...], model: str = "") -> str:
    """The first of these claims that fails, of the model where it is about one."""
    about = of_model(model) | ~pl.col("subject").str.contains_any(["checkpoints[", "eval_reports["])
    found = claims.filter(~pl.col("passed") & pl.col("claim").is_in(names) & (about if model else pl.lit(True)))
    return "" if found.is_empty() else f"{found['claim'][0]}, {found['subject'][0]}"


def of_model(model: str) -> pl.Expr:
    """Whether a claim's subject is the model, or one of its variants or reports."""
    return pl.col("subject").str.contains_any([f"[{model}]", f"[{model}/"])


def _has(workspace: Workspace, model: str, name: str) -> bool:
    return workspace.has("checkpoints", model) and name in workspace.output("checkpoints", model).files
