"""Checks of the quality group: what must hold of grades, heads, topics and the last verdict."""

import json
from typing import Any

import polars as pl

from gristmill.lake.workspace import Check, Workspace
from gristmill.quality import annotate, curation, heads

MIN_SPREAD = 0.1  # standard deviation of the grades under which they say nothing
LEAST_MARGIN = 0.25  # of the rubric over chance on contrasts; a teacher needs the recipe's quality.min_agreement
LARGEST_TOPIC = 0.95  # share of the documents above which a topic takes everything
SHARE_TOLERANCE = 0.1  # by how much the share dropped among the judged may differ from the one asked for


def grades_vary(workspace: Workspace) -> Check:
    found = workspace.metadata("quality_annotations")
    deviation = found["grade deviation"]
    return Check(deviation >= MIN_SPREAD, {"grade deviation": deviation, "at least": MIN_SPREAD}, "the grades tell documents apart")


def teacher_grades(workspace: Workspace) -> Check:
    """A warning where the rubric had to grade: the teacher's grades carry too little signal."""
    found = workspace.metadata("quality_annotations")
    return Check(
        found["grader"] != annotate.RUBRIC,
        {"grader": found["grader"], "why": found["why this grader"], "agreement on contrasts": found["agreement on contrasts"]},
        "the teacher puts real passages above damaged ones by the margin that the recipe asks for",
        severity="warn",
    )


def grader_agrees(workspace: Workspace) -> Check:
    """Whoever graded, teacher or rubric, must tell a passage from its wreck."""
    found = workspace.metadata("quality_annotations")
    asked = LEAST_MARGIN if found["grader"] == annotate.RUBRIC else workspace.recipe.quality.min_agreement
    overall = [row for row in found["agreement on contrasts"] if row["grader"] == found["grader"] and row["contrast"] == "all"]
    measured = bool(overall) and overall[0]["margin"] is not None
    return Check(
        measured and overall[0]["margin"] >= asked,
        {
            "grader": found["grader"],
            "margin": overall[0]["margin"] if measured else "not measured: no passage is long enough",
            "asked for": asked,
        },
        "the grader's margin over chance on constructed contrasts",
        severity="error" if measured else "warn",
    )


def beats_the_mean(workspace: Workspace) -> Check:
    """On the held-out split; on the folds of the train split where fewer than ten documents are held out."""
    metrics = classifier_metrics(workspace)
    on = "held_out" if "mse" in metrics["held_out"] else "train_folds"
    found = metrics[on]
    return Check(
        found["mse"] < found["mse_of_mean"],
        {"measured on": on, **found},
        "the head's squared error is less than that of always saying the mean grade",
    )


def learns_the_labels(workspace: Workspace) -> Check:
    """Held-out agreement with the prototype labels is no worse than always saying the most frequent one."""
    labels = workspace.read("topic_classifier", table="topic_labels")
    held_out = labels.filter(pl.col("split") == "validation")
    looked = held_out if held_out.height >= heads.MIN_DOCUMENTS else labels
    agreement = (looked["topic"] == looked["predicted"]).sum() / max(looked.height, 1)
    constant = max(looked["topic"].value_counts()["count"].to_list(), default=0) / max(looked.height, 1)
    return Check(
        agreement >= constant,
        {"agreement": round(agreement, 4), "always the most frequent": round(constant, 4), "documents": looked.height},
    )


def no_topic_takes_everything(workspace: Workspace) -> Check:
    counts = pl.concat([workspace.read("quality_scores", shard, columns=["topic"]) for shard in workspace.partitions("quality_scores")])[
        "topic"
    ]
    found = counts.value_counts(sort=True)
    share = found["count"][0] / len(counts) if len(counts) else 0.0
    return Check(
        share <= LARGEST_TOPIC,
        {
            "largest share": round(share, 4),
            "topic": found["topic"][0] if len(counts) else "none",
            "documents": len(counts),
            "topics": found.height,
        },
        "no single topic takes nearly every document (a crawl of one subject may: hence a warning)",
        severity="warn",
    )


def drops_what_was_asked(workspace: Workspace) -> Check:
    """The share that the quality rule drops among the documents that it judges, against quality.drop_lowest."""
    judged = dropped = 0
    for shard in workspace.partitions("curated_shards"):
        found = workspace.metadata("curated_shards", shard)
        if found["judged"]:
            judged += found["survivors before"]
            dropped += found["dropped by quality"]
    asked = workspace.recipe.quality.drop_lowest
    share = dropped / judged if judged else 0.0
    expected = asked * judged
    fires = dropped > 0 or expected < heads.MIN_DOCUMENTS
    return Check(
        abs(share - (asked if judged else 0.0)) <= max(SHARE_TOLERANCE, asked) and fires,
        {"judged": judged, "dropped": dropped, "share": round(share, 4), "asked for": asked},
        f"the rule {curation.RULE} fires and drops about the share that the recipe asks for",
    )


def classifier_metrics(workspace: Workspace) -> dict[str, Any]:
    """What quality_classifier measured, its score quantiles included."""
    return dict(json.loads(workspace.path("quality_classifier", name="metrics").read_text()))
