"""Chooses the documents of a phase, so that every key of its mix gets its share of the tokens, and orders them.

A key is a source, `source/topic` or `synthetic/<set>`. A document belongs to the most specific key that names it: where
the mix has both `web` and `web/Science`, `web` is the web without science. Within a key, documents are taken in the
order of a seeded hash of their id until the key's tokens are reached; the last one is cut there, so that small budgets
meet their ratios too. A key that is short starts over, up to `max_epochs`, and then stays short: the realised mix says so.
Phases choose independently, so a document may come again in a later phase. A document that the policy down-weights comes in an
epoch by the chance of a seeded hash of its id.

Nothing here depends on shards, on their order or on how many documents are read at a time.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping

import polars as pl

from gristmill.errors import ContractError, RecipeError
from gristmill.recipe import Phase

VERSION = "2"

CANDIDATE = {"doc_id": pl.String, "origin": pl.String, "source": pl.String, "topic": pl.String, "n_bytes": pl.Int64, "weight": pl.Float64}
"""A document that may enter a corpus: `origin` is its shard or synthetic/<set>; `n_bytes` guides reading, no more; `weight`
is the chance that it comes in an epoch, which the policy's down-weighting rules set."""

PIECE = {**{k: v for k, v in CANDIDATE.items() if k not in ("n_bytes", "weight")}, "key": pl.String, "epoch": pl.Int64, "length": pl.Int64}
"""A document as it is taken: its first `length` stream tokens, in its `epoch`-th repetition (from 0)."""

BYTES_PER_TOKEN = 4  # how many bytes to read for a token that is missing; a wrong guess costs a round, nothing else

Count = Callable[[list[str]], Mapping[str, int]]
"""Stream lengths, in tokens, of the documents with these ids."""

Comes = Callable[[str, float, int], bool]
"""Whether the document (id, weight) comes in an epoch."""


def choose(candidates: pl.DataFrame, name: str, phase: Phase, tokens: int, seed: int, count: Count) -> pl.DataFrame:
    """The pieces of phase `name` (PIECE columns) in training order, `tokens` in all unless a key runs short."""
    if candidates["doc_id"].is_duplicated().any():
        twice = candidates.filter(pl.col("doc_id").is_duplicated())["doc_id"].sort()[0]
        raise ContractError(
            f"document {twice} is a candidate twice",
            where=f"mixed_corpus, phase {name}",
            fix="After deduplication a document is kept in one shard; look at deduplicated_shards.",
        )
    candidates = candidates.with_columns(_keys(candidates, phase.mix))
    quotas = quota(phase.mix, tokens)
    ranked = {key: _ranked(candidates, key, name, seed) for key in quotas}
    for key, documents in ranked.items():
        if documents.is_empty():
            raise RecipeError(
                f"no document for the mix key {key!r}",
                where=f"corpus.phases.{name}.mix",
                fix=f"Keys that have documents: {', '.join(_present(candidates)) or 'none'}.",
            )

    def comes(doc_id: str, weight: float, epoch: int) -> bool:
        return weight >= 1 or int(_hash(seed, name, "weight", doc_id, str(epoch))[:13], 16) < weight * 16**13

    lengths = _read(ranked, quotas, count, comes)
    taken = [row for key, wanted in quotas.items() for row in _take(ranked[key], key, wanted, phase.max_epochs, lengths, comes)]
    pieces = pl.DataFrame(taken, schema=PIECE)
    places = [_hash(seed, name, "order", doc_id, str(epoch)) for doc_id, epoch in pieces.select("doc_id", "epoch").iter_rows()]
    return pieces.with_columns(pl.Series("place", places, dtype=pl.String)).sort("place", "doc_id", "epoch").drop("place")


def quota(mix: Mapping[str, float], tokens: int) -> dict[str, int]:
    """`tokens` shared out by `mix`, whole and exact (largest remainder; ties by key). Keys with no share are left out."""
    exact = {key: share * tokens for key, share in sorted(mix.items()) if share > 0}
    whole = {key: int(value) for key, value in exact.items()}
    by_remainder = sorted(exact, key=lambda key: (whole[key] - exact[key], key))
    for key in by_remainder[: tokens - sum(whole.values())]:
        whole[key] += 1
    return whole


