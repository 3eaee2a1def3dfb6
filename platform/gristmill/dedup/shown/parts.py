"""Collects what deduplication took out of documents that stay (cuts), and which documents quote reference items.

A cut says how many documents hold what it removes, not which text that is. So texts are found by opening a few documents of each
group of cuts that agree in rule, number of documents and length: what is said of a text is exact, but a text may be missed that
agrees in all three with many others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from gristmill import views
from gristmill.dedup.items import HELD_OUT
from gristmill.lake.workspace import Workspace
from gristmill.texts import clean_texts, final_texts

SAMPLED = 4  # documents opened of each group of cuts that look alike
QUOTED = 400  # characters of a cut text or of a quotation
AROUND = 80  # characters quoted before and behind a hit


@dataclass(frozen=True)
class Cut:
    """A text that was cut out of documents: `documents` hold it, `characters` is its length; `twin` keeps it, if one does."""

    rule: str
    documents: int
    characters: int
    text: str
    doc_id: str
    shard: str
    twin: str | None
    similarity: float | None


@dataclass(frozen=True)
class Contaminated:
    """A document, a reference item of which it holds a share of at least the recipe's `min_overlap`, and the words around the first hit
    (`quote` is the n-gram itself). `split` is the document's; what is not train stays. `url` and `item_url` may be empty."""

    doc_id: str
    shard: str
    url: str
    split: str
    item: str
    item_url: str
    ngrams: int
    overlap: float
    before: str
    quote: str
    after: str


def cut_most(workspace: Workspace, shards: list[str], top: int) -> tuple[list[dict[str, Any]], list[Cut]]:
    """Of some shards, per rule: rule, cuts, documents, characters; and the `top` texts that took most (documents times characters)."""
    if not shards:
        return [], []
    cuts = [workspace.scan("repeated_spans", shard, "cuts").with_columns(characters=pl.col("end") - pl.col("start")) for shard in shards]
    rules = pl.concat(
        pl.collect_all(
            [
                cut.group_by("rule").agg(
                    cuts=pl.len().cast(pl.Int64),
                    documents=pl.col("doc_id").n_unique().cast(pl.Int64),
                    characters=pl.col("characters").sum(),
                )
                for cut in cuts
            ]
        )
    )
    alike = ["rule", "documents", "characters"]
    examples = pl.collect_all(
        [
            cut.sort(*alike, "doc_id", "start").group_by(*alike, maintain_order=True).head(SAMPLED).with_columns(shard=pl.lit(shard))
            for cut, shard in zip(cuts, shards, strict=True)
        ]
    )
    rows = (
        pl.concat(examples)
        .sort((pl.col("documents") * pl.col("characters")) * -1, *alike, "doc_id", "start")
        .group_by(*alike, maintain_order=True)
        .head(SAMPLED)
        .head(top * SAMPLED)
    )
    found: dict[tuple[str, int, str], Cut] = {}
    for cut in _quoted(workspace, rows):
        found.setdefault((cut.rule, cut.documents, cut.text), cut)
    most = sorted(found.values(), key=lambda cut: (-cut.documents * cut.characters, cut.rule, cut.text))
    summed = rules.group_by("rule").sum().sort(pl.col("characters") * -1, "rule").select("rule", "cuts", "documents", "characters")
    return summed.to_dicts(), most[:top]


def cuts_of(workspace: Workspace, shards: list[str], doc_id: str) -> list[Cut]:
    """What was cut out of one document, in its order."""
    found = []
    for shard in shards:
        if workspace.has("repeated_spans", shard):
            rows = workspace.scan("repeated_spans", shard, "cuts").filter(pl.col("doc_id") == doc_id).sort("start").collect()
            found += _quoted(workspace, rows.with_columns(characters=pl.col("end") - pl.col("start"), shard=pl.lit(shard)))
    return found


def contaminated(workspace: Workspace, shards: list[str], top: int) -> tuple[list[dict[str, Any]], list[Contaminated]]:
    """Of some shards, per file of items: items (its name), documents, train (those in that split); and the `top` documents of the
    largest overlap."""
    if not shards:
        return [], []
    least = workspace.recipe.decontamination.min_overlap
    rows = pl.concat([_hits(workspace, shard).filter(pl.col("overlap") >= least).collect() for shard in shards])
    files = (
        rows.with_columns(items=pl.col("item").str.split("/").list.first())
        .unique(["items", "doc_id", "shard"])
        .group_by("items")
        .agg(documents=pl.len().cast(pl.Int64), train=(pl.col("split") == "train").sum().cast(pl.Int64))
        .sort(pl.col("documents") * -1, "items")
    )
    worst = rows.sort(pl.col("split") != "train", pl.col("overlap") * -1, pl.col("ngrams") * -1, "doc_id", "item")
    return files.to_dicts(), _quotations(workspace, worst.unique("doc_id", keep="first", maintain_order=True).head(top))


