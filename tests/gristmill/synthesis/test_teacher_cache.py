from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from gristmill.errors import TeacherError
from gristmill.lake.cache import KeyedCache
from gristmill.synthesis.identity import distinct_n
from gristmill.synthesis.teacher import CachedTeacher


class CountingTeacher:
    """A teacher of the port that says what it was asked and keeps count; breaks after `breaks_after` calls."""

    def __init__(self, name: str = "counting/1", batch: int = 3, breaks_after: int = 10**9):
        self.name, self.batch, self.breaks_after = name, batch, breaks_after
        self.asked: list[list[str]] = []

    def _note(self, prompts: Sequence[str]) -> None:
        if len(self.asked) == self.breaks_after:
            raise KeyboardInterrupt
        self.asked.append(list(prompts))

    def score(self, prompts: Sequence[str], choices: Sequence[str]) -> np.ndarray:
        self._note(prompts)
        return np.array([[np.nan if prompt == "mute" else -float(len(prompt) + i) for i in range(len(choices))] for prompt in prompts])

    def generate(self, prompts: Sequence[str], max_tokens: int, temperature: float, seeds: Sequence[int]) -> list[str]:
        self._note(prompts)
        return [f"{prompt}/{max_tokens}/{temperature}/{seed} \ud800 ü" for prompt, seed in zip(prompts, seeds, strict=True)]

    def count_tokens(self, text: str) -> int:
        return len(text)


@pytest.fixture
def cache(tmp_path: Path) -> KeyedCache:
    return KeyedCache(tmp_path / "teacher.sqlite")


PROMPTS = [f"prompt {i}" for i in range(7)]


def test_a_rerun_asks_nothing_and_says_the_same(cache: KeyedCache) -> None:
    first = CountingTeacher()
    texts = CachedTeacher(first, cache).generate(PROMPTS, 9, 0.5, range(7))
    scores = CachedTeacher(first, cache).score([*PROMPTS, "mute"], ["a", "b"])
    again = CountingTeacher()
    assert CachedTeacher(again, cache).generate(PROMPTS, 9, 0.5, range(7)) == texts
    np.testing.assert_array_equal(CachedTeacher(again, cache).score([*PROMPTS, "mute"], ["a", "b"]), scores)
    assert again.asked == []
    assert texts[2] == "prompt 2/9/0.5/2 \ud800 ü"
    assert np.isnan(scores[7]).all() and not np.isnan(scores[:7]).any()


def test_an_interrupted_run_goes_on_where_it_stopped(cache: KeyedCache) -> None:
    with pytest.raises(KeyboardInterrupt):
        CachedTeacher(CountingTeacher(breaks_after=2), cache).generate(PROMPTS, 9, 0.5, range(7))
    second = CountingTeacher()
    texts = CachedTeacher(second, cache).generate(PROMPTS, 9, 0.5, range(7))
    assert second.asked == [PROMPTS[6:]]
    assert texts == CountingTeacher().generate(PROMPTS, 9, 0.5, range(7))


def test_chunks_are_cut_where_an_uninterrupted_run_cuts_them(cache: KeyedCache) -> None:
    CachedTeacher(CountingTeacher(), cache).generate(PROMPTS[4:5], 9, 0.5, [4])
    second = CountingTeacher()
    CachedTeacher(second, cache).generate(PROMPTS, 9, 0.5, range(7))
    assert second.asked == [PROMPTS[:3], PROMPTS[3:6], PROMPTS[6:]]


@pytest.mark.parametrize("change", ["name", "prompt", "length", "temperature", "seed"])
def test_every_part_of_a_request_is_in_its_key(cache: KeyedCache, change: str) -> None:
    CachedTeacher(CountingTeacher(), cache).generate(["p"], 9, 0.5, [1])
    other = CountingTeacher("other/1" if change == "name" else "counting/1")
    prompt, length = "q" if change == "prompt" else "p", 8 if change == "length" else 9
    CachedTeacher(other, cache).generate([prompt], length, 0.6 if change == "temperature" else 0.5, [2 if change == "seed" else 1])
    assert len(other.asked) == 1


def test_scores_know_their_choices(cache: KeyedCache) -> None:
    teacher = CountingTeacher()
    CachedTeacher(teacher, cache).score(["p"], ["a", "b"])
    assert CachedTeacher(teacher, cache).score(["p"], ["a", "b", "c"]).shape == (1, 3)
    assert CachedTeacher(teacher, cache).score([], ["a", "b"]).shape == (0, 2)
    assert len(teacher.asked) == 2


def test_a_damaged_cache_says_so(cache: KeyedCache) -> None:
    teacher = CachedTeacher(CountingTeacher(), cache)
    cache.put_many({teacher._key("generate", "p", 9, 0.5, 1): b"{"})
    with pytest.raises(TeacherError, match="not JSON"):
        teacher.generate(["p"], 9, 0.5, [1])


def test_distinct_n() -> None:
    assert distinct_n(["a b a b"], 1) == 0.5
    assert distinct_n(["a b a b"], 2) == pytest.approx(2 / 3)
    assert distinct_n([], 1) == 0
