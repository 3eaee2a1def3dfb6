"""tokenizer and mixed_corpus over a small lake: what they make, and checks that fail when they should."""

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from assets import corpus
from gristmill.corpus import packing, tokenizer
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Workspace
from gristmill.recipe import Recipe
from gristmill.views import text_hash

WORDS = [
    "mill",
    "grain",
    "wheat",
    "stone",
    "water",
    "wheel",
    "flour",
    "sack",
    "miller",
    "river",
    "sieve",
    "bread",
    "oven",
    "harvest",
    "field",
    "barn",
]
RECIPE = Recipe.model_validate(
    {
        "sources": {"groups": {"code": {"crawls": ["code*"]}, "web": {"crawls": ["web*"]}}},
        "tokenizer": {"vocab_size": 400, "sample_documents": 40},
        "corpus": {
            "sequence_length": 31,
            "phases": {
                "general": {"tokens": 3_200, "mix": {"web": 0.5, "web/Science": 0.2, "code": 0.2, "synthetic/exercises": 0.1}},
                "annealing": {"tokens": 640, "mix": {"web": 0.5, "synthetic/exercises": 0.5}},
            },
        },
    }
)


def text(i: int) -> str:
    chosen = np.random.default_rng(i).choice(WORDS, 60)
    return f"Document {i}. " + " ".join(chosen) + f". Write to mail{i}@example.org."


def fill(lake: Lake, shards: dict[str, list[int]], recipe: Recipe = RECIPE) -> Workspace:
    """A workspace whose shards hold these documents, curated. Every fifth document is held out; of every seventh the mail is masked."""
    workspace = Workspace(lake, recipe)
    for shard, numbers in shards.items():
        ids = [f"{i:032x}" for i in numbers]
        texts = [text(i) for i in numbers]
        documents = pl.DataFrame(
            {
                "doc_id": ids,
                "captures": [["c"]] * len(ids),
                "url": ids,
                "host": ["h"] * len(ids),
                "text": texts,
                "text_hash": [text_hash(t) for t in texts],
                "language": ["en"] * len(ids),
                "language_score": [1.0] * len(ids),
                "extractor": ["e"] * len(ids),
                "fetched_at": [datetime(2024, 1, 1, tzinfo=UTC)] * len(ids),
                "n_bytes": [len(t.encode()) for t in texts],
                "n_chars": [len(t) for t in texts],
            },
            schema=CONTRACTS["documents"].schema,
        )
        masked = [
            (doc_id, t.index("mail"), len(t) - 1, "<mail>", "pii.email")
            for i, doc_id, t in zip(numbers, ids, texts, strict=True)
            if i % 7 == 0
        ]
        verdicts = pl.DataFrame(
            [
                {
                    "doc_id": doc_id,
                    "kept": i % 11 != 0,
                    "first_rule": "rule" if i % 11 == 0 else None,
                    "value": None,
                    "threshold": None,
                    "fired": [],
                    "weight": 1.0,
                    "policy": "p",
                }
                for i, doc_id in zip(numbers, ids, strict=True)
            ],
            schema=CONTRACTS["verdicts"].schema,
        )
        splits = pl.DataFrame({"doc_id": ids, "cluster": ids, "split": ["validation" if i % 5 == 0 else "train" for i in numbers]})
        scores = pl.DataFrame(
            {
                "doc_id": ids,
                "quality": [1.0] * len(ids),
                "quality_version": ["1"] * len(ids),
                "topic": ["Science" if i % 3 == 0 else "Food" for i in numbers],
                "topic_score": [1.0] * len(ids),
            },
            schema=CONTRACTS["scores"].schema,
        )
        workspace.store("documents", shard, Made({"documents": documents, "quarantine": CONTRACTS["quarantine"].empty()}), "1")
        workspace.store("edits", shard, Made({"edits": pl.DataFrame(masked, schema=CONTRACTS["edits"].schema, orient="row")}), "1")
        workspace.store("deduplicated_shards", shard, Made({"verdicts": verdicts, "splits": splits}), "1")
        workspace.store("repeated_spans", shard, Made({"cuts": CONTRACTS["cuts"].empty()}), "1")
        workspace.store("quality_scores", shard, Made({"scores": scores}), "1")
        workspace.store("curated_shards", shard, Made({"verdicts": verdicts}), "1")
    synthetic = pl.DataFrame(
        [
            {
                "doc_id": f"e{i:031x}",
                "set": "exercises",
                "text": f"{i} + {i} = {2 * i}. {text(i)}",
                "plan": "{}",
                "teacher": "t",
                "seed": 1,
                "verification": "v",
                "verified": i % 4 != 0,
                "attempts": 1,
            }
            for i in range(40)
        ],
        schema=CONTRACTS["synthetic"].schema,
    )
    workspace.store("synthetic_sets", "exercises", Made({"synthetic": synthetic}), "1")
    return workspace


def build(workspace: Workspace) -> Workspace:
    workspace.store("tokenizer", None, corpus.make_tokenizer(workspace, None), "1")
    for phase in corpus.phases(workspace.recipe):
        workspace.store("mixed_corpus", phase, corpus.make_mixed_corpus(workspace, phase), "1")
    return workspace


SHARDS = {"web-1/0": list(range(60)), "web-1/1": list(range(60, 120)), "code-1/0": list(range(120, 160))}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return build(fill(Lake(tmp_path_factory.mktemp("lake")), SHARDS))


