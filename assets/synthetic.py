"""Synthetic sets: stories that a teacher writes and exercises that a program writes, both verified by program."""

import json
from collections import Counter
from typing import Any

import dagster as dg
import polars as pl

from assets.materialize import made_asset
from gristmill.lake.workspace import Check, Made, Workspace
from gristmill.recipe import Recipe
from gristmill.synthesis import arithmetic, coding, exercises, sandbox, stories
from gristmill.synthesis.exercises import make_exercises
from gristmill.synthesis.identity import distinct_n
from gristmill.synthesis.stories import write_stories
from resources.teacher import TeacherResource

SETS = ("stories", "exercises")
SHOWN = 5  # examples in the metadata

LEAST_VERIFIED = {"stories": 0.1, "exercises": 0.98}
"""Share of each set that must be verified. Of the embedded teacher's stories somewhat under a half hold; an exercise fails
when a template is wrong."""

VERSION = "-".join((stories.VERSION, exercises.VERSION, arithmetic.VERSION, coding.VERSION, sandbox.VERSION))


def make_synthetic_set(workspace: Workspace, partition: str, teacher: TeacherResource) -> Made:
    section = workspace.recipe.synthesis
    took: dict[str, Any] = {}
    if partition == "stories":
        frame, took = write_stories(teacher.open(workspace), section.stories, section.story_tokens, section.seed)
    else:
        frame = make_exercises(section.exercises, section.seed)
    return Made(tables={"synthetic": frame}, metadata=describe(frame) | took)


def describe(frame: pl.DataFrame) -> dict[str, Any]:
    """Counts, variety of what is verified, why the rest is not, and examples."""
    good = frame.filter("verified")
    bad = frame.filter(~pl.col("verified"))
    reasons = Counter(reason for row in bad["verification"] for reason in _reasons(json.loads(row)))
    share = round(good.height / frame.height, 4) if frame.height else 0.0
    commonest = sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "records": frame.height,
        "verified": good.height,
        "verified share": share,
        "words": sum(len(text.split()) for text in good["text"]),
        "distinct-1": round(distinct_n(good["text"], 1), 4),
        "distinct-3": round(distinct_n(good["text"], 3), 4),
        "why not verified": [{"reason": reason, "records": count} for reason, count in commonest],
        "examples": good.sort("doc_id").head(SHOWN).select("doc_id", "text", "attempts").to_dicts(),
        "examples not verified": bad.sort("doc_id").head(SHOWN).select("doc_id", "text", "verification").to_dicts(),
    }


def _reasons(verification: dict[str, Any]) -> list[str]:
    return list(verification.get("failed", [])) or [str(verification.get("verdict", "unknown"))]


def check_verified(workspace: Workspace) -> Check:
    """Each set that was asked for is there, and enough of it holds."""
    shares: dict[str, float] = {}
    passed = True
    for name, asked in _asked(workspace).items():
        verified = workspace.read("synthetic_sets", name, columns=["verified"])["verified"].to_list()
        shares[name] = round(sum(verified) / len(verified), 4) if verified else 0.0
        passed &= asked == 0 or shares[name] >= LEAST_VERIFIED[name]
    bounds = {f"at least, {name}": LEAST_VERIFIED[name] for name in shares}
    found = {f"verified {name}": share for name, share in shares.items()}
    return Check(passed, found | bounds, "The share of verified records of each set.")


def check_no_duplicates(workspace: Workspace) -> Check:
    """No two verified texts of a set are equal, case and punctuation aside."""
    twice = {}
    for name in _asked(workspace):
        texts = workspace.read("synthetic_sets", name, columns=["text", "verified"]).filter("verified")["text"]
        if name == "stories":
            texts = texts.str.to_lowercase().str.replace_all(r"\W+", " ")
        twice[f"duplicates, {name}"] = texts.len() - texts.n_unique()
    return Check(not any(twice.values()), twice, "Equal verified texts.")


def check_coverage(workspace: Workspace) -> Check:
    """The stories' plans use each word list evenly; the exercises are of both kinds and of every template."""
    found: dict[str, Any] = {}
    passed = True
    for name in _asked(workspace):
        plans = [json.loads(plan) for plan in workspace.read("synthetic_sets", name, columns=["plan"])["plan"]]
        if name == "stories":
            for kind in ("verb", "noun", "adjective"):
                uses = Counter(plan["words"][kind] for plan in plans)
                found[f"different {kind}s"], found[f"uses of the commonest {kind}"] = len(uses), max(uses.values(), default=0)
                passed &= max(uses.values(), default=0) <= stories.most_uses(kind, workspace.recipe.synthesis.stories)
        else:
            templates = {plan["template"] for plan in plans if plan["kind"] == "arithmetic"}
            tasks = {plan["task"] for plan in plans if plan["kind"] == "code"}
            found |= {"templates": len(templates), "code tasks": len(tasks)}
            enough = len(plans) >= 20 * len(arithmetic.TEMPLATES)  # in fewer, a template may be missing by chance
            passed &= len(tasks) == len(plans) // 2 and (not enough or len(templates) >= len(arithmetic.TEMPLATES))
    return Check(passed, found, "Variety of what was asked for.")


def _asked(workspace: Workspace) -> dict[str, int]:
    """Made sets -> records that the recipe asks for."""
    section = workspace.recipe.synthesis
    asked = {"stories": section.stories, "exercises": section.exercises}
    return {name: asked[name] for name in SETS if workspace.has("synthetic_sets", name)}


def synthetic_assets(recipe: Recipe) -> list[dg.AssetsDefinition]:
    return [
        made_asset(
            recipe,
            "synthetic_sets",
            group="synthetic",
            make=make_synthetic_set,
            version=VERSION,
            sections=["synthesis", "teacher.kind", "teacher.model", "teacher.batch"],  # texts are written in batches of so many rows
            partitions=dg.StaticPartitionsDefinition(list(SETS)),
            kinds={"python", "parquet", "huggingface"},
            pool="cpu",
            resources=("teacher",),
            checks={"verified": check_verified, "no_duplicates": check_no_duplicates, "coverage": check_coverage},
            description="Stories after TinyStories, written by the teacher, and exercises made by program. Every record keeps its plan, "
            "author, seed and verification; only verified records enter a corpus.",
        )
    ]
