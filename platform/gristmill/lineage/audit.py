"""The audit: recompute, do not trust.

Claims, each checked for every subject:

    stored files hash to their names      every table and file of every partition, read again
    inputs match what is stored           the versions that a partition recorded of its inputs are the inputs' own
    contents match the record             a partition's data version follows from its files
    payloads match their digests          the WARC record, or source file, of sampled documents, read again
    sequences lead back to a source       every document in the corpus is a WARC record, a hashed file, or a synthetic
                                          record with its plan, teacher and seed
    no held-out document in the corpus    validation and test documents are in no sequence
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import polars as pl

from gristmill.crawl.warc import recompute_digest
from gristmill.errors import GristmillError
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.hashing import file_hash, mapping_hash, table_hash
from gristmill.lake.workspace import Output, Workspace, versions_digest
from gristmill.lineage.plan import SOURCE

VERSION = "1"

Finding = dict[str, Any]


def audit(workspace: Workspace) -> pl.DataFrame:
    """Every claim on every subject, with evidence; the contract `audit`."""
    outputs = [output for output in workspace.outputs() if output.asset != "lineage_audit"]  # about to be replaced
    findings = [
        *_stored_files(workspace, outputs),
        *_recorded_inputs(workspace, outputs),
        *_payloads(workspace),
        *_sequences(workspace),
        *_held_out(workspace),
    ]
    return pl.DataFrame(findings, schema=CONTRACTS["audit"].schema)


def _finding(claim: str, subject: str, problem: str, evidence: str = "") -> Finding:
    return {"claim": claim, "subject": subject, "passed": not problem, "evidence": problem or evidence}


def _name(output: Output) -> str:
    return f"{output.asset}[{output.partition}]" if output.partition else output.asset


def _stored_files(workspace: Workspace, outputs: list[Output]) -> Iterator[Finding]:
    lake, seen = workspace.lake, dict[str, str]()
    for output in outputs:
        problems, hashes = [], {}
        for name, stored in {**output.tables, **output.files}.items():
            if stored.key not in seen:
                try:
                    if stored.kind == "table":
                        seen[stored.key] = table_hash(name, lake.scan(stored).collect())
                    elif stored.names:
                        folder = lake.local_path(stored)
                        present = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
                        seen[stored.key] = mapping_hash({each: file_hash(folder / each) for each in present})
                    else:
                        seen[stored.key] = file_hash(lake.local_path(stored))
                except (GristmillError, OSError, pl.exceptions.PolarsError) as error:
                    seen[stored.key] = f"unreadable: {error}"
            if seen[stored.key] != stored.hash:
                problems.append(f"{stored.key} holds {seen[stored.key]}, recorded as {stored.hash}")
            hashes[name] = stored.hash
        yield _finding("stored files hash to their names", _name(output), "; ".join(problems), f"{len(hashes)} files")
        hashed = {name: value for name, value in hashes.items() if name not in output.unhashed}
        claimed = mapping_hash(hashed)
        yield _finding(
            "contents match the record",
            _name(output),
            "" if claimed == output.data_version else f"files give {claimed}, recorded as {output.data_version}",
            output.data_version,
        )


def _recorded_inputs(workspace: Workspace, outputs: list[Output]) -> Iterator[Finding]:
    now = {(output.asset, output.partition): output.data_version for output in outputs}
    for output in outputs:
        problems: list[str] = []
        notes: list[str] = []
        for name, digest in output.inputs.items():
            if name == SOURCE:
                continue
            read = output.read.get(name, {})
            if versions_digest(read) != digest:
                problems.append(f"the digest of {name} does not follow from the versions that were read")
            moved = [key for key, version in read.items() if now.get((name, key or None)) != version]
            if moved:
                text = f"{name}: {len(moved)} of {len(read)} versions are no longer what is stored, e.g. {name}[{moved[0]}]"
                (notes if output.held else problems).append(text)
        yield _finding(
            "inputs match what is stored",
            _name(output),
            "; ".join(problems),
            "held: " + "; ".join(notes) if notes else f"{len(output.inputs)} inputs",
        )


def _payloads(workspace: Workspace) -> Iterator[Finding]:
    """Digests of sampled corpus documents (by hash of doc_id), read again from their sources."""
    records = [
        workspace.read("raw_crawl", shard, "records").with_columns(shard=pl.lit(shard)) for shard in workspace.partitions("raw_crawl")
    ]
    if not records:
        return
    used = pl.concat([frame.select("doc_id") for frame in _provenance(workspace)] or [pl.DataFrame(schema={"doc_id": pl.String})]).unique()
    wanted = (
        pl.concat(records).join(used, on="doc_id", how="semi").sort("doc_id", "capture").unique("doc_id", keep="first", maintain_order=True)
    )
    if workspace.recipe.audit.sample:
        order = wanted["doc_id"].map_elements(lambda d: hashlib.blake2b(d.encode(), digest_size=8).hexdigest(), return_dtype=pl.String)
        wanted = wanted.with_columns(order=order).sort("order").head(workspace.recipe.audit.sample).drop("order")
    for row in wanted.iter_rows(named=True):
        try:
            digest = recompute_digest(workspace.lake, row)
            problem = "" if digest == row["payload_digest"] else f"now {digest}, recorded as {row['payload_digest']}"
        except (GristmillError, OSError) as error:
            problem = str(error)
        yield _finding("payloads match their digests", f"{row['shard']} {row['doc_id']}", problem, row["url"])


def _sequences(workspace: Workspace) -> Iterator[Finding]:
    """Per phase: every (document, origin) in the provenance exists as a record or as a complete synthetic record."""
    known = [
        workspace.read("raw_crawl", shard, "records", ["doc_id"]).unique().with_columns(origin=pl.lit("crawl"))
        for shard in workspace.partitions("raw_crawl")
    ]
    for name in workspace.partitions("synthetic_sets"):
        synthetic = workspace.read("synthetic_sets", name)
        complete = synthetic.filter((pl.col("plan") != "") & (pl.col("teacher") != "") & pl.col("verified"))
        known.append(complete.select("doc_id", origin=pl.lit(f"synthetic/{name}")))
    sources = pl.concat(known).unique() if known else pl.DataFrame(schema={"doc_id": pl.String, "origin": pl.String})
    for phase in workspace.partitions("mixed_corpus"):
        provenance = workspace.read("mixed_corpus", phase, "provenance")
        orphans = provenance.join(sources, on=["doc_id", "origin"], how="anti")
        problem = ""
        if not orphans.is_empty():
            first = orphans.row(0, named=True)
            problem = (
                f"{orphans['sequence'].n_unique()} sequences hold documents without a source, e.g. {first['doc_id']} of {first['origin']}"
            )
        yield _finding(
            "sequences lead back to a source",
            f"mixed_corpus[{phase}]",
            problem,
            f"{provenance['sequence'].n_unique()} sequences, {provenance['doc_id'].n_unique()} documents",
        )


def _held_out(workspace: Workspace) -> Iterator[Finding]:
    splits = [workspace.read("deduplicated_shards", shard, "splits") for shard in workspace.partitions("deduplicated_shards")]
    if not splits:
        return
    held_out = pl.concat(splits).filter(pl.col("split") != "train").select("doc_id")
    for phase in workspace.partitions("mixed_corpus"):
        leaked = workspace.read("mixed_corpus", phase, "provenance").join(held_out, on="doc_id", how="semi")
        problem = "" if leaked.is_empty() else f"{leaked['doc_id'].n_unique()} held-out documents, e.g. {leaked['doc_id'][0]}"
        yield _finding("no held-out document in the corpus", f"mixed_corpus[{phase}]", problem, f"{held_out.height} held out")


def _provenance(workspace: Workspace) -> list[pl.DataFrame]:
    return [workspace.read("mixed_corpus", phase, "provenance") for phase in workspace.partitions("mixed_corpus")]
