"""How a mask is chosen for what it replaces, and what stands before it in its line."""

from __future__ import annotations

import hashlib


def pick(value: str) -> int:
    """64 bits of the value's hash: the same value gets the same mask in every document, shard and order."""
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "big")


def line_before(text: str, at: int, reach: int) -> str:
    """At most `reach` characters of the line before position `at`."""
    start = max(0, at - reach)
    return text[max(start, text.rfind("\n", start, at) + 1) : at]
