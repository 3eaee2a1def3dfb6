"""Tables on a terminal that cut no name in the middle: where the room is too narrow, long cells go below their row, in full."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gristmill.policy.folding import folded

GAP = 2  # characters between two columns
NARROW = 36  # characters that a long column has at least beside the others


@dataclass(frozen=True)
class Column:
    """`long`: sentences, addresses and lists, which are folded at spaces and behind the characters of `ends`, and go below their row where
    the table is too wide. `spare`: left out of such a table, the highest first; a line says so."""

    name: str
    right: bool = False
    long: bool = False
    ends: str = "._-/"
    spare: int = 0


@dataclass(frozen=True)
class Row:
    """`last`: of a part of the table."""

    cells: Sequence[str | Text]
    style: str = ""
    last: bool = False


def print_table(columns: Sequence[Column], rows: Sequence[Row], console: Console, title: str = "") -> None:
    """Cells that came from a page are printable already."""
    texts = [[each if isinstance(each, Text) else Text(each) for each in row.cells] for row in rows]
    columns, left_out = list(columns), list[str]()
    while True:
        widths = [max([_width(Text(column.name)), *(_width(cells[n]) for cells in texts)]) for n, column in enumerate(columns)]
        rooms = _rooms(columns, widths, console.width)
        least = max(range(len(columns)), key=lambda n: columns[n].spare)
        if rooms is not None or not columns[least].spare:
            break
        left_out.insert(0, columns[least].name.strip())
        columns = [column for n, column in enumerate(columns) if n != least]
        texts = [[cell for n, cell in enumerate(cells) if n != least] for cells in texts]
    if rooms is None:
        _print_lines(columns, rows, texts, console, title)
        return
    table = Table(
        title=title or None, title_justify="left", header_style="bold", box=SIMPLE_HEAD, padding=(0, GAP - 1, 0, 0), pad_edge=False
    )
    for column in columns:
        table.add_column(column.name, justify="right" if column.right else "left", no_wrap=True)
    for row, cells in zip(rows, texts, strict=True):
        folds = (fold(cell, room, column.ends) for cell, room, column in zip(cells, rooms, columns, strict=True))
        table.add_row(*folds, style=row.style, end_section=row.last)
    console.print(table)
    if left_out:
        names = ", ".join(dict.fromkeys(left_out))
        console.print(Text(f"For want of room without: {names}. --html and --json have everything.\n", "dim"), soft_wrap=True)


def fold(text: Text, room: int, ends: str) -> Text:
    """The text, with its styles, in lines of at most `room` characters: broken at spaces, a word that is longer behind one of `ends`."""
    if _width(text) <= room:
        return text
    lines = []
    for line in text.split("\n", allow_blank=True):
        at = 0
        for part in _broken(line.plain, room, ends):
            at = line.plain.index(part, at)
            lines.append(line[at : at + len(part)])
            at += len(part)
    return Text("\n").join(lines)


def _broken(line: str, room: int, ends: str) -> list[str]:
    lines = [""]
    for word in re.findall(r"\S+\s*|\s+", line):
        if lines[-1] and len(lines[-1]) + len(word.rstrip()) > room:
            lines.append("")
        *whole, last = folded(word, room, ends).split("\n") if len(word.rstrip()) > room else [word]
        lines[-1:] = [*whole, last] if whole else [lines[-1] + last]
    return [each.rstrip() for each in lines]


def _rooms(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int] | None:
    """Characters for each column; None where the long ones would get less than NARROW."""
    taken = sum(wide for column, wide in zip(columns, widths, strict=True) if not column.long) + GAP * len(columns)
    long = sorted((wide, n) for n, (column, wide) in enumerate(zip(columns, widths, strict=True)) if column.long)
    rooms, left = list(widths), width - taken
    if not long:
        return rooms if left >= 0 else None
    for at, (wide, n) in enumerate(long):  # the shorter ones first: what they do not need goes to the others
        rooms[n] = min(wide, left // (len(long) - at))
        if rooms[n] < min(wide, NARROW):
            return None
        left -= rooms[n]
    return rooms


def _print_lines(columns: Sequence[Column], rows: Sequence[Row], texts: Sequence[Sequence[Text]], console: Console, title: str) -> None:
    """A line for what is short of each row, and below it what is long: on one line where it fits, else each on its own."""
    short, long = ([n for n, column in enumerate(columns) if column.long is kind] for kind in (False, True))
    texts = [[_flat(cell) if n in short else cell for n, cell in enumerate(cells)] for cells in texts]
    names = [_flat(Text(column.name, "bold"), " ") for column in columns]
    widths = [max(_width(cells[n]) for cells in (names, *texts)) for n in range(len(columns))]
    room = console.width - GAP
    if title:
        console.print(Text(title, "italic"))
    console.print()
    console.print(_line(names, short, columns, widths), soft_wrap=True)
    console.print(Text("─" * min(console.width, sum(widths[n] + GAP for n in short) - GAP)))
    for row, cells in zip(rows, texts, strict=True):
        lines = [_line(cells, short, columns, widths)]
        below = [n for n in long if cells[n].plain]
        said = [Text.assemble((f"{columns[n].name} ", "dim"), cells[n]) if len(long) > 1 else cells[n] for n in below]
        if sum(len(each) + GAP for each in said) - GAP <= room and not any("\n" in each.plain for each in said):
            lines += [Text(" " * GAP).append_text(Text(" " * GAP).join(said))] if said else []
        else:
            for n, each in zip(below, said, strict=True):
                parts = fold(each, room, columns[n].ends).split("\n", allow_blank=True)
                lines += [Text(" " * GAP).append_text(part) for part in parts]
        for line in lines:
            line.stylize_before(row.style)
            console.print(line, soft_wrap=True)
        if row.last:
            console.print()
    console.print()


def _line(cells: Sequence[Text], short: Sequence[int], columns: Sequence[Column], widths: Sequence[int]) -> Text:
    line = Text()
    for n in short:
        pad = " " * (widths[n] - len(cells[n]))
        line.append_text(Text.assemble(pad, cells[n]) if columns[n].right else Text.assemble(cells[n], pad)).append(" " * GAP)
    line.rstrip()
    return line


def _flat(text: Text, between: str = ", ") -> Text:
    """A cell of several lines as one."""
    return Text(between).join(part for part in text.split("\n") if part.plain)


def _width(text: Text) -> int:
    return max(map(len, text.plain.split("\n")))
