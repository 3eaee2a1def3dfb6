"""What a takedown touches, at every level, and what is remembered of it so that its absence can be proved once the text is gone.

Read from what stands: narrow columns of the tables that the heads name, text only of the documents that are named. The rows of
`touched` are what `gristmill takedown --dry-run` prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from gristmill.counting import counted
from gristmill.crawl import taken_texts, tombstones
from gristmill.crawl.tombstones import Kind, Sketch, Tombstone
from gristmill.errors import LakeError
from gristmill.lake.store import Lake, Stored
from gristmill.lake.workspace import Output, Workspace
from gristmill.lineage.builds.builds import all_builds, each_read
from gristmill.lineage.takedown.quotes import Quotes, strings
from gristmill.lineage.why.document import similarity
from gristmill.lineage.why.find import INDEX, Keyed
from gristmill.lineage.why.why import canonical_forms
from gristmill.naming import named

Facts = dict[str, Any]

SHOWN = 5  # examples of a level
TEXT_CACHES = ("texts-", "extraction-")  # what the names of the caches of extracted texts begin with, now and earlier
MANIFESTS = frozenset({"raw_crawl", "tombstones", "document_index"})
"""Assets that name pages and hold none of their text: they go on naming what is taken down."""
LEVELS = {  # asset -> what a person calls it; those that are not named here are told by their own name
    "raw_crawl": "captures",
    "documents": "documents",
    "signals": "signals",
    "filtered_shards": "verdicts",
    "minhash_signatures": "signatures",
    "document_embeddings": "vectors",
    "search_index": "sentence index",
    "quality_annotations": "the teacher's grades",
    "quality_scores": "scores",
    "mixed_corpus": "provenance",
}


@dataclass
class Touched:
    """`levels`: level, asset, count, unit, detail. `rising`: copies that would take a place. `held`: held partitions that name it.
    `near`: of a URL that finds nothing, known ones that look like it."""

    tombstone: Tombstone
    levels: list[Facts] = field(default_factory=list)
    rising: list[Facts] = field(default_factory=list)
    held: list[tuple[str, str | None]] = field(default_factory=list)
    near: list[str] = field(default_factory=list)

    def as_json(self) -> Facts:
        held = [named(*each) for each in self.held]
        told = {"documents": list(self.tombstone.found), "seen_by": list(self.tombstone.seen_by), "near": self.near}
        return {"tombstone": self.tombstone.as_json(), **told, "levels": self.levels, "rising": self.rising, "held": held}


def propose(
    workspace: Workspace,
    kind: Kind,
    pattern: str,
    who: str,
    why: str,
    exactly: bool = False,
    threshold: float | None = None,
    draft: bool = False,
) -> Tombstone:
    """The tombstone as it would stand on the list, with the documents that it finds now. LakeError where it can find nothing ever: a
    doc_id, or a page whose likes are wanted, that the lake does not know. A `draft` is only shown, and needs no `who` and `why`."""
    for name, value in (("--who", who), ("--why", why)):
        if not draft and not value.strip():
            raise LakeError("is empty", where=name, fix="A takedown says who asked for it, and why.")
    if kind == "near" and exactly:
        raise LakeError("--near and --exactly exclude each other", where="takedown", fix="--doc DOC --exactly takes down one document.")
    pattern = tombstones.normal(kind, pattern)
    near = (tombstones.THRESHOLD if threshold is None else threshold) if kind == "near" else None
    named = Tombstone("", kind, pattern, who, why, tombstones.now(), True, near)  # by name alone, until its text is known
    shards = workspace.partitions("raw_crawl")
    found = [row for shard in shards for row in _found(workspace, shard, named)]
    if not found and kind in ("doc", "near"):
        raise LakeError(
            f"no document {pattern} is in the lake",
            where="takedown",
            fix="--url takes down a page that is yet to come.",
        )
    texts = _texts(workspace, found) if kind != "domain" else ()
    if kind == "near" and not texts:
        raise LakeError(
            "the lake holds no text of it", where=f"takedown --near {pattern}", fix="Rebuild `documents`, or use --doc or --url."
        )
    known = replace(named, exactly=exactly, sketched=tombstones.sketch_version() if texts else "", texts=texts)
    if known.by_text:
        found = [row for shard in shards for row in _found(workspace, shard, known)]
    found = _with_hashes(workspace.lake, found)
    return replace(known, found=tuple(found), seen_by=tuple(seen_by(workspace.lake, {row["doc_id"] for row in found})))


def touched(workspace: Workspace, tombstone: Tombstone, pages: Iterable[Path] = ()) -> Touched:
    """What stands that the tombstone touches. `pages`: HTML reports outside of the lake."""
    near = _near(workspace, tombstone.pattern) if tombstone.kind == "url" and not tombstone.found else []
    answer, lake = Touched(tombstone, near=near), workspace.lake
    ids = {row["doc_id"] for row in tombstone.found}
    quotes = Quotes(tombstone.texts)
    by_asset: dict[str, Facts] = {}
    for output in workspace.outputs():
        rows = {name: n for name, stored in output.tables.items() if (n := _naming(lake, stored, ids))}
        quoted = quotes.among(strings(output.metadata)) + sum(
            quotes.among(lake.scan(stored).select("text").collect()["text"]) for name, stored in output.tables.items() if name == "samples"
        )
        if rows or quoted:
            entry = by_asset.setdefault(output.asset, {"partitions": [], "rows": 0, "quoted": 0})
            entry["partitions"].append(output.partition)
            entry["rows"] += max(rows.values(), default=0)
            entry["quoted"] += quoted
            if output.held and output.asset not in MANIFESTS:
                answer.held.append((output.asset, output.partition))
    order = list(LEVELS)
    for asset, entry in sorted(by_asset.items(), key=lambda each: (order.index(each[0]) if each[0] in order else len(order), each[0])):
        partitions = [each for each in entry["partitions"] if each]
        excerpts = f"{counted(entry['quoted'], 'excerpt')} of its text in the metadata" if entry["quoted"] else ""
        detail = "; ".join(part for part in (_few(partitions), excerpts) if part)
        answer.levels.append({"level": LEVELS.get(asset, asset), "asset": asset, "count": entry["rows"], "unit": "rows", "detail": detail})
    if workspace.has("duplicate_clusters"):
        answer.rising = _rising(workspace, ids)
    answer.levels += [*_corpus(workspace, ids), *_models(workspace, tombstone), *_outside_the_graph(workspace, tombstone, quotes, pages)]
    return answer


def _near(workspace: Workspace, url: str) -> list[str]:
    """Known URLs that may be meant: the same under http or https, with or without www, then those that look like it."""
    if not workspace.has(INDEX):
        return []
    keyed, forms = Keyed(workspace), canonical_forms(url)
    known = keyed.pages(forms)["url"].unique().sort().to_list()
    return list(dict.fromkeys([*known, *(each for form in forms for each in keyed.similar_urls(form))]))[:SHOWN]


def release_held(workspace: Workspace, answer: Touched) -> list[str]:
    """Takes the heads of held partitions away that name what is taken down, so that the next rebuild makes them anew; their names."""
    for asset, partition in answer.held:
        workspace.lake.delete(workspace.head_key(asset, partition))
    return [named(*each) for each in answer.held]


def outputs_of(lake: Lake, asset: str) -> list[Output]:
    """Every output of an asset that is remembered: what stands in any namespace, what builds hold, what the index knows."""
    keys = [key for key in lake.names("heads/") if key.split("/")[2] == asset] + sorted(lake.names(f"index/{asset}/"))
    values = [value for value in each_read(lake.get_json, keys) if value is not None]
    found = [Output.from_json(value) for value in values]
    found += [output for build in all_builds(lake) for output in build.outputs(lake) if output.asset == asset]
    return list({(output.partition, output.data_version, str(sorted(output.inputs.items()))): output for output in found}.values())


def seen_by(lake: Lake, doc_ids: set[str]) -> list[Facts]:
    """model, checkpoint (data version), steps and tokens of every remembered checkpoint that was trained on one of the documents."""
    if not doc_ids:
        return []
    placed: dict[tuple[str, str], pl.DataFrame] = {}
    for output in outputs_of(lake, "mixed_corpus"):
        stored = output.tables.get("provenance")
        if stored is not None and lake.is_whole(stored):
            rows = lake.scan(stored).filter(pl.col("doc_id").is_in(list(doc_ids))).select("sequence", "start", "end").collect()
            if rows.height:
                placed[output.partition or "", output.data_version] = rows
    found: dict[tuple[str, str], Facts] = {}
    for output in outputs_of(lake, "checkpoints"):
        batches = output.tables.get("batches")
        if batches is None or not lake.is_whole(batches):
            continue
        steps, tokens = set[int](), 0
        for phase, version in output.read.get("mixed_corpus", {}).items():
            if (phase, version) in placed:
                mine = lake.scan(batches).filter(pl.col("phase") == phase).select("step", "sequence").collect()
                both = mine.join(placed[phase, version], on="sequence")
                steps |= set(both["step"])
                tokens += int((both["end"] - both["start"]).sum())
        if steps:
            found[output.partition or "", output.data_version] = {
                "model": output.partition,
                "checkpoint": output.data_version,
                "steps": len(steps),
                "first_step": min(steps),
                "last_step": max(steps),
                "tokens": tokens,
            }
    return [found[key] for key in sorted(found)]


def text_hashes(lake: Lake, doc_ids: set[str], keys: Iterable[str] | None = None, others: bool = False) -> dict[str, set[str]]:
    """By model, the text hashes under which vectors of these documents, or of all others, are kept; also those of old versions.
    `keys` are the tables that count, all by default."""
    found: dict[str, set[str]] = {}
    for key in sorted({*lake.names("tables/embeddings/"), *lake.names("tables/paragraphs/")} if keys is None else keys):
        if key.startswith(("tables/embeddings/", "tables/paragraphs/")):
            mine = pl.col("doc_id").is_in(list(doc_ids))
            rows = lake.scan(table_at(key)).filter(~mine if others else mine).select("model", "text_hash").unique().collect()
            for model, text_hash in rows.iter_rows():
                found.setdefault(model, set()).add(text_hash)
    return found


def table_at(key: str) -> Stored:
    return Stored("table", key, "", 0, 0)


def naming(lake: Lake, stored: Stored, doc_ids: set[str]) -> pl.DataFrame:
    """The rows of a table that name one of the documents in a column of strings, also as the end of `held_out/<doc_id>`."""
    scan = lake.scan(stored)
    columns = [name for name, kind in scan.collect_schema().items() if kind == pl.String and name not in ("text", "capture", "captures")]
    if not columns or not doc_ids:
        return pl.DataFrame()
    wanted = sorted(doc_ids)
    named = [pl.col(name).is_in([*wanted, *(f"held_out/{each}" for each in wanted)]) for name in columns]
    return scan.select(columns).filter(pl.any_horizontal(named)).collect()


def _naming(lake: Lake, stored: Stored, doc_ids: set[str]) -> int:
    return naming(lake, stored, doc_ids).height


def _found(workspace: Workspace, shard: str, tombstone: Tombstone) -> Iterator[Facts]:
    found = taken_texts.shard_hits(workspace, shard, [tombstone])
    if found.height:
        about = workspace.read("raw_crawl", shard, "records", ["doc_id", "url", "payload_digest", "warc"]).unique("doc_id", keep="first")
        for row in found.drop("tombstone").join(about, on="doc_id").sort("doc_id").iter_rows(named=True):
            yield {"shard": shard, **row, "text_hashes": []}


def _texts(workspace: Workspace, found: Iterable[Facts]) -> tuple[Sketch, ...]:
    by_shard: dict[str, list[str]] = {}
    for row in found:
        by_shard.setdefault(row["shard"], []).append(row["doc_id"])
    known: dict[str, Sketch] = {}
    for shard, ids in by_shard.items():
        records = workspace.read("raw_crawl", shard, "records")
        for _, normal, shingles in taken_texts.sketches(workspace, shard, records.filter(pl.col("doc_id").is_in(ids))).iter_rows():
            known[normal] = Sketch(normal, tuple(shingles))
    return tuple(known[key] for key in sorted(known))


def _with_hashes(lake: Lake, found: list[Facts]) -> list[Facts]:
    """With the hashes of each document's extracted text in any version that is left, and of what its vectors are kept under."""
    ids = {row["doc_id"] for row in found}
    hashes: dict[str, set[str]] = {}
    if ids:
        for kind in ("documents", "embeddings", "paragraphs"):
            for key in lake.names(f"tables/{kind}/"):
                rows = lake.scan(table_at(key)).filter(pl.col("doc_id").is_in(list(ids))).select("doc_id", "text_hash").collect()
                for doc_id, text_hash in rows.iter_rows():
                    hashes.setdefault(doc_id, set()).add(text_hash)
    return [{**row, "text_hashes": sorted(hashes.get(row["doc_id"], ()))} for row in found]


