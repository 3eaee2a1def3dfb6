"""The section on near-duplicate pairs of docs/conformance.md."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from conformance.duplicates import OURS, SETTINGS, Compared, Sketches, near_without, theory

TITLE = "## Near-duplicate pairs"
EDGES = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
ERRORS = 5  # standard errors of the theory within which our share of pairs with a common band lies
ROUNDING = 1e-5  # on average, of a Jaccard similarity
NUMBER = re.compile(r"\d+([.,]\d+)*")

HEAD = """{title}

Pairs of documents that `dedup.minhash` proposes and `dedup.near` proves, beside those of datatrove's MinHash (stages 1 and 2) and of
datasketch's `MinHashLSH`, all with 5-word shingles and {bands} bands of {rows} rows. The referee is the true Jaccard similarity of *every*
pair, by brute force over exact shingles: each system's own, since each has its own words. *Pages* are those above; *copies*
are {copies:,} generated ones (`conformance/copies.py`). A pair is near at {threshold} or more. *Theory* is the mean of
1 - (1 - s^{rows})^{bands} over the same pairs, with one standard error for pairs that fall independently (those of one family do
not quite).
"""

WHY = {
    "not proven": "Both say by their own shingles that the pair is not near; it has a band in common by chance, and datatrove "
    "joins whatever has. Ours looks at the pair itself.",
    "our bands miss": "The pair is near by our shingles and has no band in common: what the S-curve allows.",
    "their bands miss": "The same on their side.",
    "numbers": "datatrove turns every number to `0`, so texts that differ in their numbers alone are near. By ours digits count.",
    "accents": "datatrove takes diacritics off. By ours a word with an accent is another word.",
    "words": "Near by one side's words alone. To spaCy's English tokenizer a sentence of ideographs is one word, and to datatrove `_` is a "
    "blank and white space of any kind is left out; datasketch has no words of its own, those of text-dedup (`\\W`) leave such a sentence "
    "whole too. Ours has a word for every ideograph, so that one character changes five shingles and not a sentence.",
}  # fmt: skip


def section(sets: Sequence[Compared]) -> tuple[str, list[str]]:
    """The section, and what is wrong: our pairs off the theory or unproven, or shingles too short."""
    many = {some.name: len(some.texts) for some in sets}
    head = HEAD.format(title=TITLE, bands=SETTINGS.bands, rows=SETTINGS.rows, threshold=SETTINGS.threshold, copies=many["copies"])
    parts = [head, "\n".join(_quality(sets)), "\n".join(_curve(sets)), "\n".join(_differences(sets)), _closing(sets)]
    return "\n\n".join(parts) + "\n", list(_failures(sets))


def replaced(page: str, text: str) -> str:
    """The page with its section, or behind its end."""
    before = page.split(TITLE)[0].rstrip()
    return f"{before}\n\n{text}"


def _pairs(square: NDArray) -> NDArray:
    """Each pair once."""
    return square[np.triu_indices(len(square), 1)]


def _quality(sets: Sequence[Compared]) -> list[str]:
    lines = ["| texts | system | near pairs | found | recall | theory | precision |", "|---|---|--:|--:|--:|--:|--:|"]
    for some in sets:
        for each in some.systems:
            jaccard = _pairs(each.jaccard)
            near = jaccard >= SETTINGS.threshold
            ways = [(each.system, _pairs(each.found))]
            if each.system == OURS:
                ways.insert(0, (f"{OURS}, bands alone", _pairs(each.shared)))
            for name, found in ways:
                lines.append(
                    f"| {some.name} | {name} | {near.sum():,} | {found.sum():,} | {_share(found & near, near)} | {_theory(jaccard[near])} "
                    f"| {_share(found & near, found)} |"
                )
    return ["Recall: of the pairs that are near by the system's own shingles. Precision: of the pairs that it found.", "", *lines]


def _curve(sets: Sequence[Compared]) -> list[str]:
    """All sets of texts together: the share of pairs with a band in common, by true similarity."""
    systems = [each.system for each in sets[0].systems]
    lines = ["| true Jaccard | " + " | ".join(f"{each}: pairs | band in common | theory" for each in systems) + " |"]
    lines.append("|---|" + "--:|--:|--:|" * len(systems))
    for low, high in _bins():
        cells = []
        for i in range(len(systems)):
            jaccard, shared = _within([some.systems[i] for some in sets], low, high)
            cells += [f"{len(jaccard):,}", f"{shared.mean():.3f}" if len(jaccard) else "", _theory(jaccard)]
        lines.append(f"| {f'{low} to {high}' if low < 1 else '1'} | {' | '.join(cells)} |")
    return [
        "The share of pairs with a band in common beside the S-curve, pages and copies together, by each system's own similarity:",
        "",
        *lines,
    ]


def _bins() -> Iterator[tuple[float, float]]:
    yield from itertools.pairwise(EDGES)
    yield 1.0, 2.0


def _within(systems: Sequence[Sketches], low: float, high: float) -> tuple[NDArray, NDArray]:
    jaccard, shared = [], []
    for each in systems:
        inside = (each.jaccard >= low) & (each.jaccard < high)
        jaccard.append(_pairs(each.jaccard)[_pairs(inside)])
        shared.append(_pairs(each.shared)[_pairs(inside)])
    return np.concatenate(jaccard), np.concatenate(shared)


def _differences(sets: Sequence[Compared]) -> list[str]:
    lines = ["Pairs that one side finds and the other does not, with the reason:", ""]
    lines += ["| texts | peer | found by | because of | pairs | example (similarity by ours, by theirs) |", "|---|---|---|---|--:|---|"]
    causes = set()
    for some in sets:
        ours = some.systems[0]
        for theirs in some.systems[1:]:
            for by, cause, pairs in _classes(some, ours, theirs):
                causes.add(cause)
                i, j = pairs[0]
                example = f"{_name(some, i)} and {_name(some, j)} ({ours.jaccard[i, j]:.3f}, {theirs.jaccard[i, j]:.3f})"
                lines.append(f"| {some.name} | {theirs.system} | {by} | {cause} | {len(pairs):,} | {example} |")
    return [*lines, "", *(f"- *{cause}*: {why}" for cause, why in WHY.items() if cause in causes)]


def _classes(some: Compared, ours: Sketches, theirs: Sketches) -> Iterator[tuple[str, str, NDArray]]:
    near, near_theirs = ours.jaccard >= SETTINGS.threshold, theirs.jaccard >= SETTINGS.threshold
    numbered, accented = (near_without(some.texts, rewritten) for rewritten in (_numberless, _plain))
    both = ours.found & theirs.found
    only_theirs, only_ours = theirs.found & ~both, ours.found & ~both
    for by, cause, which in (
        (theirs.system, "not proven", only_theirs & ~near & ~near_theirs),
        (theirs.system, "our bands miss", only_theirs & near),
        (theirs.system, "numbers", only_theirs & ~near & near_theirs & numbered),
        (theirs.system, "accents", only_theirs & ~near & near_theirs & accented & ~numbered),
        (theirs.system, "words", only_theirs & ~near & near_theirs & ~numbered & ~accented),
        (OURS, "their bands miss", only_ours & near_theirs),
        (OURS, "words", only_ours & ~near_theirs),
    ):
        pairs = np.argwhere(np.triu(which))
        if len(pairs):
            yield by, cause, pairs


def _numberless(text: str) -> str:
    return NUMBER.sub("0", text)


def _plain(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", text) if unicodedata.category(char) != "Mn")


def _closing(sets: Sequence[Compared]) -> str:
    rounding = np.concatenate([some.rounding for some in sets])
    return (
        f"Shingles are 32 bits wide in the engine: of {len(rounding):,} pairs of 0.5 or more, {(rounding > 0).sum()} have another "
        f"similarity than the exact one, by {rounding.max():.1e} at most and {rounding.mean():.1e} on average."
    )


def _failures(sets: Sequence[Compared]) -> Iterator[str]:
    for some in sets:
        if some.rounding.mean() > ROUNDING:
            yield f"duplicates, {some.name}: 32-bit shingles move similarities by {some.rounding.mean()} on average"
    for low, high in _bins():
        jaccard, shared = _within([some.systems[0] for some in sets], low, high)
        expected = theory(jaccard)
        error = np.sqrt((expected * (1 - expected)).sum())
        if abs(shared.sum() - expected.sum()) > ERRORS * error + 1e-9:
            yield f"duplicates: {shared.sum()} of {len(jaccard)} pairs of {low} to {high} share a band, by theory {expected.sum():.0f}"


def _theory(jaccard: NDArray) -> str:
    if not len(jaccard):
        return ""
    expected = theory(jaccard)
    return f"{expected.mean():.3f} ± {np.sqrt((expected * (1 - expected)).sum()) / len(jaccard):.3f}"


def _share(part: NDArray, whole: NDArray) -> str:
    return f"{part.sum() / whole.sum():.3f}" if whole.any() else ""


def _name(some: Compared, i: int) -> str:
    name = some.texts[i][0]
    return f"`{name if len(name) <= 50 else '…' + name[-49:]}`"
