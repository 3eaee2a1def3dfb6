"""The topic head: a document's topic from its embedding, taught by prototypes.

Labels come from prototypes, never from a host's name: a topic's prototypes are the vectors of the sentences that
describe it (`taxonomy`), and a document is labelled with the topic of the nearest one, by cosine. (The mean vector of the
sentences was tried: a broad topic's mean lies near nothing, and of 60 pages of computer algebra 4 were called science,
against 14.) Where the nearest topic is clearly nearer than the second the label is confident; a logistic regression with
balanced classes learns those and gives every document a topic and a probability.

WebOrganizer (Wettig et al. 2025, section 3) labels with a large model and learns an encoder; this is its shape on a laptop.
The metrics are agreement with prototype labels on held-out documents: no person has looked at them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gristmill.quality import taxonomy

VERSION = f"1.{taxonomy.VERSION}"

MIN_MARGIN = 0.05  # difference of the cosines of the nearest and the second topic from which a label is confident
STRENGTH = 10.0  # C of the logistic regression


@dataclass(frozen=True)
class TopicHead:
    """model: scikit-learn classifier on vectors. labels: contract `topic_labels`. metrics: JSON-able."""

    model: Any
    labels: pl.DataFrame
    metrics: dict[str, Any]


def prototype_labels(vectors: NDArray[np.float32], sentences: dict[str, NDArray[np.float32]]) -> pl.DataFrame:
    """topic, similarity, margin (cosines, to 6 decimals) for each vector (n, dimension); sentences: topic -> vectors of its sentences."""
    names, documents = sorted(sentences), _unit(vectors)
    similarity = np.round(np.stack([(documents @ _unit(sentences[name]).T).max(axis=1) for name in names], axis=1), 6)
    ranked = np.argsort(-similarity, axis=1, kind="stable")
    first, second = (np.take_along_axis(similarity, ranked[:, i : i + 1], 1)[:, 0] for i in (0, 1))
    return pl.DataFrame(
        {
            "topic": pl.Series([names[i] for i in ranked[:, 0]], dtype=pl.String),
            "similarity": first,
            "margin": np.round(first - second, 6),
        }
    )


def fit(annotations: pl.DataFrame, vectors: NDArray[np.float32], sentences: dict[str, NDArray[np.float32]]) -> TopicHead:
    """Learns topics from the documents' vectors (n, dimension), row by row with `annotations` (doc_id, split).

    sentences: topic -> vectors of its describing sentences. They are examples too, so that every topic has some.
    """
    from sklearn.linear_model import LogisticRegression  # as in `heads`

    order = annotations["doc_id"].arg_sort().to_numpy()
    rows, features = annotations[order], vectors[order]
    names = sorted(sentences)
    with threadpool_limits(1):
        labels = pl.concat([rows.select("doc_id", "split"), prototype_labels(features, sentences)], how="horizontal")
        labels = labels.with_columns(confident=pl.col("margin") >= MIN_MARGIN)
        taught = ((rows["split"] == "train") & labels["confident"]).to_numpy()
        examples = np.concatenate([features[taught], *(sentences[name] for name in names)]).astype(np.float64)
        targets = [*labels["topic"].to_numpy()[taught], *(name for name in names for _ in sentences[name])]
        model = LogisticRegression(C=STRENGTH, class_weight="balanced", solver="lbfgs", max_iter=1_000, tol=1e-6).fit(examples, targets)
    predicted, probability = predict(model, features)
    labels = labels.with_columns(predicted=pl.Series(predicted, dtype=pl.String), probability=probability)
    return TopicHead(model, labels, _metrics(labels))


def predict(model: Any, vectors: NDArray[np.float32]) -> tuple[list[str], NDArray[np.float64]]:
    """The likeliest topic of each vector and its probability, rounded to 6 decimals."""
    if not len(vectors):
        return [], np.zeros(0)
    with threadpool_limits(1):
        probabilities = np.round(model.predict_proba(vectors.astype(np.float64)), 6)
    return [str(name) for name in model.classes_[probabilities.argmax(axis=1)]], probabilities.max(axis=1)


def _metrics(labels: pl.DataFrame) -> dict[str, Any]:
    """Agreement with prototype labels by split, and each topic's documents."""
    agrees = pl.col("topic") == pl.col("predicted")
    agreement = (
        labels.group_by("split")
        .agg(
            documents=pl.len().cast(pl.Int64),
            confident=pl.col("confident").mean(),
            agreement=agrees.mean(),
            agreement_where_confident=agrees.filter(pl.col("confident")).mean(),
            mean_probability=pl.col("probability").mean(),
        )
        .sort("split")
    )
    shares = (
        labels.group_by("predicted")
        .agg(
            documents=pl.len().cast(pl.Int64),
            confident=(pl.col("confident") & agrees).sum().cast(pl.Int64),
        )
        .with_columns(share=pl.col("documents") / labels.height)
        .sort("documents", "predicted", descending=[True, False])
    )
    rounded = pl.selectors.float().round(6)
    return {
        "agreement": agreement.with_columns(rounded).to_dicts(),
        "topics": shares.rename({"predicted": "topic"}).with_columns(rounded).to_dicts(),
        "largest_share": round(float(shares["share"].max() or 0.0), 6),  # type: ignore[arg-type]
    }


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
