"""A lake of a few documents with every kind of duplicate, cut and contamination, stored through the workspace."""

from __future__ import annotations

import datetime as dt
import hashlib

import polars as pl

from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Workspace
from gristmill.recipe import Recipe

RECIPE = {
    "sources": {"groups": {"web": {"crawls": ["web"], "priority": 1}, "mirror": {"crawls": ["mirror"]}, "code": {"crawls": ["code"]}}}
}
BODY = " ".join(f"grain{n}" for n in range(40))
FOOTER = "Write to miller@mill.example about <b>flour</b>."
TEXTS = {
    "web/a": {
        "whole": f"The mill turns. {BODY} It was built in 1820.\n{FOOTER}",
        "alone": "Nothing else is like this page about rye.",
        "exam": f"Homework: {BODY}\nThat was the question.",
    },
    "mirror/a": {
        "near": f"The *mill* turns. {BODY} It was built in 1902 & never burnt.\n{FOOTER}",
        "copy": "The mill turns. " + BODY + f" It was built in 1820.\n{FOOTER}",
        **{f"like{n}": f"The mill turns. {BODY} Page {n}." for n in range(30)},
    },
    "code/a": {"held": BODY + " end"},
}


def ident(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def empty_lake(root) -> Workspace:
    """No document was kept."""
    workspace = Workspace(Lake(root), Recipe.model_validate(RECIPE))
    workspace.store("duplicate_clusters", None, Made({"clusters": CONTRACTS["clusters"].empty()}), "1")
    return workspace


def duplicated_lake(root) -> Workspace:
    workspace = Workspace(Lake(root), Recipe.model_validate(RECIPE))
    for shard, texts in TEXTS.items():
        day = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
        _store(
            workspace,
            "documents",
            shard,
            documents=[
                {
                    "doc_id": ident(name),
                    "captures": ["c"],
                    "url": f"http://{shard.split('/')[0]}.example/{name}?<i>",
                    "host": "h",
                    "text": text,
                    "text_hash": ident(text),
                    "language": "en",
                    "language_score": 1.0,
                    "extractor": "x",
                    "fetched_at": day,
                    "n_bytes": len(text.encode()),
                    "n_chars": len(text),
                }
                for name, text in texts.items()
            ],
        )
        mail = "miller@mill.example"
        _store(
            workspace,
            "edits",
            shard,
            edits=[
                {"doc_id": ident(name), "start": at, "end": at + len(mail), "replacement": "<EMAIL>", "rule": "pii.email"}
                for name, text in texts.items()
                if (at := text.find(mail)) >= 0
            ],
        )
        _store(workspace, "filtered_shards", shard, verdicts=[_verdict(name) for name in texts])
        splits = [{"doc_id": ident(n), "cluster": ident(n), "split": "test" if n == "held" else "train"} for n in texts]
        workspace.store("deduplicated_shards", shard, Made({"verdicts": _table("verdicts", []), "splits": _table("splits", splits)}), "1")
        cuts = [
            {
                "doc_id": ident(name),
                "start": text.index(FOOTER),
                "end": len(text),
                "rule": "dedup.line",
                "documents": 3,
                "twin": None,
                "similarity": None,
            }
            for name, text in texts.items()
            if FOOTER in text
        ]
        _store(workspace, "repeated_spans", shard, cuts=cuts)
        found = [("exam", f"held_out/{ident('held')}", 28, 1.0), ("alone", "arc/7", 2, 0.1), ("held", "arc/9", 20, 0.8)]
        hits = [
            {
                "doc_id": ident(name),
                "item": item,
                "ngrams": ngrams,
                "overlap": overlap,
                "start": texts[name].index("grain0") if name == "exam" else 0,
                "end": texts[name].index("grain13") if name == "exam" else 9,
            }
            for name, item, ngrams, overlap in found
            if name in texts
        ]
        _store(workspace, "contamination", shard, contamination=hits)
    relations = [
        ("whole", "web/a", "survivor", 1.0),
        ("whole", "code/a", "same", 1.0),
        ("near", "mirror/a", "near", 0.9),
        ("copy", "mirror/a", "exact", 1.0),
        *((f"like{n}", "mirror/a", "near", 0.8) for n in range(30)),
    ]
    cluster = min(ident(name) for name, *_ in relations)
    rows = [
        {
            "doc_id": ident(name),
            "shard": shard,
            "kind": kind,
            "cluster": cluster,
            "survivor": ident("whole"),
            "survivor_shard": "web/a",
            "similarity": similarity,
        }
        for name, shard, kind, similarity in relations
    ]
    _store(workspace, "duplicate_clusters", None, clusters=rows)
    return workspace


def _verdict(name: str) -> dict:
    return {
        "doc_id": ident(name),
        "kept": True,
        "first_rule": None,
        "value": None,
        "threshold": None,
        "fired": [],
        "weight": 1.0,
        "policy": "p@1",
    }


def _store(workspace: Workspace, asset: str, partition: str | None, **tables: list[dict]) -> None:
    workspace.store(asset, partition, Made({name: _table(name, rows) for name, rows in tables.items()}), "1")


def _table(name: str, rows: list[dict]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=CONTRACTS[name].schema)
