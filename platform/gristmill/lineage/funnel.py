"""The funnel: how many documents, words and tokens reach each stage, and which rules stopped the others.

Everything is read from the tables of the lake. A document counts as dropped at the first stage whose verdict does not
keep it, under the first rule that fired there. Tokens before the mix are an estimate, from characters (taken for one byte
each) and the tokenizer's measured bytes per token of the source; tokens of the mix are counted, repeats included.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gristmill.counting import counted
from gristmill.lake.workspace import Workspace
from gristmill.lineage.overtaken import overtaken
from gristmill.recipe import Recipe
from gristmill.tables import Column, Row, print_table

STAGES = ("records", "documents", "filtered", "deduplicated", "curated", "mixed")
VERDICTS = {"filtered": "filtered_shards", "deduplicated": "deduplicated_shards", "curated": "curated_shards"}
SCHEMA: dict[str, pl.DataType] = {
    "stage": pl.String(),
    "source": pl.String(),
    "documents": pl.Int64(),
    "words": pl.Int64(),
    "tokens": pl.Int64(),
    "dropped_by": pl.List(pl.Struct({"rule": pl.String, "documents": pl.Int64})),
}
TOP_REASONS = 3
SCHEMES = ("float", "w8", "w4", "w2")  # the order in which variants are listed


def funnel(workspace: Workspace) -> pl.DataFrame:
    """One row per stage and source, in order; a stage that was not made for any shard is absent.

    stage, source, documents, words (null where unknown), tokens (null where unknown), and `dropped_by`: what stopped
    documents between the stage before and this one, the most frequent rule first.
    """
    counts: Counter[tuple[str, str, str]] = Counter()  # (stage, source, what) -> number
    drops: Counter[tuple[str, str, str]] = Counter()  # (stage, source, rule) -> documents
    made: set[str] = set()
    for shard in workspace.partitions("raw_crawl"):
        source = workspace.recipe.source_of(shard)
        made |= _count_shard(workspace, shard, source, counts, drops)
    if workspace.partitions("mixed_corpus"):
        made.add("mixed")
        _count_mix(workspace, counts, drops)
    sources = _in_recipe_order({source for _, source, _ in counts}, workspace.recipe)
    ratios = bytes_per_token(workspace)
    rows = []
    for stage in STAGES:
        for source in sources if stage in made else ():
            if stage != "mixed" and (stage, source, "documents") not in counts and ("records", source, "documents") not in counts:
                continue  # synthetic sets are no crawl
            rows.append(
                {
                    "stage": stage,
                    "source": source,
                    "documents": counts[stage, source, "documents"],
                    "words": counts.get((stage, source, "words")),
                    "tokens": _tokens(counts, stage, source, ratios),
                    "dropped_by": [
                        {"rule": rule, "documents": n}
                        for rule, n in sorted(
                            ((r, n) for (s, g, r), n in drops.items() if (s, g) == (stage, source)), key=lambda x: (-x[1], x[0])
                        )
                    ],
                }
            )
    return pl.DataFrame(rows, schema=SCHEMA)


def totals(rows: pl.DataFrame) -> pl.DataFrame:
    """`funnel` summed over the sources: one row per stage, in order."""
    summed = []
    for stage in [stage for stage in STAGES if stage in set(rows["stage"])]:
        part = rows.filter(pl.col("stage") == stage)
        drops: Counter[str] = Counter()
        for reasons in part["dropped_by"]:
            for reason in reasons:
                drops[reason["rule"]] += reason["documents"]
        summed.append(
            {
                "stage": stage,
                "source": "all",
                "documents": part["documents"].sum(),
                **{name: part[name].sum() if part[name].null_count() < part.height else None for name in ("words", "tokens")},
                "dropped_by": [{"rule": rule, "documents": n} for rule, n in sorted(drops.items(), key=lambda x: (-x[1], x[0]))],
            }
        )
    return pl.DataFrame(summed, schema=SCHEMA)


def bytes_per_token(workspace: Workspace) -> dict[str, float]:
    """Source -> bytes per token, as the tokenizer measured when it was made; empty before."""
    if not workspace.has("tokenizer"):
        return {}
    for value in workspace.metadata("tokenizer").values():
        if isinstance(value, list) and value and {"source", "bytes_per_token"} <= set(value[0]):
            return {row["source"]: float(row["bytes_per_token"]) for row in value}
    return {}


def _count_shard(
    workspace: Workspace, shard: str, source: str, counts: Counter[tuple[str, str, str]], drops: Counter[tuple[str, str, str]]
) -> set[str]:
    """Adds one shard to the counts; the stages that were made for it."""
    made = {"records"}
    records = workspace.read("raw_crawl", shard, "records", ["doc_id", "capture"])
    refused = _quarantine(workspace, shard)
    refused_first = refused.join(records, on="capture", how="anti")["capture"].n_unique()
    counts["records", source, "documents"] += records["capture"].n_unique() + refused_first
    if not workspace.has("documents", shard):
        return made
    made.add("documents")
    alive = workspace.read("documents", shard, "documents", ["doc_id", "n_chars"])
    for error, captures in refused.group_by("error").agg(pl.col("capture").n_unique()).iter_rows():
        drops["documents", source, f"quarantine: {error}"] += captures
    again = records.join(refused, on="capture", how="anti")["capture"].n_unique() - alive.height
    if again > 0:
        drops["documents", source, "captured again unchanged"] += again
    words = _words(workspace, shard)
    if words is not None:
        alive = alive.join(words, on="doc_id", how="left")
    _add(counts, "documents", source, alive)
    for stage, asset in VERDICTS.items():
        if not workspace.has(asset, shard):
            break
        made.add(stage)
        verdicts = workspace.read(asset, shard, "verdicts", ["doc_id", "kept", "first_rule"])
        judged = alive.join(verdicts, on="doc_id", how="left").with_columns(pl.col("kept").fill_null(False))
        dropped = judged.filter(~pl.col("kept")).group_by(pl.col("first_rule").fill_null("no verdict")).len()
        for rule, n in dropped.iter_rows():
            drops[stage, source, rule] += n
        alive = judged.filter("kept").drop("kept", "first_rule")
        _add(counts, stage, source, alive)
    return made


def _add(counts: Counter[tuple[str, str, str]], stage: str, source: str, alive: pl.DataFrame) -> None:
    counts[stage, source, "documents"] += alive.height
    counts[stage, source, "characters"] += int(alive["n_chars"].sum())
    if "words" in alive.columns:
        counts[stage, source, "words"] += int(alive["words"].sum())


def _quarantine(workspace: Workspace, shard: str) -> pl.DataFrame:
    """(capture, error) of a shard's pages that could not be read, from the assets that store a quarantine."""
    found = [
        workspace.read(asset, shard, "quarantine", ["capture", "error"])
        for asset in ("raw_crawl", "documents")
        if (output := workspace.head(asset, shard)) and "quarantine" in output.tables
    ]
    return pl.concat(found).unique() if found else pl.DataFrame(schema={"capture": pl.String, "error": pl.String})


