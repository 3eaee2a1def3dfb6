"""Spans that overlap, made one: what is personal must be gone whole, whatever found its parts."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int, str, str]
"""start, end (in characters), replacement, rule"""


def merged(spans: Iterable[Span]) -> list[Span]:
    """Overlapping spans as one that covers them all, with replacement and rule of the longest among them (then the
    earliest, then by name)."""
    kept: list[Span] = []
    longest = 0
    for start, end, replacement, rule in sorted(spans, key=lambda span: (span[0], -span[1], span[3], span[2])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end, replacement, rule))
            longest = end - start
            continue
        first, last, *winner = kept[-1]
        if end - start > longest:
            longest, winner = end - start, [replacement, rule]
        kept[-1] = (first, max(last, end), winner[0], winner[1])
    return kept


def replaced(text: str, spans: Iterable[Span]) -> str:
    """`text` with sorted spans that do not overlap replaced."""
    pieces, at = [], 0
    for start, end, replacement, _ in spans:
        pieces += [text[at:start], replacement]
        at = end
    return "".join([*pieces, text[at:]])