def hits_of(workspace: Workspace, shards: list[str], doc_id: str) -> list[Contaminated]:
    """The items that one document holds `min_overlap` of, or more."""
    least = workspace.recipe.decontamination.min_overlap
    found = [
        _hits(workspace, shard).filter((pl.col("doc_id") == doc_id) & (pl.col("overlap") >= least)).collect()
        for shard in shards
        if workspace.has("contamination", shard)
    ]
    return _quotations(workspace, pl.concat(found).sort(pl.col("overlap") * -1, "item")) if found else []


def _hits(workspace: Workspace, shard: str) -> pl.LazyFrame:
    """The contract `contamination` with shard and split (empty where the document has none)."""
    hits = workspace.scan("contamination", shard, "contamination").with_columns(shard=pl.lit(shard))
    if not workspace.has("deduplicated_shards", shard):
        return hits.with_columns(split=pl.lit(""))
    splits = workspace.scan("deduplicated_shards", shard, "splits").select("doc_id", "split")
    return hits.join(splits, on="doc_id", how="left").with_columns(pl.col("split").fill_null(""))


def _quoted(workspace: Workspace, rows: pl.DataFrame) -> list[Cut]:
    """The cuts of `rows` with what they remove, in their order."""
    masked = pl.DataFrame(schema={"doc_id": pl.String, "start": pl.Int64, "end": pl.Int64, "replacement": pl.String})
    texts: dict[tuple[str, str], str] = {}
    masks: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
    for (shard,), part in rows.group_by("shard", maintain_order=True):
        doc_ids = part["doc_id"].unique().sort()
        texts |= {(str(shard), d): text for d, text in clean_texts(workspace, str(shard), doc_ids).select("doc_id", "text").iter_rows()}
        edits = workspace.scan("edits", str(shard)).filter(pl.col("doc_id").is_in(doc_ids.implode())).collect()
        for doc_id, *span in views.of_view(edits, "final").select(masked.columns).sort("doc_id", "start").iter_rows():
            masks.setdefault((str(shard), doc_id), []).append((span[0], span[1], span[2]))
    return [
        Cut(
            row["rule"],
            row["documents"],
            row["characters"],
            _slice(texts[row["shard"], row["doc_id"]], row["start"], row["end"], masks.get((row["shard"], row["doc_id"]), [])),
            row["doc_id"],
            row["shard"],
            row["twin"],
            row["similarity"],
        )
        for row in rows.iter_rows(named=True)
        if (row["shard"], row["doc_id"]) in texts
    ]


def _slice(text: str, start: int, end: int, masks: list[tuple[int, int, str]]) -> str:
    """text[start:end] with what lies under a mask replaced, shortened."""
    pieces, at = [], start
    for begin, stop, replacement in masks:
        if begin < end and stop > start:
            pieces += [text[at : max(begin, at)], replacement]
            at = stop
    pieces.append(text[at:end] if at < end else "")
    line = " ".join("".join(pieces).split())
    return line if len(line) <= QUOTED else f"{line[:QUOTED]}…"


def _quotations(workspace: Workspace, rows: pl.DataFrame) -> list[Contaminated]:
    texts: dict[str, str] = {}
    urls: dict[str, str] = {}
    for (shard,), part in rows.group_by("shard", maintain_order=True):
        doc_ids = part["doc_id"].unique().sort().to_list()
        texts |= dict(final_texts(workspace, str(shard), doc_ids).select("doc_id", "text").iter_rows())
    named = rows["item"].filter(rows["item"].str.starts_with(f"{HELD_OUT}/")).str.strip_prefix(f"{HELD_OUT}/")
    wanted = pl.concat([named, rows["doc_id"]]).unique().sort()
    for shard in workspace.partitions("documents") if len(wanted) else ():
        known = workspace.scan("documents", shard, "documents").filter(pl.col("doc_id").is_in(wanted.implode()))
        urls |= dict(known.select("doc_id", "url").collect().iter_rows())
    found = []
    for row in rows.iter_rows(named=True):
        text, start, end = texts.get(row["doc_id"], ""), row["start"], row["end"]
        quote = " ".join(text[start:end].split())
        found.append(
            Contaminated(
                row["doc_id"],
                row["shard"],
                urls.get(row["doc_id"], ""),
                row["split"],
                row["item"],
                urls.get(row["item"].removeprefix(f"{HELD_OUT}/"), ""),
                row["ngrams"],
                row["overlap"],
                " ".join(text[max(0, start - AROUND) : start].split()),
                quote if len(quote) <= QUOTED else f"{quote[:QUOTED]}…",
                " ".join(text[end : end + AROUND].split()),
            )
        )
    return found
