"""What things are called where people read of them."""

from __future__ import annotations


def named(asset: str, partition: str | None) -> str:
    """`documents[docs-1/0000]`; an asset without partitions by its name alone."""
    return f"{asset}[{partition}]" if partition else asset