def realised_mix(provenance: pl.DataFrame, name: str, phase: Phase) -> list[dict[str, str | int | float]]:
    """Asked and realised share of every key, from a provenance table."""
    taken = provenance.with_columns(_keys(provenance, phase.mix), (pl.col("end") - pl.col("start")).alias("n"))
    total = max(1, int(taken["n"].sum()))
    rows: list[dict[str, str | int | float]] = []
    for key, asked in sorted(phase.mix.items()):
        mine = taken.filter(pl.col("key") == key)
        n = int(mine["n"].sum())
        rows.append(
            {
                "phase": name,
                "key": key,
                "asked": asked,
                "realised": round(n / total, 6),
                "tokens": n,
                "documents": mine["doc_id"].n_unique(),
                "epochs": mine["epoch"].n_unique(),
            }
        )
    return rows


def _keys(documents: pl.DataFrame, mix: Iterable[str]) -> pl.Series:
    """The most specific key of `mix` that names each document; null for a document that none names."""
    mix = set(mix)
    keys = [
        full if (full := f"{source}/{topic}") in mix else source if source in mix else None
        for source, topic in documents.select("source", "topic").iter_rows()
    ]
    return pl.Series("key", keys, dtype=pl.String)


def _present(candidates: pl.DataFrame) -> list[str]:
    pairs = candidates.select("source", "topic").unique().iter_rows()
    return sorted({key for source, topic in pairs for key in (source, f"{source}/{topic}") if key != "synthetic"})


def _ranked(candidates: pl.DataFrame, key: str, phase: str, seed: int) -> pl.DataFrame:
    mine = candidates.filter(pl.col("key") == key)
    hashes = pl.Series("hash", [_hash(seed, phase, "choose", doc_id) for doc_id in mine["doc_id"]], dtype=pl.String)
    return mine.with_columns(hashes).sort("hash", "doc_id").drop("hash")


def _read(ranked: Mapping[str, pl.DataFrame], quotas: Mapping[str, int], count: Count, comes: Comes) -> dict[str, int]:
    """Lengths of as many documents of each key, from its first, as its quota needs, in a few rounds of reading."""
    lengths: dict[str, int] = {}
    first = {d: comes(d, w, 0) for documents in ranked.values() for d, w in documents.select("doc_id", "weight").iter_rows()}
    done = dict.fromkeys(ranked, 0)  # documents read
    missing = dict(quotas)  # tokens
    while True:
        wanted: dict[str, list[str]] = {}
        for key, documents in ranked.items():
            if missing[key] <= 0 or done[key] == len(documents):
                continue
            rest = documents[done[key] :]
            enough = int((rest["n_bytes"].cum_sum() < missing[key] * BYTES_PER_TOKEN).sum()) + 1
            wanted[key] = rest["doc_id"][:enough].to_list()
        if not wanted:
            return lengths
        lengths.update(count([doc_id for ids in wanted.values() for doc_id in ids]))
        for key, ids in wanted.items():
            done[key] += len(ids)
            missing[key] -= sum(lengths[doc_id] for doc_id in ids if lengths[doc_id] > 1 and first[doc_id])


def _take(
    documents: pl.DataFrame, key: str, wanted: int, max_epochs: float, lengths: Mapping[str, int], comes: Comes
) -> Iterable[dict[str, str | int]]:
    """Pieces of one key until `wanted` tokens are reached. A document whose final text is empty (a stream of one) is left out."""
    usable = [row for row in documents.drop("n_bytes").iter_rows(named=True) if lengths.get(row["doc_id"], 0) > 1]
    weights = [row.pop("weight") for row in usable]
    pool = sum(lengths[row["doc_id"]] * weight for row, weight in zip(usable, weights, strict=True))
    left = min(wanted, int(pool * max_epochs))
    for epoch in range(math.ceil(max_epochs)):
        for row, weight in zip(usable, weights, strict=True):
            if left <= 0:
                return
            if comes(row["doc_id"], weight, epoch):
                length = min(left, lengths[row["doc_id"]])
                left -= length
                yield {**row, "key": key, "epoch": epoch, "length": length}


def _hash(seed: int, *parts: str) -> str:
    return hashlib.blake2b("\0".join((str(seed), *parts)).encode(), digest_size=16).hexdigest()
