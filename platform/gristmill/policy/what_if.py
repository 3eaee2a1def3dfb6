"""What another policy would do, before anything is rebuilt: from stored signals and `pages`, shard by shard, without text.

A document counts once, in the shard that owns it (`copies`), under the rules for that shard's source. It *flips* when one of
the two policies keeps it and the other does not: `lost` (kept, then dropped) or `gained` (dropped, then kept). A flip
counts under the first rule that drops it, in the policy under which it is dropped; that rule is always one that changed.
Tokens are bytes of the clean view over the source's measured bytes per token (`lineage.funnel`), and unknown without a
tokenizer.

Rules that weigh documents down drop nothing: for what both policies keep, the weight gained and lost is summed, in
documents, and in their bytes and tokens. Rules
about lines make the text that the signals were computed from, so a change of one cannot be told from stored signals
and is refused. Memory holds the columns that the rules read of two shards, and the sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from gristmill.errors import RecipeError
from gristmill.lake.workspace import Workspace
from gristmill.lineage.funnel import bytes_per_token
from gristmill.policy import stored
from gristmill.policy.copies import copies
from gristmill.policy.judged import Judged, When, decision
from gristmill.policy.nearest import Nearest
from gristmill.policy.rules import Rule
from gristmill.policy.verdicts import MIN_DOCUMENTS
from gristmill.policy.wording import change

PER_SIDE = 20  # documents shown on each side of a changed threshold
MAX_FIRED = 0.5  # of a source's documents on which one rule may fire without being flagged; others may drop them too
BY = ("rule", "source", "host", "language", "topic")
FLIPS = {
    "doc_id": pl.String, "url": pl.String, "shard": pl.String, "source": pl.String, "host": pl.String, "language": pl.String,
    "topic": pl.String, "n_bytes": pl.Int64, "flip": pl.String, "rule": pl.String,
}  # fmt: skip

Frames = list[pl.DataFrame]


@dataclass(frozen=True)
class Change:
    """A rule that the two policies do not share: before (None when it is new) and after (None when it is off)."""

    name: str
    before: Rule | None
    after: Rule | None

    @property
    def shown(self) -> tuple[When, Rule]:
        """The rule whose threshold is looked at: as it will be, or as it was when it goes."""
        if self.after:
            return "after", self.after
        assert self.before
        return "before", self.before

    def __str__(self) -> str:
        return f"{self.name}: {change(self.before, self.after)}"


@dataclass(frozen=True)
class WhatIf:
    """The answer. Documents and bytes are counted exactly; tokens are estimates, null where no tokenizer has measured.

    copies: rows of other shards that hold a document again and were not counted
    sources: source, documents, n_bytes, kept_before, kept_after, bytes_before, bytes_after, and of what both keep the weight
        gained and lost, in documents (weight_gained, weight_lost), bytes (weight_bytes_…) and tokens (weight_tokens_…), in
        the recipe's order
    flips: by (one of BY), name (null: no topic yet), lost_documents, gained_documents, lost_bytes, gained_bytes,
        lost_tokens, gained_tokens; those that move most first. Each `by` sums to the same; without scores there are no topics.
    rules: rule, action, and documents on which it fires, fires alone (no other rule drops): fired_before, fired_after,
        alone_before, alone_after; null where the policy lacks it
    changed: rule, starts and stops firing (documents), of which elsewhere: dropped by another rule before and after
    nearest: rule, side (fires, passes), value, threshold, margin, doc_id, url, host, language, shard, kept_before,
        kept_after, weight_before, weight_after (of a kept document), others (rules that drop it anyway under the new policy)
    """

    changes: list[Change]
    copies: int
    sources: pl.DataFrame
    flips: pl.DataFrame
    rules: pl.DataFrame
    changed: pl.DataFrame
    nearest: pl.DataFrame
    warnings: list[str]

    def total(self, column: str) -> int:
        """A column of `sources` over all of them."""
        return int(self.sources[column].sum())

    def flipped(self, column: str) -> int | None:
        """A column of `flips` over all documents; None where it is not known for all of them."""
        values = self.flips.filter(pl.col("by") == "source")[column]
        return None if values.null_count() else int(values.sum())

    def as_json(self) -> dict[str, Any]:
        columns = [column for column in self.flips.columns if column not in ("by", "name")]
        return {
            "changes": [
                {
                    "rule": each.name,
                    "before": each.before.model_dump() if each.before else None,
                    "after": each.after.model_dump() if each.after else None,
                    **self.changed.filter(pl.col("rule") == each.name).drop("rule").row(0, named=True),
                }
                for each in self.changes
            ],
            "documents": self.total("documents"),
            "copies": self.copies,
            "kept_before": self.total("kept_before"),
            "kept_after": self.total("kept_after"),
            **{column: self.flipped(column) for column in columns},
            "sources": self.sources.to_dicts(),
            "flips": {by: self.flips.filter(pl.col("by") == by).drop("by").to_dicts() for by in BY},
            "rules": self.rules.to_dicts(),
            "nearest": self.nearest.to_dicts(),
            "warnings": self.warnings,
        }


def what_if(
    workspace: Workspace,
    old: Sequence[Rule],
    new: Sequence[Rule],
    per_side: int = PER_SIDE,
    on_flips: Callable[[pl.DataFrame], object] | None = None,
    shards: Sequence[str] | None = None,
) -> WhatIf:
    """What the rules `new` would change against `old`, over these shards; by default every one whose signals are stored.

    `on_flips` is called with each shard's flips: the columns of FLIPS, flip being `lost` or `gained`.
    """
    changes = _changes(old, new)
    nearest = Nearest([each.shown for each in changes], per_side)
    totals: Frames = []
    fired: Frames = []
    moved: Frames = []
    flips: Frames = []
    shards = stored.shards(workspace) if shards is None else shards
    with copies(workspace, shards) as elsewhere:
        for shard, judged in stored.ahead(lambda shard: Judged(workspace, shard, old, new, elsewhere), shards):
            source = pl.lit(workspace.recipe.source_of(shard)).alias("source")
            totals = _merge(totals, judged.totals().with_columns(source), "source")
            fired = _merge(fired, judged.fired().with_columns(source), "rule", "source")
            moved = _merge(moved, judged.moved([each.name for each in changes]), "rule")
            found = _with_pages(workspace, shard, judged.flips(), bool(on_flips)).with_columns(source, shard=pl.lit(shard))
            flips = _merge(flips, _counted(found), "by", "name", "source", "flip")
            if on_flips and found.height:
                on_flips(found.select(*FLIPS))
            nearest.add(shard, judged)
    ratios = bytes_per_token(workspace)
    sources = _sources(totals[0], list(workspace.recipe.sources.groups), ratios)
    rules = _rules(fired[0], old, new)
    names = pl.DataFrame({"rule": [each.name for each in changes]}, schema={"rule": pl.String})
    return WhatIf(
        changes,
        elsewhere.count,
        sources,
        _flips(flips[0], ratios),
        rules,
        names.join(moved[0], on="rule", how="left", maintain_order="left"),
        nearest.found(workspace),
        _warnings(rules, fired[0], sources),
    )


def _sources(totals: pl.DataFrame, groups: Sequence[str], ratios: dict[str, float]) -> pl.DataFrame:
    """`WhatIf.sources`: the totals in the recipe's order, what is weighed otherwise in tokens too."""
    order = {name: n for n, name in enumerate(groups)}
    ratio = pl.col("source").replace_strict(ratios, default=None, return_dtype=pl.Float64)
    ways = ("gained", "lost")
    return totals.select(
        "source",
        pl.exclude("source"),
        *(
            pl.when(pl.col(f"weight_bytes_{way}") == 0)
            .then(0.0)
            .otherwise(pl.col(f"weight_bytes_{way}") / ratio)
            .alias(f"weight_tokens_{way}")
            for way in ways
        ),
    ).sort(pl.col("source").replace_strict(order, default=len(order)), "source")


