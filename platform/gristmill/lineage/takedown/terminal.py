"""Prints takedowns, receipts and purges. Whatever came from a page is printed without control characters and markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gristmill.counting import counted, unit
from gristmill.crawl.tombstones import Tombstone
from gristmill.lineage.plan.cost import Step
from gristmill.lineage.plan.terminal import print_steps, summary
from gristmill.lineage.takedown.purge import Purged
from gristmill.lineage.takedown.receipt import ABSENT, PRESENT
from gristmill.lineage.takedown.takedown import Touched
from gristmill.tables import Column, Row, print_table

Facts = dict[str, Any]

SHOWN = 8


def print_touched(answer: Touched, console: Console) -> None:
    tombstone = answer.tombstone
    console.print(Text.assemble((f"{tombstone.kind} {plain(tombstone.pattern)}", "bold"), f", {how(tombstone)}"), soft_wrap=True)
    for row in tombstone.found[:SHOWN]:
        like = said_of(row)
        console.print(Text(f"  {row['doc_id'][:12]}  {plain(row['url'])}  in {row['shard']}{f', {like}' if like else ''}"), soft_wrap=True)
    if len(tombstone.found) > SHOWN:
        console.print(f"  and {counted(len(tombstone.found) - SHOWN, 'more document')}")
    if not tombstone.found:
        console.print("  Nothing in the lake is touched now; it will be caught when it comes.")
        if answer.near:
            console.print(Text("! Did you mean one of these, which the lake knows?", "yellow"))
        for url in answer.near:
            console.print(Text(f"  {plain(url)}"), soft_wrap=True)
        return
    columns = [Column("level"), Column("", right=True), Column(""), Column("where", long=True)]
    rows = [Row([row["level"], f"{row['count']:,}", unit(row["count"], row["unit"]), plain(row["detail"])]) for row in answer.levels]
    print_table(columns, rows, console)
    rising = list({row["doc_id"]: row for row in answer.rising}.values())  # one document may lie in several shards
    for row in rising[:SHOWN]:
        text = f"! {plain(row['url'] or row['doc_id'])} takes its place: {alike(row)}. --near takes both."
        console.print(Text(text, "yellow"), soft_wrap=True)
    if len(rising) > SHOWN:
        console.print(Text(f"! and {counted(len(rising) - SHOWN, 'more copy', 'more copies')}", "yellow"))
    for asset, partition in answer.held:
        text = f"! {asset}{f'[{partition}]' if partition else ''} is held and names it: the next rebuild makes it anew."
        console.print(Text(text, "yellow"), soft_wrap=True)


def print_rebuild(steps: Sequence[Step], others: int, console: Console) -> None:
    """What of the rebuild plan a takedown causes, and a line on the rest."""
    if steps:
        print_steps(steps, console)
        console.print(Text(summary(steps)), soft_wrap=True)
    else:
        console.print("Nothing is to be made for it: nothing that stands holds it.")
    if others:
        console.print(Text(f"{beside(others)} `gristmill plan` names all.", "dim"), soft_wrap=True)


def beside(others: int) -> str:
    """A sentence on partitions that are stale for other reasons; nothing for none."""
    return f"And {counted(others, 'partition')} {'is' if others == 1 else 'are'} stale for other reasons." if others else ""


def print_list(listed: Iterable[Tombstone], console: Console) -> None:
    columns = [
        Column("id"),
        Column("documents", right=True),
        Column("when"),
        Column("state"),
        Column("what", long=True),
        Column("who", long=True),
        Column("why", long=True),
    ]
    rows = []
    for each in listed:
        state = f"undone {each.undone['when'][:10]} by {each.undone['who']}" if each.undone else "purged" if each.purges else "in force"
        what = f"{each.kind} {plain(each.pattern)}, {how(each)}"
        rows.append(Row([each.id, f"{len(each.found):,}", each.when[:16], plain(state), what, plain(each.who), plain(each.why)]))
    if rows:
        print_table(columns, rows, console)
    else:
        console.print("Nothing was taken down.")


def print_receipt(value: Facts, console: Console) -> None:
    style = "red" if value["status"] == PRESENT else "green" if value["status"] == ABSENT else "yellow"
    about = value["tombstone"]
    console.print(Text.assemble((f"{about['id']}: {value['status']}", f"bold {style}"), f"  {about['kind']} {plain(about['pattern'])}"))
    for title, name in (("what stands", "stands"), ("old copies", "left")):
        console.print(Text(title, "bold"))
        for claim in value[name]:
            mark, colour = ("✓", "green") if claim["passed"] else ("✗", "red")
            console.print(
                Text.assemble((f"  {mark} ", colour), claim["claim"], (f"  ({claim['looked_at']:,} looked at)", "dim")), soft_wrap=True
            )
            for each in claim["found"]:
                console.print(Text(f"      {plain(each)}"), soft_wrap=True)
            if claim.get("fix"):
                console.print(Text(f"      → {claim['fix']}", "dim"), soft_wrap=True)
    for seen in value["older_checkpoints"]:
        where = "stands" if seen["stands"] else "older"
        which = f"! checkpoint {seen['checkpoint'][:12]} of {seen['model']} ({where})"
        console.print(
            Text(f"{which} saw it: {counted(seen['tokens'], 'token')} in {counted(seen['steps'], 'step')}", "yellow"), soft_wrap=True
        )
    if value["held"]:
        names = ", ".join(each["asset"] for each in value["held"])
        console.print(Text(f"! held, and made before the last change of their inputs: {names}", "yellow"), soft_wrap=True)
    console.print(Text(f"hash {value['hash'][:24]}…" + (", signed" if "signature" in value else ", not signed"), "dim"))


def print_purged(done: Purged, console: Console) -> None:
    would = "would be " if done.dry_run else ""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(f"{would}deleted")
    table.add_column("", justify="right")
    table.add_column("", overflow="fold")
    table.add_row("builds", f"{len(done.builds):,}", ", ".join(done.builds))
    for kind, count in done.objects.items():
        table.add_row(kind, f"{count:,}", f"{done.bytes[kind] / 1e6:,.1f} MB")
    table.add_row("vectors", f"{done.vectors:,}", "and every old version of their table")
    for name, count in done.entries.items():
        table.add_row(f"cache {name}", f"{count:,}", "entries")
    table.add_row("work in progress", f"{len(done.scratch):,}", "folders")
    table.add_row("runs in the event log", f"{len(done.runs):,}", "whose events quoted it")
    console.print(table)
    for name in done.kept:
        console.print(Text(f"! {name} is pinned and holds it: `gristmill builds unpin {name}`, or --pinned.", "yellow"), soft_wrap=True)


def plain(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "", text)


def alike(row: Facts) -> str:
    """How a copy is like what it would take the place of."""
    if row["similarity"] is None:
        return "another version of the page, at the same URL"
    return f"{row['kind']}, {row['similarity']:.0%} alike"


def said_of(row: Facts) -> str:
    """Why a document is among those found, where it was not named."""
    return f"{row['similarity']:.0%} alike" if row["by"] == "near" else "the same words" if row["by"] == "text" else ""


def how(tombstone: Tombstone) -> str:
    """What it takes beside what it names."""
    if tombstone.exactly:
        return "exactly"
    if tombstone.threshold is not None:
        return f"and what is {tombstone.threshold:.0%} alike"
    return (
        "and the same words elsewhere"
        if tombstone.texts
        else "and all below it"
        if tombstone.kind == "domain"
        else "its words are not known"
    )
