"""The quality assets over a small lake: from deduplicated shards to curated ones, with checks that can fail."""

import datetime
import hashlib
import json
import random
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets import quality, quality_checks
from assets.quality import quality_assets
from gristmill.dedup import vectors
from gristmill.errors import GristmillError
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Workspace
from gristmill.quality import annotate
from gristmill.quality.curation import RULE
from gristmill.recipe import Quality, Recipe, Source, Sources

SHARDS = ("docs/0000", "docs/0001", "lib/0000")
DOCUMENTS = 40  # a shard
RECIPE = Recipe(
    sources=Sources(groups={"web": Source(crawls=["docs"]), "code": Source(crawls=["lib"])}),
    quality=Quality(sample=90, passage_chars=800, token_budget=40_000, drop_lowest=0.2, except_sources=["code"]),
)
NOUNS = ("river", "engine", "compiler", "planet", "market", "cell", "poem", "bridge")
VERBS = ("carries", "changes", "limits", "supports", "explains", "produces")


def text_of(name: str, lists: bool) -> str:
    """About a hundred words of exposition, or of an index."""
    chance = random.Random(name)
    noun, verb, other = chance.choice(NOUNS), chance.choice(VERBS), chance.choice(NOUNS)
    if lists:
        return "\n".join(f"{chance.choice(NOUNS)} {chance.choice(VERBS)} {i}" for i in range(40))
    return " ".join(
        chance.choice(
            (
                f"The {noun} {verb} the {other} because its order never stays the same for a long time.",
                f"For example, a {noun} that {verb} heat is called a simple {noun}, although its {other} may be large.",
                f"If the {other} rises, then the {noun} {verb} more heat, which means that the balance moves.",
            )
        )
        for _ in range(8)
    )


class Words:
    """An embedder of the port's shape: hashed counts of words and line breaks."""

    name, dimension = "words", 48

    def open(self, settings: Any, known: Any = None) -> "Words":
        return self

    def encode(self, texts: list[str]) -> np.ndarray:
        rows = np.full((len(texts), self.dimension), 0.01)
        for row, text in zip(rows, texts, strict=True):
            for word in text.replace("\n", " <break> ").split():
                row[hashlib.blake2b(word.encode(), digest_size=1).digest()[0] % self.dimension] += 1
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).round(4).astype(np.float32)


class Lengths:
    """A teacher of the port's shape that grades by the length of the first word: no judgement at all."""

    name, batch = "lengths@1", 8

    def open(self, workspace: Workspace) -> "Lengths":
        return self

    def score(self, prompts: Any, choices: Any) -> np.ndarray:
        at = np.array([[len(prompt.split("Passage:\n", 1)[1].split()[0]) % 6] for prompt in prompts])
        logits = -((np.arange(len(choices)) - at) ** 2.0)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    def generate(self, prompts: Any, max_tokens: int, temperature: float, seeds: Any) -> list[str]:
        return ["" for _ in prompts]

    def count_tokens(self, text: str) -> int:
        return len(text.split())


