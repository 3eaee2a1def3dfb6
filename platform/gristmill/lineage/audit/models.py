"""Claims about models: what a checkpoint was trained on, its weights, its variants, and what reports measured.

What needs torch is imported when a model is looked at.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gristmill.corpus import packing, tokenizer
from gristmill.evaluation.documents import held_out
from gristmill.lake.hashing import file_hash, text_hash
from gristmill.lake.workspace import Workspace
from gristmill.lineage.audit.scope import Finding, NotRecomputed, Scope, differing
from gristmill.model import config as network
from gristmill.recipe import PHASES
from gristmill.training import ledger
from gristmill.training.schedule import Schedule

BATCHES = "checkpoints saw the corpus, each sequence once"
RUNS = "runs are of this corpus, recipe and code"
WEIGHTS = "weights give the loss that was recorded"
VARIANTS = "variants are their checkpoint's"
DOCUMENTS = "reports are of the held-out documents"
REPORTS = "reports measure what they say"
LARGE = 1 << 30  # bytes of weights from which a sampled audit leaves models alone
RESCORED = 2  # documents of a report
CLOSE = 1e-3  # relative: sums on another machine are other sums
LOSS_BATCHES = 4  # as `checkpoints` measures it
FLOAT = "float"


def checkpoints(scope: Scope) -> Iterator[Finding]:
    for name in _made(scope, "checkpoints"):
        yield scope.check(BATCHES, f"checkpoints[{name}]", lambda n=name: _batches(scope, n))  # type: ignore[misc]
        yield scope.check(RUNS, f"checkpoints[{name}]", lambda n=name: _run(scope, n))  # type: ignore[misc]
        yield scope.check(WEIGHTS, f"checkpoints[{name}]", lambda n=name: _weights(scope, n))  # type: ignore[misc]


def _batches(scope: Scope, name: str) -> tuple[str, str]:
    """The batches are those that the seed orders, over all sequences of the corpus, and the log has a row of each step."""
    lake, model = scope.as_read("checkpoints", name), scope.workspace.recipe.models.get(name)
    if model is None:
        raise NotRecomputed("the recipe has no such model any more")
    sizes = tuple((phase, len(each)) for phase, each in _sequences(lake).items())
    schedule = Schedule(sizes, lake.recipe.training, model.seed)
    again = ledger.batches(name, schedule)
    if problem := differing(scope.workspace.read("checkpoints", name, "batches"), again, ["model", "step", "slot"]):
        return f"batches: {problem}", ""
    log = scope.workspace.read("checkpoints", name, "training_log").sort("step")
    expected = [(name, step, schedule.batch(step)[0], round(schedule.rate(step), 12)) for step in range(schedule.steps)]
    if log.select("model", "step", "phase", "learning_rate").rows() != expected:
        return f"the training log ({log.height} rows) is not that of {schedule.steps} steps at the scheduled rates", ""
    return "", f"{schedule.steps} steps over {sum(size for _, size in sizes)} sequences"


def _run(scope: Scope, name: str) -> tuple[str, str]:
    """The run's own record: its sources hash to what it says, and its fingerprint (shapes, section, seed, data, code) comes out."""
    lake, folder = scope.as_read("checkpoints", name), scope.workspace.path("checkpoints", name, "run")
    record = json.loads((folder / "run.json").read_text())
    code = _source_hash(folder / "code")
    if code != record["source_hash"]:
        return f"the code beside it hashes to {code}, the run says {record['source_hash']}", ""
    said = record["configuration"]
    model = lake.recipe.models.get(name)
    if model is None:
        raise NotRecomputed("the recipe has no such model any more")
    for section, value in {"model": model.model_dump(), "training": lake.recipe.training.model_dump()}.items():
        if json.loads(json.dumps(value)) != said[section]:
            return f"the run had another [{section}] than the recipe that it was made under", ""
    sequences, reader = _sequences(lake), tokenizer.load(lake.path("tokenizer"))
    context = max(array.shape[1] for array in sequences.values()) - 1
    shapes = network.Config.of(model, reader.vocab_size, context, reader.end_of_text, reader.pad)
    if json.loads(json.dumps(shapes.to_json())) != said["shapes"]:
        return "the run had other shapes than recipe and tokenizer give", ""
    if said["fingerprint"] not in _fingerprints(shapes, lake, model.seed, record, sequences):
        return "the run's fingerprint is not that of this corpus, recipe and code: it saw other sequences", ""
    return "", f"{len(said['fingerprint'])} digits over {sum(array.size for array in sequences.values())} tokens, code {code}"


