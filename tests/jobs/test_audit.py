"""The audit of a real graph: it holds, and each fault that is planted in a copy of the lake is found where it lies."""

import html
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner

from assets.graph import recipe_assets
from gristmill.corpus import packing
from gristmill.dedup.vectors import VectorTable
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Inputs, Made, Output, Workspace
from gristmill.lineage.audit import corpus as audit_corpus
from gristmill.lineage.audit import decisions as audit_decisions
from gristmill.lineage.audit import documents as audit_documents
from gristmill.lineage.audit import duplicates as audit_duplicates
from gristmill.lineage.audit import models as audit_models
from gristmill.lineage.audit import stored as audit_stored
from gristmill.lineage.audit.audit import audit, failures, summary
from gristmill.lineage.audit.scope import NOT_RECOMPUTED, Finding, Scope
from jobs.cli import main
from resources.audit_log import AuditLog
from resources.event_log import asset_key
from resources.plan_cache import CODE_VERSION, DATA_VERSION, INPUTS

RECORDED = frozenset({"codes", "heads", "index", "builds", "tables", "files", "crawls", "tombstones", "vectors"})


class Copy:
    """A copy of a built deployment, to be tampered with."""

    def __init__(self, mill, recipe, folder: Path):
        for each in (mill.folder / "lake").iterdir():
            if each.name in RECORDED:
                shutil.copytree(each, folder / "lake" / each.name)
        shutil.copytree(mill.folder / "dagster", folder / "dagster")
        self.instance = dg.DagsterInstance.local_temp(str(folder / "dagster"))
        self.workspace = Workspace(Lake(folder / "lake"), recipe)

    def failed(self, *claims: Callable) -> set[tuple[str, str]]:
        return {(finding.claim, finding.subject) for finding in self.findings(*claims) if not finding.passed}

    def findings(self, *claims: Callable) -> list[Finding]:
        recipe = self.workspace.recipe
        codes = {asset.key.path[-1]: asset.code_versions_by_key[asset.key] for asset in recipe_assets(recipe)}
        scope = Scope(self.workspace, None, codes, AuditLog(self.instance, recipe.namespace))
        return [finding for claim in claims for finding in claim(scope)]

    def path(self, output: Output, table: str | None = None) -> Path:
        stored = output.tables[table] if table else next(iter(output.tables.values()))
        return self.workspace.lake.local_path(stored)

    def store(self, output: Output, tables: dict | None = None, files: dict | None = None, **changed) -> None:
        """The output again with other content, and everything about it in order: head, index, hashes."""
        lake = self.workspace.lake
        made = Made(
            {name: lake.scan(stored).collect() for name, stored in output.tables.items()} | (tables or {}),
            {n: lake.local_path(s) for n, s in output.files.items() if n not in output.unhashed} | (files or {}),
            {name: lake.local_path(output.files[name]) for name in output.unhashed},
            output.needs,
            output.metadata,
        )
        source = {name: digest for name, digest in output.inputs.items() if name not in output.read}
        inputs = changed.get("inputs", Inputs(output.read, source))
        self.workspace.store(output.asset, output.partition, made, output.code_version, inputs, output.seconds, output.held)


@pytest.fixture
def lake(built, tmp_path) -> Copy:
    mill, recipe, _ = built
    return Copy(mill, recipe, tmp_path)


def first(lake: Copy, asset: str, table: str | None = None, least: int = 1) -> Output:
    """The first partition of an asset that has some rows in a table."""
    for output in lake.workspace.outputs():
        if output.asset == asset and (table is None or output.tables[table].rows >= least):
            return output
    raise AssertionError(f"no {asset} with {table}")


def subject(output: Output) -> str:
    return f"{output.asset}[{output.partition}]" if output.partition else output.asset


def test_everything_holds_and_nothing_is_left_out(built):
    mill, recipe, _ = built
    claims = mill.driver(recipe).workspace.read("lineage_audit")
    assert failures(claims).is_empty(), failures(claims).rows()
    assert claims.filter(pl.col("evidence").str.starts_with(NOT_RECOMPUTED)).is_empty()
    assert summary(claims).height == 30
    assert {name for name, *_ in summary(claims).rows()} >= {audit_stored.EVENTS, audit_models.WEIGHTS, audit_documents.TEXTS}


# what the issue names