def _rising(workspace: Workspace, ids: set[str]) -> list[Facts]:
    """Copies that a document to be taken down outlived, and that are not taken down themselves."""
    clusters = workspace.scan("duplicate_clusters", None, "clusters")
    losers = clusters.filter(pl.col("survivor").is_in(list(ids)) & ~pl.col("doc_id").is_in(list(ids)) & (pl.col("kind") != "survivor"))
    found = []
    for row in losers.select("doc_id", "shard", "kind", "similarity", "survivor").collect().sort("shard", "doc_id").iter_rows(named=True):
        about = (
            workspace.scan("raw_crawl", row["shard"], "records").filter(pl.col("doc_id") == row["doc_id"]).select("url").first().collect()
        )
        found.append({**row, "similarity": similarity(row), "url": about["url"][0] if about.height else None})
    return found


def _corpus(workspace: Workspace, ids: set[str]) -> Iterator[Facts]:
    for phase in workspace.partitions("mixed_corpus"):
        rows = workspace.scan("mixed_corpus", phase, "provenance").filter(pl.col("doc_id").is_in(list(ids))).collect()
        if rows.height:
            tokens = int((rows["end"] - rows["start"]).sum())
            epochs = rows["epoch"].n_unique()
            detail = f"{counted(tokens, 'token')} in {counted(epochs, 'epoch')}"
            yield _level(f"corpus, {phase}", rows["sequence"].n_unique(), "sequences", detail)


