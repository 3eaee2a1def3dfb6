"""Grades of 0 to 5 for educational value: by the teacher where its grades carry signal, by the rubric elsewhere.

FineWeb-Edu (Penedo et al. 2024, section 4) asks a model for an additive grade of 0 to 5. We read the grade off the
probabilities of the six digits (its expected value), which costs one prompt and no generation and gives ties no room.
Before a teacher may grade it is calibrated on constructed contrasts (`contrasts`): if it does not put real passages
above their damaged versions by the margin that the recipe asks for, and at least as well as the declared rubric
(`rubric`) does, the rubric grades, and what decided is part of what is returned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from gristmill.errors import TeacherError
from gristmill.quality import contrasts, rubric

VERSION = f"1.{contrasts.VERSION}.{rubric.VERSION}"

DIGITS = ("0", "1", "2", "3", "4", "5")
RUBRIC = f"rubric@{rubric.VERSION}"
CALIBRATION_SHARE = 0.5  # of the token budget, at most
CALIBRATION_DOCUMENTS = 40  # at most; times six kinds of contrast
MIN_CALIBRATION_PAIRS = 12  # under this an agreement says nothing

PROMPT = """Passage:
{passage}

Question: How many points from 0 to 5 does the passage above earn as teaching material? It earns one point for each of these that holds:
- it gives facts about a subject that people study;
- it is written in whole sentences, in a sensible order;
- it explains ideas, so that a teacher could use it;
- it is complete, and free of menus, advertising and filler;
- it reasons step by step and gives examples.
A menu, a list of keywords or garbled text earns 0; a clear and well reasoned lesson earns 5. Answer with one digit."""


class Grader(Protocol):
    """What annotation needs of a teacher."""

    @property
    def name(self) -> str: ...

    def score(self, prompts: Sequence[str], choices: Sequence[str]) -> np.ndarray:
        """(prompts, choices) log-probabilities, normalised over the choices."""
        ...

    def count_tokens(self, text: str) -> int: ...


@dataclass(frozen=True)
class Annotated:
    """The graded sample (contract `annotations`) and how its grader was chosen.

    calibration: grader, contrast, pairs, auc, margin, for the teacher and for the rubric. tokens: spent on prompts.
    """

    annotations: pl.DataFrame
    calibration: pl.DataFrame
    grader: str
    reason: str
    tokens: int
    cut: int  # documents of the sample that the budget did not reach, or that the teacher answered with no digit


def annotate(sample: pl.DataFrame, teacher: Grader, *, token_budget: int, min_agreement: float) -> Annotated:
    """Grades a sample (doc_id, shard, source, split, weight, passage), in the order of its rows, within the budget."""
    rubric_grades = {text: rubric.grade(text) for text in sample["passage"].unique()}
    every = contrasts.build(sample, CALIBRATION_DOCUMENTS)
    pairs, tokens = _affordable_contrasts(every, teacher, int(CALIBRATION_SHARE * token_budget))
    rubric_contrast_grades = {text: rubric.grade(text) for text in _texts(every)}
    teacher_grades: dict[str, float] = {}
    # the rubric costs nothing, so it is measured on every contrast; the teacher on those that its budget pays for
    reports = [contrasts.agreement(every, rubric_contrast_grades).with_columns(grader=pl.lit(RUBRIC))]
    cut = 0
    if len(pairs) < MIN_CALIBRATION_PAIRS:
        grader, tokens = RUBRIC, 0
        reason = (
            f"the teacher could not be calibrated: {len(pairs)} contrasts fit sample and token budget, {MIN_CALIBRATION_PAIRS} are needed"
        )
    else:
        teacher_grades = grade(_texts(pairs), teacher)
        teacher_agreement = contrasts.agreement(pairs, teacher_grades)
        reports.append(teacher_agreement.with_columns(grader=pl.lit(teacher.name)))
        margin, rubric_margin = _overall(teacher_agreement), _overall(contrasts.agreement(pairs, rubric_contrast_grades))
        # a teacher that tells real from damaged text worse than a free rubric brings noise at a price
        grader = teacher.name if margin >= max(min_agreement, rubric_margin) else RUBRIC
        reason = (
            f"the teacher's margin over chance on {len(pairs)} contrasts is {margin:.3f}; quality.min_agreement asks for "
            f"{min_agreement:g}, and the rubric reaches {rubric_margin:.3f} on the same"
        )
        if grader == teacher.name:
            affordable, spent = _affordable(sample["passage"], set(teacher_grades), teacher, token_budget - tokens)
            tokens += spent
            teacher_grades |= grade(affordable, teacher)
            kept = sample.filter(_mapped(sample["passage"], teacher_grades).is_not_null())
            cut, sample = sample.height - kept.height, _reweighted(sample, kept)
    annotations = sample.select(
        "doc_id",
        "shard",
        "source",
        "split",
        "weight",
        teacher_grade=_mapped(sample["passage"], teacher_grades),
        rubric_grade=_mapped(sample["passage"], rubric_grades),
        grader=pl.lit(grader),
    ).with_columns(grade=pl.col("rubric_grade" if grader == RUBRIC else "teacher_grade"))
    calibration = pl.concat(reports).select("grader", "contrast", "pairs", "auc", "margin")
    return Annotated(annotations, calibration, grader, reason, tokens, cut)


def grade(passages: Sequence[str], teacher: Grader) -> dict[str, float]:
    """The expected value of the teacher's digit for each passage, 0 to 5; NaN where it answers with no digit."""
    if not passages:
        return {}
    logprobs = np.asarray(teacher.score([PROMPT.format(passage=passage) for passage in passages], DIGITS), dtype=np.float64)
    if logprobs.shape != (len(passages), len(DIGITS)):
        raise TeacherError(
            f"answered {len(passages)} prompts with scores of shape {logprobs.shape}",
            where=teacher.name,
            fix=f"A teacher returns log-probabilities of shape ({len(passages)}, {len(DIGITS)}).",
        )
    expected = np.exp(logprobs) @ np.arange(len(DIGITS), dtype=np.float64)
    return {passage: round(float(value), 6) for passage, value in zip(passages, expected, strict=True)}