def test_an_edited_parquet_file(lake):
    output = first(lake, "documents")
    frame = pl.read_parquet(lake.path(output))
    frame.with_columns(text=pl.col("text").str.replace("e", "3")).write_parquet(lake.path(output))
    assert lake.failed(audit_stored.stored_files) == {(audit_stored.FILES, subject(output))}


def test_an_edited_parquet_file_whose_hash_was_mended(lake):
    output = first(lake, "documents")
    frame = lake.workspace.read("documents", output.partition, "documents")
    lake.store(output, {"documents": frame.with_columns(text=pl.col("text").str.replace("e", "3"))})
    assert not lake.failed(audit_stored.stored_files)
    assert lake.failed(audit_documents.sources, audit_stored.events) == {
        (audit_documents.TEXTS, subject(output)),
        (audit_stored.EVENTS, subject(output)),
    }


def test_a_swapped_checkpoint(lake, tmp_path):
    output = lake.workspace.output("checkpoints", "tiny")
    other = _other_weights(lake, tmp_path / "other")
    shutil.copyfile(other / "model.safetensors", lake.workspace.path("checkpoints", "tiny") / "model.safetensors")
    assert (audit_stored.FILES, subject(output)) in lake.failed(audit_stored.stored_files)
    found = lake.failed(audit_models.checkpoints, audit_models.variants, audit_models.reports)
    assert {claim for claim, _ in found} == {audit_models.WEIGHTS, audit_models.VARIANTS, audit_models.REPORTS}


def test_a_swapped_checkpoint_whose_hash_was_mended(lake, tmp_path):
    output = lake.workspace.output("checkpoints", "tiny")
    lake.store(output, files={"model": _other_weights(lake, tmp_path / "model")})
    assert not lake.failed(audit_stored.stored_files)
    assert lake.failed(audit_models.checkpoints, audit_stored.events) == {
        (audit_models.WEIGHTS, subject(output)),
        (audit_stored.EVENTS, subject(output)),
    }


def _other_weights(lake: Copy, folder: Path) -> Path:
    from gristmill.model import export
    from gristmill.model.decoder import Decoder

    stored = lake.workspace.path("checkpoints", "tiny")
    config = export.load_config(stored)
    export.save(Decoder(config, seed=77).state_dict(), config, folder, stored)
    return folder


def test_verdicts_without_their_signals(lake):
    output, other = [each for each in lake.workspace.outputs() if each.asset == "filtered_shards"][:2]
    for key in (lake.workspace.head_key("signals", output.partition), *_index_of(lake, "signals", output.partition)):
        lake.workspace.lake.delete(key)
    for key in lake.workspace.lake.keys("builds/"):
        lake.workspace.lake.delete(key)
    verdicts = lake.workspace.read("filtered_shards", other.partition)
    stranger = verdicts.head(1).with_columns(doc_id=pl.lit("f" * 32))
    lake.store(other, {"verdicts": pl.concat([verdicts, stranger])})
    assert lake.failed(audit_decisions.filtered) == {(audit_decisions.FILTERED, subject(each)) for each in (output, other)}


def _index_of(lake: Copy, asset: str, partition: str | None) -> list[str]:
    keys = lake.workspace.lake.keys(f"index/{asset}/")
    return [key for key in keys if lake.workspace.lake.get_json(key)["partition"] == partition]


def test_a_partition_made_from_an_input_version_that_no_longer_exists(lake):
    output = first(lake, "edits")
    lake.store(output, inputs=Inputs({**output.read, "documents": {str(output.partition): "0" * 32}}))
    found = [finding for finding in lake.findings(audit_stored.inputs_exist) if not finding.passed]
    assert [finding.subject for finding in found] == [subject(output)]
    assert f"documents[{output.partition}] {'0' * 32}" in found[0].evidence


def test_an_input_that_moved_is_stale_and_no_fault(lake):
    output = first(lake, "documents")
    frame = lake.workspace.read("documents", output.partition, "documents")
    lake.store(output, {"documents": frame.head(frame.height - 1)})
    assert not lake.failed(audit_stored.inputs_exist, audit_documents.edits, audit_documents.signals, audit_corpus.corpus)
    assert any(finding.evidence.startswith("stale") for finding in lake.findings(audit_stored.inputs_exist))


def test_a_digest_that_does_not_follow_from_the_versions(lake):
    output = first(lake, "edits")
    key = lake.workspace.head_key("edits", output.partition)
    lake.workspace.lake.put_json(key, {**output.as_json(), "inputs": {"documents": "0" * 32}})
    assert lake.failed(audit_stored.inputs_exist) == {(audit_stored.INPUTS, subject(output))}
    assert lake.failed(audit_stored.events) == {(audit_stored.EVENTS, subject(output))}


