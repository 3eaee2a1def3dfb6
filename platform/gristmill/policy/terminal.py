"""Prints what-ifs, sweeps and policies. Whatever came from a page is printed without control characters and markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from gristmill.counting import counted
from gristmill.policy.folding import folded
from gristmill.policy.profiles import PROFILES
from gristmill.policy.rules import Comparison, Rule
from gristmill.policy.sweep import ALL, Mark, Sweep
from gristmill.policy.what_if import BY, PER_SIDE, WhatIf
from gristmill.policy.wording import action, change, condition, documents, exact, exceptions, fires, moved_verdict
from gristmill.recipe import Policy

TOP = 8  # names shown of each `by`
NAMED = 2  # rules that drop an example anyway
EXAMPLES, FEWEST = 40, 2  # documents shown nearest the thresholds of all rules on one side, and of each rule at least
GAP = 2  # characters between two columns of a table
NARROW = 24  # characters that a document's or a name's column has at least
BAR, WIDE = 24, 100  # characters of a sweep's bar, half as many on a terminal narrower than this
SHARES = (0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)
FEW = 24  # thresholds that are all shown


def print_what_if(answer: WhatIf, console: Console) -> None:
    if not answer.changes:
        console.print("The two policies are the same.")
        return
    moved, counts = ({row["rule"]: row for row in rows.iter_rows(named=True)} for rows in (answer.changed, answer.rules))
    for each in answer.changes:
        console.print(Text.assemble((each.name, "bold"), f"  {change(each.before, each.after)}"), soft_wrap=True)
        console.print(Text(f"  {fires(moved[each.name], counts[each.name])}", "dim"), soft_wrap=True)
    console.print()
    console.print(_sources(answer))
    if answer.copies:
        console.print(
            Text(
                f"Each document once: {counted(answer.copies, 'copy in another shard is', 'copies in other shards are')} not counted.\n",
                "dim",
            ),
            soft_wrap=True,
        )
    if any(answer.sources[f"weight_{way}"].sum() for way in ("lost", "gained")):
        console.print(_weighed(answer))
    if answer.flipped("lost_documents") or answer.flipped("gained_documents"):
        console.print(f"{_tokens(answer)}\n", soft_wrap=True)
        console.print(_flips(answer, console.width))
    else:
        console.print("No document flips.\n")
    a_side = max(FEWEST, min(PER_SIDE, EXAMPLES // len(answer.changes)))
    left_out = anyway = False
    for each in answer.changes:
        still = not moved[each.name]["starts"] and not moved[each.name]["stops"]
        for side in ("fires", "passes"):
            part = answer.nearest.filter((pl.col("rule") == each.name) & (pl.col("side") == side))
            shown = part.head(0 if still and a_side == FEWEST else a_side)
            left_out |= part.height > shown.height
            if shown.height:
                anyway |= bool(shown["others"].list.len().sum())
                title = f"{each.name} {_did(side, each.after is None)}: the documents nearest its threshold"
                console.print(_nearest(shown, title, console.width))
    if anyway:
        console.print(Text("also: another rule drops the document anyway", "dim"))
    if left_out:
        moving = ", of rules that move documents" if a_side == FEWEST else ""
        console.print(Text(f"The {a_side} nearest on each side{moving}; --html shows {PER_SIDE} of every rule.", "dim"), soft_wrap=True)
    for warning in answer.warnings:
        console.print(Text(f"! {warning}", "yellow"), soft_wrap=True)


def _sources(answer: WhatIf) -> Table:
    table = _table("What would be kept")
    for name in ("source", "documents", "kept", "then", "lost", "gained", "bytes lost", "bytes gained"):
        table.add_column(name, justify="left" if name == "source" else "right", no_wrap=name != "source", overflow="fold")
    flips = {row["name"]: row for row in answer.flips.filter(pl.col("by") == "source").iter_rows(named=True)}
    rows: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (row, flips.get(row["source"], {})) for row in answer.sources.iter_rows(named=True)
    ]
    if len(rows) > 1:
        total: dict[str, Any] = {name: answer.total(name) for name in ("documents", "kept_before", "kept_after")}
        rows.append(({"source": ALL, **total}, {column: answer.flipped(column) for column in answer.flips.columns[2:]}))
    for row, flip in rows:
        cells = [f"{row[name]:,}" for name in ("documents", "kept_before", "kept_after")]
        cells += [_count(flip.get(f"{way}_documents", 0)) for way in ("lost", "gained")]
        cells += [size(flip.get(f"{way}_bytes", 0)) for way in ("lost", "gained")]
        table.add_row(printable(row["source"]), *cells, style="bold" if row["source"] == ALL else None)
    return table


def _weighed(answer: WhatIf) -> Table:
    """What both policies keep and weigh otherwise: documents' worth, bytes and tokens by source; a way that nothing moves is left out."""
    table = _table("Kept by both and weighed otherwise, by weight")
    ways = [way for way in ("lost", "gained") if answer.sources[f"weight_{way}"].sum()]
    part = answer.sources.filter(pl.any_horizontal(pl.col(f"weight_{way}") > 0 for way in ways))
    measured = not any(part[f"weight_tokens_{way}"].null_count() for way in ways)
    units = ("documents", "bytes", *(["≈ tokens"] if measured else []))
    table.add_column("source", overflow="fold")
    for way in ways:
        for unit in units:
            table.add_column(f"{unit} {way}", justify="right")
    columns = [f"weight_{unit}{way}" for way in ways for unit in ("", "bytes_", *(["tokens_"] if measured else []))]
    rows = part.select("source", *columns).rows()
    if len(rows) > 1:
        rows.append((ALL, *part.select(pl.col(columns).sum()).row(0)))
    for source, *values in rows:
        cells = [worth(value, column) for column, value in zip(columns, values, strict=True)]
        table.add_row(printable(source), *cells, style="bold" if source == ALL else None)
    return table


