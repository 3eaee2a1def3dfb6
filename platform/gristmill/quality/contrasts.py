"""Constructed contrasts: real passages and damaged versions of them, to see whether a grader tells them apart.

A grader that cannot put a passage above its own wreck has nothing to say about education. The reverse does not
hold: agreement here shows that grades carry signal, not that they match a teacher's judgement. Every damage is a
pure function of the document (seeded by its id), and keeps the length within a few characters of the original where
its kind allows, so that length alone does not decide.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

VERSION = "1"

SENTENCES = re.compile(r"[^.!?\n]+(?:[.!?]+|\n|$)\s*")
WORDS = re.compile(r"\w+(?:['’-]\w+)*")
NAVIGATION = (
    "Home",
    "Next",
    "Previous",
    "Contents",
    "Index",
    "Search",
    "Log in",
    "Sign up",
    "Contact us",
    "About",
    "Site map",
    "Menu",
    "Back to top",
    "Share",
    "Print this page",
    "Privacy policy",
    "Terms of use",
    "Cookie settings",
    "Follow us",
    "Newsletter",
)
MIN_WORDS = 60  # a passage with fewer has no meaningful damage
STUB_WORDS = 4  # words that a cut-off sentence keeps


@dataclass(frozen=True)
class Contrast:
    """A passage and the damaged version that a grader must put below it."""

    doc_id: str
    kind: str
    passage: str
    damaged: str


def shuffled_sentences(passage: str, chance: random.Random) -> str:
    """The same sentences and lines in another order, the breaks between them in their places: only the thread is lost.

    The hardest kind; a grader of form alone ties on it.
    """
    units = [unit for unit in SENTENCES.findall(passage) if unit.strip()]
    sentences = [unit.strip() for unit in units]
    breaks = [unit[len(unit.rstrip()) :] for unit in units]
    chance.shuffle(sentences)
    return "".join(sentence + space for sentence, space in zip(sentences, breaks, strict=True))


def shuffled_words(passage: str, chance: random.Random) -> str:
    """The same words in another order: vocabulary, length and topic stay, the language is gone."""
    words = passage.split()
    chance.shuffle(words)
    return " ".join(words)


def navigation(passage: str, chance: random.Random) -> str:
    """A list of links in the document's own terms, as the frame of a site leaves it."""
    words = passage.split()
    lines, length = [], 0
    while length < len(passage):
        start = chance.randrange(max(1, len(words) - 3))
        own = " ".join(words[start : start + chance.randint(1, 3)]).strip(".,;:!?()[]")
        lines.append(own if chance.random() < 0.6 else chance.choice(NAVIGATION))
        length += len(lines[-1]) + 1
    return "\n".join(lines)


def keyword_spam(passage: str, chance: random.Random) -> str:
    """The document's most frequent long words over and over, with a call to buy."""
    counts = Counter(word.lower() for word in WORDS.findall(passage) if len(word) > 3)
    top = [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:8]] or ["offer"]
    parts, length = [], 0
    while length < len(passage):
        parts.append(f"{chance.choice(('best', 'cheap', 'buy', 'free', 'top'))} {' '.join(chance.choices(top, k=3))}")
        length += len(parts[-1]) + 2
    return ", ".join(parts)


def cut_off(passage: str, chance: random.Random) -> str:
    """Every sentence ends after a few words, as on a page of teasers. Shorter than the original."""
    stubs = [" ".join(s.split()[:STUB_WORDS]) + "..." for s in SENTENCES.findall(passage) if len(s.split()) > STUB_WORDS]
    return "\n".join([*stubs, "Read more"]) if stubs else passage


def gibberish(passage: str, chance: random.Random) -> str:
    """The letters of every word shuffled: the look of text without its words."""

    def scramble(match: re.Match[str]) -> str:
        letters = list(match.group())
        chance.shuffle(letters)
        return "".join(letters)

    return WORDS.sub(scramble, passage)


KINDS: dict[str, Callable[[str, random.Random], str]] = {
    damage.__name__: damage for damage in (shuffled_sentences, shuffled_words, navigation, keyword_spam, cut_off, gibberish)
}


def build(passages: pl.DataFrame, documents: int) -> list[Contrast]:
    """Every kind of damage to the first `documents` passages (doc_id, passage) that are long enough, in their order."""
    contrasts: list[Contrast] = []
    long_enough = [row for row in passages.select("doc_id", "passage").iter_rows() if len(WORDS.findall(row[1])) >= MIN_WORDS]
    for doc_id, passage in long_enough[:documents]:
        for kind, damage in KINDS.items():
            seed = hashlib.blake2b(f"{kind}:{doc_id}".encode(), digest_size=8).digest()
            damaged = damage(passage, random.Random(int.from_bytes(seed, "big")))
            if damaged.split() != passage.split():
                contrasts.append(Contrast(doc_id, kind, passage, damaged))
    return contrasts


def agreement(contrasts: list[Contrast], grade: dict[str, float]) -> pl.DataFrame:
    """Per kind and over all: pairs, auc and margin. `grade` maps a text to its grade; a tie counts half.

    auc: share of the pairs in which the passage is graded above its damaged version; margin: 2 auc - 1, which is
    0 for a grader that knows nothing and 1 for one that is always right. `all` is the mean over the kinds.
    """
    scored = pl.DataFrame(
        [(c.kind, 0.5 + 0.5 * ((grade[c.passage] > grade[c.damaged]) - (grade[c.passage] < grade[c.damaged]))) for c in contrasts],
        schema={"contrast": pl.String, "right": pl.Float64},
        orient="row",
    )
    kinds = scored.group_by("contrast").agg(pairs=pl.len().cast(pl.Int64), auc=pl.col("right").mean()).sort("contrast")
    overall = pl.DataFrame(
        {"contrast": ["all"], "pairs": [scored.height], "auc": [kinds["auc"].mean() if scored.height else None]},
        schema=kinds.schema,
    )
    return pl.concat([kinds, overall]).with_columns(pl.col("auc").round(6), margin=(2 * pl.col("auc") - 1).round(6))
