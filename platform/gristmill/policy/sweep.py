"""What every threshold on one signal would drop: the whole curve, from stored signals and `pages`, without text.

For each comparison and threshold: documents and bytes that the comparison drops by itself, and those of them that no
other rule of the policy drops (what it adds). Rules on the same signal with the same direction are what is being swept
and do not count as others. Counts are exact at every threshold shown. Thresholds are all distinct values where there
are few, else quantiles of the signal over all documents (approximate in place: quantiles of the shards' quantiles),
and always the thresholds in force and those of shipped profiles. A document counts once, in the shard that owns it
(`copies`). Every source has its curve, over documents in every language and whatever the rules in force on the signal
except; a source that they all leave out is not part of `all`. A rule with thresholds by language, or one that excepts
languages or sources, is asked of fewer documents than a curve holds: the marks in force count those alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
import polars as pl

from gristmill.errors import RecipeError
from gristmill.lake.workspace import Workspace
from gristmill.policy import stored
from gristmill.policy.copies import copies
from gristmill.policy.profiles import PROFILES
from gristmill.policy.rules import Comparison, Rule
from gristmill.policy.verdicts import holds
from gristmill.policy.wording import nearest
from gristmill.signals.registry import SIGNALS

DISTINCT = 256  # values up to which every one is a threshold
QUANTILES = 200
ALL = "all"  # the sources that the rules in force on the signal judge, together
CURVE = {
    "when": pl.String, "source": pl.String, "threshold": pl.Float64, "documents": pl.Int64, "n_bytes": pl.Int64,
    "added_documents": pl.Int64, "added_bytes": pl.Int64,
}  # fmt: skip


@dataclass(frozen=True)
class Mark:
    """A threshold that somebody uses: the policy (`in_force`), or shipped profiles.

    Of one in force: `languages` in words (empty: all of them), how many documents it is `asked` of, and how many of those it
    drops and adds to what other rules drop; null where its comparison is not swept.
    """

    when: Comparison
    threshold: float
    label: str
    in_force: bool
    languages: str = ""
    asked: int | None = None
    dropped: int | None = None
    added: int | None = None


@dataclass
class Asked:
    """A threshold of a rule in force and the documents that it is asked of: those in `language`, or in none of `others`."""

    rule: Rule
    language: str | None
    threshold: float
    others: list[str]
    counts: list[int] = field(default_factory=lambda: [0, 0, 0])

    @property
    def mark(self) -> Mark:
        label = f"{self.rule.name}, {self.language}" if self.language else self.rule.name
        languages = f"in {self.language}" if self.language else f"not in {', '.join(self.others)}" if self.others else ""
        return Mark(self.rule.when, self.threshold, label, True, languages)

    def add(self, frame: pl.DataFrame, free: pl.Series) -> None:
        """A shard of a source that the rule judges; `free`: no other rule drops the document."""
        subject = pl.col("language") == self.language if self.language else ~pl.col("language").is_in(self.others)
        part = frame.with_columns(free.alias("free"))
        if self.language or self.others:
            part = part.filter(subject)
        drops = holds(Rule(name=self.rule.name, signal=self.rule.signal, when=self.rule.when, threshold=self.threshold))
        found = part.select(asked=pl.len(), dropped=drops.sum(), added=(drops & pl.col("free")).sum()).row(0)
        self.counts = [sum(pair) for pair in zip(self.counts, found, strict=True)]

    def counted(self) -> Mark:
        return replace(self.mark, asked=self.counts[0], dropped=self.counts[1], added=self.counts[2])


@dataclass(frozen=True)
class Sweep:
    """curve: when, source (`all` first), threshold (ascending), documents and n_bytes that the comparison drops by itself,
    added_documents and added_bytes that no other rule drops.
    copies: rows of other shards that hold a document again and were not counted.
    sources: source, documents, n_bytes, judged (whether a rule in force on the signal judges it; true when there is none).
    exact: every distinct value is a threshold."""

    signal: str
    meaning: str
    curve: pl.DataFrame
    sources: pl.DataFrame
    marks: list[Mark]
    exact: bool
    copies: int

    @property
    def comparisons(self) -> list[Comparison]:
        return self.curve["when"].unique(maintain_order=True).to_list()

    def of(self, when: Comparison, source: str = ALL) -> pl.DataFrame:
        """One source's curve with shares of its documents and bytes: share, bytes_share, added_share, added_bytes_share."""
        row = self.sources.filter(pl.col("source") == source).row(0, named=True)
        documents, n_bytes = max(row["documents"], 1), max(row["n_bytes"], 1)
        part = self.curve.filter((pl.col("when") == when) & (pl.col("source") == source))
        return part.with_columns(
            share=pl.col("documents") / documents,
            bytes_share=pl.col("n_bytes") / n_bytes,
            added_share=pl.col("added_documents") / documents,
            added_bytes_share=pl.col("added_bytes") / n_bytes,
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "signal": self.signal,
            "meaning": self.meaning,
            "exact": self.exact,
            "copies": self.copies,
            "marks": [vars(mark) for mark in self.marks],
            "sources": self.sources.to_dicts(),
            "curve": self.curve.to_dicts(),
        }


