"""A diff says what differs, in numbers that a comparison by hand gives too."""

import importlib.util
import io
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.workspace import Made, Workspace
from gristmill.lineage.builds.builds import Origin, record
from gristmill.lineage.diff.diff import Diff, Side
from gristmill.lineage.diff.documents import GONE, NEW
from gristmill.lineage.diff.page import diff_page
from gristmill.lineage.diff.terminal import print_build, print_builds, print_diff
from gristmill.lineage.plan.plan import Recorded
from gristmill.recipe import Recipe

spec = importlib.util.spec_from_file_location("generated_lake", Path(__file__).parents[2] / "evaluation" / "generated_lake.py")
generated_lake = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generated_lake)

A, B, CODE = "docs-1/a", "docs-1/b", "stdlib/a"
JUDGES = ("filtered_shards", "deduplicated_shards", "curated_shards")
DOCUMENTS = 24  # scored in each build


def recorded(workspace: Workspace, origin: Origin):
    found: dict[str, dict[str | None, Recorded]] = {}
    for output in workspace.outputs():
        found.setdefault(output.asset, {})[output.partition] = Recorded(output.data_version, output.code_version, output.inputs)
    return record(workspace, found, origin, "quickstart", "text")


def store(workspace: Workspace, asset: str, partition: str | None, keep: bool = True, **tables: pl.DataFrame) -> None:
    """Replaces tables of a partition; files and the other tables stay as they are."""
    head = workspace.head(asset, partition)
    before = {name: workspace.read(asset, partition, name) for name in head.tables} if head and keep else {}
    files = {name: workspace.lake.local_path(stored) for name, stored in head.files.items()} if head and keep else {}
    workspace.store(asset, partition, Made(before | tables, files, metadata=head.metadata if head else {}), "2")


def dropped(verdicts: pl.DataFrame, doc_ids: list[str], rule: str) -> pl.DataFrame:
    goes = pl.col("doc_id").is_in(doc_ids)
    return verdicts.with_columns(
        kept=pl.col("kept") & ~goes,
        first_rule=pl.when(goes).then(pl.lit(rule)).otherwise("first_rule"),
        value=pl.when(goes).then(1.0).otherwise("value"),
        threshold=pl.when(goes).then(2.0).otherwise("threshold"),
    )


def back(verdicts: pl.DataFrame, doc_ids: list[str]) -> pl.DataFrame:
    comes = pl.col("doc_id").is_in(doc_ids)
    return verdicts.with_columns(
        kept=pl.col("kept") | comes,
        **{name: pl.when(comes).then(None).otherwise(name) for name in ("first_rule", "value", "threshold")},
        fired=pl.when(comes).then(pl.lit([], pl.List(pl.String))).otherwise("fired"),
    )


def scored(seed: int, scheme: str, better: float) -> pl.DataFrame:
    """`document_scores` of 24 documents in two domains: hard for every model alike, and a little luck."""
    hard, luck = np.random.default_rng(1), np.random.default_rng([seed, len(scheme)])
    n_bytes = hard.integers(200, 900, DOCUMENTS)
    nats = n_bytes * (hard.normal(1.5, 0.3, DOCUMENTS) + luck.normal(0, 0.01, DOCUMENTS) - better + (scheme != "float") * 0.05)
    rows = {
        "model": "small",
        "scheme": scheme,
        "doc_id": [f"{n:032x}" for n in range(DOCUMENTS)],
        "domain": ["web" if n % 3 else "code" for n in range(DOCUMENTS)],
        "text_hash": [f"{n:032x}" for n in range(DOCUMENTS)],
        "n_bytes": n_bytes,
        "nats": nats.round(6),
    }
    return pl.DataFrame(rows, schema=CONTRACTS["document_scores"].schema)


def evaluate(workspace: Workspace, seed: int, better: float) -> None:
    from gristmill.evaluation import bits_per_byte

    float_scores = scored(seed, "float", better)
    for scheme in ("float", "w4"):
        table = scored(seed, scheme, better)
        parts = [bits_per_byte.bits_per_byte(table)]
        if scheme != "float":
            parts.append(bits_per_byte.relative_increase(table, float_scores))
        scores = pl.concat(parts).with_columns(model=pl.lit("small"), scheme=pl.lit(scheme)).select(*CONTRACTS["eval_scores"].schema)
        workspace.store("eval_reports", f"small/{scheme}", Made({"eval_scores": scores, "document_scores": table}), "2")


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Workspace:
    workspace = generated_lake.generated(tmp_path_factory.mktemp("diff") / "lake")
    evaluate(workspace, 1, 0.0)
    return workspace