def _models(workspace: Workspace, tombstone: Tombstone) -> Iterator[Facts]:
    standing = {workspace.version("checkpoints", model): model for model in workspace.partitions("checkpoints")}
    for seen in tombstone.seen_by:
        model = standing.get(seen["checkpoint"])
        which = "the one that stands" if model else "an older one"
        detail = (
            f"{which}, {seen['checkpoint'][:12]}: {counted(seen['tokens'], 'token')}, steps {seen['first_step']} to {seen['last_step']}"
        )
        yield {"level": f"checkpoint {seen['model']}", "asset": "checkpoints", "count": seen["steps"], "unit": "steps", "detail": detail}
        if model:
            for asset, what in (("quantized_variants", "variants"), ("eval_reports", "reports")):
                keys = [key for key in workspace.partitions(asset) if key.startswith(f"{model}/")]
                if keys:
                    yield {"level": what, "asset": asset, "count": len(keys), "unit": "", "detail": _few(keys)}


def _outside_the_graph(workspace: Workspace, tombstone: Tombstone, quotes: Quotes, pages: Iterable[Path]) -> Iterator[Facts]:
    lake, ids = workspace.lake, {row["doc_id"] for row in tombstone.found}
    sources = sorted({row["warc"] for row in tombstone.found})
    if sources:
        yield _level("sources", len(sources), "files", f"{_few(sources)}: not gristmill's, they stay as they are")
    hashes = text_hashes(lake, ids)
    for model, wanted in hashes.items():
        yield _level("stored vectors", len(wanted), "texts", f"{model}, all versions of the table")
    if cached := sum(1 for _ in cached_extractions(workspace, tombstone)):
        yield _level("extraction cache", cached, "texts", "")
    if said := sum(1 for _, value in workspace.cache("teacher").items() if quotes.among([value.decode("utf-8", "replace")])):
        yield _level("teacher cache", said, "answers", "that quote it")
    old = [key for key in lake.names("tables/documents/") if _naming(lake, table_at(key), ids)]
    if old:
        holders = [build.name for build in holding_builds(lake, set(old))]
        yield _level("tables of text", len(old), "files", f"those that stand among them; builds: {_few(holders)}")
    for path in pages:
        if path.exists() and (n := quotes.among(html_lines(path))):
            yield _level("report", n, "excerpts", str(path))


