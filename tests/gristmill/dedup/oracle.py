"""Clusters by brute force: all pairs, plain Python, one election over everything. And documents to cluster, made up or drawn."""

import datetime
import hashlib
import random
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from gristmill.dedup.clusters import Clustering, duplicate_clusters
from gristmill.dedup.members import MEMBERS, Shard
from gristmill.lake.contracts import CONTRACTS, conform
from gristmill.lake.table_hash import table_hash
from gristmill.recipe.dedup import Dedup

DAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
KINDS = ("same", "url", "payload", "exact", "near", "semantic")


def digest(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True)
class Text:
    """A normalised text as its signature has it."""

    name: str
    bands: tuple[int, ...] = ()
    shingles: tuple[int, ...] = ()


@dataclass(frozen=True)
class Document:
    name: str
    text: Text
    shard: str = "crawl/0"
    clean: str = ""  # which of the clean texts that share the normalised one
    url: str | None = None
    payload: str | None = None
    n_chars: int = 100
    day: int | None = 0
    priority: int = 0

    @property
    def doc_id(self) -> str:
        return digest(self.name)

    @property
    def text_hash(self) -> str:
        return digest(f"{self.text.name}/{self.clean}")

    def row(self) -> dict[str, object]:
        return {
            "doc_id": self.doc_id,
            "url": self.url,
            "payload": self.payload,
            "normal_hash": digest(self.text.name),
            "text_hash": self.text_hash,
            "n_shingles": len(self.text.shingles),
            "n_chars": self.n_chars,
            "fetched_at": None if self.day is None else DAY + datetime.timedelta(days=self.day),
            "priority": self.priority,
        }


Pairs = dict[tuple[str, str], float]
"""Cosines of pairs of text hashes."""


def shards(documents: list[Document]) -> list[Shard]:
    by_shard = defaultdict(list)
    for document in documents:
        by_shard[document.shard].append(document)
    out = []
    for key, mine in by_shard.items():
        members = pl.DataFrame([d.row() for d in mine], schema=MEMBERS)
        signed = [(d.doc_id, list(d.text.bands), sorted(d.text.shingles)) for d in mine]
        schema = {name: CONTRACTS["signatures"].schema[name] for name in ("doc_id", "bands", "shingles")}
        out.append(Shard(key, members.lazy(), pl.DataFrame(signed, schema=schema, orient="row").lazy()))
    return out


def semantic_frame(pairs: Pairs) -> pl.LazyFrame:
    rows = [(*sorted(pair), value) for pair, value in sorted(pairs.items())]
    return pl.LazyFrame(rows, schema={"left": pl.String, "right": pl.String, "similarity": pl.Float64}, orient="row")


def run(
    documents: list[Document], scratch: Path, settings: Dedup, pairs: Pairs | None = None, previous=None, memory: int = 1 << 26
) -> Clustering:
    return duplicate_clusters(shards(documents), semantic_frame(pairs or {}), settings, scratch, previous, memory)


def clusters(found: Clustering) -> pl.DataFrame:
    return conform("clusters", found.clusters.collect())


def fingerprint(found: Clustering) -> dict[str, str]:
    """Content hash of every table, the state's too."""
    hashes = {}
    for name, frame in found.tables.items():
        rows = frame.collect()
        assert not rows.is_duplicated().any()
        hashes[name] = table_hash(name, rows.sort(rows.columns))
    return hashes


def jaccard(one: Text, other: Text) -> float:
    a, b = set(one.shingles), set(other.shingles)
    return round(len(a & b) / len(a | b), 6) if a | b else 0.0