def fill(workspace: Workspace) -> None:
    """Everything upstream: every third document is a list, every tenth was dropped before, every fifth is held out."""
    for shard in SHARDS:
        rows, verdicts, splits = [], [], []
        for i in range(DOCUMENTS):
            name = f"{shard}/{i}"
            doc_id, text, kept = hashlib.md5(name.encode()).hexdigest(), text_of(name, i % 3 == 0), i % 10 != 9
            rows.append(
                {
                    "doc_id": doc_id,
                    "captures": [name],
                    "url": f"http://site.example/{name}",
                    "host": "site.example",
                    "text": text,
                    "text_hash": hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
                    "language": "en",
                    "language_score": 1.0,
                    "extractor": "none@1",
                    "fetched_at": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
                    "n_bytes": len(text),
                    "n_chars": len(text),
                }
            )
            verdicts.append(
                {
                    "doc_id": doc_id,
                    "kept": kept,
                    "first_rule": None if kept else "dedup.near",
                    "value": None if kept else 0.9,
                    "threshold": None if kept else 0.7,
                    "fired": [] if kept else ["dedup.near"],
                    "weight": 1.0,
                    "policy": "default@1",
                }
            )
            if kept:
                splits.append({"doc_id": doc_id, "cluster": doc_id, "split": ("validation", "train", "train", "test", "train")[i % 5]})
        documents = pl.DataFrame(rows, schema=CONTRACTS["documents"].schema)
        put(workspace, "documents", shard, {"documents": documents})
        put(workspace, "edits", shard, {"edits": CONTRACTS["edits"].empty()})
        table = vectors.VectorTable.open(workspace.lake, Words.name, Words.dimension)
        put(
            workspace,
            "document_embeddings",
            shard,
            {"embeddings": vectors.embed(documents.select("doc_id", "text", "text_hash"), Words(), table, 100)},
        )
        put(
            workspace,
            "deduplicated_shards",
            shard,
            {
                "verdicts": pl.DataFrame(verdicts, schema=CONTRACTS["verdicts"].schema),
                "splits": pl.DataFrame(splits, schema=CONTRACTS["splits"].schema),
            },
        )
        sizes = documents.select("doc_id", pl.col("n_bytes", "n_chars") + 1_000)
        put(workspace, "contamination", shard, {"contamination": CONTRACTS["contamination"].empty(), "final_sizes": sizes})


def put(workspace: Workspace, asset: str, partition: str | None, tables: dict[str, pl.DataFrame]) -> None:
    workspace.store(asset, partition, Made(tables), "1")


def build(workspace: Workspace) -> dict[str, str]:
    """Makes the group in order; asset[partition] -> data version."""
    versions = {}
    for asset, make, resources in (
        ("quality_annotations", quality.make_quality_annotations, {"teacher": Lengths()}),
        ("quality_classifier", quality.make_quality_classifier, {}),
        ("topic_classifier", quality.make_topic_classifier, {"embedder": Words()}),
    ):
        versions[asset] = workspace.store(asset, None, make(workspace, None, **resources), "1").data_version
    for shard in SHARDS:
        for asset, each in (("quality_scores", quality.make_quality_scores), ("curated_shards", quality.make_curated_shards)):
            versions[f"{asset}[{shard}]"] = workspace.store(asset, shard, each(workspace, shard), "1").data_version
    return versions


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, dict[str, str]]:
    workspace = Workspace(Lake(tmp_path_factory.mktemp("lake")), RECIPE)
    fill(workspace)
    return workspace, build(workspace)


def test_the_rubric_grades_where_the_teacher_cannot_and_the_metadata_says_why(built):
    workspace, _ = built
    rows, found = workspace.read("quality_annotations"), workspace.metadata("quality_annotations")
    assert set(rows["grader"]) == {annotate.RUBRIC} == {found["grader"]}
    assert "margin over chance" in found["why this grader"] and found["prompt tokens"] <= 40_000
    assert {row["grader"] for row in found["agreement on contrasts"]} == {annotate.RUBRIC, "lengths@1"}
    assert set(rows["split"]) == {"train", "validation"} and set(rows["source"]) == {"web", "code"}
    assert {row["grade"] for row in found["examples"]} == set(rows["grade"].round().cast(pl.Int64))


def test_every_survivor_is_scored_and_nothing_else(built):
    workspace, _ = built
    for shard in SHARDS:
        scored = workspace.read("quality_scores", shard)
        assert set(scored["doc_id"]) == set(workspace.read("deduplicated_shards", shard).filter("kept")["doc_id"])
        assert set(scored["quality_version"]) == {workspace.version("quality_classifier")[:12]}


def test_the_lowest_of_the_judged_source_are_dropped_with_their_reason(built):
    workspace, _ = built
    dropped = pl.concat([workspace.read("curated_shards", shard) for shard in SHARDS]).filter(pl.col("first_rule") == RULE)
    assert 72 * 0.05 < dropped.height < 72 * 0.4
    assert (dropped["value"] < dropped["threshold"]).all() and dropped["threshold"].n_unique() == 1
    lists = {hashlib.md5(f"{shard}/{i}".encode()).hexdigest() for shard in SHARDS for i in range(0, DOCUMENTS, 3)}
    assert sum(doc_id in lists for doc_id in dropped["doc_id"]) > 0.9 * dropped.height