def test_a_hand_written_event(lake):
    output = first(lake, "edits")
    key = asset_key(lake.workspace.recipe.namespace, "edits")
    told = {INPUTS + name: digest for name, digest in output.inputs.items()}
    tags = {DATA_VERSION: output.data_version, CODE_VERSION: output.code_version, **told}
    for partition in (output.partition, "docs-1/9999"):
        lake.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition, tags=tags))
    assert lake.failed(audit_stored.events) == {(audit_stored.EVENTS, f"edits[{name}]") for name in (output.partition, "docs-1/9999")}
    assert any("written by hand" in finding.evidence for finding in lake.findings(audit_stored.events))


def test_a_missing_file(lake):
    table, folder = first(lake, "signals"), lake.workspace.output("checkpoints", "tiny")
    lake.path(table, "pages").unlink()
    (lake.workspace.path("checkpoints", "tiny") / "config.json").unlink()
    assert {name for claim, name in lake.failed(audit_stored.stored_files) if claim == audit_stored.FILES} == {
        subject(table),
        subject(folder),
    }
    assert (audit_decisions.FILTERED, f"filtered_shards[{table.partition}]") in lake.failed(audit_decisions.filtered)


def test_an_orphan(lake):
    store = lake.workspace.lake
    store.write_table("edits", CONTRACTS["edits"].empty().clear())
    store.put("files/model/deadbeef/model.bin", b"weights of nobody")
    ghost = first(lake, "edits")
    store.put_json(lake.workspace.head_key("edits", "docs-1/9999"), {**ghost.as_json(), "partition": "docs-1/9999"})
    store.put_json(lake.workspace.head_key("old_asset", None), {**ghost.as_json(), "asset": "old_asset", "partition": None})
    found = {finding.subject: finding.evidence for finding in lake.findings(audit_stored.leftovers) if not finding.passed}
    assert "files/model/deadbeef/model.bin" in found["tables and files"] and "old_asset" in found["heads"]
    assert lake.failed(audit_stored.events) == {(audit_stored.EVENTS, "edits[docs-1/9999]"), (audit_stored.EVENTS, "old_asset")}


def test_two_tables_that_were_swapped(lake):
    one, other = [each for each in lake.workspace.outputs() if each.asset == "documents" and each.tables["documents"].rows][:2]
    paths = [lake.path(each, "documents") for each in (one, other)]
    contents = [path.read_bytes() for path in paths]
    assert contents[0] != contents[1]
    for path, content in zip(paths, reversed(contents), strict=True):
        path.write_bytes(content)
    found = {(each.claim, each.subject): each.evidence for each in lake.findings(*SEEING_DOCUMENTS) if not each.passed}
    for output in (one, other):
        shard = output.partition
        told = found[audit_documents.TEXTS, f"documents[{shard}]"]
        assert told == found[audit_documents.PAYLOADS, f"raw_crawl[{shard}]"] and "have no record in raw_crawl" in told
        assert lake.workspace.read("documents", shard, "documents")["doc_id"][0] in told
        assert f"`rm {lake.path(output, 'documents')}`, then `gristmill rebuild --until documents" in told
        assert f"`rm {lake.path(output, 'documents')}`" in found[audit_stored.FILES, f"documents[{shard}]"]
        assert {
            (audit_documents.SIGNALS, f"signals[{shard}]"),
            (audit_duplicates.SIGNED, f"minhash_signatures[{shard}]"),
            (audit_duplicates.EMBEDDED, f"document_embeddings[{shard}]"),
            (audit_duplicates.CUTS, f"repeated_spans[{shard}]"),
            (audit_duplicates.CONTAMINATION, f"contamination[{shard}]"),
        } <= set(found)


SEEING_DOCUMENTS = (
    audit_stored.stored_files,
    audit_documents.sources,
    audit_documents.signals,
    audit_duplicates.signed,
    audit_duplicates.embedded,
    audit_duplicates.repeated,
    audit_duplicates.contaminated,
)


def test_documents_that_were_left_out(lake):
    output = first(lake, "documents", "documents", 2)
    frame = lake.workspace.read("documents", output.partition, "documents")
    lake.store(output, {"documents": frame.tail(frame.height - 1)})
    found = [each for each in lake.findings(audit_documents.sources) if not each.passed]
    assert [(each.claim, each.subject) for each in found] == [(audit_documents.TEXTS, subject(output))]
    assert "neither a text nor a reason" in found[0].evidence and frame["doc_id"][0] in found[0].evidence