EDITED = {
    "policy": {"except_sources": {"gopher.stop_words": ["code"]}, "thresholds": {"gopher.word_count_min": 60}},
    "training": {"threads": 1, "learning_rate": 1e-3},
}


@pytest.fixture(scope="module")
def diff(lake) -> Diff:
    """Two builds: in the second three documents of `a` went and one came back, one moved between shards, a shard is new."""
    for code, algorithm in (("1", "7"), ("2", "8")):
        lake.record_code("filtered_shards", code, algorithm, [])
    first = recorded(lake, Origin("miller@mill", "a" * 40, "3.11", {"polars": "1.0", "numpy": "2.0"}))
    edited = Workspace(lake.lake, Recipe.model_validate({**generated_lake.RECIPE.model_dump(), **EDITED}))
    kept = lake.scan("curated_shards", A).filter("kept").collect()["doc_id"].to_list()
    lost = lake.scan("curated_shards", A).filter(pl.col("first_rule") == "gopher.word_count_min").collect()["doc_id"].to_list()
    for asset in JUDGES:
        verdicts = back(dropped(lake.read(asset, A, "verdicts"), kept[:2], "gopher.word_count_min"), lost[:1])
        store(edited, asset, A, verdicts=dropped(verdicts, kept[2:3], "dedup.near"))
    new_shard(edited)
    train(edited)
    evaluate(edited, 2, 0.1)
    second = recorded(edited, Origin("miller@mill", "b" * 40 + "+", "3.11", {"polars": "1.1", "numpy": "2.0"}))
    return Diff(Side.of_build(lake.lake, first), Side.of_build(lake.lake, second))


def new_shard(workspace: Workspace) -> None:
    """`docs-2/a`: two new pages, and a third that the code's shard held until now."""
    code = workspace.scan("curated_shards", CODE).filter("kept").collect()["doc_id"].to_list()
    for asset in JUDGES:
        store(workspace, asset, CODE, verdicts=dropped(workspace.read(asset, CODE, "verdicts"), code[:1], "dedup.same"))
    generated_lake._store_shard(workspace, "docs-2/a", [*generated_lake._texts("docs-2/a", 12)[9:11], (code[0], "said " * 90)])
    for asset in JUDGES:
        verdicts = workspace.read(asset, "docs-2/a", "verdicts")
        store(workspace, asset, "docs-2/a", verdicts=back(verdicts, verdicts["doc_id"].to_list()))


def train(workspace: Workspace) -> None:
    log = workspace.read("checkpoints", "small", "training_log").with_columns(pl.col("loss") * 0.9)
    provenance = workspace.read("mixed_corpus", "general", "provenance")
    tables = {"training_log": log, "batches": workspace.read("checkpoints", "small", "batches")}
    workspace.store("checkpoints", "small", Made(tables, {"model": workspace.path("tokenizer")}), "2")  # other weights, if no weights
    store(workspace, "mixed_corpus", "general", keep=False, provenance=provenance.filter(pl.col("sequence") < 40))


def kept_of(side: Side) -> dict[str, str]:
    """doc_id -> shard, by reading everything."""
    found = {}
    for shard in side.workspace.partitions("curated_shards"):
        for doc_id in side.workspace.scan("curated_shards", shard, "verdicts").filter("kept").collect()["doc_id"]:
            found[doc_id] = shard
    return found


def test_documents_in_and_out_are_those_of_a_brute_force_comparison(diff):
    before, after = kept_of(diff.old), kept_of(diff.new)
    documents = diff.documents
    assert (documents.kept_before, documents.kept_after) == (len(before), len(after))
    moved = {way: set(documents.moved.filter(pl.col("way") == way)["doc_id"]) for way in ("in", "out")}
    assert moved == {"in": after.keys() - before.keys(), "out": before.keys() - after.keys()}
    sources = Counter(diff.new.workspace.recipe.source_of(after[doc_id]) for doc_id in moved["in"])
    assert {row["name"]: row["in_documents"] for row in documents.by("source").to_dicts() if row["in_documents"]} == sources
    assert len(moved["in"]) == 3 and len(moved["out"]) == 3, "the page that moved to another shard did neither"


