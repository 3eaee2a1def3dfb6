"""What differs between two builds, or a build and what stands now: from the recipe to the scores, and a sentence that says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl

from gristmill.counting import counted
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.lineage.builds.builds import Build, Origin, values_of
from gristmill.lineage.builds.past import BuildWorkspace, versions
from gristmill.lineage.diff import corpus, documents, models, noise
from gristmill.lineage.plan.recipe_diff import Change, changes

CURRENT = "current"
NAMED = 2  # changes named in the sentence


@dataclass(frozen=True)
class Side:
    """One of the two that are compared. `origin` is None, and `values` are the recipe's as it is now, of what stands."""

    name: str
    workspace: Workspace
    values: Mapping[str, Any]
    origin: Origin | None = None
    made_at: str = ""

    @cached_property
    def versions(self) -> pl.DataFrame:
        return versions(self.workspace)

    @classmethod
    def of_build(cls, lake: Lake, build: Build) -> Side:
        return cls(build.name, BuildWorkspace(lake, build), build.values(), build.origin, build.made_at)

    @classmethod
    def of_present(cls, workspace: Workspace) -> Side:
        return cls(CURRENT, workspace, values_of(workspace.recipe))


@dataclass(frozen=True)
class Shards:
    """Shards of the crawl that one side alone has, or whose records differ."""

    new: list[str]
    gone: list[str]
    changed: list[str]


@dataclass(frozen=True)
class Diff:
    old: Side
    new: Side

    @cached_property
    def recipe(self) -> list[Change]:
        return changes(self.old.values, self.new.values)

    @cached_property
    def algorithms(self) -> list[Change]:
        """Assets whose algorithm has another version."""
        before, after = (_algorithms(side) for side in (self.old, self.new))
        return [Change(name, before[name], after[name]) for name in before if name in after and before[name] != after[name]]

    @cached_property
    def packages(self) -> list[Change]:
        """Packages of another version, Python among them; none where one side is not a build."""
        if self.old.origin is None or self.new.origin is None:
            return []
        before, after = ({"python": each.python, **each.packages} for each in (self.old.origin, self.new.origin))
        return changes(before, after)

    @cached_property
    def shards(self) -> Shards:
        before, after = (_shards(side) for side in (self.old, self.new))
        return Shards(
            [shard for shard in after if shard not in before],
            [shard for shard in before if shard not in after],
            [shard for shard in after if shard in before and before[shard] != after[shard]],
        )

    @cached_property
    def documents(self) -> documents.Documents:
        return documents.documents(self.old.workspace, self.new.workspace)

    @cached_property
    def corpus(self) -> corpus.Corpus:
        return corpus.corpus(self.old.workspace, self.new.workspace)

    @cached_property
    def training(self) -> list[models.Trained]:
        return models.trained(self.old.workspace, self.new.workspace)

    @cached_property
    def scores(self) -> pl.DataFrame:
        return models.scores(self.old.workspace, self.new.workspace)

    @cached_property
    def seeds(self) -> list[dict[str, Any]]:
        return models.between_seeds(self.old.workspace, self.new.workspace, self.scores)

    @cached_property
    def sentences(self) -> list[str]:
        """What changed, and for each model whether it is more than noise: of the documents; where there are several seeds, of runs."""
        return [f"{_what(self)}.", *_judged(self)]

    def as_json(self) -> dict[str, Any]:
        return {
            "old": self.old.name,
            "new": self.new.name,
            "says": " ".join(self.sentences),
            "recipe": [_change(each) for each in self.recipe],
            "algorithms": [_change(each) for each in self.algorithms],
            "packages": [_change(each) for each in self.packages],
            "commits": [side.origin.commit if side.origin else "" for side in (self.old, self.new)],
            "shards": {"new": self.shards.new, "gone": self.shards.gone, "changed": self.shards.changed},
            "documents": self.documents.as_json(),
            "corpus": self.corpus.as_json(),
            "training": [each.as_json() for each in self.training],
            "scores": self.scores.to_dicts(),
            "seeds": self.seeds,
            "test": TEST,
            "level": noise.LEVEL,
        }


TEST = (
    f"Randomisation test over the documents that both builds scored (fewer than {noise.LEAST} of more: by the two 95% intervals), "
    f"two-sided, level {noise.LEVEL:.0%}, by Holm in two families: the headline scores of the models, and all other scores together. "
    "Intervals of differences: paired bootstrap over documents, 95%. What is tested is the noise of which documents were held out, "
    "not that of training: only several seeds tell of it."
)