def _words(workspace: Workspace, shard: str) -> pl.DataFrame | None:
    output = workspace.head("signals", shard)
    if output is None or "signals.gopher" not in output.tables:
        return None
    frame = workspace.read("signals", shard, "signals.gopher", ["doc_id", "gopher.word_count"])
    return frame.select("doc_id", words=pl.col("gopher.word_count").cast(pl.Int64))


def _count_mix(workspace: Workspace, counts: Counter[tuple[str, str, str]], drops: Counter[tuple[str, str, str]]) -> None:
    """The corpus of all phases; what is curated and not in it is held out (`test split`, `validation split`) or was not drawn."""
    provenance = pl.concat(
        [
            workspace.read("mixed_corpus", phase, "provenance", ["doc_id", "source", "start", "end"])
            for phase in workspace.partitions("mixed_corpus")
        ]
    )
    by_source = provenance.group_by("source").agg(documents=pl.col("doc_id").n_unique(), tokens=(pl.col("end") - pl.col("start")).sum())
    for source, documents, tokens in by_source.iter_rows():
        counts["mixed", source, "documents"] += documents
        counts["mixed", source, "tokens"] += tokens
    used = provenance.select("doc_id").unique()
    for shard in workspace.partitions("curated_shards"):
        source = workspace.recipe.source_of(shard)
        kept = workspace.scan("curated_shards", shard, "verdicts").filter("kept").select("doc_id").collect()
        splits = workspace.read("deduplicated_shards", shard, "splits", ["doc_id", "split"]).unique("doc_id")
        left = kept.join(used, on="doc_id", how="anti").join(splits, on="doc_id", how="left")
        for split, n in left.group_by(pl.col("split").fill_null("train")).len().iter_rows():
            drops["mixed", source, "not drawn" if split == "train" else f"{split} split"] += n


def _tokens(counts: Counter[tuple[str, str, str]], stage: str, source: str, ratios: dict[str, float]) -> int | None:
    if stage == "mixed":
        return counts["mixed", source, "tokens"]
    if stage == "records" or source not in ratios:
        return None
    return round(counts[stage, source, "characters"] / ratios[source])


