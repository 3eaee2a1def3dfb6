"""The quality head: learns what can be learned, measures it on documents it has not seen, is the same every time."""

import numpy as np
import polars as pl
import pytest

from gristmill.errors import GristmillError
from gristmill.quality import heads


def problem(n: int, noise: float, seed: int = 0, curved: bool = False) -> tuple[pl.DataFrame, np.ndarray]:
    """Vectors in 16 dimensions; the grade is a direction in them, or a step along it."""
    chance = np.random.default_rng(seed)
    vectors = chance.normal(size=(n, 16)).astype(np.float32)
    signal = (np.sign(vectors[:, 0] * vectors[:, 1]) * 2) if curved else vectors[:, :4].sum(axis=1) / 2
    grades = np.clip(2.5 + signal + noise * chance.normal(size=n), 0, 5).round(6)
    rows = pl.DataFrame(
        {
            "doc_id": [f"{i:032x}" for i in range(n)],
            "shard": ["s/0"] * n,
            "source": ["web" if i % 3 else "prose" for i in range(n)],
            "split": ["validation" if i % 5 == 0 else "train" for i in range(n)],
            "teacher_grade": grades,
            "rubric_grade": grades,
            "grade": grades,
            "grader": ["t"] * n,
            "weight": [2.0] * n,
        }
    )
    return rows, vectors


def test_a_linear_grade_is_learned_by_a_ridge():
    head = heads.fit(*problem(200, 0.2))
    assert head.metrics["head"].startswith("ridge")
    found = head.metrics["held_out"]
    assert found["documents"] == 40
    assert found["mse"] < 0.3 * found["mse_of_mean"] and found["spearman"] > 0.8 and found["f1"] > found["f1_of_yes"]


def test_a_grade_that_no_line_fits_is_learned_by_the_forest():
    rows, vectors = problem(300, 0.0, curved=True)
    head = heads.fit(rows, vectors[:, :3])
    assert head.metrics["head"] == "random forest"
    assert head.metrics["held_out"]["mse"] < 0.5 * head.metrics["held_out"]["mse_of_mean"]


def test_grades_without_signal_do_not_beat_the_mean_by_much():
    rows, vectors = problem(150, 0.0)
    head = heads.fit(rows.with_columns(grade=pl.Series(np.random.default_rng(1).uniform(0, 5, 150).round(6))), vectors)
    assert head.metrics["held_out"]["mse"] > 0.8 * head.metrics["held_out"]["mse_of_mean"]


def test_quantiles_come_from_folds_that_did_not_see_the_document():
    """With as many dimensions as documents a head's own documents would be scored at their grades."""
    rows, _ = problem(60, 0.0)
    vectors = np.random.default_rng(2).normal(size=(60, 200)).astype(np.float32)
    head = heads.fit(rows, vectors)
    spread = head.metrics["quantiles"]["web"]
    assert spread[90] - spread[10] < rows["grade"].quantile(0.9) - rows["grade"].quantile(0.1)
    assert set(head.metrics["quantiles"]) == {"web", "prose"} and len(spread) == heads.QUANTILES and spread == sorted(spread)
    assert head.metrics["weights"] == {"prose": 40.0, "web": 80.0}


def test_order_of_the_rows_does_not_matter():
    rows, vectors = problem(80, 0.3)
    order = np.random.default_rng(3).permutation(80)
    first, second = heads.fit(rows, vectors), heads.fit(rows[order], vectors[order])
    assert first.metrics == second.metrics
    assert (heads.predict(first.model, vectors) == heads.predict(second.model, vectors)).all()


def test_scores_are_bounded_rounded_and_the_same_in_any_batch():
    rows, vectors = problem(120, 0.3)
    model = heads.fit(rows, vectors).model
    whole = heads.predict(model, vectors * 10)
    assert whole.min() >= 0 and whole.max() <= 5 and (whole == whole.round(6)).all()
    assert (np.concatenate([heads.predict(model, part * 10) for part in np.array_split(vectors, 7)]) == whole).all()
    assert heads.predict(model, vectors[:0]).shape == (0,)


def test_calibration_compares_means_in_fifths():
    scores = np.linspace(0, 5, 50)
    table = heads.calibration(scores + 0.5, scores)
    assert [row["documents"] for row in table] == [10] * 5
    assert all(row["mean grade"] == pytest.approx(row["mean score"] + 0.5, abs=2e-4) for row in table)


def test_f1_takes_the_median_where_no_document_is_good():
    grades = np.linspace(0, 1, 20)
    found = heads.measure(grades, grades, 0.5)
    assert found["f1_threshold"] == pytest.approx(0.5) and found["f1"] == 1.0 and found["mae"] == 0.0
    assert heads.measure(np.linspace(0, 5, 20), grades, 2.5)["f1_threshold"] == 3.0


def test_too_few_documents_are_an_error_that_says_what_to_raise():
    with pytest.raises(GristmillError, match=r"(?s)4 graded documents.*quality\.sample"):
        heads.fit(*problem(5, 0.1))
