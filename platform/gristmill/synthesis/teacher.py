"""The teacher port: a language model that scores choices and writes text, and a cache in front of it.

What a teacher said is an input of the build, so it is kept: a request is answered once per teacher (weights
included), method, prompt, parameters and seed. A rerun costs nothing; an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gristmill.errors import TeacherError
from gristmill.lake.cache import KeyedCache
from gristmill.progress import Progress

VERSION = "1"


class Teacher(Protocol):
    """A model behind a URL or in this process."""

    @property
    def name(self) -> str:
        """Who answers, weights included as far as they can be known; part of every cache key."""
        ...

    @property
    def batch(self) -> int:
        """How many requests one call should hold; what a call has answered is kept when the next is interrupted."""
        ...

    def score(self, prompts: Sequence[str], choices: Sequence[str]) -> npt.NDArray[np.float64]:
        """(prompts, choices): natural log-probability of each choice as the answer's beginning, normalised over the choices.

        Choices are short (digits, letters) and differ in their first token. A row of NaN: the teacher answers with
        none of them as far as it lets us see.
        """
        ...

    def generate(self, prompts: Sequence[str], max_tokens: int, temperature: float, seeds: Sequence[int]) -> list[str]:
        """One answer per prompt, drawn with its own seed, of at most `max_tokens` tokens."""
        ...

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` as the teacher counts them, or an estimate where it cannot be asked."""
        ...


class CachedTeacher:
    """A teacher that is asked once.

    Requests are handed on in chunks of the teacher's batch, cut at the same places on every run, and a chunk of which
    anything is missing is asked for whole: a model's rounding depends on where in a batch a prompt stands, so
    a run that was interrupted must ask what the uninterrupted one would have asked.
    """

    def __init__(self, teacher: Teacher, cache: KeyedCache):
        self.teacher, self.cache = teacher, cache

    @property
    def name(self) -> str:
        return self.teacher.name

    @property
    def batch(self) -> int:
        return self.teacher.batch

    def count_tokens(self, text: str) -> int:
        return self.teacher.count_tokens(text)

    def score(self, prompts: Sequence[str], choices: Sequence[str]) -> npt.NDArray[np.float64]:
        keys = [self._key("score", prompt, list(choices)) for prompt in prompts]
        known = self.cache.get_many(keys)
        chunks = self._missing(keys, known)
        with Progress("teacher scores", len(chunks) * self.batch, "prompts") as progress:
            for chunk in chunks:
                rows = self.teacher.score([prompts[i] for i in chunk], choices)
                values = [[None if np.isnan(value) else float(value) for value in row] for row in rows]
                self._keep({keys[i]: _dump(row) for i, row in zip(chunk, values, strict=True)}, known)
                progress.advance(len(chunk))
        answers = [[np.nan if value is None else value for value in _load(known[key], key)] for key in keys]
        return np.array(answers, dtype=np.float64).reshape(len(prompts), len(choices))

    def generate(self, prompts: Sequence[str], max_tokens: int, temperature: float, seeds: Sequence[int]) -> list[str]:
        requests = zip(prompts, seeds, strict=True)
        keys = [self._key("generate", prompt, max_tokens, float(temperature), seed) for prompt, seed in requests]
        known = self.cache.get_many(keys)
        chunks = self._missing(keys, known)
        with Progress("teacher writes", len(chunks) * self.batch, "texts") as progress:
            for chunk in chunks:
                texts = self.teacher.generate([prompts[i] for i in chunk], max_tokens, temperature, [seeds[i] for i in chunk])
                self._keep({keys[i]: _dump(text) for i, text in zip(chunk, texts, strict=True)}, known)
                progress.advance(len(chunk))
        return [_load(known[key], key) for key in keys]

    def _key(self, method: str, *request: object) -> str:
        canonical = json.dumps([self.name, method, *request], ensure_ascii=False, allow_nan=False)
        return hashlib.blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def _missing(self, keys: Sequence[str], known: dict[str, bytes]) -> list[list[int]]:
        size = max(1, self.batch)
        chunks = [list(range(start, min(start + size, len(keys)))) for start in range(0, len(keys), size)]
        return [chunk for chunk in chunks if any(keys[i] not in known for i in chunk)]

    def _keep(self, answers: dict[str, bytes], known: dict[str, bytes]) -> None:
        self.cache.put_many(answers)
        for key, value in answers.items():
            known.setdefault(key, value)  # like the cache: the first answer stays


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")


def _load(value: bytes, key: str) -> Any:
    try:
        return json.loads(value.decode("utf-8", "surrogatepass"))
    except ValueError:
        fix = "Delete the cache; it is made again."
        raise TeacherError("a stored answer is not JSON", where=f"teacher cache, key {key}", fix=fix) from None
