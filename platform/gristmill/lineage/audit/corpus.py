"""Claims about the corpus: every sequence leads back to a source, comes out of its documents again, and may be trained on."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import polars as pl

from gristmill.corpus import packing, provenance, tokenizer
from gristmill.lake.workspace import Workspace
from gristmill.lineage.audit.scope import Finding, Scope, grouped
from gristmill.texts import final_texts

SOURCES = "sequences lead back to a source"
REBUILT = "sequences come out of their documents again"
ALLOWED = "only curated training documents are in the corpus"
SYNTHETIC = "synthetic records say how they were made"
SEQUENCES = 12  # of each phase, that a sampled audit rebuilds


def corpus(scope: Scope) -> Iterator[Finding]:
    for output in scope.of("mixed_corpus"):
        phase = str(output.partition)
        yield scope.check(SOURCES, f"mixed_corpus[{phase}]", lambda p=phase: _sources(scope, p))  # type: ignore[misc]
        yield scope.check(ALLOWED, f"mixed_corpus[{phase}]", lambda p=phase: _allowed(scope, p))  # type: ignore[misc]
        yield scope.check(REBUILT, f"mixed_corpus[{phase}]", lambda p=phase: _rebuilt(scope, p))  # type: ignore[misc]


def synthetic(scope: Scope) -> Iterator[Finding]:
    for output in scope.of("synthetic_sets"):
        yield scope.check(SYNTHETIC, f"synthetic_sets[{output.partition}]", lambda p=str(output.partition): _synthetic(scope, p))  # type: ignore[misc]


def _synthetic(scope: Scope, name: str) -> tuple[str, str]:
    made = scope.workspace.read("synthetic_sets", name)
    bare = made.filter((pl.col("plan") == "") | (pl.col("teacher") == "") | (pl.col("set") != name))
    if bare.height:
        return f"{bare.height} records without plan, teacher or set, e.g. {bare['doc_id'][0]}", ""
    for plan in made["plan"]:
        json.loads(plan)
    return "", f"{made.height} records, {int(made['verified'].sum())} verified"


def _sources(scope: Scope, phase: str) -> tuple[str, str]:
    """Every document is a record of a crawl, or a verified synthetic one with its plan and teacher."""
    lake = scope.workspace
    rows = lake.read("mixed_corpus", phase, "provenance")
    sequences, told = len(packing.load(lake.path("mixed_corpus", phase, "tokens"))), rows["sequence"].n_unique()
    if told != sequences:
        return f"{told} of {sequences} sequences say of which documents they are", ""
    left = rows.select("doc_id", "origin").unique()
    for shard in lake.partitions("raw_crawl"):
        known = lake.scan("raw_crawl", shard, "records").select("doc_id", origin=pl.lit("crawl")).collect()
        left = left.join(known, on=["doc_id", "origin"], how="anti")
    for name in lake.partitions("synthetic_sets"):
        complete = lake.scan("synthetic_sets", name).filter((pl.col("plan") != "") & (pl.col("teacher") != "") & pl.col("verified"))
        left = left.join(complete.select("doc_id", origin=pl.lit(f"synthetic/{name}")).collect(), on=["doc_id", "origin"], how="anti")
    if left.height:
        held = rows.join(left, on=["doc_id", "origin"], how="semi")["sequence"].n_unique()
        first = left.sort("doc_id").row(0, named=True)
        return f"{held} sequences hold documents without a source, e.g. {first['doc_id']} of {first['origin']}", ""
    return "", f"{sequences} sequences, {rows['doc_id'].n_unique()} documents"


def _allowed(scope: Scope, phase: str) -> tuple[str, str]:
    lake = scope.as_read("mixed_corpus", phase)
    used = _rows(scope, phase).filter(pl.col("origin") == "crawl").select("doc_id").unique()
    left, held = used, 0
    for shard in lake.partitions("curated_shards"):
        kept = lake.scan("curated_shards", shard, "verdicts").filter("kept").select("doc_id")
        sides = lake.scan("deduplicated_shards", shard, "splits").select("doc_id", "split").collect()
        held += sides.filter(pl.col("split") != "train").height
        leaked = sides.filter(pl.col("split") != "train").join(used, on="doc_id", how="semi")
        if leaked.height:
            return f"{leaked.height} held-out documents of {shard}, e.g. {leaked['doc_id'][0]} of the {leaked['split'][0]} split", ""
        left = left.join(
            kept.join(sides.filter(pl.col("split") == "train").lazy(), on="doc_id", how="semi").collect(), on="doc_id", how="anti"
        )
    if left.height:
        return f"{left.height} documents that curation did not keep, e.g. {left['doc_id'].sort()[0]}", ""
    return "", f"{used.height} documents, {held} held out"


def _rows(scope: Scope, phase: str) -> pl.DataFrame:
    return scope.workspace.read("mixed_corpus", phase, "provenance")


def _rebuilt(scope: Scope, phase: str) -> tuple[str, str]:
    """Every token has one source, and chosen sequences come out of their documents again, token by token."""
    lake, rows = scope.as_read("mixed_corpus", phase), _rows(scope, phase)
    sequences = packing.load(scope.workspace.path("mixed_corpus", phase, "tokens"))
    if uncovered := provenance.uncovered(rows, *sequences.shape):
        return f"{uncovered} of {sequences.size} tokens have no source, or several", ""
    chosen = scope.some(range(len(sequences)), SEQUENCES)
    reader = tokenizer.load(lake.path("tokenizer"))
    wanted = rows.filter(pl.col("sequence").is_in(chosen)).select("doc_id", "origin").unique()
    streams = {
        doc_id: packing.stream(ids, reader.end_of_text)
        for texts in _texts(lake, wanted)
        for doc_id, ids in zip(texts["doc_id"], reader.encode_batch(texts["text"].to_list()), strict=True)
    }
    if lost := wanted.filter(~pl.col("doc_id").is_in(list(streams)))["doc_id"].to_list():
        return f"{len(lost)} documents of the corpus have no text any more, e.g. {lost[0]}", ""
    wrong = [i for i in chosen if not np.array_equal(provenance.rebuild(rows, i, streams.__getitem__), sequences[i])]
    if wrong:
        return f"{len(wrong)} of {len(chosen)} sequences hold other tokens than their documents, e.g. sequence {wrong[0]}", ""
    return "", f"{len(chosen)} of {len(sequences)} sequences rebuilt from {len(streams)} documents"


def _texts(lake: Workspace, wanted: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """doc_id, text of the documents (doc_id, origin), in frames."""
    for origin, rows in grouped(wanted, "origin"):
        ids = pl.LazyFrame({"doc_id": rows["doc_id"]})
        if origin.startswith("synthetic/"):
            made = lake.scan("synthetic_sets", origin.removeprefix("synthetic/"))
            yield made.join(ids, on="doc_id", how="semi").select("doc_id", "text").collect()
            continue
        left = rows.select("doc_id")
        for shard in lake.partitions("curated_shards"):  # the provenance names no shard
            kept = lake.scan("curated_shards", shard, "verdicts").filter("kept").select("doc_id").collect()
            here = left.join(kept, on="doc_id", how="semi")
            if here.height:
                yield final_texts(lake, shard, here["doc_id"]).select("doc_id", "text")
            left = left.join(here, on="doc_id", how="anti")
