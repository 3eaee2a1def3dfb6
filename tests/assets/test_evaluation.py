"""quantized_variants and eval_reports: partitions, what they depend on, what they store, and checks that can fail."""

import importlib.util
import re
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from assets import evaluation as assets_evaluation
from assets import quantization as assets_quantization
from gristmill.evaluation import baselines, bits_per_byte, documents, samples
from gristmill.lake.workspace import Made, Workspace
from gristmill.quantization import rtn
from gristmill.recipe import Model, Recipe

spec = importlib.util.spec_from_file_location(
    "generated_lake", Path(__file__).parents[1] / "gristmill" / "evaluation" / "generated_lake.py"
)
generated_lake = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generated_lake)


def make_all(workspace: Workspace) -> Workspace:
    for key in assets_quantization.variants(workspace.recipe):
        workspace.store("quantized_variants", key, assets_quantization.make_quantized_variants(workspace, key), "1")
    for key in assets_evaluation.reports(workspace.recipe):
        workspace.store("eval_reports", key, assets_evaluation.make_eval_reports(workspace, key), "1")
    return workspace


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Workspace:
    """A decoder that has learned a little, its variants and reports. Read only."""
    return make_all(generated_lake.generated(tmp_path_factory.mktemp("trained") / "lake", train_steps=150))


def test_the_versions_are_those_of_the_methods():
    assert assets_quantization.METHOD_VERSION == rtn.VERSION
    assert ".".join(module.VERSION for module in (documents, bits_per_byte, baselines, samples)) == assets_evaluation.METHOD_VERSION


def test_partitions_and_what_they_depend_on():
    recipe = Recipe(models={"small": Model(), "other": Model()})
    everything = [*assets_quantization.quantization_assets(recipe), *assets_evaluation.evaluation_assets(recipe)]
    models = dg.StaticPartitionsDefinition(["other", "small"])
    stubs = [
        dg.AssetSpec("checkpoints", partitions_def=models),
        dg.AssetSpec("mixed_corpus", partitions_def=dg.StaticPartitionsDefinition(["general"])),
    ]
    shards = dg.DynamicPartitionsDefinition(name="shards")
    read = ("curated_shards", "deduplicated_shards", "documents", "edits", "repeated_spans")
    stubs += [dg.AssetSpec(name, partitions_def=shards) for name in read]
    resources = {name: dg.ResourceDefinition.none_resource() for name in ("lake", "workers")}
    graph = dg.Definitions([*stubs, dg.AssetSpec("tokenizer"), *everything], resources=resources).resolve_asset_graph()

    def parents(key: str, partition: str) -> set[tuple[str, str]]:
        node, found = graph.get(dg.AssetKey(key)), set()
        for parent in ("checkpoints", "quantized_variants"):
            if dg.AssetKey(parent) not in node.parent_keys:
                continue
            mapping = graph.get_partition_mapping(dg.AssetKey(key), dg.AssetKey(parent))
            subset = node.partitions_def.subset_with_partition_keys([partition])
            upstream = graph.get(dg.AssetKey(parent)).partitions_def
            result = mapping.get_upstream_mapped_partitions_result_for_partitions(subset, node.partitions_def, upstream)
            assert result.required_but_nonexistent_subset.is_empty
            found |= {(parent, each) for each in result.partitions_subset.get_partition_keys()}
        return found

    assert parents("quantized_variants", "small/w4") == {("checkpoints", "small")}
    assert parents("eval_reports", "small/w4") == {("checkpoints", "small"), ("quantized_variants", "small/w4")}
    assert parents("eval_reports", "other/float") == {("checkpoints", "other")}  # the float model has no variant
    assert assets_evaluation.reports(recipe)[:4] == ["other/float", "other/w8", "other/w4", "other/w2"]


def test_what_a_report_holds(trained: Workspace):
    scores = trained.read("eval_reports", "small/float", "eval_scores")
    assert set(scores["metric"]) == {"bits_per_byte", "uniform_bytes", "uniform_tokens", "unigram"}
    assert set(scores["domain"]) == {"web", "code", "all"}
    assert scores.filter(pl.col("metric") == "uniform_bytes")["value"].to_list() == [8.0] * 3
    values = dict(scores.filter(pl.col("metric") == "bits_per_byte").select("domain", "value").iter_rows())
    assert 0 < values["all"] < 4
    texts = trained.read("eval_reports", "small/w4", "samples")
    assert texts["prompt"].to_list() == sorted(trained.recipe.evaluation.prompts)


