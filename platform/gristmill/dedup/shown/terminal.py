"""Prints duplicates: what each source lost, the largest clusters, differences side by side, cuts and contaminated documents.

Whatever came from a page is printed without control characters and markup.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gristmill.counting import counted
from gristmill.dedup.overview import INEXACT, KINDS
from gristmill.dedup.shown.differences import Difference, Place
from gristmill.dedup.shown.parts import Contaminated, Cut
from gristmill.dedup.shown.show import Cluster, Document, Duplicates, Twin
from gristmill.policy.terminal import printable, share
from gristmill.tables import Column, Row, print_table

SIDE_BY_SIDE = 5  # clusters of which a difference is printed among others
PLACES = 4  # of such a difference
BAR = 24  # characters


def print_duplicates(found: Duplicates, console: Console) -> None:
    if not found.documents:
        console.print("No document was kept by the filters: there is nothing to compare.")
        return
    parts = ", ".join(f"{count:,} {kind}" for kind, count in found.kinds.items() if count)
    copies = "is a copy" if found.lost == 1 else "are copies"
    console.print(
        Text.assemble(
            (f"{found.lost:,}", "bold"),
            f" of {counted(found.documents, 'document')} {copies} of another{': ' if parts else '.'}{parts}",
        ),
        soft_wrap=True,
    )
    if found.lost:
        console.print(_sources(found))
        for line in _largest(found.sources) if not found.source else ():
            console.print(line, soft_wrap=True)
        console.print(_sizes(found))
        of = f" in which {printable(found.source).plain} loses" if found.source else ""
        if found.clusters:
            _print_clusters(found.clusters, f"The {len(found.clusters):,} largest of {counted(found.n_clusters, 'cluster')}{of}", console)
        else:
            console.print(Text.assemble(printable(found.source or ""), " loses no document to a copy."))
        for each in found.clusters[:SIDE_BY_SIDE]:
            print_cluster(each, console, PLACES, twins=1)
    if found.cuts:
        console.print(_cuts(found.cuts))
        _print_cut_texts(found.cut_most, "What was cut most", console)
    if found.contamination:
        console.print(_contamination(found.contamination))
        _print_contaminated(found.contaminated, "Documents that quote most of an item", console)


def print_document(found: Document, console: Console) -> None:
    if found.cluster:
        print_cluster(found.cluster, console)
    else:
        console.print(Text(f"{found.doc_id} is in no cluster: no kept document is a copy of it."))
    if found.cuts:
        _print_cut_texts(found.cuts, "Cut out of it", console)
    if found.contaminated:
        _print_contaminated(found.contaminated, "Items that it quotes", console)


def print_cluster(found: Cluster, console: Console, places: int | None = None, twins: int | None = None) -> None:
    """The survivor and the listed twins; or the first `twins` whose texts were compared, nothing where none was. `places` of a
    difference at most."""
    shown = found.twins if twins is None else [twin for twin in found.twins if twin.differs is not None][:twins]
    if twins is not None and not shown:
        return
    console.print()
    console.print(Text.assemble(("Cluster ", "bold"), (found.cluster, "bold"), f"  {_counts(found)}"), soft_wrap=True)
    console.print(Text.assemble(("  survivor  ", "green"), _place_of(found.survivor)), soft_wrap=True)
    for twin in shown:
        said = twin.kind if twin.kind in ("same", "exact") else f"{twin.kind} {twin.similarity:.3f}"
        console.print(Text.assemble((f"  {said}  ", "red"), _place_of(twin)), soft_wrap=True)
        if twin.differs is not None:
            _print_difference(twin.differs, console, places)
    more = found.more + len(found.twins) - len(shown)
    if more:
        console.print(Text(f"  and {more:,} more", "dim"))


def _counts(found: Cluster) -> str:
    copies = f" in {found.copies:,} copies" if found.copies > found.documents else ""
    return f"{counted(found.documents, 'document')}{copies}: {_kinds(found.kinds)}"


def _kinds(kinds: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())


def _place_of(twin: Twin) -> Text:
    return Text.assemble(printable(twin.url or twin.doc_id), (f"  {twin.source}, {twin.doc_id} in {twin.shard}", "dim"))


def _print_difference(found: Difference, console: Console, most: int | None) -> None:
    if not found.total:
        console.print(Text("  The same words in the same order.", "dim"))
        return
    places = found.places if most is None else found.places[:most]
    table = Table(box=SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", expand=True, show_lines=False)
    table.add_column("survivor", ratio=1, overflow="fold")
    table.add_column("twin", ratio=1, overflow="fold")
    for place in places:
        if place.skipped:
            same = Text(f"… {counted(place.skipped, 'word')} the same …", "dim")
            table.add_row(same, same)
        table.add_row(*_sides(place))
    console.print(table)
    left = found.total - len(places)
    more = f"; {counted(left, 'more place differs', 'more places differ')}" if left else ""
    console.print(
        Text(
            f"  {counted(found.same, 'word')} in common, {found.left:,} in the survivor alone, {found.right:,} in the twin alone{more}",
            "dim",
        )
    )


def _sides(place: Place) -> tuple[Text, Text]:
    left, right = Text(), Text()
    for part in place.parts:
        left.append_text(_styled(part.left, "" if part.same else "bold green"))
        right.append_text(_styled(part.right, "" if part.same else "bold red"))
    return left, right


def _styled(text: str, style: str) -> Text:
    found = printable(text)
    found.stylize(style)
    return found


def _sources(found: Duplicates) -> Table:
    kinds = [kind for kind in KINDS if found.kinds[kind]]
    table = _table("What each source lost")
    for name in ("source", "documents", *kinds, "lost", "share"):
        table.add_column(name, justify="left" if name == "source" else "right", overflow="fold")
    for row in found.sources:
        cells = [f"{row[name]:,}" if row[name] else "" for name in ("documents", *kinds, "lost")]
        table.add_row(printable(row["source"]), *cells, share(row["share"]))
    return table


def _largest(sources: list[dict[str, Any]]) -> Iterator[Text]:
    """For each source the cluster to which it lost most inexact copies, or where it has none most copies; where that is more than one."""
    for row in sources:
        largest = row["largest"][0] if row["largest"] else None
        if largest and largest["documents"] > 1:
            to = f" of {largest['to']}" if largest["to"] != row["source"] else ""
            kind, count = ("near or semantic copies", largest["inexact"]) if largest["inexact"] else ("copies", largest["documents"])
            of_all = f"{count:,}, of {counted(row['lost'], 'document')} that it lost in all"
            yield printable(f"{row['source']}: no cluster took more {kind} than {largest['cluster']}{to} ({of_all})")


def _sizes(found: Duplicates) -> Table:
    table = _table("Copies of a document")
    for name in ("copies", "clusters", "documents", ""):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    most = max(row["documents"] for row in found.sizes)
    for row in found.sizes:
        bar = "█" * max(1, round(BAR * row["documents"] / most))
        table.add_row(row["size"], f"{row['clusters']:,}", f"{row['documents']:,}", Text(bar, "blue"))
    return table


def _print_clusters(clusters: list[Cluster], title: str, console: Console) -> None:
    """Two lines each: a table would fold what people copy, the cluster's name and the survivor's URL."""
    console.print(Text(title, "italic"))
    for each in clusters:
        alike = f", least similar {each.least:.3f}" if any(each.kinds.get(kind) for kind in INEXACT) else ""
        console.print(Text.assemble((each.cluster, "bold"), f"  {_counts(each)}{alike}"), soft_wrap=True)
        console.print(
            Text.assemble("  ", printable(each.survivor.url or each.survivor.doc_id), (f"  {each.survivor.source}", "dim")), soft_wrap=True
        )


def _cuts(rules: list[dict[str, Any]]) -> Table:
    table = _table("Parts cut out of documents that stay")
    for name in ("rule", "cuts", "documents", "characters"):
        table.add_column(name, justify="left" if name == "rule" else "right")
    for row in rules:
        table.add_row(row["rule"], *(f"{row[name]:,}" for name in ("cuts", "documents", "characters")))
    return table


def _print_cut_texts(cuts: list[Cut], title: str, console: Console) -> None:
    columns = [
        Column("rule"),
        Column("held by", right=True),
        Column("characters", right=True),
        Column("text", long=True),
        Column("for example in", long=True),
    ]
    rows = [Row([cut.rule, f"{cut.documents:,}", f"{cut.characters:,}", printable(cut.text), cut.doc_id]) for cut in cuts]
    print_table(columns, rows, console, title)


def _contamination(files: list[dict[str, Any]]) -> Table:
    table = _table("Documents that hold reference items")
    for name in ("items", "documents", "in the train split"):
        table.add_column(name, justify="left" if name == "items" else "right")
    for row in files:
        table.add_row(printable(row["items"]), f"{row['documents']:,}", f"{row['train']:,}")
    return table


def _print_contaminated(found: list[Contaminated], title: str, console: Console) -> None:
    columns = [
        Column("overlap", right=True),
        Column("split"),
        Column("document", long=True, ends="/"),
        Column("item", long=True, ends="/"),
        Column("the first words that both hold", long=True),
    ]
    rows = []
    for row in found:
        quote = Text.assemble(
            (row.before and f"{printable(row.before).plain} ", "dim"), printable(row.quote), (f" {printable(row.after).plain}", "dim")
        )
        item = printable(row.item if not row.item_url else f"{row.item} {row.item_url}")
        rows.append(Row([share(row.overlap), row.split or "?", printable(row.url or row.doc_id), item, quote]))
    print_table(columns, rows, console, title)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", header_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