def worth(value: float | None, column: str) -> str:
    """A weight of `WhatIf.sources`: documents to a tenth, bytes, whole tokens; nothing for none."""
    if not value:
        return "?" if value is None else ""
    if "_bytes_" in column:
        return size(value)
    return f"{value:,.0f}" if "_tokens_" in column else f"{value:,.1f}" if value >= 0.05 else "<0.1"


def _tokens(answer: WhatIf) -> str:
    lost, gained = answer.flipped("lost_tokens"), answer.flipped("gained_tokens")
    if lost is None or gained is None:
        return "Tokens are not known: no tokenizer has measured its bytes per token for every source here."
    both = [f"{counted(tokens, 'token is', 'tokens are')} {way}" for tokens, way in ((lost, "lost"), (gained, "gained")) if tokens]
    return f"About {' and '.join(both)}." if both else "Less than a token flips."


def _flips(answer: WhatIf, width: int) -> Table:
    table = _table("Documents that flip")
    ways = [way for way in ("lost", "gained") if answer.flipped(f"{way}_documents")]
    numbers = [f"{unit}{way}" for unit in ("", "bytes ") for way in ways]
    for name in ("by", "", *numbers):
        table.add_column(name, justify="right" if name in numbers else "left", no_wrap=name in numbers)
    room = max(NARROW, width - max(map(len, BY)) - 2 * GAP - sum(max(len(name), 8) + GAP for name in numbers))
    for by in BY:
        part = answer.flips.filter(pl.col("by") == by)
        rest = part.slice(TOP)
        for n, row in enumerate(part.head(TOP).iter_rows(named=True)):
            last = n == min(part.height, TOP) - 1 and not rest.height
            name = folded(printable(row["name"] or "none yet").plain, room, "._-/")
            table.add_row(by if not n else "", Text(name), *_cells(row, ways), end_section=last)
        if rest.height:
            table.add_row("", Text(f"{rest.height:,} others", "dim"), *_cells(rest.sum().row(0, named=True), ways), end_section=True)
    return table


def _cells(row: dict[str, Any], ways: Sequence[str]) -> list[str]:
    return [*(_count(row[f"{way}_documents"]) for way in ways), *(size(row[f"{way}_bytes"]) for way in ways)]


def _did(side: str, gone: bool) -> str:
    """`fires` or `passes`; of a rule that goes, `fired` or `passed`."""
    return {"fires": "fired", "passes": "passed"}[side] if gone else side