def _overall(agreement: pl.DataFrame) -> float:
    return float(agreement.filter(pl.col("contrast") == "all")["margin"].item())


def _affordable_contrasts(every: list[contrasts.Contrast], teacher: Grader, budget: int) -> tuple[list[contrasts.Contrast], int]:
    """The contrasts of as many documents as the budget pays for, and what they cost in prompt tokens."""
    pairs: list[contrasts.Contrast] = []
    paid: set[str] = set()
    spent = 0
    for doc_id in dict.fromkeys(pair.doc_id for pair in every):
        own = [pair for pair in every if pair.doc_id == doc_id]
        new = set(_texts(own)) - paid
        cost = sum(_cost(text, teacher) for text in new)
        if spent + cost > budget:
            break
        pairs += own
        paid |= new
        spent += cost
    return pairs, spent


def _affordable(passages: Iterable[str], paid: set[str], teacher: Grader, budget: int) -> tuple[list[str], int]:
    """The passages, in order, until the next one would overrun the budget."""
    chosen: dict[str, None] = {}
    spent = 0
    for passage in passages:
        if passage in paid or passage in chosen:
            continue
        cost = _cost(passage, teacher)
        if spent + cost > budget:
            break
        chosen[passage] = None
        spent += cost
    return list(chosen), spent


def _cost(passage: str, teacher: Grader) -> int:
    return teacher.count_tokens(PROMPT.format(passage=passage))


def _texts(pairs: list[contrasts.Contrast]) -> list[str]:
    """Every passage and damaged version once, in order."""
    return list(dict.fromkeys(text for pair in pairs for text in (pair.passage, pair.damaged)))


def _mapped(passages: pl.Series, grades: dict[str, float]) -> pl.Series:
    """The grade of each passage, null where there is none."""
    return pl.Series([grades.get(passage) for passage in passages], dtype=pl.Float64).fill_nan(None)


def _reweighted(before: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """`kept` with weights that still sum to each source's documents."""
    totals = before.group_by("source").agg(_total=pl.col("weight").sum())
    return (
        kept.join(totals, on="source", how="left", maintain_order="left")
        .with_columns(
            weight=pl.col("_total") / pl.len().over("source"),
        )
        .drop("_total")
    )