def _changes(old: Sequence[Rule], new: Sequence[Rule]) -> list[Change]:
    before, after = {rule.name: rule for rule in old}, {rule.name: rule for rule in new}
    found = []
    for name in dict.fromkeys([*after, *before]):
        was, now = before.get(name), after.get(name)
        if was is None or now is None or decision(was) != decision(now) or {*was.except_sources} != {*now.except_sources}:
            if "edit" in (was and was.action, now and now.action):
                raise RecipeError(
                    f"{name} changes the clean view, and the stored signals were computed from that; they cannot tell what it would do",
                    where="policy",
                    fix="Rebuild `edits` of a sample: put the change into a recipe that has a `namespace` of its own and a small crawl, "
                    "and run `gristmill rebuild --until filtered_shards`.",
                )
            found.append(Change(name, was, now))
    return found


def _merge(parts: Frames, part: pl.DataFrame, *keys: str) -> Frames:
    """One frame of sums by key."""
    return [pl.concat([*parts, part.select(*keys, pl.exclude(keys))]).group_by(keys, maintain_order=True).sum()]


def _with_pages(workspace: Workspace, shard: str, flips: pl.DataFrame, whole: bool) -> pl.DataFrame:
    scored = workspace.has("quality_scores", shard)
    columns = [*(["doc_id"] if whole or scored else []), *(["url"] if whole else []), "host", "language"]
    pages = stored.rows(workspace, shard, flips["row"].to_list(), columns)
    topic = stored.topics(workspace, shard, pages["doc_id"]) if scored else None
    return pl.concat([flips, pages], how="horizontal").with_columns(
        topic=pl.Series(topic, dtype=pl.String) if topic is not None else pl.lit(None, pl.String), scored=pl.lit(scored)
    )


