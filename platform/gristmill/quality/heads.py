"""The quality head: a small regression on frozen embeddings that learns the grades and scores everything else.

FineWeb-Edu (Penedo et al. 2024, section 4) puts one linear output on a frozen encoder; phi-1 (Gunasekar et al. 2023, section
2.1) a random forest on a code model's output. Both are tried here: five folds of the train split choose, the held-out
validation split measures what was chosen. Everything runs on one thread with fixed seeds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gristmill.errors import GristmillError

VERSION = "1"

RIDGE_STRENGTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
TREES, LEAF, FEATURES, SEED = 100, 3, 0.1, 1
FOLDS = 5
MIN_DOCUMENTS = 10  # of the train split, and of the held-out one for its own metrics
QUANTILES = 101
CALIBRATION_BINS = 5
GOOD = 3.0  # the grade from which FineWeb-Edu keeps a page


@dataclass(frozen=True)
class QualityHead:
    """model: scikit-learn regressor on vectors. metrics: JSON-able; `quantiles` in it maps a source to 101 score quantiles."""

    model: Any
    metrics: dict[str, Any]


def fit(annotations: pl.DataFrame, vectors: NDArray[np.float32]) -> QualityHead:
    """Learns `grade` from the vectors (n, dimension) of the annotated documents (contract `annotations`), row by row."""
    order = annotations["doc_id"].arg_sort().to_numpy()
    rows, features = annotations[order], vectors[order].astype(np.float64)
    grades = rows["grade"].to_numpy()
    train = (rows["split"] == "train").to_numpy()
    if train.sum() < MIN_DOCUMENTS:
        raise GristmillError(
            f"{int(train.sum())} graded documents in the train split are too few to learn from, {MIN_DOCUMENTS} are needed",
            where="quality_classifier",
            fix="Raise quality.sample or quality.token_budget, or crawl more.",
        )
    with threadpool_limits(1):
        folds = np.array([_fold(doc_id) for doc_id in rows["doc_id"]])
        trials, out_of_fold = {}, {}
        for name, make in _candidates().items():
            predicted = _cross_predict(make, features[train], grades[train], folds[train])
            out_of_fold[name] = predicted
            trials[name] = round(float(np.mean((predicted - grades[train]) ** 2)), 6)
        chosen = min(trials, key=lambda name: (trials[name], name))
        model = _candidates()[chosen]().fit(features[train], grades[train])
        scores = predict(model, vectors[order])
    # a document that was trained on is scored by a fold that did not see it: its own score would be too close to its grade
    scores[train] = np.round(out_of_fold[chosen], 6)
    mean = float(grades[train].mean())
    return QualityHead(
        model,
        {
            "head": chosen,
            "cross-validated squared error": trials,
            "held_out": measure(grades[~train], scores[~train], mean),
            "train_folds": measure(grades[train], scores[train], mean),
            "calibration": calibration(grades, scores),
            "quantiles": {source: _quantiles(part) for source, part in _by_source(rows["source"], scores).items()},
            "weights": {
                str(source): round(float(weight), 6)
                for source, weight in rows.group_by("source").agg(pl.col("weight").sum()).sort("source").iter_rows()
            },
        },
    )


def predict(model: Any, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,) scores between 0 and 5, rounded to 6 decimals."""
    if not len(vectors):
        return np.zeros(0)
    with threadpool_limits(1):
        return np.round(np.clip(model.predict(vectors.astype(np.float64)), 0.0, 5.0), 6)


def measure(grades: NDArray[np.float64], scores: NDArray[np.float64], train_mean: float) -> dict[str, Any]:
    """Error, rank agreement and F1 of scores against grades; beside them the error of always saying the train split's mean.

    F1 is for "grade at least 3" where both sides of it occur, else for "at least the median"; `f1_threshold` says which.
    """
    if len(grades) < MIN_DOCUMENTS:
        return {"documents": len(grades)}
    from scipy.stats import spearmanr  # a second to import, with scikit-learn: not what every plan waits for
    from sklearn.metrics import f1_score

    threshold = GOOD if 0 < (grades >= GOOD).mean() < 1 else float(np.median(grades))
    varied = len(set(grades.tolist())) > 1 and len(set(scores.tolist())) > 1
    result = {
        "documents": len(grades),
        "mae": float(np.abs(grades - scores).mean()),
        "mse": float(((grades - scores) ** 2).mean()),
        "mse_of_mean": float(((grades - train_mean) ** 2).mean()),
        "spearman": float(spearmanr(grades, scores).statistic) if varied else 0.0,
        "f1_threshold": threshold,
        "f1": float(f1_score(grades >= threshold, scores >= threshold, zero_division=0.0)),
        "f1_of_yes": float(f1_score(grades >= threshold, np.ones(len(grades), bool), zero_division=0.0)),
    }
    return {name: round(value, 6) if isinstance(value, float) else value for name, value in result.items()}


def calibration(grades: NDArray[np.float64], scores: NDArray[np.float64]) -> list[dict[str, float]]:
    """Mean score against mean grade in fifths of the scores: a calibrated head has the two equal in each."""
    table = []
    for part in np.array_split(np.argsort(scores, kind="stable"), CALIBRATION_BINS):
        if len(part):
            table.append(
                {
                    "documents": len(part),
                    "lowest": round(float(scores[part].min()), 4),
                    "highest": round(float(scores[part].max()), 4),
                    "mean score": round(float(scores[part].mean()), 4),
                    "mean grade": round(float(grades[part].mean()), 4),
                }
            )
    return table


def _candidates() -> dict[str, Any]:
    """Name -> maker of an unfitted regressor."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import Ridge

    ridges = {f"ridge {strength:g}": (lambda strength=strength: Ridge(alpha=strength, solver="cholesky")) for strength in RIDGE_STRENGTHS}
    return {
        **ridges,
        "random forest": lambda: RandomForestRegressor(
            TREES,
            min_samples_leaf=LEAF,
            max_features=FEATURES,
            random_state=SEED,
            n_jobs=1,
        ),
    }


def _cross_predict(make: Any, features: NDArray[np.float64], grades: NDArray[np.float64], folds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each row predicted by a model that was fitted on the other folds."""
    predicted = np.zeros(len(grades))
    for fold in np.unique(folds):
        inside = folds == fold
        if inside.all():
            raise GristmillError("all graded documents fall into one fold", where="quality_classifier", fix="Raise quality.sample.")
        predicted[inside] = make().fit(features[~inside], grades[~inside]).predict(features[inside])
    return np.clip(predicted, 0.0, 5.0)


def _fold(doc_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"quality.fold:{doc_id}".encode(), digest_size=8).digest(), "big") % FOLDS


def _by_source(sources: pl.Series, scores: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    names = sources.to_numpy()
    return {str(source): scores[names == source] for source in sorted(set(names.tolist()))}


def _quantiles(scores: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 6) for value in np.quantile(scores, np.linspace(0, 1, QUANTILES))]
