"""Lineage: what `why` looks documents up in, and lineage_audit, the proof that what is stored hangs together."""

import json
import shutil
from collections.abc import Iterator, Sequence
from functools import partial

import dagster as dg
import polars as pl

from assets.corpus import phases
from assets.materialize import made_asset
from assets.synthetic import SETS
from gristmill import views
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.hashing import text_hash
from gristmill.lake.workspace import Check, Made, Partition, Workspace
from gristmill.lineage.audit import audit
from gristmill.lineage.cards import write_cards
from gristmill.lineage.index import documents, quantiles, rekeyed, search
from gristmill.progress import Progress
from gristmill.recipe import Recipe
from gristmill.texts import clean_texts
from resources.audit_log import AuditLogResource

CARDS_SAY = (
    "policy.name",
    "policy.version",
    "dedup.levels",
    "edits.mask",
    "split",
    "decontamination.held_out",
    "decontamination.min_overlap",
    "decontamination.ngram_words",
    "item_digests",
    "sources.groups",
)
"""What the data card quotes of the recipe: an edit of it writes the cards anew, even where no document moves."""


def make_document_index(workspace: Workspace, partition: Partition) -> Made:
    shards = workspace.partitions("raw_crawl")
    expected = sum(stored.rows for shard in shards for stored in workspace.output("raw_crawl", shard).tables.values())
    folder = workspace.scratch("document_index") / "index"
    with Progress("document index", len(shards), "shards") as progress:
        rows = documents.write_index(_index_rows(workspace, shards, progress), expected, folder)
    about = json.loads((folder / documents.ABOUT).read_text())
    files = sum(1 for path in folder.rglob("*.parquet") if path.is_file())
    return Made(files={"index": folder}, metadata={"documents and refused pages": rows, "shards": len(shards), "files": files, **about})


def _index_rows(workspace: Workspace, shards: list[str], progress: Progress) -> Iterator[pl.DataFrame]:
    for shard in shards:
        records = workspace.read("raw_crawl", shard, "records", ["doc_id", "capture", "url", "fetched_at"])
        yield documents.rows_of_shard(shard, records, workspace.read("raw_crawl", shard, "quarantine", ["capture", "url"]))
        progress.advance()


def make_search_index(workspace: Workspace, partition: Partition) -> Made:
    assert partition is not None
    return _search_index(workspace, "search_index", partition, clean_texts(workspace, partition))


def make_synthetic_search_index(workspace: Workspace, partition: Partition) -> Made:
    assert partition is not None
    made = workspace.read("synthetic_sets", partition, "synthetic", ["doc_id", "text"])
    hashes = pl.Series("text_hash", [text_hash(text) for text in made["text"]], dtype=pl.String)
    return _search_index(workspace, "synthetic_search_index", partition, made.with_columns(hashes))


def _search_index(workspace: Workspace, asset: str, partition: str, texts: pl.DataFrame) -> Made:
    folder = workspace.scratch(asset, partition) / "index"
    search.write_search_index(texts, folder)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    # two indices of the same texts differ in their bytes, so what they were made of stands for them
    return Made(
        {"search_keys": texts.select("doc_id", "text_hash")},
        unhashed={"index": folder},
        metadata={"documents": texts.height, "characters": int(texts["text"].str.len_chars().sum()), "index bytes": size},
    )


def make_signal_quantiles(workspace: Workspace, partition: Partition) -> Made:
    shards = workspace.partitions("signals")
    tables = [pl.DataFrame(schema=CONTRACTS["signal_quantiles"].schema)]
    for source in sorted({workspace.recipe.source_of(shard) for shard in shards}):
        of_source = [shard for shard in shards if workspace.recipe.source_of(shard) == source]
        ids = (workspace.scan("signals", shard, "pages").select("doc_id").head(quantiles.SAMPLE).collect()["doc_id"] for shard in of_source)
        last = quantiles.drawn(ids)
        count = sum(workspace.output("signals", shard).tables["pages"].rows for shard in of_source)
        tables.append(
            quantiles.quantiles(source, count, pl.concat([_signals(workspace, shard, last) for shard in of_source], how="diagonal"))
        )
    found = pl.concat(tables)
    by_source = found.group_by("source").agg(documents=pl.col("documents").first(), sampled=pl.col("sampled").first(), signals=pl.len())
    return Made({"signal_quantiles": found}, metadata={"by source": by_source.sort("source").to_dicts()})


def _signals(workspace: Workspace, shard: str, last: str) -> pl.DataFrame:
    """doc_id and every signal of the shard's documents up to the id `last`."""
    names = sorted(name for name in workspace.output("signals", shard).tables if name.startswith("signals."))
    scans = [workspace.scan("signals", shard, name).filter(pl.col("doc_id") <= last) for name in names]
    first, *others = pl.collect_all(scans) if scans else [pl.DataFrame(schema={"doc_id": pl.String})]
    return pl.concat([first, *(frame.drop("doc_id") for frame in others)], how="horizontal")  # each sorted by doc_id, of the same documents


def make_duplicate_twins(workspace: Workspace, partition: Partition) -> Made:
    return Made({"twins": rekeyed.twins(workspace.read("duplicate_clusters", None, "clusters"))})


def make_corpus_placements(workspace: Workspace, partition: Partition) -> Made:
    found = rekeyed.placements(workspace.read("mixed_corpus", partition, "provenance"))
    return Made({"placements": found}, metadata={"documents": found["doc_id"].n_unique(), "sequences": found["sequence"].n_unique()})


