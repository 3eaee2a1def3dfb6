"""One shard under two policies at once: which rules fire on each document, and whether none, one or several drop it.

Rules are columns of bits and never counted per document: a document's rules are at most told apart into none, one
and several, which takes two bits and a fifteenth of the time that a sum over the rules takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import mul
from typing import Any, Literal

import polars as pl

from gristmill.lake.workspace import Workspace
from gristmill.policy import stored
from gristmill.policy.copies import Copies
from gristmill.policy.rules import Rule
from gristmill.policy.verdicts import holds

When = Literal["before", "after"]
COUNTS = ("fired_before", "alone_before", "fired_after", "alone_after")
MOVED = ("starts", "starts_elsewhere", "stops", "stops_elsewhere")


class Judged:
    """`frame`: of the documents that the shard owns (`copies`) their row in it, the signals that the rules read, n_bytes and
    boolean columns: one per distinct predicate, and for `before` and `after` whether a rule drops the document
    (`dropped_…`) and whether several do (`several_…`).

    Rules that except the shard's source are not in force; rules about lines are not asked.
    """

    def __init__(self, workspace: Workspace, shard: str, before: Sequence[Rule], after: Sequence[Rule], copies: Copies) -> None:
        source = workspace.recipe.source_of(shard)
        self.rules: dict[When, list[Rule]] = {
            "before": [rule for rule in before if rule.action != "edit" and source not in rule.except_sources],
            "after": [rule for rule in after if rule.action != "edit" and source not in rule.except_sources],
        }
        every = [*self.rules["before"], *self.rules["after"]]
        distinct: dict[tuple[Any, ...], tuple[str, Rule]] = {}  # rules that the policies share are asked once
        for rule in every:
            distinct.setdefault(decision(rule), (f"mask{len(distinct)}", rule))
        self._masks = {(when, rule.name): distinct[decision(rule)][0] for when, rules in self.rules.items() for rule in rules}
        frame = copies.distinct(shard, stored.signals(workspace, shard, every, ["n_bytes"]))
        frame = frame.with_columns(holds(rule).alias(mask) for mask, rule in distinct.values())
        for when in self.rules:
            one, several = pl.repeat(False, frame.height, eager=True), pl.repeat(False, frame.height, eager=True)
            for name in self.dropping(when):
                mask = frame[self._masks[when, name]]
                one, several = one | mask, several | (one & mask)
            frame = frame.with_columns(one.alias(f"dropped_{when}"), several.alias(f"several_{when}"))
        self.frame = frame

    def judges(self, when: When, name: str) -> bool:
        """Whether the policy has the rule and the rule judges this source."""
        return (when, name) in self._masks

    def mask(self, when: When, name: str) -> pl.Expr:
        """Whether the rule of that name fires; never, where it does not judge."""
        return pl.col(self._masks[when, name]) if self.judges(when, name) else pl.lit(False)

    def dropping(self, when: When) -> list[str]:
        return [rule.name for rule in self.rules[when] if rule.action == "drop"]

    def others(self, when: When, name: str) -> pl.Expr:
        """Whether another rule than the one of that name drops the document."""
        if name not in self.dropping(when):
            return pl.col(f"dropped_{when}")
        mask = self.mask(when, name)
        return (mask & pl.col(f"several_{when}")) | (~mask & pl.col(f"dropped_{when}"))

    def totals(self) -> pl.DataFrame:
        """One row: documents, n_bytes, kept and bytes before and after; by what both keep, gained and lost weight, in documents
        (`weight_…`) and in their bytes (`weight_bytes_…`)."""
        before, after, size = ~pl.col("dropped_before"), ~pl.col("dropped_after"), pl.col("n_bytes")
        weighs = any(rule.action == "down_weight" for rules in self.rules.values() for rule in rules)
        both = before & after
        moved = (self.weight("after") - self.weight("before")).filter(both) if weighs else pl.lit(0.0)
        worth = moved * size.filter(both) if weighs else pl.lit(0.0)
        return self.frame.select(
            documents=pl.len().cast(pl.Int64),
            n_bytes=size.sum(),
            kept_before=before.sum().cast(pl.Int64),
            kept_after=after.sum().cast(pl.Int64),
            bytes_before=size.filter(before).sum(),
            bytes_after=size.filter(after).sum(),
            weight_gained=moved.clip(lower_bound=0).sum(),
            weight_lost=(-moved).clip(lower_bound=0).sum(),
            weight_bytes_gained=worth.clip(lower_bound=0).sum(),
            weight_bytes_lost=(-worth).clip(lower_bound=0).sum(),
        )

    def weight(self, when: When) -> pl.Expr:
        """How much a document counts when it is kept: the product of the rules that weigh it down."""
        weights = [pl.when(self.mask(when, r.name)).then(r.weight).otherwise(1.0) for r in self.rules[when] if r.action == "down_weight"]
        return reduce(mul, weights, pl.repeat(1.0, pl.len()))

    def fired(self) -> pl.DataFrame:
        """rule and COUNTS: documents on which it fires, and those that no other rule drops; zero where a policy lacks it."""
        names = list(dict.fromkeys(rule.name for rule in (*self.rules["after"], *self.rules["before"])))
        counts = {}
        for when in self.rules:
            for name in self.dropping(when):
                counts[f"alone_{when}", name] = (self.mask(when, name) & ~pl.col(f"several_{when}")).sum()
            for rule in self.rules[when]:
                counts[f"fired_{when}", rule.name] = self.mask(when, rule.name).sum()
        row = self.frame.select(value.alias(f"{what} {name}") for (what, name), value in counts.items()).row(0) if counts else ()
        found = dict(zip(counts, row, strict=True))
        return pl.DataFrame(
            {"rule": names, **{what: [found.get((what, name), 0) for name in names] for what in COUNTS}},
            schema={"rule": pl.String, **dict.fromkeys(COUNTS, pl.Int64)},
        )

    def moved(self, names: Sequence[str]) -> pl.DataFrame:
        """rule and MOVED: documents on which the rule begins or ceases to fire, and those of them that other rules drop
        before and after, so that they do not flip."""
        rows: list[dict[str, Any]] = []
        for name in names:
            was, now = self.mask("before", name), self.mask("after", name)
            anyway = self.others("before", name) & self.others("after", name)
            starts, stops = now & ~was, was & ~now
            counts = (starts, starts & anyway, stops, stops & anyway)
            row = self.frame.select(count.sum().alias(what) for what, count in zip(MOVED, counts, strict=True)).row(0)
            rows.append({"rule": name, **dict(zip(MOVED, row, strict=True))})
        return pl.DataFrame(rows, schema={"rule": pl.String, **dict.fromkeys(MOVED, pl.Int64)})

    def flips(self) -> pl.DataFrame:
        """row, n_bytes, flip (`lost` or `gained`) and rule of the documents that one policy keeps and the other drops."""
        before, after = ~pl.col("dropped_before"), ~pl.col("dropped_after")
        found = self.frame.lazy().filter(before != after)
        return found.select(
            "row",
            "n_bytes",
            flip=pl.when(before).then(pl.lit("lost")).otherwise(pl.lit("gained")),
            rule=pl.when(before).then(self._first("after")).otherwise(self._first("before")),
        ).collect()

    def _first(self, when: When) -> pl.Expr:
        fired = [pl.when(self.mask(when, name)).then(pl.lit(name)) for name in self.dropping(when)]
        return pl.coalesce(*fired, pl.lit(None, pl.String))


def decision(rule: Rule) -> tuple[Any, ...]:
    """All by which a rule decides on the documents of a source that it judges."""
    languages = tuple(sorted(rule.by_language.items())), tuple(sorted(rule.except_languages))
    return rule.signal, rule.when, rule.threshold, rule.action, rule.weight, *languages