def test_every_document_has_its_reason(diff):
    reasons = {row["name"]: (row["in_documents"], row["out_documents"]) for row in diff.documents.by("reason").to_dicts()}
    assert reasons == {"gopher.word_count_min": (1, 2), NEW: (2, 0), "dedup.near": (0, 1)}
    turned = Diff(diff.new, diff.old).documents
    assert {row["name"]: (row["in_documents"], row["out_documents"]) for row in turned.by("reason").to_dicts()} == {
        "gopher.word_count_min": (2, 1),
        GONE: (0, 2),
        "dedup.near": (1, 0),
    }
    assert all(url.startswith("http://docs-") for urls in diff.documents.examples.values() for url in urls)


def test_bytes_and_tokens_are_summed(diff):
    moved = diff.documents.moved.filter(pl.col("way") == "out")
    sizes = dict(diff.old.workspace.read("documents", A, "documents").select("doc_id", "n_bytes").iter_rows())
    expected = sum(sizes[doc_id] for doc_id in moved["doc_id"])
    assert diff.documents.count("out", "bytes") == expected
    assert diff.documents.count("out", "tokens") == pytest.approx(expected / 3.0, abs=2)
    for by in ("reason", "source", "language", "topic"):
        table = diff.documents.by(by)
        assert table["out_bytes"].sum() == expected and table["out_documents"].sum() == 3


def test_the_corpus_adds_up(diff):
    for side, when in ((diff.old, "before"), (diff.new, "after")):
        for phase in ("general", "annealing"):
            provenance = side.workspace.read("mixed_corpus", phase, "provenance")
            row = diff.corpus.phases.filter(pl.col("phase") == phase).row(0, named=True)
            assert row[f"tokens_{when}"] == (provenance["end"] - provenance["start"]).sum()
            assert row[f"documents_{when}"] == provenance["doc_id"].n_unique()
    documents = [set(side.workspace.read("mixed_corpus", "general", "provenance")["doc_id"]) for side in (diff.old, diff.new)]
    row = diff.corpus.phases.filter(pl.col("phase") == "general").row(0, named=True)
    assert (row["in"], row["out"]) == (len(documents[1] - documents[0]), len(documents[0] - documents[1]))
    shares = diff.corpus.by("source").group_by("phase").agg(pl.col("share_after").sum())
    assert shares["share_after"].to_list() == pytest.approx([1.0, 1.0])


def test_the_recipe_is_compared_key_by_key(diff):
    assert [str(change) for change in diff.recipe] == [
        "policy.thresholds.gopher.word_count_min 50 -> 60",
        "training.learning_rate 0.002 -> 0.001",
    ]
    assert [str(change) for change in diff.algorithms] == ["filtered_shards 7 -> 7, 8"], "one shard was not made anew"
    assert [str(change) for change in diff.packages] == ["polars 1.0 -> 1.1"]
    assert (diff.shards.new, diff.shards.gone, diff.shards.changed) == (["docs-2/a"], [], [])


def test_scores_are_paired_by_document(diff):
    row = diff.scores.filter("headline").row(0, named=True)
    old, new = (scored(seed, "float", better) for seed, better in ((1, 0.0), (2, 0.1)))
    for value, table in ((row["old"], old), (row["new"], new)):
        assert value == pytest.approx(table["nats"].sum() / math.log(2) / table["n_bytes"].sum())
    assert (row["how"], row["documents"], row["more"]) == ("paired", DOCUMENTS, True)
    assert row["low"] < row["difference"] < row["high"] < 0
    increase = diff.scores.filter((pl.col("metric") == "relative_increase") & (pl.col("domain") == "all")).row(0, named=True)
    assert increase["how"] == "paired" and increase["old"] == pytest.approx(
        scored(1, "w4", 0.0)["nats"].sum() / old["nats"].sum() - 1, abs=1e-9
    )


def test_without_shared_documents_the_two_intervals_speak(diff, lake):
    other = Workspace(lake.lake, lake.recipe.model_copy(update={"namespace": "other"}))
    evaluate(other, 3, 0.0)
    table = other.read("eval_reports", "small/float", "document_scores").with_columns(text_hash=pl.lit("0" * 32))
    store(other, "eval_reports", "small/float", document_scores=table)
    row = Diff(diff.old, Side.of_present(other)).scores.filter("headline").row(0, named=True)
    assert (row["how"], row["more"]) == ("apart", False)


