"""Claims about copies: signatures from texts, each loser's similarity to its survivor, who survives; cuts; contamination.

A full audit clusters nothing anew: that two documents are *not* copies of each other is not recomputed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from gristmill.dedup import contamination as overlap
from gristmill.dedup import cuts, lines, minhash
from gristmill.dedup.survival import ranked
from gristmill.dedup.vectors import VectorTable, as_integers, read_vectors, vector_hash
from gristmill.dedup.verdicts import thresholds
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.workspace import Workspace
from gristmill.lineage.audit.decisions import KEY
from gristmill.lineage.audit.scope import Finding, NotRecomputed, Scope, differing, grouped, lacking
from gristmill.naming import named
from gristmill.texts import clean_texts, final_texts

SIGNED = "signatures follow from the text"
EMBEDDED = "vectors hash as recorded"
SIMILAR = "losers resemble their survivors as recorded"
SURVIVE = "the first in order survives"
CUTS = "cuts follow from what is repeated"
CONTAMINATION = "contamination follows from the items"
NO_TEXT = "that were kept have no text"


def signed(scope: Scope) -> Iterator[Finding]:
    for shard in [shard for shard in scope.shards if scope.workspace.has("minhash_signatures", shard)]:
        yield scope.check(SIGNED, named("minhash_signatures", shard), lambda s=shard: _signed(scope, s))  # type: ignore[misc]


def _signed(scope: Scope, shard: str) -> tuple[str, str]:
    lake = scope.as_read("minhash_signatures", shard)
    texts = clean_texts(lake, shard, scope.chosen(shard, lake))
    again = minhash.sign(texts, lake.recipe.dedup.minhash)
    stored = scope.stored("minhash_signatures", shard, None, texts["doc_id"])
    return differing(stored, again, KEY), f"{again.height} texts signed again"


def embedded(scope: Scope) -> Iterator[Finding]:
    for shard in [shard for shard in scope.shards if scope.workspace.has("document_embeddings", shard)]:
        yield scope.check(EMBEDDED, named("document_embeddings", shard), lambda s=shard: _embedded(scope, s))  # type: ignore[misc]


def _embedded(scope: Scope, shard: str) -> tuple[str, str]:
    """The stored vectors of the chosen documents, and that they are of the texts that stand. No text is embedded again."""
    lake = scope.as_read("document_embeddings", shard)
    kept = lake.scan("filtered_shards", shard, "verdicts").filter("kept").select("doc_id").collect()["doc_id"]
    ids = scope.drawn(kept)
    stored = scope.stored("document_embeddings", shard, None, ids)
    vectors = read_vectors(lake.lake, stored)
    hashes = [vector_hash(vector) for vector in vectors]
    if wrong := [doc_id for doc_id, said, found in zip(stored["doc_id"], stored["vector_hash"], hashes, strict=True) if said != found]:
        return f"{len(wrong)} of {stored.height} vectors are others than were recorded, e.g. of {wrong[0]}", ""
    texts = clean_texts(lake, shard, ids).select("doc_id", "text_hash")
    problem = lacking(ids, texts["doc_id"], NO_TEXT) or differing(stored.select("doc_id", "text_hash"), texts, KEY)
    return problem, f"{stored.height} vectors"


def clusters(scope: Scope) -> Iterator[Finding]:
    if ("duplicate_clusters", None) not in scope.outputs:
        return
    yield scope.check(SIMILAR, "duplicate_clusters", lambda: _similar(scope))
    yield scope.check(SURVIVE, "duplicate_clusters", lambda: _survivors(scope))


def _clusters(scope: Scope) -> pl.DataFrame:
    """Whole clusters: those of the shards that are looked into, as many documents at most as the audit draws."""
    table = scope.workspace.scan("duplicate_clusters", None, "clusters")
    if scope.documents is None:
        return table.collect()
    names = table.filter(pl.col("shard").is_in(scope.shards)).select(pl.col("cluster").unique().sort()).head(scope.documents).collect()
    return table.join(names.lazy(), on="cluster", how="semi").collect()


def _similar(scope: Scope) -> tuple[str, str]:
    lake, found = scope.as_read("duplicate_clusters"), _clusters(scope)
    losers = found.filter(pl.col("kind") != "survivor")
    about = _about(lake, found)
    pairs = losers.join(about, on=["doc_id", "shard"], how="left").join(
        about.rename({name: f"their_{name}" for name in about.columns if name not in ("doc_id", "shard")}),
        left_on=["survivor", "survivor_shard"],
        right_on=["doc_id", "shard"],
        how="left",
    )
    lost = pairs.filter(pl.col("url").is_null() | pl.col("their_url").is_null())
    if lost.height:
        return f"{lost.height} losers or survivors are no documents, e.g. {lost['doc_id'][0]} of {lost['survivor'][0]}", ""
    least, problems = thresholds(lake.recipe.dedup), list[str]()
    cosines = _cosines(lake, pairs.filter(pl.col("kind") == "semantic"))
    for row in pairs.iter_rows(named=True):
        again = cosines[row["text_hash"], row["their_text_hash"]] if row["kind"] == "semantic" else _measured(row)
        if again != row["similarity"] or again < least[row["kind"]]:
            problems.append(
                f"{row['doc_id']} is recorded as a {row['kind']} copy of {row['survivor']} at {row['similarity']:g}, and measures "
                f"{again:g} (threshold {least[row['kind']]:g})"
            )
    kinds = Counter(losers["kind"])
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    return "; ".join(problems[:3]) + more, ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items())) or "no copies"


def _measured(row: dict[str, Any]) -> float:
    """How much a loser is what its kind says of its survivor."""
    kind = row["kind"]
    if kind == "near":
        both = np.intersect1d(row["shingles"], row["their_shingles"], assume_unique=True).size
        either = len(row["shingles"]) + len(row["their_shingles"]) - both
        same = row["normal_hash"] == row["their_normal_hash"]  # documents of one text, where `exact` is not asked for
        return 1.0 if same else round(float(np.rint(both / either * 1e6)) / 1e6, 6) if either else 0.0
    equal = {"same": row["doc_id"] == row["survivor"], "exact": row["normal_hash"] == row["their_normal_hash"]}
    equal |= {name: row[name] == row[f"their_{name}"] for name in ("url", "payload")}
    return float(equal[kind])


def _about(lake: Workspace, found: pl.DataFrame) -> pl.DataFrame:
    """doc_id, shard, url, payload, priority, fetched_at, text_hash, normal_hash, n_chars, shingles of the documents of `found`."""
    wanted = pl.concat([found.select("doc_id", "shard"), found.select(doc_id="survivor", shard="survivor_shard")]).unique()
    parts = [pl.DataFrame(schema={"doc_id": pl.String, "shard": pl.String, "url": pl.String, "payload": pl.String})]
    for shard, rows in grouped(wanted, "shard"):
        documents = _chosen(lake, "documents", shard, "documents", rows["doc_id"]).select("doc_id", "url", "fetched_at")
        records = _chosen(lake, "raw_crawl", shard, "records", rows["doc_id"]).select("doc_id", payload="payload_digest").unique("doc_id")
        signed = _chosen(lake, "minhash_signatures", shard, None, rows["doc_id"])
        priority = lake.recipe.sources.groups[lake.recipe.source_of(shard)].priority
        about = documents.join(records, on="doc_id", how="left").join(signed.drop("bands"), on="doc_id")
        parts.append(about.with_columns(pl.lit(shard).alias("shard"), pl.lit(priority, pl.Int64).alias("priority")))
    return pl.concat(parts, how="diagonal")


def _cosines(lake: Workspace, pairs: pl.DataFrame) -> dict[tuple[str, str], float]:
    """Exact cosine of the vectors of each pair of texts, as `dedup.semantic` rounds it."""
    if pairs.is_empty():
        return {}
    shard, first = pairs.select("shard", "text_hash").row(0)
    model = lake.scan("document_embeddings", shard).filter(pl.col("text_hash") == first).select("model").first().collect().item()
    table = VectorTable.open(lake.lake, model)
    left, right = (as_integers(table.get(pairs[name].to_list())).astype(np.int64) for name in ("text_hash", "their_text_hash"))
    lengths = np.sqrt((left * left).sum(axis=1).astype(np.float64)) * np.sqrt((right * right).sum(axis=1).astype(np.float64))
    cosines = np.round((left * right).sum(axis=1) / lengths, 6)
    return dict(zip(pairs.select("text_hash", "their_text_hash").iter_rows(), cosines.tolist(), strict=True))


def _survivors(scope: Scope) -> tuple[str, str]:
    lake, found = scope.as_read("duplicate_clusters"), _clusters(scope)
    about = _about(lake, found)
    rank = ranked(about.select("doc_id", "shard", "priority", "n_chars", "fetched_at").lazy(), lake.recipe.dedup.survivor).collect()
    lost = found.join(rank, on=["doc_id", "shard"], how="anti")
    if lost.height:
        return f"{lost.height} of {found.height} documents of clusters are no documents, e.g. {lost['doc_id'][0]} of {lost['shard'][0]}", ""
    first = found.join(rank, on=["doc_id", "shard"]).sort("rank", "shard").unique("survivor", keep="first", maintain_order=True)
    wrong = first.filter(pl.col("doc_id") != pl.col("survivor"))
    problems = (
        [f"{wrong.height} survivors are not the first, e.g. {wrong['survivor'][0]}, before which {wrong['doc_id'][0]} comes"]
        if wrong.height
        else []
    )
    survivors = found.filter(pl.col("kind") == "survivor").select("survivor").unique()
    dead = found.join(survivors, on="survivor", how="anti")
    if dead.height:
        problems.append(
            f"{dead.height} documents name a survivor that does not survive, e.g. {dead['doc_id'][0]} names {dead['survivor'][0]}"
        )
    return "; ".join(problems), f"{first.height} clusters of {found.height} documents"


def repeated(scope: Scope) -> Iterator[Finding]:
    for shard in [shard for shard in scope.shards if scope.workspace.has("repeated_spans", shard)]:
        yield scope.check(CUTS, named("repeated_spans", shard), lambda s=shard: _cuts(scope, s))  # type: ignore[misc]


def _cuts(scope: Scope, shard: str) -> tuple[str, str]:
    """What of the chosen survivors is cut, from the table of what is repeated; and that a cut's twin holds the words it keeps."""
    lake, settings = scope.as_read("repeated_spans", shard), scope.workspace.recipe.dedup.lines
    kept = lake.scan("deduplicated_shards", shard, "verdicts").filter("kept").select("doc_id").collect()["doc_id"]
    ids = scope.drawn(kept)
    texts = clean_texts(lake, shard, ids).sort("doc_id")
    if lost := lacking(ids, texts["doc_id"], NO_TEXT):
        return lost, ""
    across = lake.scan("repeated_text", None, "cuts.found").join(pl.LazyFrame({"doc_id": ids}), on="doc_id", how="semi").collect()
    found = [across]
    if lake.recipe.source_of(shard) not in settings.except_sources:
        keys = lake.scan("text_keys", shard, "text_counts")
        held = lake.scan("repeated_text", None, "text_counts.repeated").join(keys, on=["unit", "bucket", "key"], how="semi")
        found.append(lines.line_cuts(texts, held.collect(), settings))
    stored = scope.stored("repeated_spans", shard, None, ids)
    return differing(stored, cuts.merged(pl.concat(found)), ["doc_id", "start", "rule"]), f"{stored.height} cuts in {ids.len()} survivors"