def test_what_holds_an_item_and_what_cuts_left_empty_is_dropped_too(tmp_path: Path):
    workspace = Workspace(Lake(tmp_path), RECIPE)
    fill(workspace)
    build(workspace)
    shard = "lib/0000"
    splits = workspace.read("deduplicated_shards", shard, "splits")
    leaked, short = splits.filter(pl.col("split") == "train")["doc_id"].to_list()[:2]
    held_out = splits.filter(pl.col("split") == "test")["doc_id"][0]
    hits = [(doc_id, "held_out/x", 9, overlap, 0, 9) for doc_id, overlap in ((leaked, 0.9), (short, 0.1), (held_out, 1.0))]
    sizes = workspace.read("contamination", shard, "final_sizes")
    sizes = sizes.with_columns(n_chars=pl.when(pl.col("doc_id") == short).then(7).otherwise("n_chars"))
    found = pl.DataFrame(hits, schema=CONTRACTS["contamination"].schema, orient="row")
    put(workspace, "contamination", shard, {"contamination": found, "final_sizes": sizes})
    made = quality.make_curated_shards(workspace, shard)
    gone = made.tables["verdicts"].filter(~pl.col("kept") & (pl.col("first_rule") != "dedup.near"))
    assert {row["doc_id"]: (row["first_rule"], row["value"]) for row in gone.iter_rows(named=True)} == {
        leaked: ("contamination.held_out", 0.9),
        short: ("dedup.min_chars", 7.0),
    }
    assert (made.metadata["contaminated"], made.metadata["nothing left after cuts"]) == (1, 1)


def test_an_excepted_source_and_earlier_drops_are_left_alone(built):
    workspace, _ = built
    assert workspace.read("curated_shards", "lib/0000").equals(workspace.read("deduplicated_shards", "lib/0000", "verdicts"))
    before, after = (
        workspace.read(asset, SHARDS[0], "verdicts").filter(pl.col("first_rule") == "dedup.near")
        for asset in ("deduplicated_shards", "curated_shards")
    )
    assert before.height == 4 and before.equals(after)


CHECKS = ("grades_vary", "grader_agrees", "beats_the_mean", "learns_the_labels", "drops_what_was_asked")


@pytest.mark.parametrize("name", CHECKS)
def test_checks_pass_on_a_sound_build(built, name):
    outcome = getattr(quality_checks, name)(built[0])
    assert outcome.passed, outcome.metadata


def test_falling_back_to_the_rubric_is_a_warning(built):
    outcome = quality_checks.teacher_grades(built[0])
    assert not outcome.passed and outcome.severity == "warn" and outcome.metadata["grader"] == annotate.RUBRIC


def test_a_second_lake_holds_the_same_content(built, tmp_path: Path):
    again = Workspace(Lake(tmp_path / "again"), RECIPE)
    fill(again)
    assert build(again) == built[1]


def altered(built: Any, tmp_path: Path, asset: str, partition: str | None, made: Made) -> Workspace:
    """A copy of the build in a namespace of its own with one output replaced."""
    source = built[0]
    copy = Workspace(source.lake, RECIPE.model_copy(update={"namespace": tmp_path.name.lower().replace("-", "_")}))
    for name in ("quality_annotations", "quality_classifier", "topic_classifier"):
        copy.publish(source.output(name))
    for shard in SHARDS:
        for name in ("quality_scores", "curated_shards", "deduplicated_shards", "document_embeddings", "documents"):
            copy.publish(source.output(name, shard))
    copy.store(asset, partition, made, "1")
    return copy


