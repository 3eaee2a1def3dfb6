"""Passages of four kinds, and teachers that are real implementations of the port."""

import itertools
import random
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

SUBJECTS = ("river", "engine", "compiler", "planet", "market", "cell", "poem", "bridge", "signal", "glacier", "theorem", "garden")
VERBS = ("carries", "changes", "limits", "supports", "explains", "produces")
THINGS = ("energy", "water", "meaning", "pressure", "order", "heat", "motion", "trade")


def explanation(seed: int) -> str:
    """Some hundred words of plain exposition."""
    chance = random.Random(seed)
    subject = chance.choice(SUBJECTS)
    sentences = []
    for _ in range(9):
        verb, thing, other = chance.choice(VERBS), chance.choice(THINGS), chance.choice(THINGS)
        sentences.append(
            chance.choice(
                (
                    f"The {subject} {verb} {thing} because the {other} around it never stays the same for a long time.",
                    f"For example, a {subject} that {verb} {thing} is called a simple {subject}, although its {other} may be large.",
                    f"If the {thing} rises, then the {subject} {verb} more {other}, which means that the balance moves.",
                    f"Therefore we consider how the {subject} {verb} {thing} and why the {other} follows in the end.",
                )
            )
        )
    return " ".join(sentences)


def listing(seed: int) -> str:
    """Lines of names, as an index has."""
    chance = random.Random(seed)
    return "\n".join(f"{chance.choice(SUBJECTS)}_{chance.choice(THINGS)}({chance.randint(0, 99)})" for _ in range(25))


class BigramTeacher:
    """Grades by how many of a passage's word pairs it has read, and their variety: it can tell language from its wreck."""

    name, batch = "bigrams@1", 8

    def __init__(self, read: Sequence[str]):
        self.pairs = {pair for text in read for pair in self._pairs(text)}

    def _pairs(self, text: str) -> list[tuple[str, str]]:
        words = re.findall(r"[a-z']+|[.,]", text.lower())
        return list(itertools.pairwise(words))

    def score(self, prompts: Sequence[str], choices: Sequence[str]) -> np.ndarray:
        rows = []
        for prompt in prompts:
            found = self._pairs(passage_of(prompt))
            share = sum(pair in self.pairs for pair in set(found)) / max(len(found), 20)
            rows.append(-((np.arange(len(choices)) - 5 * share) ** 2))
        logits = np.array(rows)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    def generate(self, prompts, max_tokens, temperature, seeds):
        return ["" for _ in prompts]

    def count_tokens(self, text: str) -> int:
        return len(text.split())


class LetterTeacher(BigramTeacher):
    """Grades by the share of the letter e: a judge without judgement."""

    name = "letters@1"

    def score(self, prompts: Sequence[str], choices: Sequence[str]) -> np.ndarray:
        counts = [Counter(passage_of(prompt)) for prompt in prompts]
        at = np.array([[5 * min(1.0, 4 * c["e"] / max(sum(c.values()), 1))] for c in counts])
        logits = -((np.arange(len(choices)) - at) ** 2)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def passage_of(prompt: str) -> str:
    return prompt.split("Passage:\n", 1)[1].split("\n\nQuestion:", 1)[0]


@pytest.fixture
def graded_sample() -> pl.DataFrame:
    """Thirty documents: two in three explain, one in three lists."""
    rows = []
    for i in range(30):
        text = listing(i) if i % 3 == 2 else explanation(i)
        rows.append(
            {
                "doc_id": f"{i:032x}",
                "shard": "site/0",
                "source": "web" if i % 2 else "prose",
                "split": "validation" if i % 5 == 0 else "train",
                "weight": 2.0,
                "passage": text,
            }
        )
    return pl.DataFrame(rows)


@pytest.fixture
def able_teacher(graded_sample: pl.DataFrame) -> BigramTeacher:
    return BigramTeacher([text for text in graded_sample["passage"] if "(" not in text])


@pytest.fixture
def deaf_teacher() -> LetterTeacher:
    return LetterTeacher([])