def test_fewer_bits_cost_more(trained: Workspace):
    increases = {
        scheme: trained.scan("eval_reports", f"small/{scheme}", "eval_scores")
        .filter((pl.col("metric") == "relative_increase") & (pl.col("domain") == "all"))
        .collect()["value"][0]
        for scheme in ("w8", "w4", "w2")
    }
    assert abs(increases["w8"]) < 0.005 < increases["w2"] and increases["w8"] < increases["w4"] < increases["w2"]


def test_scores_are_remembered_by_weights_and_text(trained: Workspace):
    chosen, weights = documents.held_out(trained), trained.path("checkpoints", "small") / "model.safetensors"
    _, config = assets_evaluation._decoder(trained, "small")
    found = assets_evaluation._scored(trained, "nobody", None, config, weights, chosen)  # no decoder is needed
    table = bits_per_byte.bits_per_byte(found)
    stored = trained.read("eval_reports", "small/float").filter(pl.col("metric") == "bits_per_byte")
    assert table.sort("domain")["value"].to_list() == stored.sort("domain")["value"].to_list()


def test_the_same_without_what_was_remembered(trained: Workspace):
    trained.cache("evaluation").path.unlink()
    again = assets_evaluation.make_eval_reports(trained, "small/w8")
    assert (
        again.tables["eval_scores"]
        .sort("metric", "domain")
        .equals(trained.read("eval_reports", "small/w8", "eval_scores").sort("metric", "domain"))
    )


def test_every_check_passes(trained: Workspace):
    assert assets_evaluation.every_domain_held_out(trained).passed
    assert assets_evaluation.beats_unigram(trained).passed
    assert assets_evaluation.quantization_bound(trained).passed
    assert assets_quantization.smaller_and_close(trained).passed
    shown = {row["scheme"]: row["bound"] for row in assets_evaluation.quantization_bound(trained).metadata["variants"]}
    assert shown == {"w2": "reported only", "w4": 0.15, "w8": 0.01}


def with_scores(trained: Workspace, root: Path, metric: str, change: pl.Expr) -> Workspace:
    """A workspace whose reports are `trained`'s with one metric changed."""
    broken = Workspace(type(trained.lake)(root), trained.recipe)
    for key in trained.partitions("eval_reports"):
        scores = trained.read("eval_reports", key, "eval_scores").with_columns(
            value=pl.when(pl.col("metric") == metric).then(change).otherwise(pl.col("value"))
        )
        broken.store("eval_reports", key, Made({"eval_scores": scores}), "1")
    return broken


def test_a_model_that_has_not_learned_fails(trained: Workspace, tmp_path: Path):
    broken = with_scores(trained, tmp_path, "bits_per_byte", pl.when(pl.col("domain") == "web").then(9.0).otherwise(pl.col("value")))
    assert not assets_evaluation.beats_unigram(broken).passed


def test_a_variant_that_lost_too_much_fails(trained: Workspace, tmp_path: Path):
    assert not assets_evaluation.quantization_bound(with_scores(trained, tmp_path, "relative_increase", pl.lit(0.2))).passed


def test_a_domain_without_documents_fails(trained: Workspace, tmp_path: Path):
    lonely = generated_lake.generated(tmp_path / "lake")
    lonely.store(
        "eval_reports",
        "small/float",
        Made({"eval_scores": trained.read("eval_reports", "small/float").filter(pl.col("domain") != "code")}),
        "1",
    )
    check = assets_evaluation.every_domain_held_out(lonely)
    assert not check.passed and check.metadata == {"domains without a held-out document": "code"}


def test_a_variant_of_the_wrong_size_fails(trained: Workspace, tmp_path: Path):
    for change in ({"bits_per_quantized_weight": 9.0}, {"relative_error": 0.9}, {"bytes_after": 10**9}, {"layers": 0}):
        broken = Workspace(type(trained.lake)(tmp_path / next(iter(change))), trained.recipe)
        metadata = trained.metadata("quantized_variants", "small/w4") | change
        broken.store(
            "quantized_variants", "small/w4", Made(files={"model": trained.path("quantized_variants", "small/w4")}, metadata=metadata), "1"
        )
        assert not assets_quantization.smaller_and_close(broken).passed, change


def test_importing_the_assets_does_not_import_torch():
    for module in (assets_evaluation, assets_quantization):
        source = Path(module.__file__).read_text()
        assert not re.search(
            r"^(import torch|from gristmill\.(quantization|model\.export|evaluation\.(bits|base|samples)))", source, re.MULTILINE
        )