def brute_force(documents: list[Document], settings: Dedup, pairs: Pairs | None = None) -> pl.DataFrame:
    """The contract `clusters`."""
    cosine = {frozenset(pair): value for pair, value in (pairs or {}).items()}
    copies: dict[str, list[Document]] = defaultdict(list)
    for document in documents:
        copies[document.doc_id].append(document)

    def rank(d: Document) -> tuple:
        of = {
            "priority": (-d.priority,),
            "longest": (-d.n_chars,),
            "earliest": (d.day is None, d.day or 0),
            "latest": (d.day is None, -(d.day or 0)),
        }
        return (*(part for name in settings.survivor for part in of[name]), d.doc_id, d.shard)

    owners = [min(some, key=rank) for some in copies.values()]

    def related(d: Document, survivor: Document) -> tuple[str, float] | None:
        """The strongest relation."""
        on = settings.levels
        if "url" in on and d.url and d.url == survivor.url:
            return "url", 1.0
        if "exact" in on and d.payload and d.payload == survivor.payload:
            return "payload", 1.0
        if "exact" in on and d.text.name == survivor.text.name:
            return "exact", 1.0
        if "near" in on and (set(d.text.bands) & set(survivor.text.bands) or (d.text == survivor.text and d.text.shingles)):
            similarity = jaccard(d.text, survivor.text)
            if similarity >= settings.minhash.threshold:
                return "near", similarity
        if "semantic" in on:
            if d.text_hash == survivor.text_hash:
                return "semantic", 1.0
            if (found := cosine.get(frozenset((d.text_hash, survivor.text_hash)))) is not None:
                return "semantic", found
        return None

    survivors: list[Document] = []
    fate: dict[str, tuple[Document, str, float]] = {}
    for document in sorted(owners, key=rank):
        for survivor in survivors:
            if found := related(document, survivor):
                fate[document.doc_id] = (survivor, *found)
                break
        else:
            survivors.append(document)
            fate[document.doc_id] = (document, "survivor", 1.0)
    groups = defaultdict(list)
    for doc_id, (survivor, kind, similarity) in fate.items():
        owner = next(d for d in owners if d.doc_id == doc_id)
        for copy in copies[doc_id]:
            how = "same" if kind == "survivor" and copy.shard != owner.shard else kind
            groups[survivor.doc_id].append((doc_id, copy.shard, how, survivor, similarity))
    rows = [
        (doc_id, shard, how, min(each[0] for each in group), survivor.doc_id, survivor.shard, similarity)
        for group in groups.values()
        if len(group) > 1
        for doc_id, shard, how, survivor, similarity in group
    ]
    return conform("clusters", pl.DataFrame(rows, schema=CONTRACTS["clusters"].schema, orient="row"))


def pool(draw: random.Random, size: int = 14) -> list[Text]:
    """Texts of few families that share bands whether alike or not: as bad as hashing gets."""
    texts = []
    for i in range(size):
        family = draw.randrange(3)
        shingles = {100 * family + s for s in range(12) if draw.random() < 0.85} | {1_000 + i}
        bands = [
            draw.randrange(3) if draw.random() < 0.6 else 50 + i,
            10 + draw.randrange(4),
            20 + family if draw.random() < 0.7 else 90 + i,
        ]
        texts.append(Text(f"text {i}", tuple(bands), tuple(sorted(shingles))) if i else Text("short"))
    return texts


def drawn(draw: random.Random, texts: list[Text], count: int, shards: int = 4) -> list[Document]:
    """Documents with few distinct urls, payloads, times; the same document in several shards now and then."""
    made: dict[tuple[str, str], Document] = {}
    for _ in range(count):
        name, shard = f"d{draw.randrange(2 * count)}", f"crawl/{draw.randrange(shards)}"
        made[name, shard] = Document(
            name,
            draw.choice(texts),
            shard,
            clean=draw.choice("ab"),
            url=draw.choice([None, "", *(f"u{i}" for i in range(count))]),
            payload=draw.choice([None, *(f"p{i}" for i in range(count))]),
            n_chars=draw.choice([10, 20, 30]),
            day=draw.choice([None, 0, 1, 2, 3]),
            priority=draw.choice([0, 0, 1]),
        )
    return list(made.values())


def drawn_pairs(draw: random.Random, texts: list[Text], count: int) -> Pairs:
    hashes = [replace(Document("", text), clean=clean).text_hash for text in texts for clean in "ab"]
    return {tuple(sorted(draw.sample(hashes, 2))): draw.choice([0.95, 0.97, 0.991234]) for _ in range(count)}
