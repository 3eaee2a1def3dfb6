"""Short stories after TinyStories (Eldan & Li 2023, section 2): a verb, a noun, an adjective and story features are drawn
for each, a teacher writes, a program verifies.

The draw is what makes such a set varied, so it is combinatorial: every word of a list is used once before any is used
twice. A story that fails is written again with the next seed, while attempts and token budget last. What still fails
stays in the table, unverified, with the reason; only verified stories enter a corpus.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from gristmill.lake.contracts import CONTRACTS
from gristmill.synthesis.identity import document_id
from gristmill.synthesis.teacher import Teacher
from gristmill.synthesis.words import ADJECTIVES, FEATURES, NAMES, NOUNS, OPENINGS, VERBS, forms

VERSION = "1"

ATTEMPTS = 3  # seeds tried per story
BUDGET_PER_STORY = 2.0  # tokens written over all attempts, in units of stories x story tokens
TEMPERATURE = 0.6  # Cosmopedia's
LEAST_WORDS = 30
MOST_REPEATED = 0.2  # share of the 4-grams that repeat an earlier one; above, the teacher turns in circles
MOST_FEATURES = 1  # of a teacher of 135 million parameters; more, and it talks about them

TALK = re.compile(
    r"\b(this|the|my|your) (short |little )?story (should|must|could|can|uses?|used|has|contains?|includes?|features?"
    r"|is (about|a|written|designed|set)|ends|begins|starts|takes|follows|teaches|shows|tells)\b"
    r"|\b(short|simple) (story|words)\b|\bhappy to help you\b|\bin (the|this|my) story\b"
    r"|\b(adjectives?|nouns?|verbs?|plot twist|foreshadow\w*|dialogue|narrator|word count)\b"
    r"|\b(as an ai|language model|smollm|hugging face)\b",
    re.IGNORECASE,
)
"""Talk about the task in place of the story."""

WORDS = {"verb": VERBS, "noun": NOUNS, "adjective": ADJECTIVES}

PREFACE = re.compile(r"\*\*|#|title\b|sure\b|certainly\b|of course\b|here is|here's|i'd be happy", re.IGNORECASE)


@dataclass(frozen=True)
class Plan:
    """What is asked of one story."""

    verb: str
    noun: str
    adjective: str
    features: tuple[str, ...]
    hero: str
    opening: str  # names the noun and the adjective; a small teacher forgets them otherwise

    @property
    def words(self) -> tuple[str, str, str]:
        return self.verb, self.noun, self.adjective

    @property
    def prompt(self) -> str:
        wishes = " ".join(FEATURES[feature] for feature in self.features)
        return (
            f'Write a short story for a small child, with very simple words. The story begins with: "{self.opening}" '
            f"In the story {self.hero} has to {self.verb}. {wishes}"
        ).strip()

    def as_json(self) -> str:
        words = {"verb": self.verb, "noun": self.noun, "adjective": self.adjective}
        return json.dumps({"words": words, "features": self.features, "opening": self.opening, "prompt": self.prompt})


def plans(count: int, seed: int) -> list[Plan]:
    """The first `count` plans of `seed`: a longer list begins with the shorter one. Words repeat only when a list is used up."""
    verbs, nouns, adjectives = (_cycle(WORDS[kind], count, f"{seed}/{kind}") for kind in ("verb", "noun", "adjective"))
    drawn = []
    for i in range(count):
        dice = random.Random(f"{seed}/features/{i}")
        features = tuple(sorted(dice.sample(sorted(FEATURES), dice.randint(0, MOST_FEATURES))))
        hero = dice.choice(NAMES)
        article = "an" if adjectives[i][0] in "aeiou" and not adjectives[i].startswith("use") else "a"
        opening = dice.choice(OPENINGS).format(hero=hero, thing=f"{article} {adjectives[i]} {nouns[i]}")
        drawn.append(Plan(verbs[i], nouns[i], adjectives[i], features, hero, opening))
    return drawn


def most_uses(kind: str, count: int) -> int:
    """How often a verb, noun or adjective may be asked for in `count` plans: lists are used up before they start again."""
    return -(-count // len(WORDS[kind]))


def _cycle(words: Sequence[str], count: int, seed: str) -> list[str]:
    """`count` words: permutation after permutation of the list."""
    drawn: list[str] = []
    for lap in range(-(-count // len(words))):
        drawn += random.Random(f"{seed}/{lap}").sample(sorted(words), len(words))
    return drawn[:count]


def write_stories(teacher: Teacher, count: int, story_tokens: int, seed: int) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The table `synthetic` of `count` stories, and what writing them took (`attempts`, `tokens written`).

    Rounds: all open stories are written at once, verified in order, and those that fail enter the next round.
    """
    planned = plans(count, seed)
    best: dict[int, dict[str, Any]] = {}
    known: set[str] = set()
    budget = int(BUDGET_PER_STORY * count * story_tokens)
    spent = asked = 0
    for attempt in range(ATTEMPTS):
        open_stories = [i for i in range(count) if i not in best or not best[i]["verified"]]
        if attempt:  # a retry may cost at most what is left
            open_stories = open_stories[: max(0, budget - spent) // story_tokens]
        if not open_stories:
            break
        seeds = {i: _seed(seed, i, attempt) for i in open_stories}
        texts = teacher.generate([planned[i].prompt for i in open_stories], story_tokens, TEMPERATURE, list(seeds.values()))
        asked += len(texts)
        for i, raw in zip(open_stories, texts, strict=True):
            spent += teacher.count_tokens(raw)
            text = trim(raw)
            found = verify(text, planned[i], known)
            if i not in best or len(found["failed"]) <= len(best[i]["verification"]["failed"]):
                best[i] = {"text": text, "seed": seeds[i], "verification": found, "verified": not found["failed"]}
            best[i]["attempts"] = attempt + 1
            if not found["failed"]:
                known.add(_bare(text))
    rows, taken = [], set()
    for i in range(count):
        text = best[i]["text"] or f"(nothing was written for plan {i})"
        if document_id("stories", text) in taken:  # two failures alike: one row stands for both
            continue
        taken.add(document_id("stories", text))
        rows.append(
            {
                **best[i],
                "doc_id": document_id("stories", text),
                "set": "stories",
                "text": text,
                "plan": planned[i].as_json(),
                "teacher": teacher.name,
                "verification": json.dumps(best[i]["verification"], sort_keys=True),
            }
        )
    frame = pl.DataFrame(rows, schema=CONTRACTS["synthetic"].schema) if rows else CONTRACTS["synthetic"].empty()
    return frame, {"attempts": asked, "tokens written": spent}


def _seed(seed: int, index: int, attempt: int) -> int:
    return random.Random(f"{seed}/story/{index}/{attempt}").getrandbits(31)


def trim(raw: str) -> str:
    """The story without a title or a preface, cut after its last whole sentence and before any talk about it."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", raw.replace("\r", "")) if paragraph.strip()]
    while paragraphs and (PREFACE.match(paragraphs[0]) or not re.search(r"[.!?]", paragraphs[0])):
        paragraphs.pop(0)
    for i, paragraph in enumerate(paragraphs):
        if i and TALK.search(paragraph):
            paragraphs = paragraphs[:i]
            break
    text = "\n\n".join(paragraphs)
    ends = list(re.finditer(r"[.!?][\"”'’)]*(?=\s|$)", text))
    text = text[: ends[-1].end()] if ends else text
    if text.startswith('"') and text.split("\n\n", 1)[0].count('"') % 2:
        text = text[1:]  # the teacher quotes its whole story
    return text + '"' if text.rsplit("\n\n", 1)[-1].count('"') % 2 else text


def verify(text: str, plan: Plan, known: set[str]) -> dict[str, Any]:
    """What was looked at, and `failed`: the names of what did not hold."""
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.lower().replace("’", "'"))
    used = {word: bool(forms(word) & set(words)) for word in plan.words}
    grams = [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
    repeated = 1 - len(set(grams)) / len(grams) if grams else 0.0
    talk = TALK.search(text)
    checks = {
        "words": all(used.values()),
        "length": len(words) >= LEAST_WORDS,
        "finished": bool(re.search(r"[.!?][\"”'’)]*$", text)),
        "not in circles": repeated <= MOST_REPEATED,
        "new": _bare(text) not in known,
        "no talk of the task": talk is None,
        "plain": re.search(r"[*#<>{}\[\]_|\\]|https?:|\b[A-Z]{4,}\b", text) is None,
    }
    return {
        "words used": used,
        "length in words": len(words),
        "repeated 4-grams": round(repeated, 4),
        "talk": talk.group(0) if talk else "",
        "failed": [name for name, held in checks.items() if not held],
    }


def _bare(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
