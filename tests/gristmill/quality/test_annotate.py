"""Grading: who grades and why, within the budget."""

import numpy as np
import polars as pl
import pytest

from gristmill.errors import TeacherError
from gristmill.lake.contracts import conform
from gristmill.quality import annotate, rubric

AMPLE = 1_000_000


def test_a_teacher_that_tells_language_from_its_wreck_grades(graded_sample, able_teacher):
    made = annotate.annotate(graded_sample, able_teacher, token_budget=AMPLE, min_agreement=0.5)
    rows = conform("annotations", made.annotations)
    assert made.grader == "bigrams@1" and set(rows["grader"]) == {"bigrams@1"}
    assert rows["grade"].equals(rows["teacher_grade"]) and rows.height == 30 and made.cut == 0
    texts = dict(graded_sample.select("doc_id", "passage").iter_rows())
    by_kind = (
        rows.with_columns(listing=pl.Series(["(" in texts[d] for d in rows["doc_id"]])).group_by("listing").agg(pl.col("grade").mean())
    )
    assert dict(by_kind.iter_rows())[False] > dict(by_kind.iter_rows())[True] + 1


def test_a_teacher_without_judgement_is_replaced_by_the_rubric_and_asked_no_further(graded_sample, deaf_teacher):
    made = annotate.annotate(graded_sample, deaf_teacher, token_budget=AMPLE, min_agreement=0.5)
    assert made.grader == annotate.RUBRIC
    assert "margin over chance" in made.reason and "0.5" in made.reason
    assert made.annotations["grade"].equals(made.annotations["rubric_grade"])
    texts = dict(graded_sample.select("doc_id", "passage").iter_rows())
    assert all(row["grade"] == rubric.grade(texts[row["doc_id"]]) for row in made.annotations.iter_rows(named=True))
    calibrated = made.annotations.filter(pl.col("teacher_grade").is_not_null()).height
    assert 0 < calibrated < 30  # the calibration's own passages; lists are too short to damage


def test_both_graders_are_reported_by_contrast(graded_sample, deaf_teacher):
    table = annotate.annotate(graded_sample, deaf_teacher, token_budget=AMPLE, min_agreement=0.5).calibration
    assert set(table["grader"]) == {annotate.RUBRIC, "letters@1"}
    rubric_rows = table.filter(pl.col("grader") == annotate.RUBRIC)
    assert set(rubric_rows["contrast"]) == {*annotate.contrasts.KINDS, "all"}
    assert rubric_rows.filter(pl.col("contrast") == "all")["margin"].item() > 0.5
    assert table.filter((pl.col("grader") == "letters@1") & (pl.col("contrast") == "shuffled_words"))["auc"].item() == 0.5


@pytest.mark.parametrize("budget", [5_000, 20_000, 60_000])
def test_the_budget_holds_and_cuts_the_sample_evenly(graded_sample, able_teacher, budget):
    asked = []
    score = able_teacher.score
    able_teacher.score = lambda prompts, choices: asked.extend(prompts) or score(prompts, choices)
    made = annotate.annotate(graded_sample, able_teacher, token_budget=budget, min_agreement=0.1)
    spent = sum(able_teacher.count_tokens(prompt) for prompt in asked)
    assert spent == made.tokens <= budget
    if made.grader != annotate.RUBRIC:
        assert made.annotations.height + made.cut == 30
        assert made.annotations["grade"].null_count() == 0
        whole = dict(graded_sample.group_by("source").agg(pl.col("weight").sum()).iter_rows())
        assert dict(made.annotations.group_by("source").agg(pl.col("weight").sum()).iter_rows()) == pytest.approx(whole)


def test_a_budget_too_small_to_calibrate_says_so(graded_sample, able_teacher):
    made = annotate.annotate(graded_sample, able_teacher, token_budget=500, min_agreement=0.0)
    assert made.grader == annotate.RUBRIC and made.tokens == 0
    assert "could not be calibrated" in made.reason


def test_the_grade_is_the_expected_digit(able_teacher):
    able_teacher.score = lambda prompts, choices: np.log(np.array([[0.0001, 0.0001, 0.4999, 0.4999, 0.0, 0.0]]) + 1e-300)
    assert annotate.grade(["any"], able_teacher)["any"] == pytest.approx(2.4996, abs=1e-6)


def test_a_passage_without_an_answer_is_left_out(graded_sample, able_teacher):
    score, silent = able_teacher.score, graded_sample["passage"][2]
    assert "(" in silent
    able_teacher.score = lambda prompts, choices: np.array(
        [np.full(6, np.nan) if silent in prompt else row for prompt, row in zip(prompts, score(prompts, choices), strict=True)]
    )
    made = annotate.annotate(graded_sample, able_teacher, token_budget=AMPLE, min_agreement=0.1)
    assert made.cut == 1 and f"{2:032x}" not in set(made.annotations["doc_id"])


def test_a_teacher_with_the_wrong_shape_is_named(able_teacher):
    able_teacher.score = lambda prompts, choices: np.zeros((1, 2))
    with pytest.raises(TeacherError, match=r"bigrams@1: answered 1 prompts with scores of shape \(1, 2\)"):
        annotate.grade(["any"], able_teacher)


def test_the_same_sample_is_graded_the_same(graded_sample, able_teacher):
    first, second = (annotate.annotate(graded_sample, able_teacher, token_budget=40_000, min_agreement=0.3) for _ in range(2))
    assert first.annotations.equals(second.annotations) and first.calibration.equals(second.calibration)
