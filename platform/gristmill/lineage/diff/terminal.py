"""Prints builds and what differs between two. Whatever came from a page is printed without control characters and markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gristmill.lineage.builds.builds import Build, Pin
from gristmill.lineage.diff import noise
from gristmill.lineage.diff.diff import Diff
from gristmill.lineage.diff.documents import BY
from gristmill.lineage.diff.models import BITS, INCREASE
from gristmill.policy.terminal import printable, share, size

TOP = 8  # rows shown of each `by`


def print_diff(diff: Diff, console: Console) -> None:
    for name, found in (("recipe", diff.recipe), ("algorithms", diff.algorithms), ("packages", diff.packages)):
        for n, change in enumerate(found):
            _said(console, name if not n else "", str(change), "bold" if name == "recipe" else "")
    for says, shards in (("new", diff.shards.new), ("gone", diff.shards.gone), ("changed", diff.shards.changed)):
        if shards:
            _said(console, f"shards {says}", f"{len(shards):,}: {', '.join(shards[:4])}{', …' if len(shards) > 4 else ''}")
    console.print()
    _documents(diff, console)
    _corpus(diff, console)
    for model in diff.training:
        last = [f"{curve.last:.4f} after {int(curve.tokens[-1]):,} tokens" if curve else "none" for curve in (model.old, model.new)]
        console.print(f"{model.model}: last loss {last[0]}, then {last[1]}{'; the same weights' if model.same else ''}.", soft_wrap=True)
    if diff.training:
        console.print()
    for metric, title in TITLES.items():
        part = diff.scores.filter(pl.col("metric") == metric)
        if part.height:
            console.print(_scores(part, title, (diff.old.name, diff.new.name)))
    if diff.scores.height:
        console.print(Text(f"* more than noise. {_test()}", "dim"), soft_wrap=True)
        console.print()
    for n, sentence in enumerate(diff.sentences):
        console.print(Text(sentence, "" if n else "bold"), soft_wrap=True)


TITLES = {BITS: "Bits per byte, lower is better", INCREASE: "Relative increase over the float model"}


def print_builds(found: Sequence[Build], pins: Mapping[int, Pin], console: Console) -> None:
    if not found:
        console.print("No build has been recorded yet: a rebuild of everything that ends fresh records one.")
        return
    table = _table("")
    for name in ("build", "made", "by", "commit", "partitions", "pinned"):
        table.add_column(name, justify="right" if name == "partitions" else "left", no_wrap=name != "pinned")
    for build in reversed(found):
        pin = pins.get(build.number)
        commit = build.origin.commit
        table.add_row(
            build.name,
            build.made_at.replace("T", " ").removesuffix("+00:00"),
            printable(build.origin.by),
            commit[:10] + ("+" if commit.endswith("+") else ""),
            f"{sum(each.partitions for each in build.heads.values()):,}",
            printable(f"{pin.why} ({pin.by}, {pin.at[:10]})" if pin else ""),
        )
    console.print(table)


def print_build(build: Build, pin: Pin | None, console: Console) -> None:
    console.print(Text(build.name, "bold"))
    origin = build.origin
    told = {
        "made": build.made_at,
        "by": origin.by,
        "commit": f"{origin.commit.removesuffix('+')}{', with edits' if origin.commit.endswith('+') else ''}" or "unknown",
        "python": f"{origin.python}, {len(origin.packages)} packages",
        "content": build.content,
        "pinned": f"{pin.why} ({pin.by}, {pin.at})" if pin else "no",
    }
    for name, value in told.items():
        console.print(Text(f"{name:10}", "dim").append_text(printable(value)), soft_wrap=True)
    table = _table("")
    table.add_column("asset")
    table.add_column("partitions", justify="right")
    table.add_column("heads", style="dim")
    for asset, heads in build.heads.items():
        table.add_row(asset, f"{heads.partitions:,}", heads.stored.hash)
    console.print(table)


def _said(console: Console, name: str, value: str, style: str = "") -> None:
    text = printable(value)
    text.stylize(style)
    console.print(Text(f"{name:15} ", "dim").append_text(text), soft_wrap=True)


def _documents(diff: Diff, console: Console) -> None:
    documents = diff.documents
    said = f"Documents: {documents.kept_before:,} kept, then {documents.kept_after:,}: "
    said += f"{documents.count('in'):,} in, {documents.count('out'):,} out."
    said += f" {documents.rewritten:,} that stay have another text." if documents.rewritten else ""
    said += f" {documents.reweighed:,} have another weight in the mix." if documents.reweighed else ""
    console.print(said, soft_wrap=True)
    if documents.moved.is_empty():
        console.print()
        return
    table = _table("Documents in and out")
    for name in ("by", "", "in", "out", "bytes in", "bytes out", "≈ tokens in", "≈ tokens out"):
        table.add_column(name, justify="left" if name in ("by", "") else "right", overflow="fold")
    for by in BY:
        rows = documents.by(by)
        rest = rows.slice(TOP)
        for n, row in enumerate(rows.head(TOP).iter_rows(named=True)):
            last = n == min(rows.height, TOP) - 1 and not rest.height
            table.add_row(by if not n else "", printable(row["name"]), *_cells(row), end_section=last)
        if rest.height:
            table.add_row("", Text(f"{rest.height:,} others", "dim"), *_cells(rest.sum().row(0, named=True)), end_section=True)
    console.print(table)


def _cells(row: Mapping[str, Any]) -> list[str]:
    counts = [_count(row[f"{way}_documents"]) for way in ("in", "out")]
    sizes = [size(row[f"{way}_bytes"] or 0) for way in ("in", "out")]
    return [*counts, *sizes, *(_count(row[f"{way}_tokens"]) for way in ("in", "out"))]


def _corpus(diff: Diff, console: Console) -> None:
    if diff.corpus.mix.is_empty():
        return
    table = _table("The mix")
    for name in ("phase", "source", "tokens", "then", "share", "then ", "documents", "then  "):
        table.add_column(name, justify="left" if name in ("phase", "source") else "right", no_wrap=True)
    sources = diff.corpus.by("source")
    for phase in diff.corpus.phases.iter_rows(named=True):
        rows = sources.filter(pl.col("phase") == phase["phase"]).to_dicts()
        for n, row in enumerate(rows):
            shares = ["" if row[f"share_{when}"] is None else share(row[f"share_{when}"]) for when in ("before", "after")]
            numbers = [f"{row[name]:,}" for name in ("tokens_before", "tokens_after")]
            counts = [f"{row[name]:,}" for name in ("documents_before", "documents_after")]
            table.add_row(phase["phase"] if not n else "", printable(row["name"]), *numbers, *shares, *counts)
        total = [f"{phase[name]:,}" for name in ("tokens_before", "tokens_after")]
        moved = f"{phase['in']:,} documents in, {phase['out']:,} out"
        counts = [f"{phase[name]:,}" for name in ("documents_before", "documents_after")]
        table.add_row("", moved, *total, "", "", *counts, style="bold", end_section=True)
    console.print(table)


def _scores(part: pl.DataFrame, title: str, names: tuple[str, str]) -> Table:
    table = _table(title)
    for name in ("model", "scheme", "domain", *names, "difference", "95% interval", "p", "documents"):
        table.add_column(name, justify="left" if name in ("model", "scheme", "domain") else "right", no_wrap=True)
    for row in part.iter_rows(named=True):
        old, new, difference, interval, p, on = score_cells(row)
        cells = [old, new, f"{difference}{'*' if row['more'] else ' '}", interval, p, on]
        table.add_row(row["model"], row["scheme"], row["domain"], *cells, style="bold" if row["headline"] else None)
    return table


def score_cells(row: Mapping[str, Any]) -> list[str]:
    """Old, new, difference, its interval, p and the documents compared, for people; increases are percentages."""
    form = ".2%" if row["metric"] == INCREASE else ".4f"
    interval = "" if row["low"] is None else f"{row['low']:+{form}} to {row['high']:+{form}}"
    p = "" if row["p"] is None else f"{row['p']:.4f}"
    return [f"{row['old']:{form}}", f"{row['new']:{form}}", f"{row['difference']:+{form}}", interval, p, _compared_on(row)]


def _compared_on(row: Mapping[str, Any]) -> str:
    """How many documents a score was compared on, of how many where not on all of both."""
    if row["how"] != "paired":
        return f"{row['documents_before']:,} | {row['documents_after']:,}"
    whole = row["documents"] == row["documents_before"] == row["documents_after"]
    return f"{row['documents']:,}" if whole else f"{row['documents']:,} of {row['documents_before']:,} | {row['documents_after']:,}"


def _test() -> str:
    return (
        f"Level {noise.LEVEL:.0%}, by Holm: randomisation test over the documents that both scored; `a | b` where there are too few of "
        f"them: by the two intervals, or from fewer than {noise.LEAST} documents not at all."
    )


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}" if value else ""


def _table(title: str) -> Table:
    return Table(title=title or None, title_justify="left", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
