"""Prints an audit: each claim and what it was checked on, then what does not hold."""

from __future__ import annotations

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gristmill.lineage.audit.audit import failures, summary

SHOWN = 20  # failures


def print_audit(claims: pl.DataFrame, console: Console) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("claim", "subjects", "hold", "fail", "not recomputed"):
        table.add_column(name, justify="left" if name == "claim" else "right", no_wrap=name == "claim", overflow="fold")
    for row in summary(claims).iter_rows(named=True):
        hold = row["subjects"] - row["failed"] - row["not_recomputed"]
        failed, left = (f"{row[name]:,}" if row[name] else "" for name in ("failed", "not_recomputed"))
        table.add_row(row["claim"], f"{row['subjects']:,}", f"{hold:,}", Text(failed, "red"), Text(left, "yellow"))
    console.print(table)
    found = failures(claims)
    for claim, subject, _, evidence in found.head(SHOWN).iter_rows():
        console.print(Text.assemble((f"! {claim}: {subject}\n", "red"), f"  {evidence}"), soft_wrap=True)
    if found.height > SHOWN:
        console.print(Text(f"! and {found.height - SHOWN:,} others; --json lists all.", "red"))
    console.print(Text(verdict(claims)), soft_wrap=True)


def verdict(claims: pl.DataFrame) -> str:
    """A sentence or two."""
    failed, left = failures(claims).height, int(summary(claims)["not_recomputed"].sum())
    about = f"{claims['claim'].n_unique()} claims on {claims.height:,} subjects"
    says = f"{about}: {failed:,} do not hold." if failed else f"{about}: everything holds."
    if failed and failures(claims, harmless=False).is_empty():
        says += " Nothing that was built depends on what does not."
    return says + (f" {left:,} were not recomputed: other code or another recipe made them." if left else "")