def _counted(flips: pl.DataFrame) -> pl.DataFrame:
    parts = []
    for by in BY:
        part = flips.filter("scored") if by == "topic" else flips
        counts = part.group_by(name=by, source="source", flip="flip").agg(
            documents=pl.len().cast(pl.Int64), n_bytes=pl.col("n_bytes").sum()
        )
        parts.append(counts.select(pl.lit(by).alias("by"), pl.col("name").cast(pl.String), "source", "flip", "documents", "n_bytes"))
    return pl.concat(parts)


def _flips(counts: pl.DataFrame, ratios: dict[str, float]) -> pl.DataFrame:
    """`WhatIf.flips` of counts by name, source and direction."""
    ratio = pl.col("source").replace_strict(ratios, default=None, return_dtype=pl.Float64)
    lost, size = pl.col("flip") == "lost", pl.col("n_bytes")

    def sums(direction: pl.Expr) -> list[pl.Expr]:
        known = size.filter(direction) / ratio.filter(direction)
        tokens = pl.when(known.null_count() == 0).then(known.sum().round().cast(pl.Int64))
        return [pl.col("documents").filter(direction).sum(), size.filter(direction).sum(), tokens]

    names = ("lost_documents", "lost_bytes", "lost_tokens", "gained_documents", "gained_bytes", "gained_tokens")
    expressions = dict(zip(names, [*sums(lost), *sums(~lost)], strict=True))
    order = pl.col("by").replace_strict({by: n for n, by in enumerate(BY)}, return_dtype=pl.Int64)
    columns = ("lost_documents", "gained_documents", "lost_bytes", "gained_bytes", "lost_tokens", "gained_tokens")
    return (
        counts.group_by("by", "name")
        .agg(**expressions)
        .select("by", "name", *columns)
        .sort(order, -(pl.col("lost_documents") + pl.col("gained_documents")), "name", nulls_last=True)
    )


def _rules(fired: pl.DataFrame, old: Sequence[Rule], new: Sequence[Rule]) -> pl.DataFrame:
    """`WhatIf.rules`: the new policy's rules in order, then those that it lacks."""
    documents = [[rule for rule in rules if rule.action != "edit"] for rules in (old, new)]
    before, after = ({rule.name: rule for rule in rules} for rules in documents)
    names = list(dict.fromkeys([*after, *before]))
    told = pl.DataFrame(
        {"rule": names, "action": [(after.get(name) or before[name]).action for name in names]},
        schema={"rule": pl.String, "action": pl.String},
    )
    counts = fired.drop("source").group_by("rule").sum()
    columns = ("fired_before", "fired_after", "alone_before", "alone_after")
    known = {"before": pl.col("rule").is_in(list(before)), "after": pl.col("rule").is_in(list(after))}
    return told.join(counts, on="rule", how="left", maintain_order="left").select(
        "rule", "action", *(pl.when(known[name.split("_")[1]]).then(pl.col(name).fill_null(0)).alias(name) for name in columns)
    )


def _warnings(rules: pl.DataFrame, fired: pl.DataFrame, sources: pl.DataFrame) -> list[str]:
    found = []
    silent = rules.filter(pl.col("fired_after") == 0)
    for part, says in (
        (silent.filter(pl.col("fired_before").fill_null(1) > 0), "Fires on nothing: {}."),
        (silent.filter(pl.col("fired_before") == 0), "Fires on nothing, as before: {}."),
    ):
        if part.height:
            found.append(says.format(", ".join(part["rule"])))
    drops = rules.filter((pl.col("action") == "drop") & pl.col("fired_after").is_not_null())["rule"].to_list()
    shares = fired.filter(pl.col("rule").is_in(drops)).join(sources.select("source", "documents"), on="source")
    share = pl.col("fired_after") / pl.col("documents")
    much = shares.filter((pl.col("documents") >= MIN_DOCUMENTS) & (share > MAX_FIRED)).sort(-share, "source", "rule")
    for row in much.iter_rows(named=True):
        was = row["fired_before"] / row["documents"]
        found.append(
            f"{row['rule']} fires on more than half of the source {row['source']}: {row['fired_after'] / row['documents']:.0%} "
            f"({row['fired_after']:,} documents, of which no other rule drops {row['alone_after']:,}"
            + (f"; {was:.0%} before)." if was else ").")
        )
    return found