def versions(workspace: Workspace) -> dict[str, str]:
    return {phase: workspace.version("mixed_corpus", phase) for phase in ("general", "annealing")} | {
        "tokenizer": workspace.version("tokenizer")
    }


def test_the_corpus_is_what_the_recipe_asks_for(built: Workspace) -> None:
    sequences = packing.load(built.path("mixed_corpus", "general", "tokens"))
    assert sequences.shape == (100, 32)
    assert sequences.dtype == np.uint16
    rows = built.read("mixed_corpus", "general", "provenance")
    assert {*rows["origin"]} == {"crawl", "synthetic/exercises"}
    for check in (corpus.compresses_and_round_trips, corpus.realised_mix, corpus.no_held_out_document, corpus.rebuilds):
        outcome = check(built)
        assert outcome.passed, outcome
    assert {row["key"]: row["realised"] for row in built.metadata("mixed_corpus", "general")["mix"]} == pytest.approx(
        {"web": 0.5, "web/Science": 0.2, "code": 0.2, "synthetic/exercises": 0.1}, abs=0.001
    )


def test_only_curated_train_and_verified_documents_enter(built: Workspace) -> None:
    for phase in ("general", "annealing"):
        for doc_id, origin in built.read("mixed_corpus", phase, "provenance").select("doc_id", "origin").unique().iter_rows():
            i = int(doc_id.removeprefix("e"), 16)
            if origin.startswith("synthetic/"):
                assert i % 4 != 0
            else:
                assert origin == "crawl"
                assert i % 5 != 0
                assert i % 11 != 0


def test_what_enters_is_the_final_text(built: Workspace) -> None:
    reader, sequences = tokenizer.load(built.path("tokenizer")), packing.load(built.path("mixed_corpus", "general", "tokens"))
    whole = "".join(reader.decode(row.tolist()) for row in sequences)
    used = {int(d, 16) for d in built.read("mixed_corpus", "general", "provenance")["doc_id"] if not d.startswith("e")}
    masked = [i for i in used if i % 7 == 0]
    assert masked
    assert not any(f"mail{i}@" in whole for i in masked if f"mail{i}@" not in "".join(text(j) for j in range(40)))
    assert "Write to <mail>." in whole


def test_another_sharding_gives_the_same_sequences(tmp_path, built: Workspace) -> None:
    other = {"web-2/b": list(range(119, 29, -1)), "web-2/a": list(range(30)), "code-9/0": list(range(159, 119, -1))}
    again = build(fill(Lake(tmp_path), other))
    assert again.version("tokenizer") == built.version("tokenizer")
    for phase in ("general", "annealing"):
        ours, theirs = (w.path("mixed_corpus", phase, "tokens").read_bytes() for w in (built, again))
        assert ours == theirs
        assert again.version("mixed_corpus", phase) == built.version("mixed_corpus", phase)


def test_made_twice_it_has_the_same_version(tmp_path, built: Workspace) -> None:
    assert versions(build(fill(Lake(tmp_path), dict(reversed(SHARDS.items()))))) == versions(built)


def test_a_mix_that_cannot_be_met_fails_its_check(tmp_path) -> None:
    phase = {"tokens": 30_000, "mix": {"web": 0.2, "code": 0.8}, "max_epochs": 2.0}
    recipe = RECIPE.model_copy(update={"corpus": RECIPE.corpus.model_validate({"sequence_length": 31, "phases": {"general": phase}})})
    outcome = corpus.realised_mix(build(fill(Lake(tmp_path), SHARDS, recipe)))
    assert not outcome.passed
    assert {row["key"]: row["epochs"] for row in outcome.metadata["mix"]} == {"code": 2, "web": 1}
    assert all(row["budget filled"] < 0.5 for row in outcome.metadata["mix"])


def test_a_held_out_document_fails_its_check(tmp_path) -> None:
    workspace = build(fill(Lake(tmp_path), SHARDS))
    splits = workspace.read("deduplicated_shards", "web-1/0", "splits").with_columns(split=pl.lit("test"))
    verdicts = workspace.read("deduplicated_shards", "web-1/0", "verdicts")
    workspace.store("deduplicated_shards", "web-1/0", Made({"verdicts": verdicts, "splits": splits}), "2")
    outcome = corpus.no_held_out_document(workspace)
    assert not outcome.passed
    assert outcome.metadata["documents"] > 0


def test_a_wrong_provenance_fails_its_check(tmp_path) -> None:
    workspace = build(fill(Lake(tmp_path), SHARDS))
    rows, tokens = workspace.read("mixed_corpus", "general"), workspace.path("mixed_corpus", "general", "tokens")
    workspace.store("mixed_corpus", "general", Made({"provenance": rows[1:]}, {"tokens": tokens}), "2")
    assert corpus.rebuilds(workspace).metadata["tokens without one source"] > 0
    swapped = packing.load(tokens)[::-1].copy()
    packing.save(swapped, tmp_path / "tokens.npy")
    workspace.store("mixed_corpus", "general", Made({"provenance": rows}, {"tokens": tmp_path / "tokens.npy"}), "3")
    outcome = corpus.rebuilds(workspace)
    assert not outcome.passed
    assert outcome.metadata["wrong"]