def test_few_documents_say_nothing(diff, lake):
    sides = []
    for namespace, better in (("f1", 0.0), ("f2", 0.5)):
        few = Workspace(lake.lake, lake.recipe.model_copy(update={"namespace": namespace}))
        evaluate(few, 1, better)
        few_scores = few.read("eval_reports", "small/float").with_columns(documents=pl.lit(5, pl.Int64))
        table = few.read("eval_reports", "small/float", "document_scores").head(5)
        store(few, "eval_reports", "small/float", eval_scores=few_scores, document_scores=table)
        sides.append(Side.of_present(few))
    said = Diff(*sides)
    row = said.scores.filter("headline").row(0, named=True)
    assert (row["how"], row["documents"], row["more"]) == ("paired", 5, False)
    assert "from 5 documents nobody can say" in said.sentences[1]
    other = Workspace(lake.lake, sides[1].workspace.recipe)
    table = other.read("eval_reports", "small/float", "document_scores").with_columns(text_hash=pl.lit("0" * 32))
    store(other, "eval_reports", "small/float", document_scores=table)
    said = Diff(sides[0], Side.of_present(other))
    assert said.scores.filter("headline")["p"].to_list() == [None] and "from 5 and 5 documents nobody" in said.sentences[1]


def test_seeds_tell_of_the_noise_between_runs(diff, lake):
    models = {name: {**lake.recipe.models["small"].model_dump(), "seed": seed} for name, seed in (("small", 1), ("twin", 2))}
    recipe = Recipe.model_validate({**lake.recipe.model_dump(), "models": models})
    sides = []
    for namespace, shift in (("s1", 0.0), ("s2", 0.001)):
        ours = Workspace(lake.lake, recipe.model_copy(update={"namespace": namespace}))
        for model, luck in (("small", 0.0), ("twin", 0.05)):
            scores = pl.DataFrame(
                [generated_lake._score("float", "bits_per_byte", "all", 2 + luck + shift, 0.1) | {"model": model}],
                schema=CONTRACTS["eval_scores"].schema,
            )
            ours.store("eval_reports", f"{model}/float", Made({"eval_scores": scores}), "1")
        sides.append(Side.of_present(ours))
    (found,) = Diff(*sides).seeds
    assert found["models"] == ["small", "twin"] and found["difference"] == pytest.approx(0.001) and found["p"] > 0.9
    assert diff.seeds == []


def test_the_sentence_says_what_changed_and_whether_it_is_noise(diff):
    what, judged, caution = diff.sentences
    assert what.startswith("quickstart/2 against quickstart/1: policy.thresholds.gopher.word_count_min 50 -> 60, training.learning_rate")
    assert "1 shard new; 3 documents in and 3 out of " in what
    assert "more than the noise of the held-out documents (randomisation test, p < 0.001, level 5%)" in judged
    assert caution.startswith("One run each")


def test_equal_builds_differ_in_nothing(diff):
    same = Diff(diff.old, diff.old)
    assert same.documents.moved.is_empty() and not same.recipe and not same.shards.new
    assert not same.scores["more"].any() and set(same.scores["difference"]) == {0.0}
    assert same.sentences[0].endswith("nothing that is recorded differs; the same documents, as many tokens to train on.")
    assert same.sentences[1] == "small has the same weights in both."


def printed(show, *arguments) -> str:
    out = io.StringIO()
    show(*arguments, Console(file=out, width=150))
    return out.getvalue()


def test_it_is_printed_as_text_json_and_a_page(diff):
    text = printed(print_diff, diff)
    for expected in (
        "gopher.word_count_min 50 -> 60",
        "Documents in and out",
        "dedup.near",
        "The mix",
        "-0.14",
        "more than the noise of the held-out",
        "two families",
    ):
        assert expected in text
    told = json.loads(json.dumps(diff.as_json()))
    assert told["documents"]["by"]["reason"][0]["name"] == "gopher.word_count_min" and told["level"] == 0.05
    assert "more than noise" not in text + json.dumps(told)
    page = diff_page(diff)
    assert "more than noise" not in page and "two families" in page
    assert "http-equiv" in page and "<script" not in page and "http-equiv" in page
    assert page.count("<svg") == 3 and "quickstart/2" in page and "dedup.near" in page


def test_builds_are_listed(diff):
    builds = [side.workspace.build for side in (diff.old, diff.new)]
    text = printed(print_builds, builds, {})
    assert text.index("quickstart/2") < text.index("quickstart/1") and "aaaaaaaaaa" in text and "bbbbbbbbbb+" in text
    assert "curated_shards" in printed(print_build, builds[1], None) and "with edits" in printed(print_build, builds[1], None)
