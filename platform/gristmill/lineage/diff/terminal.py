"""Prints builds and what differs between two. Whatever came from a page is printed without control characters and markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gristmill.counting import counted
from gristmill.lineage.builds.builds import Build, Pin
from gristmill.lineage.diff import noise
from gristmill.lineage.diff.diff import Diff
from gristmill.lineage.diff.documents import BY
from gristmill.lineage.diff.models import BITS, INCREASE
from gristmill.lineage.plan.components import difference, said
from gristmill.policy.terminal import printable, share, size
from gristmill.tables import Column, Row, print_table

TOP = 8  # rows shown of each `by`


def print_diff(diff: Diff, console: Console) -> None:
    algorithms = [f"{change.key}: {said(difference(change.key, change.old, change.new))}" for change in diff.algorithms]
    for name, found in (("recipe", [*map(str, diff.recipe)]), ("algorithms", algorithms), ("packages", [*map(str, diff.packages)])):
        for n, change in enumerate(found):
            _said(console, name if not n else "", change, "bold" if name == "recipe" else "")
    for says, shards in (("new", diff.shards.new), ("gone", diff.shards.gone), ("changed", diff.shards.changed)):
        if shards:
            _said(console, f"shards {says}", f"{len(shards):,}: {', '.join(shards[:4])}{', …' if len(shards) > 4 else ''}")
    console.print()
    _documents(diff, console)
    _corpus(diff, console)
    for model in diff.training:
        last = [
            f"{curve.last:.4f} after {counted(int(curve.tokens[-1]), 'token')}" if curve else "none" for curve in (model.old, model.new)
        ]
        console.print(f"{model.model}: last loss {last[0]}, then {last[1]}{'; the same weights' if model.same else ''}.", soft_wrap=True)
    if diff.training:
        console.print()
    for metric, title in TITLES.items():
        part = diff.scores.filter(pl.col("metric") == metric)
        if part.height:
            _print_scores(part, title, (diff.old.name, diff.new.name), console)
    if diff.scores.height:
        console.print(Text(f"* more than the noise of the held-out documents. {_test()}", "dim"), soft_wrap=True)
        console.print()
    for n, sentence in enumerate(diff.sentences):
        console.print(Text(sentence, "" if n else "bold"), soft_wrap=True)


TITLES = {BITS: "Bits per byte, lower is better", INCREASE: "Relative increase over the float model"}


def print_builds(found: Sequence[Build], pins: Mapping[int, Pin], console: Console) -> None:
    if not found:
        console.print("No build has been recorded yet: a rebuild of everything that ends fresh records one.")
        return
    columns = [Column(name, name == "partitions") for name in ("build", "made", "by", "commit", "partitions")]
    rows = []
    for build in reversed(found):
        pin = pins.get(build.number)
        commit = build.origin.commit
        rows.append(
            Row(
                [
                    build.name,
                    build.made_at.replace("T", " ").removesuffix("+00:00"),
                    printable(build.origin.by),
                    commit[:10] + ("+" if commit.endswith("+") else ""),
                    f"{sum(each.partitions for each in build.heads.values()):,}",
                    printable(f"{pin.why} ({pin.by}, {pin.at[:10]})" if pin else ""),
                ]
            )
        )
    print_table([*columns, Column("pinned", long=True)], rows, console)


def print_build(build: Build, pin: Pin | None, console: Console) -> None:
    console.print(Text(build.name, "bold"))
    origin = build.origin
    told = {
        "made": build.made_at,
        "by": origin.by,
        "commit": f"{origin.commit.removesuffix('+')}{', with edits' if origin.commit.endswith('+') else ''}" or "unknown",
        "python": f"{origin.python}, {counted(len(origin.packages), 'package')}",
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
    said += f" {counted(documents.rewritten, 'that stays has', 'that stay have')} another text." if documents.rewritten else ""
    said += f" {counted(documents.reweighed, 'has', 'have')} another weight in the mix." if documents.reweighed else ""
    console.print(said, soft_wrap=True)
    if documents.moved.is_empty():
        console.print()
        return
    numbers = [("in", 0), ("out", 0), ("bytes in", 2), ("bytes out", 2), ("≈ tokens in", 1), ("≈ tokens out", 1)]
    columns = [Column("by"), Column("", long=True), *(Column(name, right=True, spare=spare) for name, spare in numbers)]
    shown = []
    for by in BY:
        rows = documents.by(by)
        rest = rows.slice(TOP)
        for n, row in enumerate(rows.head(TOP).iter_rows(named=True)):
            last = n == min(rows.height, TOP) - 1 and not rest.height
            shown.append(Row([by if not n else "", printable(row["name"]), *_cells(row)], last=last))
        if rest.height:
            others = Text(counted(rest.height, "other"), "dim")
            shown.append(Row(["", others, *_cells(rest.sum().row(0, named=True))], last=True))
    print_table(columns, shown, console, "Documents in and out")


def _cells(row: Mapping[str, Any]) -> list[str]:
    counts = [_count(row[f"{way}_documents"]) for way in ("in", "out")]
    sizes = [size(row[f"{way}_bytes"] or 0) for way in ("in", "out")]
    return [*counts, *sizes, *(_count(row[f"{way}_tokens"]) for way in ("in", "out"))]


def _corpus(diff: Diff, console: Console) -> None:
    if diff.corpus.mix.is_empty():
        return
    names = [("tokens", 0), ("then", 0), ("share", 0), ("then ", 0), ("documents", 1), ("then  ", 1)]
    columns = [Column("phase"), Column("source"), *(Column(name, right=True, spare=spare) for name, spare in names)]
    shown = []
    sources = diff.corpus.by("source")
    for phase in diff.corpus.phases.iter_rows(named=True):
        rows = sources.filter(pl.col("phase") == phase["phase"]).to_dicts()
        for n, row in enumerate(rows):
            shares = ["" if row[f"share_{when}"] is None else share(row[f"share_{when}"]) for when in ("before", "after")]
            numbers = [f"{row[name]:,}" for name in ("tokens_before", "tokens_after")]
            counts = [f"{row[name]:,}" for name in ("documents_before", "documents_after")]
            shown.append(Row([phase["phase"] if not n else "", printable(row["name"]), *numbers, *shares, *counts]))
        total = [f"{phase[name]:,}" for name in ("tokens_before", "tokens_after")]
        moved = f"{phase['in']:,} in, {phase['out']:,} out"
        counts = [f"{phase[name]:,}" for name in ("documents_before", "documents_after")]
        shown.append(Row(["", moved, *total, "", "", *counts], "bold", last=True))
    print_table(columns, shown, console, "The mix; documents in and out of each phase")


def _print_scores(part: pl.DataFrame, title: str, names: tuple[str, str], console: Console) -> None:
    numbers = [*((name, 0) for name in names), ("difference", 0), ("95% interval", 1), ("p", 2), ("documents", 3)]
    columns = [*map(Column, ("model", "scheme", "domain")), *(Column(name, right=True, spare=spare) for name, spare in numbers)]
    rows = []
    for row in part.iter_rows(named=True):
        old, new, difference, interval, p, on = score_cells(row)
        cells = [row["model"], row["scheme"], row["domain"], old, new, f"{difference}{'*' if row['more'] else ' '}", interval, p, on]
        rows.append(Row(cells, "bold" if row["headline"] else ""))
    print_table(columns, rows, console, title)


def score_cells(row: Mapping[str, Any]) -> list[str]:
    """Old, new, difference, its interval, p and the documents compared, for people; increases are percentages."""
    form = ".2%" if row["metric"] == INCREASE else ".4f"
    interval = "" if row["low"] is None else f"{noise.signed(row['low'], form)} to {noise.signed(row['high'], form)}"
    p = "" if row["p"] is None else f"{row['p']:.4f}"
    old, new = (noise.signed(row[side], form).removeprefix("+") for side in ("old", "new"))
    return [old, new, noise.signed(row["difference"], form), interval, p, _compared_on(row)]


def _compared_on(row: Mapping[str, Any]) -> str:
    """How many documents a score was compared on, of how many where not on all of both."""
    if row["how"] != "paired":
        return f"{row['documents_before']:,} | {row['documents_after']:,}"
    whole = row["documents"] == row["documents_before"] == row["documents_after"]
    return f"{row['documents']:,}" if whole else f"{row['documents']:,} of {row['documents_before']:,} | {row['documents_after']:,}"


def _test() -> str:
    return (
        f"Randomisation test over the documents that both scored; `a | b` where there are too few of them: by the two intervals, or from "
        f"fewer than {noise.LEAST} documents not at all. Level {noise.LEVEL:.0%}, by Holm in two families: the bold rows (bits per byte of "
        f"the float models over all domains), and all other rows of all tables together, where a p below {noise.LEVEL:.0%} may not be "
        "enough: the smallest is held to the level divided by their number."
    )


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}" if value else ""


def _table(title: str) -> Table:
    return Table(title=title or None, title_justify="left", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