def _nearest(part: pl.DataFrame, title: str, width: int) -> Table:
    """A row a document; below its URL, or behind it where there is room, the rules that drop it anyway."""
    table = _table(title)
    shown = [(number(row["value"]), number(row["margin"]), moved_verdict(row)) for row in part.iter_rows(named=True)]
    for name in ("value", "margin", "verdict"):
        table.add_column(name, justify="left" if name == "verdict" else "right", no_wrap=True)
    table.add_column("document", no_wrap=True)
    taken = sum(max(len(name), *(len(cells[n]) for cells in shown)) + GAP for n, name in enumerate(("value", "margin", "verdict")))
    room = max(NARROW, width - taken - 2)
    for (value, margin, verdict), row in zip(shown, part.iter_rows(named=True), strict=True):
        moves, more = "→" in verdict, len(row["others"]) - NAMED
        loses = moves and (not row["kept_after"] or (row["kept_before"] and row["weight_after"] < row["weight_before"]))
        said = Text(verdict, ("red" if loses else "green") if moves else "dim")
        document = Text(folded(printable(row["url"]).plain, room))
        if row["others"]:
            names = f"also {', '.join(row['others'][:NAMED])}{f' and {more} more' if more > 0 else ''}"
            fits = "\n" not in document.plain and len(document) + 2 + len(names) <= room
            document.append("  " if fits else "\n").append(names if fits else folded(names, room, " "), "dim")
        table.add_row(value, margin, said, document)
    return table