def sweep(workspace: Workspace, signal: str, rules: Sequence[Rule], when: Comparison | None = None) -> Sweep:
    """The curve of `signal` under a policy. `when` chooses a comparison; else those of the rules on it, of the shipped
    profiles, or `<` and `>`."""
    if signal not in SIGNALS:
        raise RecipeError(f"no signal named {signal!r}", where="policy sweep", fix=nearest(signal, SIGNALS))
    documents = [rule for rule in rules if rule.action != "edit"]
    asked = _asked(signal, documents)
    marks = [*(each.mark for each in asked), *_shipped(signal)]
    comparisons = _comparisons(marks, when)
    probe = Rule(name=signal, signal=signal, when=comparisons[0], threshold=0.0)
    shards = stored.shards(workspace)
    with copies(workspace, shards) as elsewhere:
        grid, exact = _thresholds(workspace, shards, probe, [mark.threshold for mark in marks])
        counts: dict[tuple[str, Comparison], np.ndarray] = {}
        totals: dict[str, np.ndarray] = {}
        for shard in shards:
            source = workspace.recipe.source_of(shard)
            others = [rule for rule in documents if rule.action == "drop" and source not in rule.except_sources]
            read = [probe, *others, *(each.rule for each in asked)]
            frame = elsewhere.distinct(shard, stored.signals(workspace, shard, read, ["n_bytes"]))
            values, sizes = frame[signal].to_numpy(), frame["n_bytes"].to_numpy()
            totals[source] = totals.get(source, np.zeros(2, np.int64)) + np.array([len(values), sizes.sum()], np.int64)
            for comparison in comparisons:
                free = _free(frame, [rule for rule in others if not _is_swept(rule, signal, comparison)])
                found = _dropped(values, sizes, free.to_numpy(), grid, comparison)
                counts[source, comparison] = counts.get((source, comparison), 0) + found
                for each in asked:
                    if each.rule.when == comparison and source not in each.rule.except_sources:
                        each.add(frame, free)
    marks = [*(each.counted() if each.rule.when in comparisons else each.mark for each in asked), *_shipped(signal)]
    groups = [*workspace.recipe.sources.groups, *sorted(totals)]
    sources = list(dict.fromkeys(source for source in groups if source in totals))
    on_it = [rule for rule in documents if rule.signal == signal and rule.when in comparisons]
    judged = [not on_it or any(source not in rule.except_sources for rule in on_it) for source in sources]
    together = [source for source, is_judged in zip(sources, judged, strict=True) if is_judged] or sources
    sizes_of = np.array([sum(totals[source] for source in together), *(totals[source] for source in sources)])
    return Sweep(
        signal,
        SIGNALS[signal],
        _curve(counts, grid, comparisons, sources, together),
        pl.DataFrame({"source": [ALL, *sources], "documents": sizes_of[:, 0], "n_bytes": sizes_of[:, 1], "judged": [True, *judged]}),
        marks,
        exact,
        elsewhere.count,
    )


def _asked(signal: str, rules: Sequence[Rule]) -> list[Asked]:
    """The thresholds of the rules in force on the signal, each with the languages that it is asked of."""
    found = []
    for rule in rules:
        if rule.signal == signal:
            own = {language: value for language, value in sorted(rule.by_language.items()) if language not in rule.except_languages}
            found.append(Asked(rule, None, rule.threshold, sorted({*own, *rule.except_languages})))
            found += [Asked(rule, language, value, []) for language, value in own.items()]
    return found


