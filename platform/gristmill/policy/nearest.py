"""The documents nearest a rule's threshold on both sides, over many shards: a few rows a rule are held, whatever the crawl."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from gristmill.lake.workspace import Workspace
from gristmill.policy import stored
from gristmill.policy.judged import Judged, When
from gristmill.policy.rules import Rule
from gristmill.policy.verdicts import limit

SIDES = ("fires", "passes")
SCHEMA: dict[str, Any] = {
    "rule": pl.String, "side": pl.String, "value": pl.Float64, "threshold": pl.Float64, "margin": pl.Float64,
    "doc_id": pl.String, "url": pl.String, "host": pl.String, "language": pl.String, "shard": pl.String,
    "kept_before": pl.Boolean, "kept_after": pl.Boolean, "weight_before": pl.Float64, "weight_after": pl.Float64,
    "others": pl.List(pl.String),
}  # fmt: skip
PAGES = ["doc_id", "url", "host", "language"]


class Nearest:
    """For each rule, as one of the policies has it, the `per_side` nearest documents on which it fires and that it passes.

    Among equally near ones those come first that no other rule drops, then the smaller doc_id, whatever the sharding.
    """

    def __init__(self, rules: Sequence[tuple[When, Rule]], per_side: int) -> None:
        self.rules, self.per_side = list(rules), per_side
        self._held: dict[tuple[str, str], list[dict[str, Any]]] = {(rule.name, side): [] for _, rule in self.rules for side in SIDES}

    def add(self, shard: str, judged: Judged) -> None:
        for when, rule in self.rules:
            if not judged.judges(when, rule.name):
                continue
            subject = ~pl.col("language").is_in(rule.except_languages) if rule.except_languages else pl.lit(True)
            margin, fires = (pl.col(rule.signal) - limit(rule)).abs(), judged.mask(when, rule.name)
            for side, mask in zip(SIDES, (fires, ~fires), strict=True):
                of_side = judged.frame.lazy().with_row_index("at").filter(subject & mask)
                cut = self._cut(rule.name, side)
                if cut is None:
                    cut = of_side.select(margin.bottom_k(self.per_side).max()).collect().item()
                if cut is None:
                    continue
                near = of_side.filter(margin <= cut).select(
                    "at",
                    "row",
                    value=pl.col(rule.signal),
                    threshold=limit(rule),
                    margin=margin,
                    elsewhere=judged.others("after", rule.name),
                    kept_before=~pl.col("dropped_before"),
                    kept_after=~pl.col("dropped_after"),
                    weight_before=judged.weight("before"),
                    weight_after=judged.weight("after"),
                )
                # a shard's rows are sorted by doc_id, so the row breaks ties as the doc_id does
                found = near.sort("margin", "elsewhere", "row").head(self.per_side).collect()
                self._hold(rule.name, side, _told(shard, judged, rule.name, found))

    def _cut(self, name: str, side: str) -> float | None:
        """The margin beyond which nothing is wanted any more."""
        held = self._held[name, side]
        return held[self.per_side - 1]["margin"] if len(held) >= self.per_side else None

    def _hold(self, name: str, side: str, found: list[dict[str, Any]]) -> None:
        held = sorted([*self._held[name, side], *found], key=_nearness)
        last = _nearness(held[self.per_side - 1]) if len(held) >= self.per_side else None
        self._held[name, side] = [row for row in held if last is None or _nearness(row) <= last]  # ties wait for their doc_id

    def found(self, workspace: Workspace) -> pl.DataFrame:
        """`WhatIf.nearest`: the documents by rule and side, the nearest first."""
        by_shard: dict[str, list[dict[str, Any]]] = {}
        for rows in self._held.values():
            for row in rows:
                by_shard.setdefault(row["shard"], []).append(row)
        for shard, rows in by_shard.items():
            pages = stored.rows(workspace, shard, [row["row"] for row in rows], PAGES)
            for row, page in zip(rows, pages.iter_rows(named=True), strict=True):
                row.update(page)
        parts = [
            {**{column: row.get(column) for column in SCHEMA}, "rule": name, "side": side}
            for (name, side), rows in self._held.items()
            for row in sorted(rows, key=_order)[: self.per_side]
        ]
        return pl.DataFrame(parts, schema=SCHEMA)


def _told(shard: str, judged: Judged, name: str, found: pl.DataFrame) -> list[dict[str, Any]]:
    others = [other for other in judged.dropping("after") if other != name]
    fired = judged.frame[found["at"].to_list()].select(judged.mask("after", other).alias(other) for other in others)
    named = [[other for other, fires in row.items() if fires] for row in fired.iter_rows(named=True)] or [[]] * found.height
    return [{**row, "shard": shard, "others": names} for row, names in zip(found.iter_rows(named=True), named, strict=True)]


def _order(row: dict[str, Any]) -> tuple[float, bool, str]:
    return *_nearness(row), row["doc_id"]


def _nearness(row: dict[str, Any]) -> tuple[float, bool]:
    return row["margin"], row["elsewhere"]
