"""Which documents two builds keep that the other does not, and why.

A document is in a build when its last verdict keeps it in some shard. What came in has the reason that kept it out before (a
rule, a kind of duplicate, `new page`, a refusal), what went out the reason that keeps it out now. Shards whose verdicts hold
the same are not opened, but to see that a document did not just move to one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from gristmill.lake.workspace import Workspace
from gristmill.lineage.funnel import bytes_per_token

JUDGES = ("curated_shards", "deduplicated_shards", "filtered_shards")  # the last one made for a shard says what it keeps
NEW, GONE, REFUSED, UNREAD = "new page", "not in the crawl", "refused: ", "not extracted"
SAME = "dedup.same"  # the copy in another shard is the document; it says nothing about why that one is out
BY = ("reason", "source", "language", "topic")
MOVED = {
    "doc_id": pl.String,
    "way": pl.String,  # in or out
    "shard": pl.String,
    **dict.fromkeys(BY, pl.String),
    "n_bytes": pl.Int64,  # of the final view, in the build that keeps it
    "tokens": pl.Int64,  # estimated from bytes; null where no tokenizer has measured its source
}
COUNTS = ("documents", "bytes", "tokens")
EXAMPLES = 3
FATE = {"doc_id": pl.String, "kept": pl.Boolean, "rule": pl.String, "weight": pl.Float64, "shard": pl.String}


@dataclass(frozen=True)
class Documents:
    """`moved` has a row for each document in or out (MOVED); of those that stay, how many are `rewritten` (their clean text, or
    the length of what cuts leave of it, changed) or `reweighed` in the mix. `examples`: (way, reason) -> URLs."""

    kept_before: int
    kept_after: int
    rewritten: int
    reweighed: int
    moved: pl.DataFrame
    examples: dict[tuple[str, str], list[str]]

    def count(self, way: str, what: str = "documents") -> int | None:
        """Documents, bytes or tokens; None for tokens that are not known."""
        part = self.moved.filter(pl.col("way") == way)
        return part.height if what == "documents" else _sum(part, what)

    def by(self, dimension: str) -> pl.DataFrame:
        """One row for each reason, source, language or topic, the most moved first: name, then in_ and out_ documents, bytes, tokens."""
        names = pl.col(dimension).fill_null("none").alias("name")
        rows = []
        for (name,), part in self.moved.group_by(names, maintain_order=True):
            ways = {way: part.filter(pl.col("way") == way) for way in ("in", "out")}
            rows.append(
                {"name": name}
                | {f"{way}_documents": each.height for way, each in ways.items()}
                | {f"{way}_{what}": _sum(each, what) for way, each in ways.items() for what in ("bytes", "tokens")}
            )
        schema = {"name": pl.String, **{f"{way}_{what}": pl.Int64 for way in ("in", "out") for what in COUNTS}}
        return pl.DataFrame(rows, schema=schema).sort(-(pl.col("in_documents") + pl.col("out_documents")), "name")

    def as_json(self) -> dict[str, Any]:
        return {
            "kept_before": self.kept_before,
            "kept_after": self.kept_after,
            **{way: {what: self.count(way, what) for what in COUNTS} for way in ("in", "out")},
            "rewritten": self.rewritten,
            "reweighed": self.reweighed,
            "by": {name: self.by(name).to_dicts() for name in BY},
            "examples": [{"way": way, "reason": reason, "urls": urls} for (way, reason), urls in self.examples.items()],
        }


def documents(old: Workspace, new: Workspace) -> Documents:
    """Compares what two builds keep. Memory follows from the shards that differ, not from the lake."""
    shards = sorted({shard for each in (old, new) for asset in JUDGES for shard in each.partitions(asset)})
    changed = [shard for shard in shards if _verdicts_hash(old, shard) != _verdicts_hash(new, shard)]
    rest = [shard for shard in shards if shard not in set(changed)]
    before, after = _fates(old, changed), _fates(new, changed)
    was, now = (fates.filter("kept").unique("doc_id", keep="first") for fates in (before, after))
    comes, goes = now.join(was, on="doc_id", how="anti"), was.join(now, on="doc_id", how="anti")
    unmoved = 0
    for shard in rest:
        kept = _verdicts(new, shard).filter("kept").select("doc_id")
        unmoved += int(kept.select(pl.len()).collect().item())
        if comes.height or goes.height:
            held = kept.join(pl.concat([comes, goes]).lazy(), on="doc_id", how="semi").collect()
            comes, goes = comes.join(held, on="doc_id", how="anti"), goes.join(held, on="doc_id", how="anti")
    ways = [
        _described(new, comes, _reasons(old, comes, before, rest, NEW)).with_columns(way=pl.lit("in")),
        _described(old, goes, _reasons(new, goes, after, rest, GONE)).with_columns(way=pl.lit("out")),
    ]
    moved = pl.concat([each.select(list(MOVED)) for each in ways]).sort("way", "doc_id")
    stays = was.join(now, on="doc_id", suffix="_now")
    examples = {**_examples(new, moved, "in"), **_examples(old, moved, "out")}
    reweighed = stays.filter(pl.col("weight") != pl.col("weight_now")).height
    return Documents(was.height + unmoved, now.height + unmoved, _rewritten(old, new, shards), reweighed, moved, examples)


def _judge(workspace: Workspace, shard: str) -> str | None:
    return next((asset for asset in JUDGES if workspace.has(asset, shard)), None)


def _verdicts_hash(workspace: Workspace, shard: str) -> str:
    asset = _judge(workspace, shard)
    return workspace.output(asset, shard).tables["verdicts"].hash if asset else ""


def _verdicts(workspace: Workspace, shard: str) -> pl.LazyFrame:
    asset = _judge(workspace, shard)
    return workspace.scan(asset, shard, "verdicts") if asset else pl.LazyFrame(schema={"doc_id": pl.String, "kept": pl.Boolean})


def _fates(workspace: Workspace, shards: Iterable[str], wanted: pl.DataFrame | None = None) -> pl.DataFrame:
    """FATE of the documents in these shards: of all, or of those wanted."""
    frames = [pl.DataFrame(schema=FATE)]
    for shard in shards:
        if _judge(workspace, shard):
            fate = _verdicts(workspace, shard).select("doc_id", "kept", pl.col("first_rule").alias("rule"), "weight", shard=pl.lit(shard))
            frames.append((fate if wanted is None else fate.join(wanted.lazy(), on="doc_id", how="semi")).collect())
    return pl.concat(frames)


def _reasons(workspace: Workspace, moved: pl.DataFrame, fates: pl.DataFrame, rest: list[str], absent: str) -> pl.DataFrame:
    """doc_id and reason: why `workspace` does not keep these documents. `fates` are of the shards that differ, `rest` the others."""
    told = fates.join(moved, on="doc_id", how="semi")
    silent = moved.join(told, on="doc_id", how="anti")
    if silent.height:
        told = pl.concat([told, _fates(workspace, rest, silent)])
        silent = silent.join(told, on="doc_id", how="anti")
    found = (
        told.sort(pl.col("rule") == SAME, "shard")
        .unique("doc_id", keep="first", maintain_order=True)
        .select("doc_id", reason=pl.col("rule").fill_null("no verdict"))
    )
    refused = _refusals(workspace, silent) if silent.height else found.clear()
    gone = silent.join(refused, on="doc_id", how="anti").select("doc_id", reason=pl.lit(absent))
    return pl.concat([found, refused, gone])


def _refusals(workspace: Workspace, wanted: pl.DataFrame) -> pl.DataFrame:
    """doc_id and reason of pages that were captured and have no verdict: what refused them."""
    frames = [pl.DataFrame(schema={"doc_id": pl.String, "reason": pl.String})]
    for shard in workspace.partitions("raw_crawl"):
        captured = workspace.scan("raw_crawl", shard, "records").select("doc_id", "capture")
        records = captured.join(wanted.lazy(), on="doc_id", how="semi").collect()
        if records.is_empty():
            continue
        errors = [pl.DataFrame(schema={"capture": pl.String, "error": pl.String})]
        for asset in ("raw_crawl", "documents"):
            head = workspace.head(asset, shard)
            if head and "quarantine" in head.tables:
                errors.append(workspace.read(asset, shard, "quarantine", ["capture", "error"]))
        refused = records.join(pl.concat(errors), on="capture", how="left").sort("doc_id", "error", nulls_last=True)
        reason = pl.when(pl.col("error").is_null()).then(pl.lit(UNREAD)).otherwise(REFUSED + pl.col("error"))
        frames.append(refused.unique("doc_id", keep="first", maintain_order=True).select("doc_id", reason=reason))
    return pl.concat(frames).unique("doc_id", keep="first", maintain_order=True)


def _described(workspace: Workspace, moved: pl.DataFrame, reasons: pl.DataFrame) -> pl.DataFrame:
    """MOVED but for the way, of documents that `workspace` keeps."""
    ratios, frames = bytes_per_token(workspace), [pl.DataFrame(schema={name: kind for name, kind in MOVED.items() if name != "way"})]
    for (shard,), part in moved.group_by("shard", maintain_order=True):
        wanted, source = part.select("doc_id", "shard").lazy(), workspace.recipe.source_of(str(shard))
        pages = workspace.scan("documents", str(shard), "documents").select("doc_id", "language", "n_bytes")
        rows = wanted.join(pages, on="doc_id", how="left")
        head = workspace.head("contamination", str(shard))
        if head and "final_sizes" in head.tables:
            final = workspace.scan("contamination", str(shard), "final_sizes").select("doc_id", final="n_bytes")
            rows = rows.join(final, on="doc_id", how="left").with_columns(n_bytes=pl.coalesce("final", "n_bytes"))
        topics = pl.LazyFrame(schema={"doc_id": pl.String, "topic": pl.String})
        if workspace.has("quality_scores", str(shard)):
            topics = workspace.scan("quality_scores", str(shard)).select("doc_id", "topic")
        tokens = (pl.col("n_bytes") / ratios[source]).round().cast(pl.Int64) if source in ratios else pl.lit(None, pl.Int64)
        rows = rows.join(topics, on="doc_id", how="left").join(reasons.lazy(), on="doc_id", how="left")
        frames.append(rows.with_columns(source=pl.lit(source), tokens=tokens).select(frames[0].columns).collect())
    return pl.concat(frames)


def _examples(workspace: Workspace, moved: pl.DataFrame, way: str) -> dict[tuple[str, str], list[str]]:
    """URLs of the first documents of each reason."""
    first = moved.filter(pl.col("way") == way).group_by("reason", maintain_order=True).head(EXAMPLES)
    urls: dict[str, str] = {}
    for (shard,), part in first.group_by("shard", maintain_order=True):
        pages = workspace.scan("documents", str(shard), "documents").select("doc_id", "url")
        urls |= dict(pages.join(part.select("doc_id").lazy(), on="doc_id", how="semi").collect().iter_rows())
    found: dict[tuple[str, str], list[str]] = {}
    for row in first.sort("reason", "doc_id").iter_rows(named=True):
        found.setdefault((way, row["reason"]), []).append(urls[row["doc_id"]])
    return found


def _rewritten(old: Workspace, new: Workspace, shards: Iterable[str]) -> int:
    """Documents kept by both in the same shard whose text differs."""
    count = 0
    for shard in shards:
        parts = [_text_versions(each, shard) for each in (old, new)]
        if _stored(old, shard) == _stored(new, shard) or parts[0] is None or parts[1] is None:
            continue
        both = parts[0].join(parts[1], on="doc_id", suffix="_now")
        differs = (pl.col("text_hash") != pl.col("text_hash_now")) | (pl.col("n_bytes") != pl.col("n_bytes_now"))
        count += int(both.filter(differs).select(pl.len()).collect().item())
    return count


def _stored(workspace: Workspace, shard: str) -> list[str]:
    heads = [workspace.head(asset, shard) for asset in ("minhash_signatures", "contamination", _judge(workspace, shard) or "")]
    return [head.data_version if head else "" for head in heads]


def _text_versions(workspace: Workspace, shard: str) -> pl.LazyFrame | None:
    """doc_id, text_hash of the clean view, n_bytes of the final one (0 where it was not made), of what a shard keeps."""
    if not workspace.has("minhash_signatures", shard):
        return None
    kept = _verdicts(workspace, shard).filter("kept").select("doc_id")
    signed = kept.join(workspace.scan("minhash_signatures", shard).select("doc_id", "text_hash"), on="doc_id")
    head = workspace.head("contamination", shard)
    if not head or "final_sizes" not in head.tables:
        return signed.with_columns(n_bytes=pl.lit(0))
    sizes = workspace.scan("contamination", shard, "final_sizes").select("doc_id", "n_bytes")
    return signed.join(sizes, on="doc_id", how="left").with_columns(pl.col("n_bytes").fill_null(0))


def _sum(part: pl.DataFrame, what: str) -> int | None:
    column = part["n_bytes" if what == "bytes" else what]
    return None if column.null_count() else int(column.sum())
