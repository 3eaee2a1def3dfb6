"""The corpus as Croissant metadata (MLCommons, format 1.0): JSON-LD that dataset search engines and loaders read.

https://docs.mlcommons.org/croissant/docs/croissant-spec.html. File objects are the lake's own files, by paths relative to its root; record
sets are the provenance of each phase's sequences and the documents that they come from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import polars as pl

from gristmill.lake.contracts import contract_of
from gristmill.lake.hashing import mapping_hash
from gristmill.lake.store import Stored
from gristmill.lake.workspace import Workspace

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "equivalentProperty": "cr:equivalentProperty",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
TYPES = {pl.String: "sc:Text", pl.Int64: "sc:Integer", pl.Int32: "sc:Integer", pl.Float64: "sc:Float", pl.Boolean: "sc:Boolean"}
PARQUET, NPY = "application/x-parquet", "application/octet-stream"


def croissant(workspace: Workspace) -> dict[str, Any]:
    """The JSON-LD of the corpus that stands. sha256 of each file is computed: the lake names files by another hash."""
    phases, shards = workspace.partitions("mixed_corpus"), workspace.partitions("documents")
    content = mapping_hash({phase: workspace.version("mixed_corpus", phase) for phase in phases})
    files, records = [], []
    for phase in phases:
        output = workspace.output("mixed_corpus", phase)
        table, tokens = output.tables["provenance"], output.files["tokens"]
        files.append(
            _file(workspace, f"provenance-{phase}", table, PARQUET, f"Whose tokens lie where in the sequences of the phase {phase}.")
        )
        files.append(
            _file(workspace, f"tokens-{phase}", tokens, NPY, f"NumPy array (sequences, length + 1) of the phase {phase}'s tokens.")
        )
        records.append(
            _records(f"provenance-{phase}", "provenance", f"A row for each run of a document's tokens in a sequence of {phase}.")
        )
    for shard in shards:
        name = _name("documents", shard)
        files.append(
            _file(workspace, name, workspace.output("documents", shard).tables["documents"], PARQUET, f"Texts of the shard {shard}.")
        )
        records.append(_records(name, "documents", f"The documents of the shard {shard}, before anything was left out or masked."))
    dates = [date for date in _dates(workspace) if date]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": f"gristmill-{workspace.namespace}",
        "description": f"A corpus for language models, built by gristmill from {len(shards)} shards: sequences of tokens with the "
        "provenance of each, and the texts that they come from. No page's licence is known.",
        "version": f"1.0.0+{content[:12]}",
        **({"datePublished": max(dates)} if dates else {}),
        "license": "https://spdx.org/licenses/LicenseRef-unknown",
        "url": f"urn:gristmill:{workspace.namespace}:{content}",
        "citeAs": f"gristmill corpus {workspace.namespace}, content {content}",
        "isLiveDataset": False,
        "distribution": files,
        "recordSet": records,
    }


def _file(workspace: Workspace, name: str, stored: Stored, kind: str, says: str) -> dict[str, Any]:
    data = workspace.lake.local_path(stored)
    with data.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "description": says,
        "contentUrl": stored.key,
        "contentSize": f"{data.stat().st_size} B",
        "encodingFormat": kind,
        "sha256": digest,
    }


def _records(name: str, contract: str, says: str) -> dict[str, Any]:
    of, table = contract_of(contract), f"{name}-rows"
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"{table}/{column}",
            "name": column,
            "description": f"The column {column} of the table {contract}.",
            "dataType": _type(kind),
            **({"repeated": True} if isinstance(kind, pl.List) else {}),
            "source": {"fileObject": {"@id": name}, "extract": {"column": column}},
        }
        for column, kind in of.schema.items()
    ]
    key = [{"@id": f"{table}/{column}"} for column in of.key]
    return {"@type": "cr:RecordSet", "@id": table, "name": table, "description": says, "key": key, "field": fields}


def _type(kind: Any) -> str:
    inner = kind.inner if isinstance(kind, pl.List) else kind
    return "sc:DateTime" if isinstance(inner, pl.Datetime) else next(name for each, name in TYPES.items() if inner == each)


def _name(asset: str, partition: str) -> str:
    return f"{asset}-{partition.replace('/', '-')}"


def _dates(workspace: Workspace) -> Iterator[str | None]:
    """The last day on which something of each shard was fetched."""
    for shard in workspace.partitions("documents"):
        last = workspace.scan("documents", shard, "documents").select(pl.col("fetched_at").max()).collect().item()
        yield f"{last:%Y-%m-%d}" if last else None
