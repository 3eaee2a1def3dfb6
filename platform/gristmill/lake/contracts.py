"""Table contracts: the typed schema and the key of every table in the lake, checked on every write.

`doc_id` is 32 hex digits: blake2b-128 of the canonical URL and the payload digest. A contract that is
`open` allows further Float64 columns (signals: one column per signal).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from gristmill.errors import ContractError
from gristmill.lake.order import rises

TIME = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Contract:
    """Name, key columns and column types of a table. No two rows share a key; a key is never null."""

    name: str
    key: tuple[str, ...]
    schema: dict[str, pl.DataType | type[pl.DataType]]
    nullable: frozenset[str] = frozenset()
    open: bool = False

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=self.schema)


def _contract(
    name: str, key: str, nullable: str = "", /, *, extensible: bool = False, **schema: pl.DataType | type[pl.DataType]
) -> Contract:
    return Contract(name, tuple(key.split()), dict(schema), frozenset(nullable.split()), extensible)


CONTRACTS: dict[str, Contract] = {
    contract.name: contract
    for contract in (
        _contract(
            "records",
            "doc_id capture",
            "fetched_at status mime",
            doc_id=pl.String,
            capture=pl.String,
            url=pl.String,
            host=pl.String,
            warc=pl.String,  # the source file's URI; for a folder source, the file itself
            offset=pl.Int64,
            length=pl.Int64,
            kind=pl.String,  # response, conversion (WET), resource or file
            payload_digest=pl.String,  # sha256 of the payload, after content decoding: "sha256:<hex>"
            fetched_at=TIME,
            status=pl.Int32,
            mime=pl.String,
        ),
        _contract(
            "quarantine",
            "capture stage",
            "url",
            capture=pl.String,
            stage=pl.String,
            url=pl.String,
            warc=pl.String,
            offset=pl.Int64,
            error=pl.String,
            message=pl.String,
        ),
        _contract(
            "documents",
            "doc_id",
            "fetched_at",
            doc_id=pl.String,
            captures=pl.List(pl.String),
            url=pl.String,
            host=pl.String,
            text=pl.String,
            text_hash=pl.String,
            language=pl.String,
            language_score=pl.Float64,
            extractor=pl.String,
            fetched_at=TIME,  # earliest capture
            n_bytes=pl.Int64,  # of the text, as UTF-8
            n_chars=pl.Int64,
        ),
        _contract(  # what of a shard is taken down; the list itself is a journal: see crawl.tombstones
            "tombstones",
            "doc_id tombstone",
            doc_id=pl.String,
            tombstone=pl.String,  # its id
            by=pl.String,  # url, domain, doc; text or near where it is known by its words
            similarity=pl.Float64,
            captures=pl.List(pl.String),
        ),
        _contract(
            "edits",
            "doc_id start rule",
            doc_id=pl.String,
            start=pl.Int64,
            end=pl.Int64,
            replacement=pl.String,
            rule=pl.String,
        ),
        _contract("token_distribution", "source token", source=pl.String, token=pl.String, count=pl.Int64, probability=pl.Float64),
        _contract("signals", "doc_id", extensible=True, doc_id=pl.String),
        _contract(  # what verdicts and their counts need to know of a document beside its signals, without opening its text
            "pages",
            "doc_id",
            doc_id=pl.String,
            url=pl.String,
            host=pl.String,
            language=pl.String,
            n_bytes=pl.Int64,  # of the clean view
            n_chars=pl.Int64,
        ),
        _contract(
            "verdicts",
            "doc_id",
            "first_rule value threshold",
            doc_id=pl.String,
            kept=pl.Boolean,
            first_rule=pl.String,
            value=pl.Float64,
            threshold=pl.Float64,
            fired=pl.List(pl.String),
            weight=pl.Float64,  # of the document in the mix: the product of the rules that down-weight it
            policy=pl.String,
        ),
        _contract(
            "signatures",
            "doc_id",
            doc_id=pl.String,
            text_hash=pl.String,
            normal_hash=pl.String,  # of the normalised words: texts that differ in case, punctuation or layout share it
            n_chars=pl.Int64,  # of the clean text
            n_shingles=pl.Int64,
            bands=pl.List(pl.UInt64),  # one key per band; empty when the text has no shingle
            shingles=pl.List(pl.UInt32),  # sorted distinct shingle hashes, for the true Jaccard
        ),
        _contract("embeddings", "doc_id", doc_id=pl.String, text_hash=pl.String, model=pl.String, vector_hash=pl.String),
        _contract("centroids", "block", block=pl.Int64, vector=pl.List(pl.Float64)),  # unit vectors
        _contract(
            "clusters",
            "doc_id shard",
            doc_id=pl.String,
            shard=pl.String,
            kind=pl.String,  # survivor, or how it relates to its survivor: same, url, payload, exact, near or semantic
            cluster=pl.String,
            survivor=pl.String,
            survivor_shard=pl.String,
            similarity=pl.Float64,
        ),
        # what makes the next clustering incremental: see dedup.state and dedup.semantic
        _contract("clustered", "doc_id shard", "component", doc_id=pl.String, shard=pl.String, digest=pl.UInt64, component=pl.String),
        _contract("near_edges", "left right", left=pl.String, right=pl.String, key=pl.UInt64, similarity=pl.Float64),
        _contract("band_groups", "key normal_hash", key=pl.UInt64, normal_hash=pl.String),
        _contract("semantic_edges", "left right", left=pl.String, right=pl.String, similarity=pl.Float64),
        _contract("block_members", "block text_hash", block=pl.Int32, text_hash=pl.String),
        _contract("searched_blocks", "block", block=pl.Int32, key=pl.String, texts=pl.Int64),
        _contract("block_pairs", "key left right", key=pl.String, left=pl.String, right=pl.String, similarity=pl.Float64),
        _contract(  # how many of a shard's documents hold a line or paragraph
            "text_counts",
            "unit bucket key",
            unit=pl.String,  # line or paragraph
            bucket=pl.UInt32,
            key=pl.UInt64,
            documents=pl.Int64,
        ),
        _contract("fingerprints", "doc_id key", doc_id=pl.String, key=pl.UInt64, places=pl.Int64),  # chosen n-grams: see dedup.substrings
        _contract(  # what of the clean view is repeated elsewhere and left out of the final one
            "cuts",
            "doc_id start rule",
            "twin similarity",
            doc_id=pl.String,
            start=pl.Int64,
            end=pl.Int64,  # in characters of the clean view
            rule=pl.String,  # dedup.line, dedup.paragraph, dedup.substring or dedup.semantic_paragraph
            documents=pl.Int64,  # that hold it, this one included
            twin=pl.String,  # the document that keeps it, where one does
            similarity=pl.Float64,
        ),
        _contract("paragraphs", "doc_id start", doc_id=pl.String, start=pl.Int64, end=pl.Int64, text_hash=pl.String, model=pl.String),
        _contract("reference_ngrams", "item key", item=pl.String, key=pl.UInt64),
        _contract(
            "contamination",
            "doc_id item",
            doc_id=pl.String,
            item=pl.String,  # `held_out/<doc_id>`, or `<file>/<id>`
            ngrams=pl.Int64,  # distinct ones that both hold
            overlap=pl.Float64,  # share of the item's
            start=pl.Int64,  # of the first n-gram that is hit, in characters of the final view
            end=pl.Int64,
        ),
        _contract("final_sizes", "doc_id", doc_id=pl.String, n_bytes=pl.Int64, n_chars=pl.Int64),  # of the final view
        _contract("splits", "doc_id", doc_id=pl.String, cluster=pl.String, split=pl.String),
        _contract(
            "annotations",
            "doc_id",
            "teacher_grade",
            doc_id=pl.String,
            shard=pl.String,
            source=pl.String,
            split=pl.String,
            teacher_grade=pl.Float64,
            rubric_grade=pl.Float64,
            grade=pl.Float64,
            grader=pl.String,
            weight=pl.Float64,  # documents of its source that it stands for
        ),
        _contract(
            "topic_labels",
            "doc_id",
            doc_id=pl.String,
            split=pl.String,
            topic=pl.String,  # of the nearest prototype
            similarity=pl.Float64,
            margin=pl.Float64,
            confident=pl.Boolean,
            predicted=pl.String,
            probability=pl.Float64,
        ),
        _contract(
            "scores",
            "doc_id",
            doc_id=pl.String,
            quality=pl.Float64,
            quality_version=pl.String,
            topic=pl.String,
            topic_score=pl.Float64,
        ),
        _contract(
            "synthetic",
            "doc_id",
            doc_id=pl.String,
            set=pl.String,
            text=pl.String,
            plan=pl.String,
            teacher=pl.String,
            seed=pl.Int64,
            verification=pl.String,
            verified=pl.Boolean,
            attempts=pl.Int64,
        ),
        _contract(
            "provenance",
            "phase sequence position",
            phase=pl.String,
            sequence=pl.Int64,
            position=pl.Int64,  # token position inside the sequence
            doc_id=pl.String,
            origin=pl.String,  # crawl or synthetic/<set>: no shard, so that another sharding gives the same corpus
            source=pl.String,
            topic=pl.String,
            start=pl.Int64,
            end=pl.Int64,  # token range inside the document
            epoch=pl.Int64,
        ),
        _contract(
            "training_log",
            "model step",
            model=pl.String,
            step=pl.Int64,
            phase=pl.String,
            loss=pl.Float64,
            learning_rate=pl.Float64,
            grad_norm=pl.Float64,
            tokens=pl.Int64,
        ),
        _contract("batches", "model step slot", model=pl.String, step=pl.Int64, slot=pl.Int64, phase=pl.String, sequence=pl.Int64),
        _contract(
            "eval_scores",
            "model scheme metric domain",
            "low high",
            model=pl.String,
            scheme=pl.String,
            metric=pl.String,
            domain=pl.String,
            value=pl.Float64,
            low=pl.Float64,
            high=pl.Float64,  # 95% bootstrap interval over documents, null where it has no meaning
            documents=pl.Int64,
            n_bytes=pl.Int64,
        ),
        _contract(  # behind `eval_scores`: two builds are compared document by document
            "document_scores",
            "model scheme doc_id",
            model=pl.String,
            scheme=pl.String,
            doc_id=pl.String,
            domain=pl.String,
            text_hash=pl.String,  # of what was scored
            n_bytes=pl.Int64,
            nats=pl.Float64,
        ),
        _contract(  # `provenance` by document
            "placements",
            "doc_id phase sequence position",
            doc_id=pl.String,
            phase=pl.String,
            sequence=pl.Int64,
            position=pl.Int64,
            origin=pl.String,
            source=pl.String,
            topic=pl.String,
            start=pl.Int64,
            end=pl.Int64,
            epoch=pl.Int64,
        ),
        _contract(  # `batches` by sequence
            "steps",
            "phase sequence model step slot",
            phase=pl.String,
            sequence=pl.Int64,
            model=pl.String,
            step=pl.Int64,
            slot=pl.Int64,
        ),
        _contract(  # the losers of `clusters` by what outlived them
            "twins",
            "survivor doc_id shard",
            survivor=pl.String,
            doc_id=pl.String,
            shard=pl.String,
            kind=pl.String,
            similarity=pl.Float64,
        ),
        _contract("search_keys", "doc_id", doc_id=pl.String, text_hash=pl.String),  # what a search index holds; of the clean view
        _contract(  # of each signal among a source's documents
            "signal_quantiles",
            "source signal",
            source=pl.String,
            signal=pl.String,
            documents=pl.Int64,  # of the source
            sampled=pl.Int64,
            quantiles=pl.List(pl.Float64),  # evenly spaced from the lowest to the highest value of the sample
        ),
        _contract("samples", "model scheme prompt", model=pl.String, scheme=pl.String, prompt=pl.String, text=pl.String),
        _contract("audit", "claim subject", claim=pl.String, subject=pl.String, passed=pl.Boolean, evidence=pl.String),
        _contract(  # of a build: an asset's part of its manifest
            "heads",
            "asset partition",
            asset=pl.String,
            partition=pl.String,  # "" when unpartitioned
            data_version=pl.String,
            code_version=pl.String,
            output=pl.String,  # the head, as JSON
        ),
    )
}


def contract_of(table: str) -> Contract:
    """The contract of `table`; `signals.gopher` is a file of the open contract `signals`."""
    try:
        return CONTRACTS[table.split(".")[0]]
    except KeyError:
        raise ContractError(f"no contract for a table named {table!r}", fix=f"Known tables: {', '.join(CONTRACTS)}.") from None


def conform(table: str, frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with the contract's columns in the contract's order and sorted by key; ContractError otherwise."""
    contract = contract_of(table)
    missing = [name for name in contract.schema if name not in frame.columns]
    extra = [name for name in frame.columns if name not in contract.schema]
    if missing:
        raise ContractError(f"lacks the columns {', '.join(missing)}", where=f"table {table}")
    if extra and not contract.open:
        raise ContractError(f"has columns that its contract does not name: {', '.join(extra)}", where=f"table {table}")
    for name in extra:
        if frame.schema[name] != pl.Float64:
            raise ContractError(f"must be Float64, is {frame.schema[name]}", where=f"table {table}, column {name}")
    for name, kind in contract.schema.items():
        if frame.schema[name] != kind:
            raise ContractError(f"must be {kind}, is {frame.schema[name]}", where=f"table {table}, column {name}")
        if name not in contract.nullable and frame[name].null_count():
            raise ContractError(f"has {frame[name].null_count()} null values", where=f"table {table}, column {name}")
    frame = frame.select(*contract.schema, *sorted(extra))
    if rises(frame, contract.key, strictly=True):
        return frame.rechunk()
    frame = frame.sort(contract.key)
    duplicated = frame.select(contract.key).is_duplicated()
    if duplicated.any():
        example = frame.filter(duplicated).select(contract.key).row(0)
        raise ContractError(f"{duplicated.sum()} rows share a key, for example {example}", where=f"table {table}")
    return frame
