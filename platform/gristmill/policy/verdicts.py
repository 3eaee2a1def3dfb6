"""Verdicts: what a policy says about each document, with every reason, from the stored signals alone.

A rule fires where its predicate holds; a document is kept when none fires. `first_rule` is the first in the policy's
order, `value` and `threshold` are that rule's, so the margin can be read off. Changing a threshold reads a few columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

from gristmill.errors import RecipeError
from gristmill.policy.rules import Rule

VERSION = "1"


def judge(signals: pl.DataFrame, rules: Sequence[Rule], source: str, policy_name: str) -> pl.DataFrame:
    """The contract `verdicts` for documents of one source.

    `signals`: doc_id and the columns that the rules read (`columns_read`). Rules that except `source` do not fire.
    `policy_name` is what the verdict names as its policy, `name@version`; thresholds are not part of it, since a
    threshold that flips nothing must leave the content as it was.
    """
    if missing := [rule for rule in rules if rule.signal not in signals.columns]:
        raise RecipeError(
            f"the rule {missing[0].name} reads the signal {missing[0].signal!r}, which is not there",
            where=f"policy {policy_name}",
            fix=f"Signals at hand: {', '.join(c for c in signals.columns if c != 'doc_id')}. Add its family to signals.families.",
        )
    in_force = [rule for rule in rules if source not in rule.except_sources]
    fires = [pl.when(_holds(rule)).then(pl.lit(rule.name)) for rule in in_force]
    fired = pl.concat_list(fires).list.drop_nulls() if fires else pl.lit([], dtype=pl.List(pl.String))
    return signals.select(
        "doc_id",
        kept=~pl.any_horizontal(pl.lit(False), *map(_holds, in_force)),
        first_rule=pl.coalesce(*fires, pl.lit(None, pl.String)),
        value=_first(in_force, lambda rule: pl.col(rule.signal)),
        threshold=_first(in_force, lambda rule: pl.lit(rule.threshold, pl.Float64)),
        fired=fired,
        policy=pl.lit(policy_name),
    )


def columns_read(rules: Iterable[Rule]) -> dict[str, list[str]]:
    """Family -> its signal columns that the rules read, both sorted."""
    signals = sorted({rule.signal for rule in rules})
    return {family: [s for s in signals if s.split(".")[0] == family] for family in sorted({s.split(".")[0] for s in signals})}


def rule_counts(verdicts: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """rule, fired, first, alone (documents): on how many each rule fired, was the first, was the only one. In policy order."""
    each = verdicts.select("first_rule", "fired", n=pl.col("fired").list.len()).explode("fired", keep_nulls=False, empty_as_null=False)
    counts = (
        each.group_by(rule="fired")
        .agg(fired=pl.len(), first=(pl.col("first_rule") == pl.col("fired")).sum(), alone=(pl.col("n") == 1).sum())
        .cast({"fired": pl.Int64, "first": pl.Int64, "alone": pl.Int64})
    )
    names = pl.DataFrame({"rule": [rule.name for rule in rules]}, schema={"rule": pl.String})
    return names.join(counts, on="rule", how="left", maintain_order="left").fill_null(0)


def near_threshold(signals: pl.DataFrame, verdicts: pl.DataFrame, rules: Sequence[Rule], per_side: int = 3) -> pl.DataFrame:
    """The documents nearest each rule's threshold: those it dropped, and kept ones that it almost dropped.

    rule, signal, drop_when, threshold, side (`dropped` or `kept`), doc_id, value. Documents that a rule drops alone
    come before those that another would drop too: they are what moving its threshold brings back.
    """
    judged = signals.join(verdicts.select("doc_id", "kept", "fired"), on="doc_id")
    parts = [pl.DataFrame(schema=_NEAR)]
    for rule in rules:
        told = {"rule": rule.name, "signal": rule.signal, "drop_when": rule.drop_when}
        described = judged.with_columns(
            **{name: pl.lit(value) for name, value in told.items()},
            threshold=pl.lit(rule.threshold, pl.Float64),
            value=pl.col(rule.signal),
            margin=(pl.col(rule.signal) - rule.threshold).abs(),
        )
        dropped = described.filter(pl.col("fired").list.contains(rule.name)).sort(pl.col("fired").list.len() > 1, "margin", "doc_id")
        kept = described.filter("kept").sort("margin", "doc_id")
        for name, side in (("dropped", dropped), ("kept", kept)):
            parts.append(side.head(per_side).with_columns(side=pl.lit(name)).select(_NEAR.keys()))
    return pl.concat(parts)


_NEAR = {
    "rule": pl.String, "signal": pl.String, "drop_when": pl.String, "threshold": pl.Float64, "side": pl.String,
    "doc_id": pl.String, "value": pl.Float64,
}  # fmt: skip


def _holds(rule: Rule) -> pl.Expr:
    signal, threshold = pl.col(rule.signal), rule.threshold
    return {"<": signal < threshold, "<=": signal <= threshold, ">": signal > threshold, ">=": signal >= threshold}[rule.drop_when]


def _first(rules: Sequence[Rule], value) -> pl.Expr:  # type: ignore[no-untyped-def]
    """`value(rule)` of the first rule that fires; null where none does."""
    return pl.coalesce(*(pl.when(_holds(rule)).then(value(rule)) for rule in rules), pl.lit(None, pl.Float64))
