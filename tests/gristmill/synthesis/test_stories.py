import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.lake.contracts import conform
from gristmill.synthesis.stories import ATTEMPTS, WORDS, Plan, most_uses, plans, trim, verify, write_stories
from gristmill.synthesis.words import FEATURES, IRREGULAR, forms

PLAN = Plan("hide", "mouse", "happy", ("dialogue",), "Ada", "One day, Ada saw a happy mouse.")
GOOD = (
    'One day, Ada saw a happy mouse in the garden. The mouse looked at her and ran under a leaf. "Where did you go?" asked Ada. '
    "She hid behind a tree and waited for a long time. At last two mice came out, happily, and they played until it was dark."
)


class ScriptedTeacher:
    """A teacher of the port that knows its lines: the prompt and the seed decide which."""

    name, batch = "scripted/1", 4

    def __init__(self, good_at: int):
        self.good_at, self.calls = good_at, Counter[str]()

    def score(self, prompts: Sequence[str], choices: Sequence[str]) -> np.ndarray:
        return np.full((len(prompts), len(choices)), -np.log(len(choices)))

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def generate(self, prompts: Sequence[str], max_tokens: int, temperature: float, seeds: Sequence[int]) -> list[str]:
        self.calls.update(prompts)
        return [self._write(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)]

    def _write(self, prompt: str, seed: int) -> str:
        if self.calls[prompt] < self.good_at:
            return f"Nothing much happened on day {seed}."
        opening = prompt.split('"')[1]
        verb = prompt.split(" has to ")[1].split(".")[0]
        return (
            f"{opening} Then they went to {verb} together, and day number {seed} was a very long day with many "
            "small surprises for all who lived in the house by the sea. And then the day"
        )


def test_plans_use_every_word_before_any_twice() -> None:
    drawn = plans(500, seed=3)
    for kind in WORDS:
        uses = Counter(getattr(plan, kind) for plan in drawn)
        assert max(uses.values()) == most_uses(kind, 500)
        assert min(uses[word] for word in WORDS[kind]) >= most_uses(kind, 500) - 1
    assert {feature for plan in drawn for feature in plan.features} == set(FEATURES)
    assert len({plan.prompt for plan in drawn}) == 500


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 5))
def test_a_longer_list_of_plans_begins_with_the_shorter(a: int, b: int, seed: int) -> None:
    assert plans(max(a, b), seed)[: min(a, b)] == plans(min(a, b), seed)


def test_prompts_ask_for_the_words_and_features() -> None:
    for plan in plans(50, seed=1):
        assert all(word in plan.prompt for word in plan.words)
        assert all(FEATURES[feature] in plan.prompt for feature in plan.features)


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("hide", "hid"),
        ("hop", "hopping"),
        ("mouse", "mice"),
        ("happy", "happily"),
        ("cry", "cried"),
        ("make", "making"),
        ("big", "bigger"),
        ("wolf", "wolves"),
        ("gentle", "gently"),
        ("catch", "catches"),
        ("swim", "swam"),
        ("sun", "sunny"),
        ("slide", "slid"),
    ],
)
def test_inflections_count(word: str, form: str) -> None:
    assert form in forms(word)


def test_other_words_do_not_count() -> None:
    assert "ants" in forms("ant") and "antelope" not in forms("ant")
    assert "carpet" not in forms("car")


def test_irregular_words_are_of_the_lists() -> None:
    assert set(IRREGULAR) <= {word for words in WORDS.values() for word in words}


def test_a_good_story_is_verified() -> None:
    assert verify(GOOD, PLAN, set())["failed"] == []
    assert verify(GOOD, PLAN, set())["words used"] == {"hide": True, "mouse": True, "happy": True}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD.replace("hid", "sat"), "words"),
        ("Ada hides from a happy mouse.", "length"),
        (GOOD[:-1], "finished"),
        (GOOD + " He ran and ran and ran." * 9, "not in circles"),
        (GOOD + " The story ends with a lesson.", "no talk of the task"),
        (GOOD + " The verb is hide.", "no talk of the task"),
        (GOOD + " I made a simple story. It could use more.", "no talk of the task"),
        (GOOD + " See https://example.org now.", "plain"),
        (GOOD + " **The end**.", "plain"),
    ],
)
def test_each_check_finds_its_fault(text: str, reason: str) -> None:
    assert reason in verify(text, PLAN, set())["failed"]


def test_a_repeat_is_found_whatever_its_dress() -> None:
    known = {" ".join("".join(c if c.isalnum() else " " for c in GOOD.lower()).split())}
    assert verify(GOOD.replace(",", " -"), PLAN, known)["failed"] == ["new"]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Title: The Mouse\n\nA mouse ran. It fell. It was", "A mouse ran. It fell."),
        ("**The Mouse**\n\nA mouse ran.", "A mouse ran."),
        ("Sure! Here is a story.\n\nA mouse ran.", "A mouse ran."),
        ("I'd be happy to help. Here's a way to start:\n\n\"A mouse ran.", "A mouse ran."),
        ("A mouse ran.\n\nThis story uses the verb run.", "A mouse ran."),
        ('A mouse said, "Run! Now it', 'A mouse said, "Run!"'),
        ('"A mouse ran. It fell.', "A mouse ran. It fell."),
        ("A  mouse\nran.", "A mouse ran."),
        ("no end", ""),
        ("", ""),
    ],
)
def test_trim(raw: str, text: str) -> None:
    assert trim(raw) == text


def test_stories_are_written_again_until_they_hold() -> None:
    teacher = ScriptedTeacher(good_at=2)
    frame, took = write_stories(teacher, 12, 40, seed=1)
    frame = conform("synthetic", frame)
    assert frame["verified"].all()
    assert frame["attempts"].to_list() == [2] * 12
    assert took["attempts"] == 24
    assert frame["seed"].n_unique() == 12
    assert json.loads(frame["plan"][0])["prompt"] in teacher.calls
    assert all(text.endswith("by the sea.") for text in frame["text"])


def test_what_never_holds_stays_in_the_table_unverified() -> None:
    frame, took = write_stories(ScriptedTeacher(good_at=99), 5, 40, seed=1)
    assert frame.height == 5 and not frame["verified"].any()
    assert frame["attempts"].to_list() == [ATTEMPTS] * 5 and took["attempts"] == 5 * ATTEMPTS
    assert "words" in json.loads(frame["verification"][0])["failed"]


def test_the_token_budget_ends_the_retries() -> None:
    frame, took = write_stories(ScriptedTeacher(good_at=99), 10, 4, seed=1)  # 6 words each: 60 of a budget of 80 at once
    assert took["attempts"] == 15 and took["tokens written"] == 90
    assert sorted(frame["attempts"].to_list()) == [1] * 5 + [2] * 5


def test_the_same_seed_writes_the_same_table() -> None:
    first, second = (write_stories(ScriptedTeacher(good_at=1), 6, 40, seed=4)[0] for _ in range(2))
    assert first.equals(second)
    longer = write_stories(ScriptedTeacher(good_at=1), 9, 40, seed=4)[0]
    assert longer.head(6).equals(first)


def test_no_stories() -> None:
    frame, took = write_stories(ScriptedTeacher(good_at=1), 0, 40, seed=1)
    assert frame.height == 0 and took["attempts"] == 0
