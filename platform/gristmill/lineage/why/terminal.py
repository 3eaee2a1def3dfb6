"""Prints what `why` found. Whatever came from a page is printed without control characters and markup."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from gristmill.counting import counted
from gristmill.lineage.why.document import Facts
from gristmill.lineage.why.tree import Node, Sheet, batch_sheet, document_tree
from gristmill.lineage.why.why import Answer
from gristmill.policy.terminal import printable
from gristmill.tables import Column, Row, fold, print_table

STYLES = {"": "", "good": "green", "bad": "red", "muted": "dim"}
FATES = {"trained on": "green", "in the corpus": "green", "dropped": "red", "refused": "red", "taken down": "red"}
LONG = ("document", "doc_id")  # columns of a batch that go below their row on a narrow terminal
ENDS = "/:"  # behind which a key or an address is folded, where it must be
BAR = 20  # characters of a percentile's


def print_answer(answer: Answer, console: Console) -> None:
    if answer.document:
        print_document(answer.document, console)
        return
    console.print(Text(answer.says, "bold" if answer.matches else "yellow"), soft_wrap=True)
    for row in answer.refused:
        console.print(
            printable(f"  {row['url']}: {row['stage']}, {row['error']}: {row['message']} ({row['warc']} at {row['offset']:,})"),
            soft_wrap=True,
        )
    if answer.near:
        console.print("Known pages that look like it:")
        for url in answer.near:
            console.print(printable(f"  {url}"), soft_wrap=True)
    for row in answer.matches:
        console.print()
        state = Text(row["state"], "green" if row["state"] == "kept" else "")
        console.print(Text.assemble((row["doc_id"], "bold"), "  ", state, "  ", (row["shard"], "dim")))
        console.print(printable(row["url"] or ""), soft_wrap=True)
        if row.get("quoted"):
            console.print(_quotation(row["quoted"]))
    if answer.more:
        console.print(Text("\nThere are more: ask with a longer sentence, or by doc_id.", "dim"))


def print_document(facts: Facts, console: Console) -> None:
    fate = facts["fate"]
    console.print(printable(facts["url"] or facts["origin"]), style="bold", soft_wrap=True)
    console.print(Text.assemble((facts["doc_id"], "dim"), "  ", (fate["word"], FATES.get(fate["word"], "yellow"))))
    console.print(printable(fate["says"]), soft_wrap=True)
    for quoted in facts.get("quoted", []):
        console.print(_quotation(quoted) if quoted else Text("The final view leaves the quotation out, or masks a part of it.", "yellow"))
    life = Tree(Text("life", "bold"), guide_style="dim")
    for node in document_tree(facts):
        _grow(life.add(_said(node)), node)
    console.print(life)


def print_batch(facts: Facts, console: Console) -> None:
    """A step's documents."""
    loss = f", loss {facts['loss']:.4f}, gradient norm {facts['grad_norm']:.3f}" if "loss" in facts else ""
    console.print(Text.assemble((f"step {facts['step']:,} of {facts['model']}", "bold"), f"  phase {facts['phase']}{loss}"), soft_wrap=True)
    _print_documents(facts, ("slot", "position"), console)


def print_sequence(facts: Facts, console: Console) -> None:
    seen = ", ".join(f"{row['model']} in step {row['step']:,}" for row in facts["seen"]) or "no model yet"
    console.print(Text.assemble((f"sequence {facts['sequence']:,} of {facts['phase']}", "bold"), f"  seen by {seen}"), soft_wrap=True)
    _print_documents(facts, ("position",), console)


def print_spikes(facts: Facts, console: Console) -> None:
    if not facts["spikes"]:
        console.print(f"No step's loss lies above the median of the {facts['window']} before it.")
    for spike in facts["spikes"]:
        console.print(
            Text.assemble(
                (f"step {spike['step']:,}", "bold red"),
                f"  loss {spike['loss']:.4f}, {spike['above']:.4f} above the median of the {facts['window']} steps before it "
                f"({spike['deviations']:.1f} deviations)",
            ),
            soft_wrap=True,
        )
        for step in spike["steps"]:
            print_batch(step, console)


def _print_documents(facts: Facts, order: tuple[str, ...], console: Console) -> None:
    by_source = ", ".join(f"{row['source']} {row['tokens']:,}" for row in facts["by_source"])
    console.print(
        Text(f"{counted(facts['different_documents'], 'document')}, {counted(facts['trained_tokens'], 'token')}: {by_source}", "dim"),
        soft_wrap=True,
    )
    sheet = batch_sheet(facts, order)
    columns = [Column(name, name in sheet.right, name in LONG, "/") for name in sheet.columns]
    print_table(columns, [Row([printable(cell) for cell in row]) for row in sheet.rows], console)
    if facts["runs"] > len(sheet.rows):
        console.print(Text(f"{facts['runs'] - len(sheet.rows):,} more: --limit shows them.\n", "dim"))


def _quotation(quoted: Facts) -> Text:
    found = Text("  …")
    for name, style in (("before", ""), ("phrase", "bold reverse"), ("after", "")):
        found.append(printable(re.sub(r"\s+", " ", quoted[name])).plain, style)
    return found.append("…")


def _grow(branch: Tree, node: Node) -> None:
    for child in node.children:
        _grow(branch.add(_said(child)), child)


def _said(node: Node) -> RenderableType:
    said = Text.assemble(
        (printable(node.label).plain, "bold" if not STYLES[node.tone] else f"bold {STYLES[node.tone]}"),
        " " if node.label and node.text else "",
    )
    said.append_text(Text(printable(node.text).plain, STYLES[node.tone] if node.tone == "muted" else ""))
    folded = _Folded(said)
    return folded if node.sheet is None else Group(folded, _Fitted(node.sheet))


@dataclass(frozen=True)
class _Folded:
    """Words, keys and addresses in lines as wide as their place in the tree."""

    text: Text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield fold(self.text, options.max_width, ENDS)


@dataclass(frozen=True)
class _Fitted:
    """A sheet as wide as its place in the tree: shorter bars first, then none, then names in two lines."""

    sheet: Sheet

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for bar in (BAR, BAR // 2, BAR // 4) if self.sheet.spans else (0,):
            table = _table(self.sheet, bar)
            if Measurement.get(console, options.update(max_width=1000), table).maximum <= options.max_width:
                break
        else:
            table = _table(self.sheet, 0)
        yield table


def _table(sheet: Sheet, bar: int) -> Table:
    table = Table(box=SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    for name in sheet.columns:
        table.add_column(name, justify="right" if name in sheet.right else "left", overflow="fold", no_wrap=name in sheet.right)
    if bar:
        table.add_column("", no_wrap=True)
    for n, row in enumerate(sheet.rows):
        table.add_row(*map(printable, row), *([_bar(sheet.spans[n], bar)] if bar else []))
    return table


def _bar(span: tuple[float, float] | None, width: int) -> Text:
    """Where the value lies between the lowest and the highest: a mark, or the stretch that shares it."""
    if span is None:
        return Text()
    low = min(int(span[0] * width), width - 1)
    high = max(low + 1, min(round(span[1] * width), width))
    return Text.assemble(("·" * low, "dim"), ("█" * (high - low), "blue"), ("·" * (width - high), "dim"))
