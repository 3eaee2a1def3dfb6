"""What two builds' corpora are made of: tokens and documents of each phase by source and topic, against the mix asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from gristmill.lake.workspace import Workspace
from gristmill.recipe import PHASES

MIX = {
    "phase": pl.String,
    "source": pl.String,
    "topic": pl.String,
    "tokens_before": pl.Int64,
    "tokens_after": pl.Int64,
    "documents_before": pl.Int64,
    "documents_after": pl.Int64,
}
NUMBERS = [name for name, kind in MIX.items() if kind == pl.Int64]


@dataclass(frozen=True)
class Corpus:
    """`mix` has a row for each phase, source and topic (MIX); `phases` one for each phase: tokens and documents before and after,
    and the documents that are in one alone. Synthetic documents count."""

    mix: pl.DataFrame
    phases: pl.DataFrame

    def by(self, dimension: str) -> pl.DataFrame:
        """Rows of each phase and source, or topic: phase, name, then tokens, documents and `share_` of the phase's tokens before
        and after."""
        summed = self.mix.group_by("phase", pl.col(dimension).alias("name"), maintain_order=True).agg(pl.col(NUMBERS).sum())
        shares = [(pl.col(f"tokens_{when}") / pl.col(f"tokens_{when}").sum().over("phase")).alias(f"share_{when}") for when in WHEN]
        return summed.with_columns(pl.when(share.is_nan()).then(None).otherwise(share).alias(share.meta.output_name()) for share in shares)

    @property
    def tokens(self) -> tuple[int, int]:
        return int(self.mix["tokens_before"].sum()), int(self.mix["tokens_after"].sum())

    def as_json(self) -> dict[str, Any]:
        return {"phases": self.phases.to_dicts(), **{name: self.by(name).to_dicts() for name in ("source", "topic")}}


WHEN = ("before", "after")


def corpus(old: Workspace, new: Workspace) -> Corpus:
    """Compares the corpora; provenance that is the same is read once."""
    mixes, phases = [pl.DataFrame(schema=MIX)], []
    known = {*old.partitions("mixed_corpus"), *new.partitions("mixed_corpus")}
    for phase in [phase for phase in PHASES if phase in known]:
        tables = [_provenance(each, phase) for each in (old, new)]
        sums = [_summed(table, when) for table, when in zip(tables, WHEN, strict=True)]
        both = sums[0].join(sums[1], on=["source", "topic"], how="full", coalesce=True).with_columns(pl.col(NUMBERS).fill_null(0))
        mixes.append(both.with_columns(phase=pl.lit(phase)).select(list(MIX)).sort("source", "topic"))
        held = [table.select("doc_id", "origin").unique() for table in tables]
        alone = [held[1].join(held[0], on=["doc_id", "origin"], how="anti"), held[0].join(held[1], on=["doc_id", "origin"], how="anti")]
        counts = [int(each.select(pl.len()).collect().item()) for each in (*held, *alone)]
        tokens = {name: int(both[name].sum()) for name in ("tokens_before", "tokens_after")}
        phases.append({"phase": phase, **tokens, **dict(zip(("documents_before", "documents_after", "in", "out"), counts, strict=True))})
    schema = {"phase": pl.String, **dict.fromkeys((*NUMBERS, "in", "out"), pl.Int64)}
    return Corpus(pl.concat(mixes), pl.DataFrame(phases, schema=schema))


def _provenance(workspace: Workspace, phase: str) -> pl.LazyFrame:
    if not workspace.has("mixed_corpus", phase):
        return pl.LazyFrame(
            schema={**dict.fromkeys(("doc_id", "origin", "source", "topic"), pl.String), "start": pl.Int64, "end": pl.Int64}
        )
    return workspace.scan("mixed_corpus", phase, "provenance")


def _summed(provenance: pl.LazyFrame, when: str) -> pl.DataFrame:
    tokens = (pl.col("end") - pl.col("start")).sum().alias(f"tokens_{when}")
    documents = pl.col("doc_id").n_unique().cast(pl.Int64).alias(f"documents_{when}")
    return provenance.group_by("source", "topic").agg(tokens, documents).collect()