def test_a_grader_that_cannot_tell_a_wreck_fails(built, tmp_path):
    found = built[0].metadata("quality_annotations")
    worse = [{**row, "margin": 0.1} for row in found["agreement on contrasts"]]
    copy = altered(
        built,
        tmp_path,
        "quality_annotations",
        None,
        Made(
            {"annotations": built[0].read("quality_annotations")},
            metadata={**found, "agreement on contrasts": worse, "grade deviation": 0.01},
        ),
    )
    outcome = quality_checks.grader_agrees(copy)
    assert not outcome.passed and outcome.severity == "error"
    assert not quality_checks.grades_vary(copy).passed


def test_a_head_no_better_than_the_mean_fails(built, tmp_path):
    workspace = built[0]
    metrics = quality_checks.classifier_metrics(workspace)
    metrics["held_out"]["mse"] = metrics["held_out"]["mse_of_mean"]
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(metrics))
    copy = altered(
        built, tmp_path, "quality_classifier", None, Made(files={"model": workspace.path("quality_classifier"), "metrics": path})
    )
    assert not quality_checks.beats_the_mean(copy).passed


def test_a_rule_that_never_fires_and_one_that_takes_too_much_fail(built, tmp_path):
    workspace = built[0]
    for kept in (72, 10):
        copy = altered(built, tmp_path, "quality_annotations", None, Made({"annotations": workspace.read("quality_annotations")}))
        for shard in SHARDS:
            found = {**workspace.metadata("curated_shards", shard)}
            if found["judged"]:
                found["dropped by quality"] = found["survivors before"] - kept if kept < 72 else 0
            copy.store("curated_shards", shard, Made({"verdicts": workspace.read("curated_shards", shard)}, metadata=found), "1")
        assert not quality_checks.drops_what_was_asked(copy).passed


def test_one_topic_for_everything_is_a_warning(built, tmp_path):
    workspace = built[0]
    copy = altered(built, tmp_path, "quality_annotations", None, Made({"annotations": workspace.read("quality_annotations")}))
    for shard in SHARDS:
        same = workspace.read("quality_scores", shard).with_columns(topic=pl.lit("health"))
        copy.store("quality_scores", shard, Made({"scores": same}), "1")
    outcome = quality_checks.no_topic_takes_everything(copy)
    assert not outcome.passed and outcome.severity == "warn" and outcome.metadata["topic"] == "health"


def test_a_survivor_without_a_vector_is_an_error(built, tmp_path):
    workspace = built[0]
    lacking = workspace.read("document_embeddings", SHARDS[0]).head(3)
    copy = altered(built, tmp_path, "document_embeddings", SHARDS[0], Made({"embeddings": lacking}))
    with pytest.raises(GristmillError, match="survivors have no vector"):
        quality.make_quality_scores(copy, SHARDS[0])


def test_topics_and_documents_must_come_from_one_embedder(built):
    class Other(Words):
        name = "other"

    with pytest.raises(GristmillError, match="embedded by other, the documents were by words"):
        quality.make_topic_classifier(built[0], None, Other())


def test_sections_are_exact():
    """drop_lowest moves the last verdict only; the sample moves the annotations only."""
    shards = dg.DynamicPartitionsDefinition(name="shards")

    def versions(**changed: Any) -> dict[str, str]:
        recipe = RECIPE.model_copy(update={"quality": RECIPE.quality.model_copy(update=changed)})
        return {asset.key.to_user_string(): str(asset.specs_by_key[asset.key].code_version) for asset in quality_assets(recipe, shards)}

    base = versions()
    assert list(base) == ["quality_annotations", "quality_classifier", "topic_classifier", "quality_scores", "curated_shards"]
    for changed, moved in (
        ({"drop_lowest": 0.3}, {"curated_shards"}),
        ({"except_sources": []}, {"curated_shards"}),
        ({"sample": 50}, {"quality_annotations"}),
        ({"min_agreement": 0.9}, {"quality_annotations"}),
        ({"taxonomy": "other"}, {"topic_classifier"}),
        ({"refresh": "always"}, set()),
    ):
        now = versions(**changed)
        assert {name for name in base if now[name] != base[name]} == moved, changed
