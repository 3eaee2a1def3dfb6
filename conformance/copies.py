"""Generated texts and copies of them, at every Jaccard similarity around the threshold and in every dress that peers read otherwise.

They come from a seed alone. Each family is a text of the small grammar of `conformance.texts` and its copies: some words
replaced, more from copy to copy; other case, punctuation and layout; other numbers; accents on some vowels; other
ideographs; and texts about as long as a shingle.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

from conformance.texts import NOUNS, SEED, Writer

COPIES = 5
MOST = 0.1  # of the words are replaced: with five-word shingles a Jaccard similarity of about 0.42
ACCENTS = str.maketrans({vowel: unicodedata.normalize("NFC", vowel + "\u0301") for vowel in "aeou"})
IDEOGRAPHS = [chr(point) for point in range(0x4E00, 0x4E00 + 600)]


def copies(seed: int = SEED) -> list[tuple[str, str]]:
    """(name, text), every name once; texts of one family share the name up to the last `/`."""
    texts = []
    for number, (kind, (families, make)) in enumerate(KINDS.items()):
        for family in range(families):
            writer = Writer((seed * 100 + number) * 1_000 + family)
            texts += [(f"{kind}/{family:03}/{copy}", text) for copy, text in enumerate(make(writer))]
    return texts


def _replaced(w: Writer) -> Iterator[str]:
    words = w.words(w.random.randint(100, 600))
    for _ in range(COPIES):
        yield " ".join(words)
        share = w.random.random() * MOST
        words = [w.random.choice(NOUNS) + str(w.random.randint(0, 99)) * 2 if w.random.random() < share else word for word in words]


def _dressed(w: Writer) -> Iterator[str]:
    lines = w.lines(12)
    yield "\n".join(lines)
    yield "\n".join(lines).upper()
    yield "\n".join(f"- *{line.replace(' ', '  ')}*" for line in lines)
    yield " … ".join(lines)
    yield "\n\n".join(f"> “{line}”" for line in lines)


def _numbers(w: Writer) -> Iterator[str]:
    words = w.words(120)
    for _ in range(COPIES):
        yield " ".join(f"{word} {w.random.randint(0, 9_999)}" if i % 6 == 0 else word for i, word in enumerate(words))


def _accents(w: Writer) -> Iterator[str]:
    words = w.words(150)
    for share in (0, 0.02, 0.05, 0.2, 1):
        yield " ".join(word.translate(ACCENTS) if w.random.random() < share else word for word in words)


def _ideographs(w: Writer) -> Iterator[str]:
    points = [w.random.choice(IDEOGRAPHS) for _ in range(400)]
    for _ in range(COPIES):
        sentences = ["".join(points[i : i + 20]) for i in range(0, len(points), 20)]
        yield "。".join(sentences) + "。"
        points = [w.random.choice(IDEOGRAPHS) if w.random.random() < 0.02 else point for point in points]


def _short(w: Writer) -> Iterator[str]:
    words = w.words(8)
    for size in (4, 5, 6, 7, 8):
        yield " ".join(words[:size]) + "."


KINDS: dict[str, tuple[int, Callable[[Writer], Iterator[str]]]] = {
    "replaced": (300, _replaced),
    "dressed": (20, _dressed),
    "numbers": (20, _numbers),
    "accents": (20, _accents),
    "ideographs": (20, _ideographs),
    "short": (20, _short),
}
