"""Counts in sentences."""

from __future__ import annotations


def counted(count: int, what: str, many: str = "") -> str:
    """`1 copy`, `1,234 copies`: a count and what is counted; `many` is its plural where that is not made with an `s`."""
    return f"{count:,} {what if count == 1 else many or f'{what}s'}"


def unit(count: int, many: str) -> str:
    """`row` of 1, `rows` of 2: what is counted, by its plural that is made with an `s`."""
    return many.removesuffix("s") if count == 1 else many
