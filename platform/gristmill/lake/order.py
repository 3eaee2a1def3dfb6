"""Rows in the order of a key. Most tables are made in their order already: to look costs a tenth of sorting them by strings."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl


def rises(frame: pl.DataFrame, key: Sequence[str], strictly: bool = False) -> bool:
    """Whether the rows come as `sort(key)` puts them; `strictly`: and no two have the same key. Never so with a null in the key."""
    if any(frame[name].has_nulls() for name in key):
        return False
    alike = pl.repeat(True, max(frame.height - 1, 0), dtype=pl.Boolean, eager=True)  # rows like the one before, so far
    for name in key:
        before, row = frame[name].slice(0, len(alike)), frame[name].slice(1)
        if ((row < before) & alike).any():
            return False
        alike &= row == before
        if not alike.any():
            return True
    return not strictly or frame.height < 2
