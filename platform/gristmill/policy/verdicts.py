"""Verdicts: what a policy says about each document, with every reason, from the stored signals alone.

A rule fires where its predicate holds; a document is kept when no rule that drops fires. `first_rule` is the first of
them in the policy's order, `value` and `threshold` are that rule's, so the margin can be read off; `fired` names every
rule that fired, and `weight` is the product of those that down-weight. Changing a threshold reads a few columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from gristmill.errors import RecipeError
from gristmill.policy.rules import Rule

VERSION = "2"

MIN_DOCUMENTS = 20  # a source of fewer is too small for a share to say anything

_RULES_A_MASK = 60


def judge(signals: pl.DataFrame, rules: Sequence[Rule], source: str, policy_name: str) -> pl.DataFrame:
    """The contract `verdicts` for documents of one source, under rules about documents.

    `signals`: doc_id, the columns that the rules read (`columns_read`) and, where a rule speaks of languages, `language`.
    Rules that except `source` do not fire. `policy_name` is what the verdict names as its policy, `name@version`;
    thresholds are not part of it, since a threshold that flips nothing must leave the content as it was.
    """
    _check(signals, rules, policy_name)
    in_force = [rule for rule in rules if source not in rule.except_sources]
    dropping = [rule for rule in in_force if rule.action == "drop"]
    masks = [f"_mask{n}" for n in range(math.ceil(len(in_force) / _RULES_A_MASK) or 1)]
    fires = signals.select(
        "doc_id",
        *(
            pl.sum_horizontal(pl.lit(0, pl.UInt64), *(holds(rule).cast(pl.UInt64) * (1 << bit) for bit, rule in enumerate(some))).alias(
                mask
            )
            for mask, some in zip(masks, _groups(in_force), strict=True)
        ),
        value=_first(dropping, lambda rule: pl.col(rule.signal)),
        threshold=_first(dropping, limit),
    )
    told = [(*row, *_told(row, in_force)) for row in fires.select(masks).unique().iter_rows()]  # a few combinations, not a row each
    schema: dict[str, Any] = {
        **dict.fromkeys(masks, pl.UInt64),
        "kept": pl.Boolean,
        "first_rule": pl.String,
        "fired": pl.List(pl.String),
        "weight": pl.Float64,
    }
    return fires.join(pl.DataFrame(told, schema=schema, orient="row"), on=masks, how="left", maintain_order="left").select(
        "doc_id", "kept", "first_rule", "value", "threshold", "fired", "weight", policy=pl.lit(policy_name)
    )


def holds(rule: Rule) -> pl.Expr:
    """Whether the rule's predicate holds for a row of signals."""
    signal, threshold = pl.col(rule.signal), limit(rule)
    found = {"<": signal < threshold, "<=": signal <= threshold, ">": signal > threshold, ">=": signal >= threshold}[rule.when]
    return found & ~pl.col("language").is_in(rule.except_languages) if rule.except_languages else found


def limit(rule: Rule) -> pl.Expr:
    """The rule's threshold for a row: its language's own, or the general one."""
    if not rule.by_language:
        return pl.lit(rule.threshold, pl.Float64)
    return pl.col("language").replace_strict(rule.by_language, default=rule.threshold, return_dtype=pl.Float64)


def columns_read(rules: Iterable[Rule]) -> dict[str, list[str]]:
    """Family -> its signal columns that the rules read, both sorted."""
    signals = sorted({rule.signal for rule in rules})
    return {family: [s for s in signals if s.split(".")[0] == family] for family in sorted({s.split(".")[0] for s in signals})}