def _in_recipe_order(sources: Iterable[str], recipe: Recipe) -> list[str]:
    known = list(recipe.sources.groups)
    return sorted(sources, key=lambda source: (known.index(source) if source in known else len(known), source))


def format_funnel(workspace: Workspace, console: Console | None = None) -> None:
    """Prints the funnel, and the eval table once there is one."""
    console = console or Console()
    rows = funnel(workspace)
    if rows.is_empty():
        console.print("Nothing has been made yet: no shard of raw_crawl is in the lake.")
        return
    _print_funnel(rows, console)
    if old := overtaken(workspace, [*VERDICTS.values(), "mixed_corpus", "eval_reports"]):
        partitions = counted(sum(old.values()), "partition")
        said = f"{partitions} of {', '.join(old)} read what was replaced since: this mixes two states until `gristmill rebuild`."
        console.print(Text(f"{said}\n", "yellow"), soft_wrap=True)
    scores = eval_table(workspace)
    if not scores.is_empty():
        console.print(_eval_table(scores))


def eval_table(workspace: Workspace) -> pl.DataFrame:
    """Bits per byte of every evaluated variant: model, scheme, then one column per domain; baselines last."""
    keys = workspace.partitions("eval_reports")
    if not keys:
        return pl.DataFrame()
    scores = pl.concat([workspace.read("eval_reports", key, "eval_scores") for key in keys])
    variants = scores.filter(pl.col("metric") == "bits_per_byte")
    baselines = scores.filter(pl.col("metric").is_in(["unigram", "uniform_tokens"])).with_columns(
        model=pl.lit("baseline"), scheme=pl.col("metric").str.replace("_", " ")
    )
    both = pl.concat([variants, baselines]).unique(["model", "scheme", "domain"], keep="first", maintain_order=True)
    domains = [*_in_recipe_order(set(both["domain"]) - {"all"}, workspace.recipe), "all"]
    wide = both.pivot("domain", index=["model", "scheme"], values="value")
    rank = pl.col("scheme").replace_strict(SCHEMES, range(len(SCHEMES)), default=len(SCHEMES), return_dtype=pl.Int64)
    return wide.select("model", "scheme", *[d for d in domains if d in wide.columns]).sort(
        pl.col("model") == "baseline", "model", rank, "scheme"
    )


def _print_funnel(rows: pl.DataFrame, console: Console) -> None:
    columns = [Column("stage"), Column("source"), *(Column(name, right=True) for name in ("documents", "kept", "tokens"))]
    table = []
    for row in with_totals(rows):
        last = row["source"] == "all"
        cells = [
            row["stage"] if row["first"] else "",
            row["source"],
            _number(row["documents"]),
            "" if row["share"] is None else f"{row['share']:.0%}",
            _number(row["tokens"]),
            reasons(row["dropped_by"]) if row["first"] or not last else "",
        ]
        table.append(Row(cells, "bold" if last else "", last))
    print_table([*columns, Column("dropped by", long=True)], table, console, "Funnel: what reached each stage, and what stopped the rest")


def with_totals(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of each stage and then their sum. `first` marks a stage's first row; `share` is what was kept of the stage before."""
    before: dict[str, int] = {}
    for total in totals(rows).iter_rows(named=True):
        part = rows.filter(pl.col("stage") == total["stage"]).to_dicts()
        now = {row["source"]: row["documents"] for row in part}
        if before:
            now["all"] = sum(documents for source, documents in now.items() if source in before)  # what the mix adds was not kept
            before["all"] = sum(before.values())
        for n, row in enumerate([*part, total] if len(part) > 1 else [total]):
            earlier = before.get(row["source"])
            yield {**row, "first": n == 0, "share": now[row["source"]] / earlier if earlier else None}
        before = {source: documents for source, documents in now.items() if source != "all"}


def reasons(dropped_by: list[dict[str, Any]], top: int = TOP_REASONS) -> str:
    """`gopher.stop_words 12, kl.outlier 3, others 4`"""
    shown = [f"{each['rule']} {each['documents']:,}" for each in dropped_by[:top]]
    rest = dropped_by[top:]
    return ", ".join([*shown, *([f"others {sum(each['documents'] for each in rest):,}"] if rest else [])])


def _eval_table(scores: pl.DataFrame) -> Table:
    table = _table("Bits per byte on held-out documents (lower is better)")
    for name in scores.columns:
        table.add_column(name, justify="left" if name in ("model", "scheme") else "right")
    for row in scores.iter_rows():
        table.add_row(*(cell if isinstance(cell, str) else "" if cell is None else f"{cell:.3f}" for cell in row))
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"
