"""Topics: a published taxonomy, labels from prototypes, a head that agrees with them."""

import numpy as np
import polars as pl
import pytest

from gristmill.errors import RecipeError
from gristmill.lake.contracts import conform
from gristmill.quality import scores, topics
from gristmill.quality.taxonomy import TAXONOMIES, WEBORGANIZER, taxonomy

SENTENCES = {
    name: (np.eye(6)[[at, at]] + 0.1 * np.eye(6)[[(at + 1) % 6, (at + 5) % 6]]).astype(np.float32)
    for at, name in enumerate(("arts", "law", "sea"))
}


def documents(n: int, noise: float = 0.15) -> tuple[pl.DataFrame, np.ndarray, list[str]]:
    chance = np.random.default_rng(5)
    truth = [("arts", "law", "sea")[i % 3] for i in range(n)]
    vectors = np.stack([np.eye(6)[i % 3] for i in range(n)]) + noise * chance.normal(size=(n, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = pl.DataFrame({"doc_id": [f"{i:032x}" for i in range(n)], "split": ["validation" if i % 4 == 0 else "train" for i in range(n)]})
    return rows, vectors.astype(np.float32), truth


def test_weborganizer_has_its_24_topics_each_with_several_sentences():
    assert len(WEBORGANIZER) == 24 and all(len(sentences) >= 3 for sentences in WEBORGANIZER.values())
    assert list(WEBORGANIZER) == sorted(WEBORGANIZER)
    assert {"science_math_and_technology", "software_development", "literature", "religion"} <= set(WEBORGANIZER)
    assert all(name.replace("_", "").isalpha() for name in WEBORGANIZER)  # fits `source/topic` in a mix


def test_an_unknown_taxonomy_names_the_nearest():
    assert taxonomy("weborganizer") is TAXONOMIES["weborganizer"]
    with pytest.raises(RecipeError, match="did you mean 'weborganizer'"):
        taxonomy("weborganiser")


def test_a_document_is_labelled_with_the_topic_of_the_nearest_sentence():
    labels = topics.prototype_labels(np.eye(6, dtype=np.float32)[[1, 0]], SENTENCES)
    assert labels["topic"].to_list() == ["law", "arts"]
    assert labels["similarity"][0] == pytest.approx(1 / np.sqrt(1.01), abs=1e-6)
    assert (labels["margin"] > 0.5).all()


def test_the_head_learns_the_labels():
    rows, vectors, truth = documents(120)
    head = topics.fit(rows, vectors, SENTENCES)
    labels = conform("topic_labels", head.labels)
    assert (labels["predicted"] == pl.Series(truth)).mean() > 0.95
    held_out = next(row for row in head.metrics["agreement"] if row["split"] == "validation")
    assert held_out["documents"] == 30 and held_out["agreement"] > 0.9
    assert sum(row["documents"] for row in head.metrics["topics"]) == 120
    assert head.metrics["largest_share"] < 0.5


def test_unclear_labels_are_not_taught():
    rows, vectors, _ = documents(60)
    torn = (np.eye(6)[0] + np.eye(6)[1]).astype(np.float32) / np.float32(np.sqrt(2))
    vectors[:30] = torn
    head = topics.fit(rows, vectors, SENTENCES)
    assert not head.labels["confident"][:30].any() and head.labels["confident"][30:].any()


def test_a_topic_without_a_document_can_still_be_said():
    rows, vectors, truth = documents(60)
    only_arts = np.array([name == "arts" for name in truth])
    head = topics.fit(rows.filter(pl.Series(only_arts)), vectors[only_arts], SENTENCES)
    names, probability = topics.predict(head.model, np.eye(6, dtype=np.float32)[[2]])
    assert names == ["sea"] and 1 / 3 < probability[0] <= 1


def test_order_does_not_matter_and_an_empty_shard_is_empty():
    rows, vectors, _ = documents(40)
    order = np.random.default_rng(0).permutation(40)
    first, second = topics.fit(rows, vectors, SENTENCES), topics.fit(rows[order], vectors[order], SENTENCES)
    assert first.metrics == second.metrics and first.labels.equals(second.labels)
    assert topics.predict(first.model, vectors[:0])[0] == []


def test_scores_hold_quality_and_topic_of_every_document():
    rows, vectors, truth = documents(30)
    topic_head = topics.fit(rows, vectors, SENTENCES).model
    from sklearn.linear_model import Ridge

    quality_head = Ridge().fit(vectors.astype(float), np.arange(30) % 3)
    table = conform("scores", scores.score(rows["doc_id"], vectors, quality_head, topic_head, "v1"))
    assert table.height == 30 and set(table["quality_version"]) == {"v1"}
    assert (table["topic"] == pl.Series(truth)).mean() > 0.9
    halves = [scores.score(rows["doc_id"][part], vectors[part], quality_head, topic_head, "v1") for part in (slice(0, 13), slice(13, 30))]
    assert pl.concat(halves).equals(scores.score(rows["doc_id"], vectors, quality_head, topic_head, "v1"))
    assert scores.score(rows["doc_id"][:0], vectors[:0], quality_head, topic_head, "v1").height == 0