def cached_extractions(workspace: Workspace, tombstone: Tombstone) -> Iterator[tuple[str, str]]:
    """(cache, key) of every extracted text of the pages that were found, by any extractor."""
    digests = {row["payload_digest"] for row in tombstone.found}
    for path in sorted(path for name in TEXT_CACHES for path in workspace.lake.cache_folder.glob(f"{name}*.sqlite")):
        yield from ((path.stem, key) for key, _ in workspace.cache(path.stem).items() if key.rsplit(":", 2)[0] in digests)


def holding_builds(lake: Lake, documents: set[str]) -> list[Any]:
    """The builds that hold one of these tables of documents."""

    def tables(build: Any) -> set[str]:
        return {stored.key for output in build.outputs(lake) if output.asset == "documents" for stored in output.tables.values()}

    return [build for build in all_builds(lake) if tables(build) & documents]


def html_lines(path: Path) -> list[str]:
    """The text of a page between its tags."""
    import html
    import re

    return [html.unescape(part) for part in re.split(r"<[^>]*>", path.read_text(errors="replace")) if part.strip()]


def _level(level: str, count: int, unit: str, detail: str) -> Facts:
    return {"level": level, "asset": "", "count": count, "unit": unit, "detail": detail}


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:SHOWN]) + (f" and {len(listed) - SHOWN:,} more" if len(listed) > SHOWN else "")