def contaminated(scope: Scope) -> Iterator[Finding]:
    references: list[overlap.References] = []
    for shard in [shard for shard in scope.shards if scope.workspace.has("contamination", shard)]:
        yield scope.check(CONTAMINATION, named("contamination", shard), lambda s=shard: _contamination(scope, s, references))  # type: ignore[misc]


def _contamination(scope: Scope, shard: str, loaded: list[overlap.References]) -> tuple[str, str]:
    lake = scope.as_read("contamination", shard)
    if lake.version("reference_ngrams") != scope.workspace.version("reference_ngrams"):
        raise NotRecomputed("its items moved since")
    if not loaded:
        loaded.append(overlap.References.load(lake.scan("reference_ngrams"), lake.recipe.decontamination.ngram_words))
    kept = lake.scan("deduplicated_shards", shard, "verdicts").filter("kept").select("doc_id").collect()["doc_id"]
    ids = scope.drawn(kept)
    texts = final_texts(lake, shard, ids)
    if lost := lacking(ids, texts["doc_id"], NO_TEXT):
        return lost, ""
    sizes = texts.select(
        "doc_id", n_bytes=pl.col("text").str.len_bytes().cast(pl.Int64), n_chars=pl.col("text").str.len_chars().cast(pl.Int64)
    )
    again = {"contamination": (overlap.contamination(texts, loaded[0]), ["doc_id", "item"]), "final_sizes": (sizes, KEY)}
    problems = []
    for name, (table, key) in again.items():
        stored = scope.stored("contamination", shard, name, ids)
        if problem := differing(stored, table.select(*CONTRACTS[name].schema), key):
            problems.append(f"{name}: {problem}")
    return "; ".join(problems), f"{again['contamination'][0].height} overlaps of {texts.height} final texts"


def _chosen(lake: Workspace, asset: str, shard: str, table: str | None, ids: pl.Series) -> pl.DataFrame:
    wanted = pl.LazyFrame({"doc_id": ids}, schema={"doc_id": pl.String})
    return lake.scan(asset, shard, table).join(wanted, on="doc_id", how="semi").collect().sort("doc_id")
