"""Prints an audit: each claim and what it was checked on, then what does not hold."""

from __future__ import annotations

import polars as pl
from rich.console import Console
from rich.text import Text

from gristmill.counting import counted
from gristmill.lineage.audit.audit import failures, summary
from gristmill.tables import Column, Row, print_table

SHOWN = 20  # failures


def print_audit(claims: pl.DataFrame, looked: str, console: Console) -> None:
    """`looked`: the scope's word on what was looked at."""
    columns = [Column("claim", long=True), *(Column(name, right=True) for name in ("subjects", "hold", "fail", "not\nrecomputed"))]
    rows = []
    for row in summary(claims).iter_rows(named=True):
        hold = row["subjects"] - row["failed"] - row["not_recomputed"]
        failed, left = (f"{row[name]:,}" if row[name] else "" for name in ("failed", "not_recomputed"))
        rows.append(Row([row["claim"], f"{row['subjects']:,}", f"{hold:,}", Text(failed, "red"), Text(left, "yellow")]))
    print_table(columns, rows, console)
    found = failures(claims)
    for claim, subject, _, evidence in found.head(SHOWN).iter_rows():
        console.print(Text.assemble((f"! {claim}: {subject}\n", "red"), f"  {evidence}"), soft_wrap=True)
    if found.height > SHOWN:
        console.print(Text(f"! and {counted(found.height - SHOWN, 'more failure')}; --json lists all.", "red"))
    console.print(Text(verdict(claims, looked)), soft_wrap=True)


def verdict(claims: pl.DataFrame, looked: str) -> str:
    """A few sentences."""
    found, every, left = failures(claims), claims["claim"].n_unique(), int(summary(claims)["not_recomputed"].sum())
    failed = found["claim"].n_unique()
    says = f"{counted(every, 'claim')} on {counted(claims.height, 'subject')}: everything holds."
    if failed:
        does, places = "does" if failed == 1 else "do", counted(found.height, "place")
        says = f"{failed:,} of {counted(every, 'claim')} {does} not hold, in {places} ({counted(claims.height, 'subject')} looked at)."
    says += f" This was {looked}."
    if failed and failures(claims, harmless=False).is_empty():
        says += " Nothing that was built depends on what does not."
    return says + (f" {left:,} {'was' if left == 1 else 'were'} not recomputed: other code or another recipe made them." if left else "")