def _shipped(signal: str) -> list[Mark]:
    """The thresholds of shipped profiles; equal ones of several profiles are one mark."""
    found: dict[tuple[Comparison, float], list[str]] = {}
    for name, profile in PROFILES.items():
        for rule in profile.rules:
            if rule.signal == signal:
                found.setdefault((rule.when, rule.threshold), []).append(name)
    return [Mark(when, value, ", ".join(dict.fromkeys(names)), False) for (when, value), names in found.items()]


def _free(frame: pl.DataFrame, others: Sequence[Rule]) -> pl.Series:
    """Which documents none of the rules drops."""
    if not others:
        return pl.repeat(True, frame.height, eager=True)
    return frame.select(~pl.any_horizontal(pl.lit(False), *map(holds, others))).to_series()


def _comparisons(marks: Sequence[Mark], when: Comparison | None) -> list[Comparison]:
    if when:
        return [when]
    used = [mark.when for mark in marks if mark.in_force] or [mark.when for mark in marks] or ["<", ">"]
    return [each for each in get_args(Comparison) if each in used]


def _is_swept(rule: Rule, signal: str, when: Comparison) -> bool:
    return rule.signal == signal and rule.when[0] == when[0]


def _thresholds(workspace: Workspace, shards: Sequence[str], probe: Rule, marked: Sequence[float]) -> tuple[np.ndarray, bool]:
    """Where the curve is counted, ascending, and whether every distinct value is among it."""
    distinct: np.ndarray | None = np.array(marked, np.float64)
    sketches: list[tuple[np.ndarray, int]] = []
    for shard in shards:
        values = stored.signals(workspace, shard, [probe]).get_column(probe.signal)
        if distinct is not None:
            seen = np.union1d(distinct, values.unique().to_numpy())
            distinct = seen if len(seen) <= DISTINCT + len(marked) else None
        if len(values):
            sketches.append((np.quantile(values.to_numpy(), np.linspace(0, 1, QUANTILES + 1), method="nearest"), len(values)))
    if distinct is not None:
        return np.unique(distinct), True
    points = np.concatenate([quantiles for quantiles, _ in sketches])
    weights = np.concatenate([np.full(len(quantiles), count / len(quantiles)) for quantiles, count in sketches])
    order = np.argsort(points, kind="stable")
    at = np.searchsorted(np.cumsum(weights[order]) / weights.sum(), np.linspace(0, 1, QUANTILES + 1))
    return np.unique(np.concatenate([points[order][np.minimum(at, len(points) - 1)], marked])), False


def _dropped(values: np.ndarray, sizes: np.ndarray, free: np.ndarray, grid: np.ndarray, when: Comparison) -> np.ndarray:
    """documents, bytes, and of those that no other rule drops documents and bytes, at every threshold of the grid.

    `t > v` for all thresholds from the first above v on; the other comparisons are its mirror images.
    """
    at = np.searchsorted(grid, values, side="right" if when in ("<", ">=") else "left")  # thresholds not above v, or below v
    bins = len(grid) + 1
    parts = []
    for chosen in (np.ones(len(values), bool), free):
        for weights in (None, sizes[chosen].astype(np.float64)):
            below = np.cumsum(np.bincount(at[chosen], weights, bins))
            parts.append((below if when in ("<", "<=") else below[-1] - below)[:-1])
    return np.rint(np.stack(parts)).astype(np.int64)


def _curve(
    counts: dict[tuple[str, Comparison], np.ndarray],
    grid: np.ndarray,
    comparisons: Sequence[Comparison],
    sources: Sequence[str],
    together: Sequence[str],
) -> pl.DataFrame:
    parts = [pl.DataFrame(schema=CURVE)]
    for when in comparisons:
        by_source = {ALL: sum(counts[source, when] for source in together), **{source: counts[source, when] for source in sources}}
        for source, found in by_source.items():
            columns = {"threshold": grid, **dict(zip(list(CURVE)[3:], np.asarray(found), strict=True))}
            parts.append(pl.DataFrame(columns).with_columns(when=pl.lit(when), source=pl.lit(source)).select(*CURVE))
    return pl.concat(parts)
