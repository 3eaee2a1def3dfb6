"""Language by paragraph: whether a document keeps to one language.

Pages mix languages (a translated menu around an article, a forum, a dictionary), and one identification over their first
characters does not see it. CCNet (Wenzek et al. 2020, arXiv:1911.00359) identifies documents alone; Dolma (Soldaini
et al. 2024) tags paragraphs too and FineWeb-2 (Penedo et al. 2025) sees such pages as identified with low confidence.

| term | threshold | source |
|---|---|---|
| other_language_share, least_score, languages | none shipped: no paper has a rule on them | |
| SURE | 0.5, of an answer that counts | as CCNet asks of documents (Wenzek et al. 2020) |
| SHORTEST, LETTERS | 100 characters, 100 letters | ours |
| PARAGRAPHS, SAMPLE_CHARS | 32 of a document, 500 characters of each | ours, for speed |

A paragraph is what stands between blank lines. Judged are those of at least SHORTEST characters, PARAGRAPHS of them at most
(spread evenly over the document, the first and the last among them), each by its first SAMPLE_CHARS characters, if
those hold at least LETTERS letters: shorter ones say little. The identifier is the document's (`gristmill.crawl.language`).
An answer below SURE is none: tables, lists of names and program text get all sorts of languages with low confidence.

A document without a paragraph to judge, the empty one among them, has share 0, score 1 and 0 languages; so has source
code, which the identifier does not know.
"""

from __future__ import annotations

import re

import numpy as np

from gristmill.crawl import language as identifier
from gristmill.signals.chunk import Chunk, References, Values

VERSION = f"1-{identifier.VERSION}"
READS = frozenset({"text", "documents"})
SIGNALS = {
    "other_language_share": "characters of judged paragraphs surely in another language than the document's, among those of all judged",
    "least_score": "lowest confidence among the judged paragraphs, 0 to 1",
    "languages": "distinct languages of the paragraphs identified surely",
}

SHORTEST = 100  # characters
LETTERS = 100
PARAGRAPHS = 32
SAMPLE_CHARS = 500
SURE = 0.5

_BLANK = re.compile(r"\n[^\S\n]*\n")


def compute(chunk: Chunk, references: References) -> Values:
    rows = [_judged(text, language) for text, language in chunk.frame.select("text", "language").iter_rows()]
    values = np.array(rows, np.float64).reshape(-1, 3)
    return {"other_language_share": values[:, 0], "least_score": values[:, 1], "languages": values[:, 2]}


def _judged(text: str, language: str) -> tuple[float, float, int]:
    """The three signals of a document."""
    judged = other = 0
    least, languages = 1.0, set()
    for paragraph in _spread(text) if language != identifier.CODE[0] else ():
        sample = paragraph[:SAMPLE_CHARS]
        if sum(map(str.isalpha, sample)) < LETTERS:
            continue
        found, score = identifier.identify(sample)
        judged += len(paragraph)
        least = min(least, score)
        if score >= SURE:
            languages.add(found)
            other += len(paragraph) if found != language else 0
    return other / max(judged, 1), least, len(languages)


def _spread(text: str) -> list[str]:
    """At most PARAGRAPHS of the long paragraphs, at even distances."""
    long = [paragraph for paragraph in _BLANK.split(text) if len(paragraph) >= SHORTEST]
    if len(long) <= PARAGRAPHS:
        return long
    return [long[n * (len(long) - 1) // (PARAGRAPHS - 1)] for n in range(PARAGRAPHS)]
