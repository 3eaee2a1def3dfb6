"""The audit: recompute, do not trust.

Each claim is checked on every subject that it is made of, from what the subject was made from (`audit_scope`):

    what is stored      files, heads, recorded inputs and code, leftovers, the event log      audit_stored
    documents           payload, text, edits, signals                                         audit_documents
    decisions           verdicts, splits, scores                                              audit_decisions
    copies              signatures, vectors, similarities, survivors, cuts, contamination     audit_duplicates
    corpus              sources, sequences, what may be in it                                 audit_corpus
    models              batches, runs, weights, variants, reports                             audit_models

A sampled audit looks at `[audit] sample` documents in `audit_scope.SHARDS` shards, a full one at all of all; docs/audit.md says
what neither sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.workspace import Workspace
from gristmill.lineage.audit import corpus, decisions, documents, duplicates, models, stored
from gristmill.lineage.audit.scope import NOT_RECOMPUTED, Finding, Log, Scope
from gristmill.progress import Progress

VERSION = "3"

CLAIMS: tuple[Callable[[Scope], Iterator[Finding]], ...] = (
    stored.stored_files,
    stored.inputs_exist,
    stored.code_follows,
    stored.events,
    stored.leftovers,
    documents.sources,
    documents.edits,
    documents.signals,
    decisions.filtered,
    duplicates.signed,
    duplicates.embedded,
    duplicates.clusters,
    decisions.deduplicated,
    duplicates.repeated,
    duplicates.contaminated,
    decisions.scored,
    decisions.curated,
    corpus.synthetic,
    corpus.corpus,
    models.checkpoints,
    models.variants,
    models.reports,
)

HARMLESS = frozenset({stored.LEFTOVERS})
"""Claims that say something when they fail, and nothing about what was built: what a killed process left behind."""


def audit(workspace: Workspace, documents: int | None = 0, codes: Mapping[str, str] | None = None, log: Log | None = None) -> pl.DataFrame:
    """Every claim on every subject, with evidence; the contract `audit`.

    `documents` are looked at, None for all of all, 0 for the recipe's `[audit] sample`. `codes`: code version by asset as the graph
    has it now; what was made by another is not recomputed, and says so. `log`: the event log, without which nothing is said of it.
    """
    return claims_of(scoped(workspace, documents, codes, log))


def scoped(workspace: Workspace, documents: int | None = 0, codes: Mapping[str, str] | None = None, log: Log | None = None) -> Scope:
    """What `audit` looks at with these arguments."""
    wanted = (workspace.recipe.audit.sample or None) if documents == 0 else documents
    return Scope(workspace, wanted, codes or {}, log)


def claims_of(scope: Scope) -> pl.DataFrame:
    findings: list[Finding] = []
    with Progress("audit", len(CLAIMS), "claims") as progress:
        for claim in CLAIMS:
            findings += claim(scope)
            progress.advance()
    return pl.DataFrame(findings, schema=CONTRACTS["audit"].schema, orient="row")


def summary(claims: pl.DataFrame) -> pl.DataFrame:
    """claim, subjects, failed, not_recomputed; in the order in which they were checked."""
    return claims.group_by("claim", maintain_order=True).agg(
        subjects=pl.len(), failed=(~pl.col("passed")).sum(), not_recomputed=pl.col("evidence").str.starts_with(NOT_RECOMPUTED).sum()
    )


def failures(claims: pl.DataFrame, harmless: bool = True) -> pl.DataFrame:
    """The claims that do not hold; with `harmless` those too of which nothing that was built depends."""
    return claims.filter(~pl.col("passed") & (pl.lit(harmless) | ~pl.col("claim").is_in(sorted(HARMLESS))))


def as_json(claims: pl.DataFrame, looked: str) -> dict[str, Any]:
    """What `gristmill audit --json` prints."""
    return {
        "looked_at": looked,
        "holds": failures(claims, harmless=False).is_empty(),
        "subjects": claims.height,
        "failed": failures(claims).height,
        "claims": summary(claims).to_dicts(),
        "findings": [{**row, "recomputed": not row["evidence"].startswith(NOT_RECOMPUTED)} for row in claims.iter_rows(named=True)],
    }