def _fingerprints(
    shapes: network.Config, lake: Workspace, seed: int, record: Mapping[str, Any], sequences: Mapping[str, np.ndarray]
) -> set[str]:
    """`training.loop.Run.fingerprint` for the devices on which it may have run."""
    import torch

    found = set()
    for version in {torch.__version__, record["packages"]["torch"]}:
        for cuda in (False, True):
            digest = hashlib.blake2b(digest_size=16)
            made_by = [record["source_hash"], version, cuda]
            digest.update(json.dumps([shapes.to_json(), lake.recipe.training.model_dump(), seed, made_by], sort_keys=True).encode())
            for phase, array in sequences.items():
                digest.update(f"{phase} {array.shape} {array.dtype}".encode())
                digest.update(np.ascontiguousarray(array).data)
            found.add(digest.hexdigest())
    return found


def _source_hash(folder: Path) -> str:
    """`ledger.source_hash` of the sources that were stored beside a run."""
    digest = hashlib.blake2b(digest_size=8)
    for room in ledger.ROOMS:
        for path in sorted((folder / room).glob("*.py")):
            digest.update(f"{path.parent.name}/{path.name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _weights(scope: Scope, name: str) -> tuple[str, str]:
    """The run's last batches again, under the weights that are stored: another model's give another loss."""
    _small(scope, "checkpoints", name)
    from gristmill.model import export
    from gristmill.training import loop

    lake, model = scope.as_read("checkpoints", name), scope.workspace.recipe.models.get(name)
    if model is None:
        raise NotRecomputed("the recipe has no such model any more")
    decoder, config = export.load(scope.workspace.path("checkpoints", name, "model"))
    recorded = scope.workspace.metadata("checkpoints", name)
    if config.parameters != recorded["parameters"]:
        return f"{config.parameters:,} weights are stored, {recorded['parameters']:,} were trained", ""
    with tempfile.TemporaryDirectory() as folder:
        run = loop.Run(name, config, lake.recipe.training, _sequences(lake), model.seed, Path(folder))
        (loss,) = run.losses([decoder.state_dict()], LOSS_BATCHES)
    said = float(recorded["loss averaged"])
    problem = (
        ""
        if _close(loss, said)
        else f"on its last batches they give {loss:g} nats per token, {said:g} were recorded: these are other weights"
    )
    return problem, f"{config.parameters:,} weights, {loss:g} nats per token on the last {LOSS_BATCHES} batches"


def variants(scope: Scope) -> Iterator[Finding]:
    for key in _made(scope, "quantized_variants"):
        yield scope.check(VARIANTS, f"quantized_variants[{key}]", lambda k=key: _variant(scope, k))  # type: ignore[misc]


def _variant(scope: Scope, key: str) -> tuple[str, str]:
    """Made again from the checkpoint that it was made from: file by file the same."""
    model, scheme = key.rsplit("/", 1)
    lake = scope.as_read("quantized_variants", key)
    _small(scope, "checkpoints", model)
    from gristmill.quantization import rtn

    stored = scope.workspace.path("quantized_variants", key, "model")
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / "model"
        rtn.quantize(lake.path("checkpoints", model, "model"), int(scheme.removeprefix("w")), lake.recipe.quantization.group_size, again)
        names = sorted({path.name for place in (stored, again) for path in place.iterdir()})
        other = [
            name
            for name in names
            if not (stored / name).exists() or not (again / name).exists() or file_hash(stored / name) != file_hash(again / name)
        ]
    return f"made again from {model}, other files come out: {', '.join(other)}" if other else "", f"{len(names)} files made again"


def reports(scope: Scope) -> Iterator[Finding]:
    texts: dict[str, pl.DataFrame] = {}
    for key in _made(scope, "eval_reports"):
        yield scope.check(DOCUMENTS, f"eval_reports[{key}]", lambda k=key: _documents(scope, k, texts))  # type: ignore[misc]
        yield scope.check(REPORTS, f"eval_reports[{key}]", lambda k=key: _report(scope, k, texts))  # type: ignore[misc]


def _documents(scope: Scope, key: str, texts: dict[str, pl.DataFrame]) -> tuple[str, str]:
    scored, documents = _scored(scope, key), _held_out(scope, key, texts)
    hashes = documents["text"].map_elements(text_hash, return_dtype=pl.String)
    again = documents.select("doc_id", "domain", "n_bytes").with_columns(text_hash=hashes)
    return differing(scored.select(again.columns), again, ["doc_id"]), f"{again.height} documents, {int(again['n_bytes'].sum())} bytes"


def _report(scope: Scope, key: str, texts: dict[str, pl.DataFrame]) -> tuple[str, str]:
    """The table follows from the documents' scores, and a few of these from the weights."""
    name, scheme = key.rsplit("/", 1)
    lake, scored = scope.as_read("eval_reports", key), _scored(scope, key)
    _small(scope, "checkpoints", name)
    from gristmill.evaluation import bits_per_byte

    stored, tables = scope.workspace.read("eval_reports", key, "eval_scores"), [bits_per_byte.bits_per_byte(scored)]
    if scheme != FLOAT:
        tables.append(bits_per_byte.relative_increase(scored, _scored(scope, f"{name}/{FLOAT}")))
    again = pl.concat(tables).with_columns(model=pl.lit(name), scheme=pl.lit(scheme)).select(stored.columns)
    if scored.is_empty() and stored.height:
        return f"{stored.height} numbers are stored, and the score of no document", ""
    ours = stored.filter(pl.col("metric").is_in(again["metric"].unique().implode()))
    if problem := differing(ours, again, ["model", "scheme", "metric", "domain"]):
        return problem, ""
    documents = _held_out(scope, key, texts)
    documents = documents.filter(pl.col("doc_id").is_in(scope.some(documents["doc_id"], RESCORED)))
    nats = _nats(lake, name, scheme, documents)
    for (doc_id, said), found in zip(documents.join(scored, on="doc_id").select("doc_id", "nats").iter_rows(), nats, strict=True):
        if not _close(said, float(found)):
            return f"{doc_id} is recorded with {said:g} nats, the stored weights give {found:g}: the report is of other weights", ""
    return "", f"{again.height} numbers from {scored.height} documents, {documents.height} of them scored again"


def _nats(lake: Workspace, name: str, scheme: str, documents: pl.DataFrame) -> np.ndarray:
    from gristmill.evaluation import bits_per_byte
    from gristmill.model import export
    from gristmill.quantization import rtn

    reader = tokenizer.load(lake.path("tokenizer"))
    decoder, config = export.load(lake.path("checkpoints", name, "model"))
    if scheme != FLOAT:
        decoder = rtn.load_quantized(lake.path("quantized_variants", f"{name}/{scheme}"))
    with bits_per_byte.fixed_threads(lake.recipe.training.threads):
        return bits_per_byte.score(decoder, reader.encode, documents["text"].to_list(), config.context, reader.end_of_text, reader.pad)


def _scored(scope: Scope, key: str) -> pl.DataFrame:
    output = scope.workspace.output("eval_reports", key)
    if "document_scores" not in output.tables:
        raise NotRecomputed("an earlier version made it, which kept no score of each document")
    return scope.workspace.read("eval_reports", key, "document_scores").sort("doc_id")


def _held_out(scope: Scope, key: str, texts: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The documents that were chosen when the report was made; those of the last one where it read the same."""
    read = {name: scope.outputs["eval_reports", key].read.get(name) for name in ("curated_shards", "deduplicated_shards", "documents")}
    made_from = json.dumps(read, sort_keys=True)
    if made_from not in texts:
        texts[made_from] = held_out(scope.as_read("eval_reports", key)).sort("doc_id")
    return texts[made_from]


def _small(scope: Scope, asset: str, partition: str) -> None:
    size = scope.workspace.output(asset, partition).files["model"].bytes
    if scope.documents is not None and size > LARGE:
        raise NotRecomputed(f"{size / LARGE:.1f} GiB of weights; `gristmill audit --full` does")


def _sequences(lake: Workspace) -> dict[str, np.ndarray]:
    made = lake.partitions("mixed_corpus")
    return {phase: packing.load(lake.path("mixed_corpus", phase, "tokens")) for phase in PHASES if phase in made}


def _made(scope: Scope, asset: str) -> list[str]:
    return sorted(str(output.partition) for output in scope.of(asset) if output.partition)


def _close(one: float, other: float) -> bool:
    return abs(one - other) <= CLOSE * max(abs(one), abs(other), 1e-9)
