"""Prints takedowns, receipts and purges. Whatever came from a page is printed without control characters and markup."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gristmill.crawl.tombstones import Tombstone
from gristmill.lineage.takedown.purge import Purged
from gristmill.lineage.takedown.receipt import ABSENT, PRESENT
from gristmill.lineage.takedown.takedown import Touched

Facts = dict[str, Any]

SHOWN = 8


def print_touched(answer: Touched, console: Console) -> None:
    tombstone = answer.tombstone
    console.print(Text.assemble((f"{tombstone.kind} {plain(tombstone.pattern)}", "bold"), f", {how(tombstone)}"), soft_wrap=True)
    for row in tombstone.found[:SHOWN]:
        like = said_of(row)
        console.print(Text(f"  {row['doc_id'][:12]}  {plain(row['url'])}  in {row['shard']}{f', {like}' if like else ''}"), soft_wrap=True)
    if len(tombstone.found) > SHOWN:
        console.print(f"  and {len(tombstone.found) - SHOWN:,} more documents")
    if not tombstone.found:
        console.print("  Nothing in the lake is touched now; it will be caught when it comes.")
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, justify in (("level", "left"), ("", "right"), ("", "left"), ("where", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in answer.levels:
        table.add_row(row["level"], f"{row['count']:,}", row["unit"], Text(plain(row["detail"])))
    console.print(table)
    rising = list({row["doc_id"]: row for row in answer.rising}.values())  # one document may lie in several shards
    for row in rising[:SHOWN]:
        text = f"! {plain(row['url'] or row['doc_id'])} takes its place: {row['kind']}, {row['similarity']:.0%} alike. --near takes both."
        console.print(Text(text, "yellow"), soft_wrap=True)
    if len(rising) > SHOWN:
        console.print(Text(f"! and {len(rising) - SHOWN:,} more copies", "yellow"))
    for asset, partition in answer.held:
        text = f"! {asset}{f'[{partition}]' if partition else ''} is held and names it: the next rebuild makes it anew."
        console.print(Text(text, "yellow"), soft_wrap=True)


def print_list(listed: Iterable[Tombstone], console: Console) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("id", "what", "documents", "who", "when", "why", "state"):
        table.add_column(name, justify="right" if name == "documents" else "left", overflow="fold")
    for each in listed:
        state = f"undone {each.undone['when'][:10]} by {each.undone['who']}" if each.undone else "purged" if each.purges else "in force"
        what = Text(f"{each.kind} {plain(each.pattern)}, {how(each)}")
        table.add_row(
            each.id, what, f"{len(each.found):,}", Text(plain(each.who)), each.when[:16], Text(plain(each.why)), Text(plain(state))
        )
    console.print(table if table.row_count else "Nothing was taken down.")


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
        console.print(Text(f"{which} saw it: {seen['tokens']:,} tokens in {seen['steps']:,} steps", "yellow"), soft_wrap=True)
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
