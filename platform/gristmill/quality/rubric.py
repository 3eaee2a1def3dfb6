"""The declared rubric: five points for what the form of a text shows, where no teacher can be trusted.

Additive like the scale of FineWeb-Edu (Penedo et al. 2024, section 4 and Appendix F), but every point is a stated measure
of the text that rises from 0 to 1 between two stated values, so anyone can recompute a grade by hand. It knows
English function words only and nothing about truth, depth or whom a text suits: it tells explanation from lists,
fragments and spam. The values were set by hand, once, and are not fitted; the contrasts that judge a teacher judge the
rubric too, and both results are reported side by side.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gristmill.quality.contrasts import WORDS

VERSION = "1"

MAX_SENTENCE_WORDS, MIN_SENTENCE_WORDS = 60, 6
VOCABULARY_WINDOW = 150  # words; type-token ratio falls with length, so it is taken over a fixed window

_SENTENCE = re.compile(r"[^.!?]+[.!?:]+[\"'”’)\]]*(?=\s|$)")
_CONNECTIVES = re.compile(
    r"\b(because|therefore|thus|hence|since|so that|in order to|which means|this means|that is|as a result|however|although|"
    r"whereas|while|unless|if|when|then|instead|rather than|otherwise|consequently|why|how)\b",
    re.IGNORECASE,
)
_TEACHES = re.compile(
    r"\b(for example|for instance|e\.g\.|such as|consider|suppose|let us|let's|imagine|note that|recall|in other words|"
    r"(?:is|are) (?:a|an|the|called|known as|defined as|used to|used for)|means|refers to|consists of|represents|describes|"
    r"example|definition|shows|following)\b",
    re.IGNORECASE,
)
_DETERMINERS = frozenset({"a", "an", "the", "this", "these", "those", "its", "their", "our", "your", "my", "his", "her", "every", "each"})
_CLOSED = frozenset(
    {
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "by",
        "to",
        "from",
        "with",
        "into",
        "for",
        "and",
        "or",
        "but",
        "nor",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "has",
        "have",
        "had",
        "do",
        "does",
        "did",
        "will",
        "would",
        "can",
        "could",
        "may",
        "might",
        "must",
        "shall",
        "should",
        "that",
        "which",
        "who",
        "whom",
        "it",
        "he",
        "she",
        "they",
        "we",
        "i",
        "you",
        "them",
        "us",
        "him",
        "me",
        "as",
        "than",
    }
)


@dataclass(frozen=True)
class Point:
    """One point: what it rewards, and the values of its measure at which it starts to count and counts in full."""

    name: str
    rewards: str
    low: float
    high: float

    def of(self, value: float) -> float:
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))


POINTS = (
    Point("prose", "share of the characters that are whole sentences, not lists, menus or fragments", 0.2, 0.8),
    Point("explains", "words that connect cause, condition and contrast, per 100 words", 0.5, 3.5),
    Point("teaches", "words that define, exemplify or announce, per 100 words", 0.0, 2.0),
    Point("grammar", "share of determiners that stand before a word they can govern, at least one per 25 words", 0.75, 0.97),
    Point("substance", "distinct words in the first 150, up to 110 (short and repetitive texts have few)", 30.0, 90.0),
)


def measures(text: str) -> dict[str, float]:
    """The measure behind every point."""
    words = [word.lower() for word in WORDS.findall(text)]
    hundreds = max(len(words), 1) / 100
    return {
        "prose": _sentence_share(text),
        "explains": len(_CONNECTIVES.findall(text)) / hundreds,
        "teaches": len(_TEACHES.findall(text)) / hundreds,
        "grammar": _governed_share(text),
        "substance": float(len(set(words[:VOCABULARY_WINDOW]))),
    }


def points(text: str) -> dict[str, float]:
    """What the text earns of each point, 0 to 1."""
    values = measures(text)
    return {point.name: round(point.of(values[point.name]), 6) for point in POINTS}


def grade(text: str) -> float:
    """0 to 5."""
    return round(sum(points(text).values()), 6)


def _sentence_share(text: str) -> float:
    """Characters in whole sentences over all characters. A line break after a short line ends a fragment, not a sentence."""
    blocks = re.split(r"\n\s*\n|\n(?=\s*[-*•#>|])", text)
    inside = 0
    for block in blocks:
        for sentence in _SENTENCE.findall(block):
            lines = sentence.strip().split("\n")
            n_words = len(WORDS.findall(sentence))
            if MIN_SENTENCE_WORDS <= n_words <= MAX_SENTENCE_WORDS and not sentence.rstrip().endswith("...") and n_words / len(lines) >= 4:
                inside += len(sentence)
    return inside / max(len(text.strip()), 1)


def _governed_share(text: str) -> float:
    """Determiners followed by a word that is neither a determiner nor another function word, over all determiners.

    Written English has some six determiners in a hundred words; a text with fewer than four is scaled down by what it lacks.
    """
    tokens = re.findall(r"[\w'’-]+|[.,;:!?()]", text.lower())
    n_words = sum(token[0].isalnum() for token in tokens)
    at = [i for i, token in enumerate(tokens) if token in _DETERMINERS]
    if not at:
        return 0.0
    after = [tokens[i + 1] for i in at if i + 1 < len(tokens)]
    governed = sum(token[0].isalnum() and token not in _CLOSED and token not in _DETERMINERS for token in after)
    return governed / len(at) * min(1.0, 25 * len(at) / max(n_words, 1))