@pytest.mark.parametrize(
    ("asset", "table", "claim", "name"),
    [
        ("edits", "edits", audit_documents.edits, audit_documents.EDITS),
        ("document_embeddings", "embeddings", audit_duplicates.embedded, audit_duplicates.EMBEDDED),
        ("minhash_signatures", "signatures", audit_duplicates.signed, audit_duplicates.SIGNED),
    ],
)
def test_rows_of_another_shard(lake, asset, table, claim, name):
    outputs = [each for each in lake.workspace.outputs() if each.asset == asset]
    one = next(each for each in outputs if each.tables[table].rows)
    other = next(each for each in outputs if each.data_version != one.data_version)
    lake.store(other, {table: lake.workspace.read(asset, one.partition, table)})
    assert (name, subject(other)) in lake.failed(claim)


def test_a_corpus_without_provenance(lake, tmp_path):
    assert corpus(lake, tmp_path, rows=lambda f: f.clear()) == {audit_corpus.SOURCES, audit_corpus.REBUILT}


# what was not made as it says: everything else about it in order


def lower(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    """The first row's number a little smaller."""
    return frame.with_columns(pl.when(pl.int_range(pl.len()) == 0).then(pl.col(column) - 1).otherwise(pl.col(column)).alias(column))


def first_is(frame: pl.DataFrame, column: str, value: object) -> pl.DataFrame:
    changed = pl.Series(column, [value, *frame[column][1:].to_list()], dtype=frame.schema[column])
    return frame.with_columns(changed)


DOCUMENTS, DECISIONS, COPIES, MODELS = audit_documents, audit_decisions, audit_duplicates, audit_models
TAMPERED = {  # asset, table, what is done to it, who looks, which claim fails
    "edits": ("edits", "edits", lambda f: lower(f, "end"), DOCUMENTS.edits, DOCUMENTS.EDITS),
    "signals": ("signals", "signals.gopher", lambda f: lower(f, "gopher.word_count"), DOCUMENTS.signals, DOCUMENTS.SIGNALS),
    "verdicts": ("filtered_shards", "verdicts", lambda f: first_is(f, "kept", not f["kept"][0]), DECISIONS.filtered, DECISIONS.FILTERED),
    "signatures": ("minhash_signatures", "signatures", lambda f: lower(f, "n_shingles"), COPIES.signed, COPIES.SIGNED),
    "vectors": ("document_embeddings", "embeddings", lambda f: first_is(f, "vector_hash", "0"), COPIES.embedded, COPIES.EMBEDDED),
    "splits": (
        "deduplicated_shards",
        "splits",
        lambda f: first_is(f, "split", "test" if f["split"][0] == "train" else "train"),
        DECISIONS.deduplicated,
        DECISIONS.DEDUPLICATED,
    ),
    "cuts": ("repeated_spans", "cuts", lambda f: f.clear(), COPIES.repeated, COPIES.CUTS),
    "sizes": ("contamination", "final_sizes", lambda f: lower(f, "n_chars"), COPIES.contaminated, COPIES.CONTAMINATION),
    "scores": ("quality_scores", "scores", lambda f: lower(f, "quality"), DECISIONS.scored, DECISIONS.SCORED),
    "curated": ("curated_shards", "verdicts", lambda f: first_is(f, "kept", not f["kept"][0]), DECISIONS.curated, DECISIONS.CURATED),
    "synthetic": ("synthetic_sets", "synthetic", lambda f: first_is(f, "plan", ""), audit_corpus.synthetic, audit_corpus.SYNTHETIC),
    "batches": ("checkpoints", "batches", lambda f: f.with_columns(pl.col("sequence").reverse()), MODELS.checkpoints, MODELS.BATCHES),
    "log": ("checkpoints", "training_log", lambda f: f.head(f.height - 1), MODELS.checkpoints, MODELS.BATCHES),
    "score of a document": ("eval_reports", "document_scores", lambda f: lower(f, "nats"), MODELS.reports, MODELS.REPORTS),
    "scored text": ("eval_reports", "document_scores", lambda f: first_is(f, "text_hash", "0"), MODELS.reports, MODELS.DOCUMENTS),
    "score": ("eval_reports", "eval_scores", lambda f: lower(f, "value"), MODELS.reports, MODELS.REPORTS),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_table_that_its_inputs_do_not_give(lake, what):
    asset, table, change, claim, name = TAMPERED[what]
    output = first(lake, asset, table)
    before = lake.workspace.read(asset, output.partition, table)
    assert not change(before).equals(before)
    lake.store(output, {table: change(before)})
    assert (name, subject(output)) in lake.failed(claim)


def clusters(lake: Copy, change: Callable[[pl.DataFrame], pl.DataFrame]) -> set[str]:
    output = lake.workspace.output("duplicate_clusters")
    lake.store(output, {"clusters": change(lake.workspace.read("duplicate_clusters", None, "clusters"))})
    return {claim for claim, _ in lake.failed(audit_duplicates.clusters)}


def test_a_similarity_that_is_not(lake):
    loser = pl.col("kind") == "near"
    assert clusters(lake, lambda f: f.with_columns(similarity=pl.when(loser).then(0.99).otherwise("similarity"))) == {
        audit_duplicates.SIMILAR
    }


def test_a_survivor_that_is_not_the_first(lake):
    def swapped(frame: pl.DataFrame) -> pl.DataFrame:
        """In the first pair, loser and survivor change places."""
        pair = next(rows for _, rows in frame.sort("survivor").group_by("survivor", maintain_order=True) if rows.height == 2)
        loser, survivor = (pair.filter(dies == (pl.col("kind") != "survivor")).row(0, named=True) for dies in (True, False))
        to = {"survivor": loser["doc_id"], "survivor_shard": loser["shard"]}
        dead = {**survivor, **to, "kind": loser["kind"], "similarity": loser["similarity"]}
        alive = {**loser, **to, "kind": "survivor", "similarity": 1.0}
        return pl.concat([frame.filter(pl.col("survivor") != survivor["doc_id"]), pl.DataFrame([dead, alive], schema=frame.schema)])

    assert clusters(lake, swapped) == {audit_duplicates.SURVIVE}


def test_a_vector_that_was_swapped(lake):
    rows = lake.workspace.read("document_embeddings", first(lake, "document_embeddings", "embeddings", 2).partition).sort("doc_id")
    model, keys = rows["model"][0], rows["text_hash"][:2].to_list()
    table = VectorTable.open(lake.workspace.lake, model)
    vectors = table.get(keys)
    table.delete(keys)
    table.put(keys, np.ascontiguousarray(vectors[::-1]))
    assert {claim for claim, _ in lake.failed(audit_duplicates.embedded)} == {audit_duplicates.EMBEDDED}


def test_a_source_that_changed(lake, tmp_path):
    output = first(lake, "documents", "documents", 2)
    records = lake.workspace.read("raw_crawl", output.partition, "records")
    lake.store(lake.workspace.output("raw_crawl", output.partition), {"records": first_is(records, "payload_digest", "sha256:00")})
    moved = lake.workspace.output("raw_crawl", output.partition)
    lake.store(output, inputs=Inputs({**output.read, "raw_crawl": {str(output.partition): moved.data_version}}))
    assert (audit_documents.PAYLOADS, f"raw_crawl[{output.partition}]") in lake.failed(audit_documents.sources)


def corpus(lake: Copy, tmp_path: Path, rows: Callable | None = None, tokens: Callable | None = None) -> set[str]:
    output = lake.workspace.output("mixed_corpus", "annealing")
    path = tmp_path / "tokens.npy"
    sequences = np.array(packing.load(lake.workspace.path("mixed_corpus", "annealing", "tokens")))
    packing.save(tokens(sequences) if tokens else sequences, path)
    provenance = lake.workspace.read("mixed_corpus", "annealing", "provenance")
    lake.store(output, {"provenance": rows(provenance) if rows else provenance}, {"tokens": path})
    found = lake.failed(audit_corpus.corpus)
    assert {name for _, name in found} <= {"mixed_corpus[annealing]"}
    return {claim for claim, _ in found}


def test_tokens_that_no_document_gives(lake, tmp_path):
    def changed(sequences: np.ndarray) -> np.ndarray:
        sequences[3, 5] += 1
        return sequences

    assert corpus(lake, tmp_path, tokens=changed) == {audit_corpus.REBUILT}


def test_tokens_of_two_sources(lake, tmp_path):
    longer = pl.when(pl.int_range(pl.len()) == 0).then(pl.col("end") + 1).otherwise("end")
    assert corpus(lake, tmp_path, rows=lambda f: f.with_columns(end=longer)) == {audit_corpus.REBUILT}


def test_a_document_without_a_source(lake, tmp_path):
    assert audit_corpus.SOURCES in corpus(lake, tmp_path, rows=lambda f: first_is(f, "doc_id", "f" * 32))


def test_a_held_out_document_in_the_corpus(lake, tmp_path):
    shards = lake.workspace.partitions("deduplicated_shards")
    splits = pl.concat([lake.workspace.read("deduplicated_shards", shard, "splits") for shard in shards])
    held_out = splits.filter(pl.col("split") == "test")["doc_id"][0]

    def smuggled(frame: pl.DataFrame) -> pl.DataFrame:
        crawled = frame.filter(pl.col("origin") == "crawl")["doc_id"][0]
        return frame.with_columns(doc_id=pl.when(pl.col("doc_id") == crawled).then(pl.lit(held_out)).otherwise("doc_id"))

    assert audit_corpus.ALLOWED in corpus(lake, tmp_path, rows=smuggled)


def test_a_run_of_another_corpus(lake, tmp_path):
    sequences = np.array(packing.load(lake.workspace.path("mixed_corpus", "annealing", "tokens")))
    packing.save(sequences[::-1], tmp_path / "tokens.npy")
    lake.store(lake.workspace.output("mixed_corpus", "annealing"), files={"tokens": tmp_path / "tokens.npy"})
    output, moved = lake.workspace.output("checkpoints", "tiny"), lake.workspace.version("mixed_corpus", "annealing")
    lake.store(output, inputs=Inputs({**output.read, "mixed_corpus": {**output.read["mixed_corpus"], "annealing": moved}}))
    assert (audit_models.RUNS, subject(output)) in lake.failed(audit_models.checkpoints)


def test_a_variant_of_other_bits(lake):
    output = lake.workspace.output("quantized_variants", "tiny/w4")
    lake.store(output, files={"model": lake.workspace.path("quantized_variants", "tiny/w8")})
    assert lake.failed(audit_models.variants) == {(audit_models.VARIANTS, subject(output))}


def test_a_code_version_that_its_recipe_does_not_give(lake):
    key = next(key for key in lake.workspace.lake.keys("codes/filtered_shards/"))
    known = lake.workspace.lake.get_json(key)
    lake.workspace.lake.put_json(key, {**known, "sections": {**known["sections"], "sources.groups": {}}})
    assert {claim for claim, _ in lake.failed(audit_stored.code_follows)} == {audit_stored.CODE}


# sampled


def test_a_sampled_audit_is_the_same_twice_and_looks_at_few_documents(lake):
    twice = [audit(lake.workspace, 7, {}, None) for _ in range(2)]
    assert twice[0].equals(twice[1]) and twice[0]["passed"].all()
    texts = twice[0].filter(pl.col("claim") == audit_documents.TEXTS)["evidence"]
    assert sum(int(text.split()[0]) for text in texts) in range(
        7, 7 * 2 + len(texts)
    )  # a document may lie in several shards, and each has one
    assert not any(text.startswith("0 ") for text in texts)


# the command


def test_the_command(built, tmp_path, monkeypatch):
    mill, _, _ = built
    for name, value in mill.env.items():
        monkeypatch.setenv(name, value)
    outputs = {name: tmp_path / name for name in ("audit.html", "events.jsonl", "cards")}
    said = CliRunner().invoke(
        main,
        ["audit", "--sample", "20", "--json", "--html", str(outputs["audit.html"]), "--openlineage", str(outputs["events.jsonl"]),
         "--cards", str(outputs["cards"])],
    )  # fmt: skip
    assert said.exit_code == 0, said.output
    answer = json.loads(said.output)
    assert answer["holds"] and answer["failed"] == 0 and len(answer["claims"]) == 30
    assert answer["looked_at"].startswith("a sampled audit: ")
    assert "everything holds" in (page := outputs["audit.html"].read_text()) and answer["looked_at"] in html.unescape(page)
    events = [json.loads(line) for line in outputs["events.jsonl"].read_text().splitlines()]
    assert events[-1]["job"]["name"] == "lineage_audit"
    heads = [output for output in mill.driver(mill.recipe()).workspace.outputs() if output.asset != "lineage_audit"]
    assert len(events) == len(heads) + 1
    assert {path.name for path in outputs["cards"].iterdir()} == {"DATA.md", "MODEL-tiny.md", "croissant.json"}
