"""Where two texts differ, word by word, shortened to the places that do.

Texts are compared as deduplication compares them, by their words in lower case: neither layout nor punctuation counts, though
both are quoted. In scripts written without spaces every letter is a word. Three words in a row that occur once in each text
anchor the alignment (patience diff, Cohen 2003), so that long documents cost n log n; what lies between two anchors is aligned
by `difflib`, or is one change where it is long.
"""

from __future__ import annotations

import bisect
import difflib
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np

from gristmill.signals.segment import UNSPACED, tables

CONTEXT = 6  # words shown on either side of a place
ANCHOR = 3  # words
MOST_BETWEEN = 12  # characters quoted between two words: rules and dot leaders are cut
MOST_COMPARED = 250_000  # product of two lengths up to which `difflib` aligns what anchors leave: a tenth of a second


class Part(NamedTuple):
    """What one side says and the other; the same words where `same`."""

    left: str
    right: str
    same: bool


class Place(NamedTuple):
    """Texts differ here, between a few words that they share; `skipped` equal words before it are not shown."""

    skipped: int
    parts: list[Part]


class Difference(NamedTuple):
    """`places` are the first of `total`. `same`: words in common; `left` and `right`: words of one side alone."""

    places: list[Place]
    total: int
    same: int
    left: int
    right: int


class _Change(NamedTuple):
    """a[a0:a1] stands where b[b0:b1] stands on the other side."""

    a0: int
    a1: int
    b0: int
    b1: int


def difference(left: str, right: str, most: int, longest: int) -> Difference:
    """The first `most` places; of a changed part the first `longest` words are quoted."""
    a, b = _words(left), _words(right)
    changes = _changes([word for word, _ in a], [word for word, _ in b])
    places: list[Place] = []
    shown = 0  # words of `a` up to here are in a place or skipped
    groups = _together(changes)
    for group in groups[:most]:
        first, last = group[0], group[-1]
        start, stop = max(first.a0 - CONTEXT, shown), min(last.a1 + CONTEXT, len(a))
        parts, at, shift = [], start, first.b0 - first.a0
        for change in group:
            parts.append(_same(a[at : change.a0], b[at + shift : change.b0]))
            parts.append(Part(_quoted(a[change.a0 : change.a1], longest), _quoted(b[change.b0 : change.b1], longest), False))
            at, shift = change.a1, change.b1 - change.a1
        parts.append(_same(a[at:stop], b[at + shift : stop + shift]))
        places.append(Place(start - shown, [part for part in parts if part.left or part.right]))
        shown = stop
    only_left, only_right = sum(each.a1 - each.a0 for each in changes), sum(each.b1 - each.b0 for each in changes)
    return Difference(places, len(groups), len(a) - only_left, only_left, only_right)


def _together(changes: Sequence[_Change]) -> list[list[_Change]]:
    """Changes whose context would meet are one place."""
    groups: list[list[_Change]] = []
    for change in changes:
        if groups and change.a0 - groups[-1][-1].a1 <= 2 * CONTEXT:
            groups[-1].append(change)
        else:
            groups.append([change])
    return groups


def _changes(a: Sequence[str], b: Sequence[str]) -> list[_Change]:
    """What has to be replaced by what, in order."""
    found = []
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    stops = (len(a) - end, len(b) - end)
    anchors = [(start, start), *_anchors(a, b, start, *stops), stops]
    for (a0, b0), (a1, b1) in pairwise(anchors):
        if (a1 - a0) * (b1 - b0) > MOST_COMPARED:
            found.append(_Change(a0, a1, b0, b1))
            continue
        matcher = difflib.SequenceMatcher(None, a[a0:a1], b[b0:b1], autojunk=False)
        found += [_Change(a0 + i, a0 + j, b0 + k, b0 + m) for tag, i, j, k, m in matcher.get_opcodes() if tag != "equal"]
    merged: list[_Change] = []
    for change in found:
        if merged and (merged[-1].a1, merged[-1].b1) == (change.a0, change.b0):
            change = _Change(merged[-1].a0, change.a1, merged.pop().b0, change.b1)
        merged.append(change)
    return merged


def _anchors(a: Sequence[str], b: Sequence[str], start: int, stop_a: int, stop_b: int) -> list[tuple[int, int]]:
    """Places in both where the same ANCHOR words begin that occur nowhere else; the longest sequence in the order of both."""
    once = [_once(words, start, stop) for words, stop in ((a, stop_a), (b, stop_b))]
    pairs = [(i, once[1][gram]) for gram, i in once[0].items() if gram in once[1]]  # in the order of a
    tails: list[int] = []  # of the best sequence of each length: place in b, then row of `pairs`
    rows: list[int] = []
    before = [-1] * len(pairs)
    for row, (_, j) in enumerate(pairs):
        length = bisect.bisect_left(tails, j)
        before[row] = rows[length - 1] if length else -1
        tails[length:], rows[length:] = [j, *tails[length + 1 :]], [row, *rows[length + 1 :]]
    chosen, row = [], rows[-1] if rows else -1
    while row >= 0:
        chosen.append(pairs[row])
        row = before[row]
    return chosen[::-1]


def _once(words: Sequence[str], start: int, stop: int) -> dict[tuple[str, ...], int]:
    """The runs of ANCHOR words of words[start:stop] that occur there once -> where they begin."""
    grams = [tuple(words[i : i + ANCHOR]) for i in range(start, stop - ANCHOR + 1)]
    counts = Counter(grams)
    return {gram: start + n for n, gram in enumerate(grams) if counts[gram] == 1}


def _words(text: str) -> list[tuple[str, str]]:
    """Each word in lower case, and as it is quoted: with what stands behind it, and what stands before the first."""
    found = [match.span() for match in _pattern().finditer(text)]
    ends = [*(start for start, _ in found[1:]), len(text)]
    words = [
        (text[start:stop].lower(), text[start:stop] + _between(text[stop:end])) for (start, stop), end in zip(found, ends, strict=False)
    ]
    if words and (before := _between(text[: found[0][0]])).strip():
        words[0] = (words[0][0], before + words[0][1])
    return words


def _between(text: str) -> str:
    """What stands between two words, on one line; nothing where nothing is."""
    line = " ".join(text.split())
    line = line if len(line) <= MOST_BETWEEN else f"{line[:MOST_BETWEEN]}…"
    return f"{' ' * text[:1].isspace()}{line}{' ' * (bool(line) and text[-1:].isspace())}"


@cache
def _pattern() -> re.Pattern[str]:
    """A word."""
    points = np.flatnonzero(tables().classes & UNSPACED).tolist()
    runs = [[point for _, point in group] for _, group in groupby(enumerate(points), lambda pair: pair[1] - pair[0])]
    alone = "".join(f"{chr(run[0])}-{chr(run[-1])}" for run in runs)
    return re.compile(rf"[{alone}]|(?:(?![{alone}])\w)+")


def _same(left: Sequence[tuple[str, str]], right: Sequence[tuple[str, str]]) -> Part:
    return Part(_joined(left), _joined(right), True)


def _quoted(words: Sequence[tuple[str, str]], longest: int) -> str:
    return _joined(words) if len(words) <= longest else f"{_joined(words[:longest])}… ({len(words) - longest:,} more words) "


def _joined(words: Sequence[tuple[str, str]]) -> str:
    return "".join(quoted for _, quoted in words)
