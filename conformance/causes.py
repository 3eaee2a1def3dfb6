"""What a disagreement hangs on: the pieces that a peer and we cut otherwise, and how."""

from __future__ import annotations

import re
from itertools import combinations

import polars as pl

from conformance.compare import ALL, Conformance, Decision, compare
from gristmill.signals.chunk import Chunk

RULES = "rules"


def cause(of: Conformance, text: tuple[str, str], decision: Decision, part: str) -> str:
    """The kinds of pieces that have to be given for a disagreement to go, as few as can be; RULES where it stays."""
    for size in range(1, len(ALL) + 1):
        for handed in combinations(sorted(ALL), size):
            (row,) = (row for row in compare(of, [text], [decision], frozenset(handed)) if row.part == part)
            if row.theirs == row.ours:
                return _sentences(text[1], decision) if handed == ("sentences",) else " and ".join(handed)
    return RULES


def other_sentences(text: str, decision: Decision) -> tuple[str, int, int]:
    """The line whose sentences differ most in the direction in which the text's do; theirs and ours."""
    ours = [int(count) for count in Chunk(pl.DataFrame({"doc_id": ["-"], "text": [text]})).line_sentences]
    sign = 1 if sum(decision["sentences"]) > sum(ours) else -1
    return max(zip(text.splitlines(), decision["sentences"], ours, strict=True), key=lambda line: sign * (line[1] - line[2]))


def _sentences(text: str, decision: Decision) -> str:
    line, theirs, ours = other_sentences(text, decision)
    if theirs > ours:
        return "sentences: no blank" if re.search(r"\w[.!?][(\"'\w]", line) and not re.search(r"\b\w\.\w\.", line) else "sentences: other"
    if "..." in line:
        return "sentences: ellipsis"
    if re.search("[.!?][\u201d\u2019\u00bb]", line):
        return "sentences: curly quote"
    return "sentences: other script" if not line.isascii() else "sentences: other"