def print_sweep(found: Sweep, console: Console) -> None:
    total = found.sources.row(0, named=True)
    console.print(
        Text.assemble((found.signal, "bold"), f"  {found.meaning}; {documents(total['documents'])}, {size(total['n_bytes'])}"),
        soft_wrap=True,
    )
    for when in found.comparisons:
        console.print()
        console.print(_sweep(found, when, BAR if console.width >= WIDE else BAR // 2))
        for mark in found.marks:
            if mark.when == when:
                line = Text(f"{_sign(mark.in_force)} {exact(mark.threshold)}  {mark.label}", "green" if mark.in_force else "dim")
                console.print(line)
                if mark.in_force:
                    console.print(Text(f"    {drops(mark)}", "dim"))
    console.print()
    if found.copies:
        console.print(
            Text(
                f"Each document once: {counted(found.copies, 'copy in another shard is', 'copies in other shards are')} not counted.", "dim"
            ),
            soft_wrap=True,
        )
    console.print(Text("█ no other rule drops them   ░ another rule drops them too", "dim"))
    for source in found.sources.filter(~pl.col("judged"))["source"]:
        console.print(
            Text(f"The rules in force on {found.signal} do not judge {source}; it is not part of the total.", "dim"), soft_wrap=True
        )


def drops(mark: Mark) -> str:
    """What a threshold in force does among the documents that its rule is asked of."""
    asked, dropped, added = mark.asked or 0, mark.dropped or 0, mark.added or 0
    whom = f"{documents(asked)}{f' {mark.languages}' if mark.languages else ''}"
    return f"fires on {dropped:,} of {whom} ({share(dropped / max(asked, 1))}), {added:,} that no other rule drops"


def _sweep(found: Sweep, when: Comparison, width: int) -> Table:
    curve = found.of(when)
    sources = found.sources["source"].to_list()[1:]
    table = _table(f"Dropped when {found.signal} {when} threshold")
    for name in ("threshold", "", "documents", "bytes", "adds", " "):
        table.add_column(name, justify="right" if name.strip() else "left", no_wrap=True)
    for source in sources if len(sources) > 1 else ():
        table.add_column(printable(source), justify="right", no_wrap=True)
    by_source = {source: found.of(when, source)["share"].to_list() for source in sources}
    marks = [mark for mark in found.marks if mark.when == when]
    for n in shown(curve, [mark.threshold for mark in marks]):
        row = curve.row(n, named=True)
        here = [mark.in_force for mark in marks if mark.threshold == row["threshold"]]
        shares = [share(by_source[source][n]) for source in sources] if len(sources) > 1 else []
        cells = [share(row[name]) for name in ("share", "bytes_share", "added_share")]
        sign = Text(_sign(any(here)), "green") if here else ""
        table.add_row(exact(row["threshold"]), sign, *cells, _bar(row["share"], row["added_share"], width), *shares)
    return table


def _sign(in_force: bool) -> str:
    return "◀" if in_force else "·"


def shown(curve: pl.DataFrame, marked: Sequence[float]) -> list[int]:
    """Rows of a curve worth a line: all where there are few, else those at round shares and at the marks."""
    if curve.height <= FEW:
        return list(range(curve.height))
    at = {int((curve["share"] - share).abs().arg_min() or 0) for share in SHARES}
    return sorted(at | {n for n, value in enumerate(curve["threshold"]) if value in marked})


def _bar(dropped: float, added: float, width: int) -> Text:
    whole, mine = round(dropped * width), round(added * width)
    return Text("█" * mine + "░" * max(whole - mine, 0) + " " * (width - max(whole, mine)), "red")


def print_policy(rules: Sequence[Rule], title: str, console: Console, shipped: dict[str, Rule] | None = None) -> None:
    """A table of rules and the list of their sources; where `shipped` has another threshold for a rule, that is said.
    On a terminal too narrow for the table, each rule has two lines."""
    table = _table(title)
    sources = list(dict.fromkeys(rule.source for rule in rules if rule.source))
    spared = any(map(exceptions, rules))
    for name in ("rule", "fires when", "then", *(["not for"] if spared else []), "source"):
        table.add_column(name, overflow="fold")
    lines = []
    for rule in rules:
        before = (shipped or {}).get(rule.name)
        moved = before is not None and before.threshold != rule.threshold
        says = Text(condition(rule), "bold" if moved else "").append(
            f" (shipped {exact(before.threshold)})" if before and moved else "", "dim"
        )
        not_for = [printable(exceptions(rule))] if spared else []
        number_of = Text(f"[{sources.index(rule.source) + 1}]" if rule.source else "", "dim")
        table.add_row(rule.name, says, action(rule), *not_for, number_of)
        but = printable(f", not for {exceptions(rule)}" if exceptions(rule) else "")
        lines += [Text.assemble((rule.name, "bold"), f"  {action(rule)}", but, "  ", number_of), Text("  ").append(says)]
    if Measurement.get(console, console.options.update(max_width=1000), table).maximum <= console.width:
        console.print(table)
    else:
        console.print(Text(title, "italic"))
        for line in lines:
            console.print(line)
    for n, source in enumerate(sources, start=1):
        console.print(Text(f"[{n}] {source}", "dim"), soft_wrap=True)
    console.print()


def print_profile(name: str, console: Console) -> None:
    profile = PROFILES[name]
    print_policy(profile.rules, f"Profile {name}", console)
    if profile.strips:
        console.print(f"Strips {' and '.join(profile.strips)} from the clean view.")
    for family, view in sorted(profile.views.items()):
        console.print(f"The family {family} reads the {view} view.")
    if profile.differences:
        console.print(Text(profile.differences))


def print_recipe_policy(policy: Policy, console: Console) -> None:
    shipped = {rule.name: rule for name in policy.profiles for rule in PROFILES[name].rules}
    print_policy(policy.resolved(), f"Policy {policy.name}@{policy.version}", console, shipped)
    if policy.off:
        console.print(Text(f"Off: {', '.join(policy.off)}."), soft_wrap=True)
    console.print(
        Text(
            f"Profiles: {', '.join(policy.profiles) or 'none'}. `gristmill policy show PROFILE` says where each differs from its namesake."
        )
    )
    others = [name for name in PROFILES if name not in policy.profiles]
    console.print(Text(f"Also shipped: {', '.join(others)}.", "dim"), soft_wrap=True)


def printable(text: str) -> Text:
    """What came from a page, as it can be printed."""
    return Text("".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text))


def number(value: float) -> str:
    """A value or a margin, without what subtracting floats leaves behind the twelfth decimal."""
    return exact(round(value, 12) or value)


def share(value: float) -> str:
    """A share as a percentage that does not call little nothing."""
    return "<0.1%" if 0 < value < 0.0005 else f"{value:.1%}"


def size(value: float) -> str:
    """Bytes for people; nothing for none."""
    if not value:
        return ""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{value:,.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError


def _count(value: int | None) -> str:
    return "?" if value is None else f"{value:,}" if value else ""


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