def make_training_steps(workspace: Workspace, partition: Partition) -> Made:
    found = rekeyed.steps(workspace.read("checkpoints", partition, "batches"))
    return Made({"steps": found}, metadata={"steps": found["step"].n_unique(), "sequences": found.height})


def make_lineage_audit(workspace: Workspace, partition: Partition, log: AuditLogResource, codes: dict[str, str]) -> Made:
    """`codes`: the code version of every other asset of the graph."""
    claims = audit.audit(workspace, codes=codes, log=log.open(workspace))
    failed, folder = audit.failures(claims), workspace.scratch("lineage_audit") / "cards"
    shutil.rmtree(folder, ignore_errors=True)  # a model that is gone leaves no card
    return Made(
        {"audit": claims},
        unhashed={"cards": write_cards(workspace, claims, folder)},
        metadata={
            "claims": claims["claim"].n_unique(),
            "subjects": claims.height,
            "failed": failed.height,
            "by claim": audit.summary(claims).to_dicts(),
            "failures": failed.head(20).to_dicts(),
        },
    )


def everything_holds(workspace: Workspace) -> Check:
    failed = audit.failures(workspace.read("lineage_audit"), harmless=False)
    return Check(
        failed.is_empty(),
        {"failed": failed.height, "failures": failed.head(20).to_dicts()},
        "what is stored comes out again from what it was made of, and was made by a run",
    )


def nothing_is_left_over(workspace: Workspace) -> Check:
    claims = workspace.read("lineage_audit")
    failed = audit.failures(claims.filter(pl.col("claim").is_in(sorted(audit.HARMLESS))))
    return Check(
        failed.is_empty(),
        {"left over": failed["evidence"].to_list()},
        "every object in the lake belongs to a head, a build or the index",
        severity="warn",
    )


def lineage_assets(recipe: Recipe, shards: dg.PartitionsDefinition, others: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """`others` are all of the recipe's assets beside these: what is audited."""
    looked_up = _look_up_assets(recipe, shards)
    return [*looked_up, _audit_asset(recipe, [*others, *looked_up])]


def _audit_asset(recipe: Recipe, others: Sequence[dg.AssetsDefinition]) -> dg.AssetsDefinition:
    codes = {asset.key.path[-1]: str(asset.code_versions_by_key[asset.key]) for asset in others}
    return made_asset(
        recipe,
        "lineage_audit",
        group="lineage",
        make=partial(make_lineage_audit, codes=codes),
        version=audit.VERSION,
        sections=["audit", *CARDS_SAY],
        deps=list(codes),
        resources=("log",),
        description="Recomputes what the lake claims, from files, heads and the event log to sampled texts, verdicts, copies, sequences, "
        "weights and scores. Beside it the corpus's Croissant metadata, a data card and a card of each model.",
        kinds={"python", "parquet"},
        checks={"everything_holds": everything_holds, "nothing_is_left_over": nothing_is_left_over},
    )


def _look_up_assets(recipe: Recipe, shards: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    return [
        made_asset(
            recipe,
            "document_index",
            group="lineage",
            make=make_document_index,
            version=documents.VERSION,
            sections=[],
            deps=["raw_crawl"],
            description="Where every document is, by doc_id and by URL, refused pages included: sorted files, of which a look-up "
            "reads one row group.",
            kinds={"parquet"},
        ),
        made_asset(
            recipe,
            "search_index",
            group="lineage",
            make=make_search_index,
            version=f"{search.VERSION}.{views.VERSION}",
            sections=[],
            deps=["documents", "edits"],
            partitions=shards,
            description="Full-text index of the shard's clean view: a sentence finds the documents that hold it.",
            kinds={"lancedb"},
            pool="cpu",
            parallel=True,
        ),
        made_asset(
            recipe,
            "synthetic_search_index",
            group="lineage",
            make=make_synthetic_search_index,
            version=search.VERSION,
            sections=[],
            deps=["synthetic_sets"],
            partitions=dg.StaticPartitionsDefinition(list(SETS)),
            description="Full-text index of a synthetic set.",
            kinds={"lancedb"},
        ),
        made_asset(
            recipe,
            "signal_quantiles",
            group="lineage",
            make=make_signal_quantiles,
            version=quantiles.VERSION,
            sections=["sources.groups"],
            deps=["signals"],
            description=f"Quantiles of every signal among each source's documents, from the {quantiles.SAMPLE:,} with the smallest ids.",
            kinds={"polars", "parquet"},
        ),
        made_asset(
            recipe,
            "duplicate_twins",
            group="lineage",
            make=make_duplicate_twins,
            version=rekeyed.VERSION,
            sections=[],
            deps=["duplicate_clusters"],
            description="The copies that each survivor of deduplication outlived.",
            kinds={"parquet"},
        ),
        made_asset(
            recipe,
            "corpus_placements",
            group="lineage",
            make=make_corpus_placements,
            version=rekeyed.VERSION,
            sections=[],
            deps=["mixed_corpus"],
            partitions=dg.StaticPartitionsDefinition(phases(recipe)),
            description="Where each document lies in a phase's sequences: the provenance by doc_id.",
            kinds={"parquet"},
        ),
        made_asset(
            recipe,
            "training_steps",
            group="lineage",
            make=make_training_steps,
            version=rekeyed.VERSION,
            sections=[],
            deps=["checkpoints"],
            partitions=dg.StaticPartitionsDefinition(sorted(recipe.models)),
            description="Which step of a model's training saw each sequence: the batches by sequence.",
            kinds={"parquet"},
        ),
    ]