def rule_counts(verdicts: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """rule, fired, first, alone (documents): on how many each rule fired, was the first to drop, was the only one to. In policy order."""
    drops = [rule.name for rule in rules if rule.action == "drop"]
    dropped_by = pl.col("fired").list.set_intersection(pl.lit(drops, dtype=pl.List(pl.String)))
    each = verdicts.select("first_rule", "fired", n=dropped_by.list.len()).explode("fired", keep_nulls=False, empty_as_null=False)
    drops_it = pl.col("fired").is_in(drops)
    counts = (
        each.group_by(rule="fired")
        .agg(fired=pl.len(), first=(pl.col("first_rule") == pl.col("fired")).sum(), alone=((pl.col("n") == 1) & drops_it).sum())
        .cast({"fired": pl.Int64, "first": pl.Int64, "alone": pl.Int64})
    )
    names = pl.DataFrame({"rule": [rule.name for rule in rules]}, schema={"rule": pl.String})
    return names.join(counts, on="rule", how="left", maintain_order="left").fill_null(0)


def near_threshold(signals: pl.DataFrame, verdicts: pl.DataFrame, rules: Sequence[Rule], per_side: int = 3) -> pl.DataFrame:
    """The documents nearest each rule's threshold: those it dropped, and kept ones that it almost dropped.

    rule, signal, when, threshold, side (`dropped`, or `down-weighted`, or `kept`), doc_id, value. Documents that a rule drops alone
    come before those that another would drop too: they are what moving its threshold brings back.
    """
    judged = signals.join(verdicts.select("doc_id", "kept", "fired"), on="doc_id")
    parts = [pl.DataFrame(schema=_NEAR)]
    for rule in rules:
        told = {"rule": rule.name, "signal": rule.signal, "when": rule.when}
        described = judged.with_columns(
            **{name: pl.lit(value) for name, value in told.items()},
            threshold=limit(rule),
            value=pl.col(rule.signal),
            margin=(pl.col(rule.signal) - limit(rule)).abs(),
        )
        dropped = described.filter(pl.col("fired").list.contains(rule.name)).sort(pl.col("fired").list.len() > 1, "margin", "doc_id")
        kept = described.filter(pl.col("kept") & ~pl.col("fired").list.contains(rule.name)).sort("margin", "doc_id")
        for name, side in ((DROPPED[rule.action], dropped), ("kept", kept)):
            parts.append(side.head(per_side).with_columns(side=pl.lit(name)).select(_NEAR.keys()))
    return pl.concat(parts)


DROPPED = {"drop": "dropped", "down_weight": "down-weighted"}
_NEAR = {
    "rule": pl.String, "signal": pl.String, "when": pl.String, "threshold": pl.Float64, "side": pl.String,
    "doc_id": pl.String, "value": pl.Float64,
}  # fmt: skip


def _check(signals: pl.DataFrame, rules: Sequence[Rule], policy_name: str) -> None:
    for rule in rules:
        if rule.signal not in signals.columns:
            raise RecipeError(
                f"the rule {rule.name} reads the signal {rule.signal!r}, which is not there",
                where=f"policy {policy_name}",
                fix=f"Signals at hand: {', '.join(c for c in signals.columns if c != 'doc_id')}. Add its family to signals.families.",
            )
        if (rule.by_language or rule.except_languages) and "language" not in signals.columns:
            raise RecipeError(f"the rule {rule.name} speaks of languages, and the signals name none", where=f"policy {policy_name}")


def _groups(rules: Sequence[Rule]) -> list[Sequence[Rule]]:
    return [rules[at : at + _RULES_A_MASK] for at in range(0, len(rules), _RULES_A_MASK)] or [[]]


def _told(masks: Sequence[int], rules: Sequence[Rule]) -> tuple[bool, str | None, list[str], float]:
    """kept, first_rule, fired and weight of documents on which the rules of the masks' bits fired."""
    fired = [rule for mask, some in zip(masks, _groups(rules), strict=True) for bit, rule in enumerate(some) if mask >> bit & 1]
    dropped_by = next((rule.name for rule in fired if rule.action == "drop"), None)
    weight = math.prod(rule.weight for rule in fired if rule.action == "down_weight")
    return dropped_by is None, dropped_by, [rule.name for rule in fired], max(round(weight, 6), 1e-6)  # what is kept may come


def _first(rules: Sequence[Rule], value) -> pl.Expr:  # type: ignore[no-untyped-def]
    """`value(rule)` of the first rule that fires; null where none does."""
    return pl.coalesce(*(pl.when(holds(rule)).then(value(rule)) for rule in rules), pl.lit(None, pl.Float64))
