"""Prints what-ifs, sweeps and policies. Whatever came from a page is printed without control characters and markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gristmill.policy.profiles import PROFILES
from gristmill.policy.rules import Comparison, Rule
from gristmill.policy.sweep import ALL, Sweep
from gristmill.policy.what_if import BY, WhatIf
from gristmill.policy.wording import action, change, condition, exceptions
from gristmill.recipe import Policy

TOP = 8  # names shown of each `by`
NAMED = 2  # rules that drop an example anyway
BAR, WIDE = 24, 100  # characters of a sweep's bar, half as many on a terminal narrower than this
SHARES = (0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)
FEW = 24  # thresholds that are all shown


def print_what_if(answer: WhatIf, console: Console) -> None:
    if not answer.changes:
        console.print("The two policies are the same.")
        return
    moved = {row["rule"]: row for row in answer.changed.iter_rows(named=True)}
    for each in answer.changes:
        console.print(Text.assemble((each.name, "bold"), f"  {change(each.before, each.after)}"), soft_wrap=True)
        console.print(Text(f"  {_fires(moved[each.name])}", "dim"), soft_wrap=True)
    console.print()
    console.print(_sources(answer))
    weight = [float(answer.sources[column].sum()) for column in ("weight_gained", "weight_lost")]
    if any(weight):
        console.print(
            f"Of what both policies keep, the mix gains the weight of {weight[0]:,.1f} documents and loses that of {weight[1]:,.1f}.\n"
        )
    if answer.flipped("lost_documents") or answer.flipped("gained_documents"):
        console.print(f"{_tokens(answer)}\n", soft_wrap=True)
        console.print(_flips(answer))
    else:
        console.print("No document flips.\n")
    for each in answer.changes:
        for side in ("fires", "passes"):
            part = answer.nearest.filter((pl.col("rule") == each.name) & (pl.col("side") == side))
            if part.height:
                console.print(_nearest(part, f"{each.name} {_did(side, each.after is None)}: the documents nearest its threshold"))
    for warning in answer.warnings:
        console.print(Text(f"! {warning}", "yellow"), soft_wrap=True)


def _fires(row: dict[str, Any]) -> str:
    def part(verb: str, what: str) -> str:
        anyway = f" ({row[f'{what}_elsewhere']:,} of them dropped by other rules anyway)" if row[f"{what}_elsewhere"] else ""
        return f"{verb} {row[what]:,} documents{anyway}"

    parts = [part(verb, what) for verb, what in (("starts to fire on", "starts"), ("no longer fires on", "stops")) if row[what]]
    return "; ".join(parts) or "fires on the same documents"


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


def _tokens(answer: WhatIf) -> str:
    lost, gained = answer.flipped("lost_tokens"), answer.flipped("gained_tokens")
    if lost is None or gained is None:
        return "Tokens are not known: no tokenizer has measured its bytes per token for every source here."
    return f"About {lost:,} tokens are lost and {gained:,} gained."


def _flips(answer: WhatIf) -> Table:
    table = _table("Documents that flip")
    for name in ("by", "", "lost", "gained", "bytes lost", "bytes gained"):
        table.add_column(name, justify="right" if name in ("lost", "gained", "bytes lost", "bytes gained") else "left", overflow="fold")
    for by in BY:
        part = answer.flips.filter(pl.col("by") == by)
        rest = part.slice(TOP)
        for n, row in enumerate(part.head(TOP).iter_rows(named=True)):
            last = n == min(part.height, TOP) - 1 and not rest.height
            table.add_row(by if not n else "", printable(row["name"] or "none yet"), *_cells(row), end_section=last)
        if rest.height:
            table.add_row("", Text(f"{rest.height:,} others", "dim"), *_cells(rest.sum().row(0, named=True)), end_section=True)
    return table


def _cells(row: dict[str, Any]) -> list[str]:
    return [_count(row["lost_documents"]), _count(row["gained_documents"]), size(row["lost_bytes"]), size(row["gained_bytes"])]


def _did(side: str, gone: bool) -> str:
    """`fires` or `passes`; of a rule that goes, `fired` or `passed`."""
    return {"fires": "fired", "passes": "passed"}[side] if gone else side


def _nearest(part: pl.DataFrame, title: str) -> Table:
    table = _table(title)
    others = bool(part["others"].list.len().sum())
    for name in ("value", "margin", "verdict", "url", *(["dropped anyway by"] if others else [])):
        table.add_column(name, justify="right" if name in ("value", "margin") else "left", overflow="fold", no_wrap=name == "verdict")
    for row in part.iter_rows(named=True):
        before, after = ("kept" if row[f"kept_{when}"] else "dropped" for when in ("before", "after"))
        verdict = Text(after, "dim") if before == after else Text(f"{before} → {after}", "red" if after == "dropped" else "green")
        more = f" and {len(row['others']) - NAMED} more" if len(row["others"]) > NAMED else ""
        rest = [printable(", ".join(row["others"][:NAMED]) + more)] if others else []
        table.add_row(number(row["value"]), number(row["margin"]), verdict, printable(row["url"]), *rest)
    return table


def print_sweep(found: Sweep, console: Console) -> None:
    total = found.sources.row(0, named=True)
    console.print(
        Text.assemble((found.signal, "bold"), f"  {found.meaning}; {total['documents']:,} documents, {size(total['n_bytes'])}"),
        soft_wrap=True,
    )
    for when in found.comparisons:
        console.print()
        console.print(_sweep(found, when, BAR if console.width >= WIDE else BAR // 2))
        for mark in found.marks:
            if mark.when == when:
                console.print(
                    Text(f"{_sign(mark.in_force)} {number(mark.threshold)}  {mark.label}", "green" if mark.in_force else "dim"),
                    soft_wrap=True,
                )
    console.print()
    console.print(Text("█ no other rule drops them   ░ another rule drops them too", "dim"))
    for source in found.sources.filter(~pl.col("judged"))["source"]:
        console.print(
            Text(f"The rules in force on {found.signal} do not judge {source}; it is not part of the total.", "dim"), soft_wrap=True
        )


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
        table.add_row(number(row["threshold"]), sign, *cells, _bar(row["share"], row["added_share"], width), *shares)
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
    """A table of rules and the list of their sources; where `shipped` has another threshold for a rule, that is said."""
    table = _table(title)
    sources = list(dict.fromkeys(rule.source for rule in rules if rule.source))
    spared = any(map(exceptions, rules))
    for name in ("rule", "fires when", "then", *(["not for"] if spared else []), "source"):
        table.add_column(name, overflow="fold", no_wrap=name in ("rule", "then", "source"))
    for rule in rules:
        before = (shipped or {}).get(rule.name)
        moved = before is not None and before.threshold != rule.threshold
        says = Text(condition(rule), "bold" if moved else "").append(f" (shipped {before.threshold:,g})" if before and moved else "", "dim")
        not_for = [printable(exceptions(rule))] if spared else []
        number_of = Text(f"[{sources.index(rule.source) + 1}]" if rule.source else "", "dim")
        table.add_row(rule.name, says, action(rule), *not_for, number_of)
    console.print(table)
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
    return f"{value:,.0f}" if value == int(value) else f"{value:,.6g}"


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
