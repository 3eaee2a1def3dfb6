"""A small lake of generated tables, stored through the workspace: every asset from raw_crawl to lineage_audit, in two sources.

Documents are made of a tiny grammar, so that a decoder of a few thousand weights learns something in seconds.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from pathlib import Path

import numpy as np
import polars as pl
import torch

from gristmill import views
from gristmill.corpus import packing, tokenizer
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Workspace
from gristmill.model import export
from gristmill.model.config import Config
from gristmill.model.decoder import Decoder
from gristmill.recipe import Recipe

RECIPE = Recipe.model_validate(
    {
        "sources": {"groups": {"web": {"crawls": ["docs-*"]}, "code": {"crawls": ["stdlib"]}}},
        "policy": {"except_sources": {"gopher.stop_words": ["code"]}},
        "corpus": {
            "sequence_length": 32,
            "phases": {
                "general": {"tokens": 4_000, "mix": {"web": 0.5, "code": 0.5}},
                "annealing": {"tokens": 1_000, "mix": {"web": 1.0}},
            },
        },
        "models": {"small": {"hidden": 16, "layers": 1, "heads": 2, "kv_heads": 1, "ffn": 32}},
        "quantization": {"group_size": 8},
        "training": {"threads": 1},
        "evaluation": {"documents_per_domain": 4, "bytes_per_document": 200, "prompts": ["the cat", "import"], "sample_tokens": 6},
    }
)
SHARDS = {"docs-1/a": 40, "docs-1/b": 40, "stdlib/a": 30}
WORDS = {
    "web": [
        "the",
        "cat",
        "and",
        "dog",
        "sat",
        "with",
        "a",
        "hat",
        "that",
        "was",
        "red",
        "to",
        "be",
        "of",
        "use",
        "in",
        "this",
        "old",
        "house",
        "near",
        "water",
    ],
    "code": ["import", "def", "return", "self", "value", "for", "in", "range", "print", "class", "if", "else", "none", "true", "list"],
}
DAY = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)


def generated(root: Path, recipe: Recipe = RECIPE, train_steps: int = 0) -> Workspace:
    """Everything up to `checkpoints`; `train_steps` of them are real."""
    workspace = Workspace(Lake(root), recipe)
    texts = {shard: _texts(shard, n) for shard, n in SHARDS.items()}
    for shard, documents in texts.items():
        _store_shard(workspace, shard, documents)
    web, copy = texts["docs-1/a"], texts["docs-1/b"]
    _store(
        workspace,
        "duplicate_clusters",
        None,
        clusters=[
            {
                "doc_id": doc_id,
                "shard": shard,
                "kind": kind,
                "cluster": web[8][0],
                "survivor": web[8][0],
                "survivor_shard": "docs-1/a",
                "similarity": similarity,
            }
            for doc_id, shard, kind, similarity in (
                (web[8][0], "docs-1/a", "survivor", 1.0),
                (copy[10][0], "docs-1/b", "near", 0.91),
                (copy[11][0], "docs-1/b", "near", 0.83),
            )
        ],
    )
    _store(
        workspace,
        "synthetic_sets",
        "exercises",
        synthetic=[
            {
                "doc_id": _id(f"exercise {n}"),
                "set": "exercises",
                "text": f"What is {n} + <b>{n}</b>? {2 * n}",
                "plan": '{"kind": "sum"}',
                "teacher": "program",
                "seed": n,
                "verification": "evaluated",
                "verified": n != 3,
                "attempts": 1,
            }
            for n in range(8)
        ],
    )
    _store_models(workspace, texts, train_steps)
    return workspace


def evaluated(workspace: Workspace) -> None:
    """Scores, samples and an audit that are made up, for what only shows them."""
    for n, scheme in enumerate(("float", "w8", "w4", "w2")):
        rows = []
        for d, domain in enumerate(("code", "web", "all")):
            value = 2.0 + 0.1 * d + (0, 0.004, 0.09, 1.7)[n]
            rows.append(_score(scheme, "bits_per_byte", domain, value, 0.2))
            rows += [_score(scheme, "relative_increase", domain, (0, 0.002, 0.05, 0.8)[n], 0.01)] if n else []
            rows += [
                _score(scheme, name, domain, worst, 0.1)
                for name, worst in (("unigram", 4.4), ("uniform_tokens", 5.7), ("uniform_bytes", 8.0))
                if not n
            ]
        _store(
            workspace,
            "eval_reports",
            f"small/{scheme}",
            eval_scores=rows,
            samples=[
                {"model": "small", "scheme": scheme, "prompt": prompt, "text": f" <i>sat</i> with {scheme}"}
                for prompt in workspace.recipe.evaluation.prompts
            ],
        )
    _store(
        workspace,
        "lineage_audit",
        None,
        audit=[
            {"claim": "payloads match their digests", "subject": "docs-1/a x", "passed": True, "evidence": ""},
            {"claim": "payloads match their digests", "subject": "docs-1/b y", "passed": False, "evidence": "now sha256:1"},
        ],
    )


def _score(scheme: str, metric: str, domain: str, value: float, spread: float) -> dict[str, object]:
    return {
        "model": "small",
        "scheme": scheme,
        "metric": metric,
        "domain": domain,
        "value": value,
        "low": value - spread,
        "high": value + spread,
        "documents": 4,
        "n_bytes": 800,
    }


def _id(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _texts(shard: str, n: int) -> list[tuple[str, str]]:
    """(doc_id, text), the first of each shard too short to stay."""
    words = WORDS["code" if shard.startswith("stdlib") else "web"]
    found = []
    for i in range(n):
        draw = random.Random(f"{shard} {i}")
        length = 10 + 2 * i if i < 8 else 60 + 7 * i
        start = draw.randrange(len(words))
        found.append(
            (_id(f"{shard} {i}"), " ".join(words[(start + k) % len(words)] for k in range(length)) + (" a@b.org" if i == 7 else ""))
        )
    return found


def _store_shard(workspace: Workspace, shard: str, documents: list[tuple[str, str]]) -> None:
    url, host = f"http://{shard}/", shard.split("/")[0]
    ids = [doc_id for doc_id, _ in documents]
    words = {doc_id: len(text.split()) for doc_id, text in documents}
    record = {
        "warc": f"{shard}.warc",
        "length": 9,
        "kind": "response",
        "payload_digest": "sha256:00",
        "fetched_at": DAY,
        "status": 200,
        "mime": "text/html",
    }
    records = [
        {"doc_id": doc_id, "capture": f"{shard}#{n}", "url": f"{url}{n}", "host": host, "offset": n, **record}
        for n, doc_id in enumerate(ids)
    ]
    again = [{**records[-1], "capture": f"{shard}#again"}, {**records[-1], "doc_id": _id(f"{shard} broken"), "capture": f"{shard}#broken"}]
    _store(workspace, "raw_crawl", shard, records=[*records, *again])
    _store(
        workspace,
        "documents",
        shard,
        documents=[
            {
                "doc_id": doc_id,
                "captures": [f"{shard}#{n}"],
                "url": f"{url}{n}",
                "host": host,
                "text": text,
                "text_hash": views.text_hash(text),
                "language": "en",
                "language_score": 0.9,
                "extractor": "resiliparse",
                "fetched_at": DAY,
                "n_bytes": len(text.encode()),
                "n_chars": len(text),
            }
            for n, (doc_id, text) in enumerate(documents)
        ],
        quarantine=[
            {
                "capture": f"{shard}#broken",
                "stage": "extract",
                "url": f"{url}broken",
                "warc": f"{shard}.warc",
                "offset": 0,
                "error": "too_large",
                "message": "50 MB",
            }
        ],
    )
    _store(
        workspace,
        "edits",
        shard,
        edits=[
            {
                "doc_id": doc_id,
                "start": text.index("a@b.org"),
                "end": text.index("a@b.org") + 7,
                "replacement": "<EMAIL>",
                "rule": "pii.email",
            }
            for doc_id, text in documents
            if "a@b.org" in text
        ],
    )
    draw = np.random.default_rng(len(shard))
    workspace.store(
        "signals",
        shard,
        Made(
            {
                "signals.gopher": pl.DataFrame(
                    {
                        "doc_id": ids,
                        "gopher.word_count": [float(n) for n in words.values()],
                        "gopher.mean_word_length": draw.normal(4.5, 0.8, len(ids)).clip(2),
                        "gopher.stop_word_count": [6.0 if host != "stdlib" else 0.0] * len(ids),
                    }
                ),
                "pages": pl.DataFrame(
                    {
                        "doc_id": ids,
                        "url": [f"https://{host}/{doc_id}" for doc_id in ids],
                        "host": [host] * len(ids),
                        "language": ["en"] * len(ids),
                        "n_bytes": list(words.values()),
                        "n_chars": list(words.values()),
                    },
                    schema=CONTRACTS["pages"].schema,
                ),
                "signals.language": pl.DataFrame({"doc_id": ids, "language.score": draw.beta(12, 1, len(ids))}),
            }
        ),
        "1",
    )
    first = {doc_id: "gopher.word_count_min" for doc_id, n in words.items() if n < 50}
    _store_verdicts(workspace, "filtered_shards", shard, first, words)
    if shard == "docs-1/b":
        first |= dict.fromkeys(ids[10:12], "dedup.near")
    split = ["test" if n % 4 == 0 else "validation" if n % 4 == 1 else "train" for n in range(len(ids))]
    _store_verdicts(
        workspace,
        "deduplicated_shards",
        shard,
        first,
        words,
        splits=[
            {"doc_id": doc_id, "cluster": doc_id, "split": each} for doc_id, each in zip(ids, split, strict=True) if doc_id not in first
        ],
    )
    left = [doc_id for doc_id in ids if doc_id not in first]
    _store(workspace, "repeated_spans", shard, cuts=[])
    _store(
        workspace,
        "quality_scores",
        shard,
        scores=[
            {"doc_id": doc_id, "quality": round(float(score), 6), "quality_version": "1", "topic": topic, "topic_score": 0.5}
            for doc_id, score, topic in zip(
                left, draw.beta(3, 4, len(left)), draw.choice(["software", "home and hobbies", "travel"], len(left)), strict=True
            )
        ],
    )
    _store_verdicts(workspace, "curated_shards", shard, first | {left[0]: "quality.score"}, words)


def _store_verdicts(
    workspace: Workspace, asset: str, shard: str, first: dict[str, str], words: dict[str, int], **more: list[dict[str, object]]
) -> None:
    _store(
        workspace,
        asset,
        shard,
        verdicts=[
            {
                "doc_id": doc_id,
                "kept": doc_id not in first,
                "first_rule": first.get(doc_id),
                "value": float(n) if doc_id in first else None,
                "threshold": 50.0 if doc_id in first else None,
                "fired": [first[doc_id]] if doc_id in first else [],
                "weight": 1.0,
                "policy": "test 1",
            }
            for doc_id, n in words.items()
        ],
        **more,
    )


def _store(workspace: Workspace, asset: str, partition: str | None, **tables: list[dict[str, object]]) -> None:
    workspace.store(asset, partition, Made({name: pl.DataFrame(rows, schema=CONTRACTS[name].schema) for name, rows in tables.items()}), "1")


def _store_models(workspace: Workspace, texts: dict[str, list[tuple[str, str]]], train_steps: int) -> None:
    recipe, folder = workspace.recipe, Path(workspace.lake.root).parent
    documents = pl.DataFrame([pair for pairs in texts.values() for pair in pairs], schema=["doc_id", "text"], orient="row")
    reader = tokenizer.train(documents, 300)
    reader.save(folder / "tokenizer")
    ratios = [{"source": "web", "bytes_per_token": 3.0}, {"source": "code", "bytes_per_token": 4.0}]
    workspace.store("tokenizer", None, Made(files={"model": folder / "tokenizer"}, metadata={"held-out bytes per token": ratios}), "1")
    length = recipe.corpus.sequence_length
    sequences = {}
    for phase, source in (("general", "code"), ("annealing", "web")):
        train = [
            (shard, doc_id, text)
            for shard, pairs in texts.items()
            if recipe.source_of(shard) == source
            for doc_id, text in pairs
            if doc_id in _train_documents(workspace, shard)
        ]
        streams = {doc_id: packing.stream(reader.encode(text), reader.end_of_text) for _, doc_id, text in train}
        pieces = pl.DataFrame(
            [
                {"doc_id": doc_id, "origin": shard, "source": source, "topic": "", "epoch": 0, "length": len(streams[doc_id])}
                for shard, doc_id, _ in train
            ],
            schema_overrides={"epoch": pl.Int64, "length": pl.Int64},
        )
        sequences[phase], provenance = packing.pack(pieces, phase, streams.__getitem__, length, reader.vocab_size)
        packing.save(sequences[phase], folder / "tokens.npy")
        workspace.store("mixed_corpus", phase, Made({"provenance": provenance}, {"tokens": folder / "tokens.npy"}), "1")
    torch.set_num_threads(1)
    config = Config.of(recipe.models["small"], reader.vocab_size, length, reader.end_of_text, reader.pad)
    decoder = Decoder(config, seed=1)
    _train(decoder, np.concatenate(list(sequences.values())).astype(np.int64), train_steps)
    export.save(decoder.state_dict(), config, folder / "model", folder / "tokenizer")
    steps = 80
    log = [
        {
            "model": "small",
            "step": n,
            "phase": "general" if n < 60 else "annealing",
            "loss": 2 + 3.7 * 0.94**n + 0.1 * (n % 3),
            "tokens": 256 * (n + 1),
            "learning_rate": 2e-3 * min(1, (n + 1) / 8, (steps - n) / 20),
            "grad_norm": 1.0,
        }
        for n in range(steps)
    ]
    batches = [{"model": "small", "step": n, "slot": 0, "phase": "general", "sequence": n} for n in range(3)]
    tables = {
        "training_log": pl.DataFrame(log, schema=CONTRACTS["training_log"].schema),
        "batches": pl.DataFrame(batches, schema=CONTRACTS["batches"].schema),
    }
    workspace.store(
        "checkpoints",
        "small",
        Made(tables, {"model": folder / "model"}, metadata={"parameters": config.parameters, "unigram loss": 4.2}),
        "1",
    )


def _train_documents(workspace: Workspace, shard: str) -> set[str]:
    kept = workspace.scan("curated_shards", shard).filter("kept").collect()
    splits = workspace.read("deduplicated_shards", shard, "splits")
    return set(kept["doc_id"]) & set(splits.filter(pl.col("split") == "train")["doc_id"])


def _train(decoder: Decoder, sequences: np.ndarray, steps: int) -> None:
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=1e-2)
    for step in range(steps):
        batch = torch.from_numpy(sequences[(np.arange(8) + 8 * step) % len(sequences)])
        loss = torch.nn.functional.cross_entropy(decoder(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
