"""eval_reports: bits per byte by domain and samples of every model and variant. What needs torch is imported when a report is made."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from assets.corpus import phases
from assets.materialize import made_asset
from assets.quantization import variants
from gristmill.corpus import packing, tokenizer
from gristmill.evaluation.documents import domains, held_out
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.hashing import file_hash
from gristmill.lake.workspace import Check, Made, Partition, Workspace
from gristmill.recipe import Recipe

if TYPE_CHECKING:
    from gristmill.model.config import Config
    from gristmill.model.decoder import Decoder

FLOAT = "float"
METHOD_VERSION = "1.2.1.1"  # of documents, bits_per_byte, baselines and samples, which import torch; a test holds them equal


def make_eval_reports(workspace: Workspace, partition: Partition) -> Made:
    from gristmill.evaluation import baselines, bits_per_byte, samples
    from gristmill.quantization import rtn

    assert partition is not None
    recipe = workspace.recipe
    name, scheme = partition.rsplit("/", 1)
    reader = tokenizer.load(workspace.path("tokenizer"))
    documents = held_out(workspace)
    with bits_per_byte.fixed_threads(recipe.training.threads):
        decoder, config = _decoder(workspace, name)
        scores = _scored(
            workspace, f"{name} {FLOAT}", decoder, config, workspace.path("checkpoints", name) / "model.safetensors", documents
        )
        if scheme == FLOAT:
            counts = baselines.count_tokens(
                (packing.load(workspace.path("mixed_corpus", phase, "tokens")) for phase in phases(recipe)), reader.vocab_size
            )
            others = baselines.baseline_scores(documents, counts, reader.encode)
        else:
            reference, folder = scores, workspace.path("quantized_variants", partition)
            decoder = rtn.load_quantized(folder)
            scores = _scored(workspace, partition, decoder, config, folder / "quantized.safetensors", documents)
            others = bits_per_byte.relative_increase(scores, reference)
        texts = samples.samples(decoder, reader, recipe.evaluation.prompts, recipe.evaluation.sample_tokens, config.context)
    table = pl.concat([bits_per_byte.bits_per_byte(scores), others]).with_columns(model=pl.lit(name), scheme=pl.lit(scheme))
    overall = table.filter(pl.col("domain") == bits_per_byte.ALL)
    return Made(
        {
            "eval_scores": table.select(*CONTRACTS["eval_scores"].schema),
            "samples": texts.with_columns(model=pl.lit(name), scheme=pl.lit(scheme)).select(*CONTRACTS["samples"].schema),
            "document_scores": bits_per_byte.by_document(scores, documents)
            .with_columns(model=pl.lit(name), scheme=pl.lit(scheme))
            .select(*CONTRACTS["document_scores"].schema),
        },
        metadata={
            **{row["metric"].replace("_", " "): row["value"] for row in overall.iter_rows(named=True)},
            "documents": documents.height,
            "bytes": int(documents["n_bytes"].sum()),
            "by domain": table.filter(pl.col("metric") == "bits_per_byte").select("domain", "value", "low", "high", "documents").to_dicts(),
            "samples": texts.to_dicts(),
        },
    )


def _decoder(workspace: Workspace, name: str) -> "tuple[Decoder, Config]":
    from gristmill.model import export

    return export.load(workspace.path("checkpoints", name, "model"))


def _scored(workspace: Workspace, what: str, decoder: "Decoder", config: "Config", weights: Path, documents: pl.DataFrame) -> pl.DataFrame:
    """(doc_id, domain, n_bytes, nats). Remembered by weights, tokenizer and text: a variant's report needs the float model's too."""
    from gristmill.evaluation import bits_per_byte

    reader = tokenizer.load(workspace.path("tokenizer"))
    cache = workspace.cache("evaluation")
    made_by = " ".join(
        [
            bits_per_byte.VERSION,
            file_hash(weights),
            file_hash(workspace.path("tokenizer") / "tokenizer.json"),
            str(workspace.recipe.training.threads),
            str(config.to_json()),
        ]
    )
    texts = documents["text"].to_list()
    keys = [hashlib.blake2b(f"{made_by}\0{text}".encode(), digest_size=16).hexdigest() for text in texts]
    known = {key: float(value) for key, value in cache.get_many(keys).items()}
    missing = [at for at, key in enumerate(keys) if key not in known]
    if missing:
        nats = bits_per_byte.score(
            decoder, reader.encode, [texts[at] for at in missing], config.context, reader.end_of_text, reader.pad, what
        )
        found = {keys[at]: float(value) for at, value in zip(missing, nats, strict=True)}
        cache.put_many({key: repr(value).encode() for key, value in found.items()})
        known |= found
    return documents.select("doc_id", "domain", "n_bytes", nats=pl.Series([known[key] for key in keys], dtype=pl.Float64))


def _scores(workspace: Workspace) -> pl.DataFrame:
    """The scores of every report of a variant that the recipe still asks for."""
    keys = [key for key in reports(workspace.recipe) if workspace.has("eval_reports", key)]
    return pl.concat([workspace.read("eval_reports", key, "eval_scores") for key in keys] or [CONTRACTS["eval_scores"].empty()])


def every_domain_held_out(workspace: Workspace) -> Check:
    scored = set(_scores(workspace).filter(pl.col("metric") == "bits_per_byte")["domain"])
    missing = [domain for domain in domains(workspace) if domain not in scored]
    return Check(
        not missing,
        {"domains without a held-out document": ", ".join(missing) or "none"},
        "every source with curated documents has test documents; split.test sets their share",
    )


def beats_unigram(workspace: Workspace) -> Check:
    scores = _scores(workspace).filter(pl.col("scheme") == FLOAT)
    both = scores.filter(pl.col("metric") == "bits_per_byte").join(
        scores.filter(pl.col("metric") == "unigram").select("model", "domain", unigram="value"), on=["model", "domain"], how="left"
    )
    worse = both.filter(~(pl.col("value") < pl.col("unigram")).fill_null(False))
    rows = both.select("model", "domain", "value", "unigram").sort("model", "domain").to_dicts()
    return Check(
        worse.is_empty(),
        {"bits per byte": rows},
        "the float model needs fewer bits per byte than a unigram model of its training tokens, on every domain",
    )


def quantization_bound(workspace: Workspace) -> Check:
    scores = _scores(workspace).filter((pl.col("metric") == "relative_increase") & (pl.col("domain") == "all"))
    bounds, rows, passed = workspace.recipe.quantization.max_loss_increase, [], True
    for row in scores.sort("model", "scheme").iter_rows(named=True):
        bound = bounds.get(row["scheme"].removeprefix("w"))
        passed &= bound is None or row["value"] <= bound
        rows.append(
            {"model": row["model"], "scheme": row["scheme"], "increase": row["value"], "bound": "reported only" if bound is None else bound}
        )
    return Check(passed, {"variants": rows}, "a variant's bits per byte stay within quantization.max_loss_increase of the float model's")


def reports(recipe: Recipe) -> list[str]:
    """`<model>/<scheme>` of every report: the float model and its variants."""
    return [key for model in sorted(recipe.models) for key in (f"{model}/{FLOAT}", *_of_model(variants(recipe), model))]


def _of_model(keys: list[str], model: str) -> list[str]:
    return [key for key in keys if key.rsplit("/", 1)[0] == model]


def evaluation_assets(recipe: Recipe) -> list[dg.AssetsDefinition]:
    everything = dg.AllPartitionMapping()
    by_model = dg.StaticPartitionMapping({model: {*_of_model(reports(recipe), model)} for model in sorted(recipe.models)})
    by_variant = dg.StaticPartitionMapping({key: key for key in variants(recipe)})
    return [
        made_asset(
            recipe,
            "eval_reports",
            group="evaluation",
            make=make_eval_reports,
            partitions=dg.StaticPartitionsDefinition(reports(recipe)),
            deps=[
                ("checkpoints", by_model),
                ("quantized_variants", by_variant),
                ("mixed_corpus", everything),
                "tokenizer",
                *((name, everything) for name in ("curated_shards", "deduplicated_shards", "documents", "edits", "repeated_spans")),
            ],
            version=METHOD_VERSION,
            sections=["evaluation", "sources.groups", "training.threads", "quantization.max_loss_increase"],  # the last for its check
            kinds={"pytorch", "parquet"},
            checks={
                "every_domain_held_out": every_domain_held_out,
                "beats_unigram": beats_unigram,
                "quantization_bound": quantization_bound,
            },
            description="Bits per byte by domain on held-out documents with 95% intervals, the increase over the float model, baselines, "
            "and samples for fixed prompts.",
        )
    ]