def _what(diff: Diff) -> str:
    causes = [str(change) for change in diff.recipe]
    if len(causes) > NAMED:
        causes = [*causes[:NAMED], f"{len(causes) - NAMED} more keys of the recipe"]
    if diff.algorithms:
        causes.append(f"another version of {', '.join(change.key for change in diff.algorithms[:NAMED])}")
        causes[-1] += f" and {len(diff.algorithms) - NAMED} more algorithms" if len(diff.algorithms) > NAMED else ""
    for says, found in (("new", diff.shards.new), ("gone", diff.shards.gone), ("changed", diff.shards.changed)):
        causes += [f"{counted(len(found), 'shard')} {says}"] if found else []
    documents, (tokens_before, tokens_after) = diff.documents, diff.corpus.tokens
    came, went = (documents.moved.filter(pl.col("way") == way).height for way in ("in", "out"))
    effects = ["the same documents"]
    if came or went:
        effects = [f"{counted(came, 'document')} in and {went:,} out of {documents.kept_before:,}"]
    if documents.rewritten:
        effects.append(f"{documents.rewritten:,} with another text")
    moved = tokens_after - tokens_before
    effects.append(
        f"{abs(moved):,} {'more' if moved > 0 else 'fewer'} token{'' if abs(moved) == 1 else 's'} to train on"
        if moved
        else "as many tokens to train on"
    )
    told = ", ".join(causes) or "nothing that is recorded differs"
    return f"{diff.new.name} against {diff.old.name}: {told}; {', '.join(effects)}"


def _judged(diff: Diff) -> list[str]:
    headline = diff.scores.filter("headline")
    if headline.is_empty():
        return ["No model was scored in both."]
    same = {each.model for each in diff.training if each.same}
    several = {model for each in diff.seeds for model in each["models"]}
    said = [_of_model(row, row["model"] in same) for row in headline.iter_rows(named=True)]
    for each in diff.seeds:
        more = each["p"] <= noise.LEVEL
        said.append(
            f"Over the seeds of {', '.join(each['models'])} the mean moves by {_difference(each)}: "
            f"{'more' if more else 'no more'} than the noise between runs "
            f"(pooled t-test, {_p(each['p'])}, level {noise.LEVEL:.0%})."
        )
    if any(row["model"] not in same | several for row in headline.iter_rows(named=True)):
        said.append("One run each: how much another seed would move it is not known from these builds.")
    return said


def _of_model(row: Mapping[str, Any], same: bool) -> str:
    if same:
        return f"{row['model']} has the same weights in both."
    moved = (
        f"{row['model']} needs {row['new']:.4f} bits per byte, {abs(row['difference']):.4f} {'more' if row['difference'] > 0 else 'fewer'}"
    )
    if row["p"] is None or (row["how"] == "paired" and row["documents"] < noise.LEAST):
        counts = f"{row['documents_before']:,} and {row['documents_after']:,}" if row["p"] is None else f"{row['documents']:,}"
        return f"{moved}; from {counts} documents nobody can say whether that is noise."
    verdict = f"{'more' if row['more'] else 'no more'} than the noise of the held-out documents"
    if row["how"] == "paired":
        over = f"over the same {counted(row['documents'], 'document')}"
        test = f"randomisation test, {_p(row['p'])}, level {noise.LEVEL:.0%}"
    else:
        over = "over different documents"
        test = f"by the two intervals, {_p(row['p'])}, level {noise.LEVEL:.0%}"
    return f"{moved} ({_interval(row)} {over}): {verdict} ({test})."


def _difference(row: Mapping[str, Any]) -> str:
    return f"{noise.signed(row['difference'], '.4f')} ({_interval(row)})"


def _interval(row: Mapping[str, Any]) -> str:
    return " to ".join(noise.signed(row[end], ".4f") for end in ("low", "high"))


def _p(value: float) -> str:
    return f"p = {value:.3f}" if value >= 0.001 else "p < 0.001"


def _change(change: Change) -> dict[str, Any]:
    return {"key": change.key, "old": change.old, "new": change.new}


def _algorithms(side: Side) -> dict[str, str]:
    """Asset -> the versions of the algorithm that made what it holds."""
    found = {}
    codes = side.versions.group_by("asset", maintain_order=True).agg(pl.col("code_version").unique().sort())
    for asset, known in codes.sort("asset").iter_rows():
        recorded = [side.workspace.code(asset, version) for version in known]
        found[asset] = ", ".join(sorted({code["algorithm"] for code in recorded if code})) or "not recorded"
    return found


def _shards(side: Side) -> dict[str, str]:
    """Shard -> the version of its records."""
    return dict(side.versions.filter(pl.col("asset") == "raw_crawl").select("partition", "data_version").sort("partition").iter_rows())
