"""A teacher behind an OpenAI-compatible `/chat/completions`: vLLM, a llama.cpp server, any provider."""

import email.utils
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import numpy as np
import numpy.typing as npt

from gristmill.errors import TeacherError

AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses that a later request may not meet."""

LONGEST_WAIT = 60.0  # seconds
TOP_LOGPROBS = 20  # the most that the API gives
TOP_P = 0.95
BYTES_PER_TOKEN = 4  # of English text under common tokenizers; an estimate, the server is not asked


class HttpTeacher:
    """Retries what may pass (429, 5xx, timeouts) after the server's Retry-After or a doubling wait without jitter;
    anything else is a TeacherError with URL, status and the way out. The key is sent and nothing else is done with it."""

    def __init__(
        self,
        url: str,
        model: str,
        key: str = "",
        key_variable: str = "",
        concurrency: int = 4,
        timeout_seconds: float = 120.0,
        retries: int = 5,
        backoff_seconds: float = 1.0,
        pause: Callable[[float], None] = time.sleep,
    ):
        self.endpoint = url.rstrip("/") + "/chat/completions"
        self.model, self.key_variable, self.concurrency = model, key_variable, concurrency
        self.retries, self.backoff_seconds, self._pause, self._key = retries, backoff_seconds, pause, key
        self._client = httpx.Client(timeout=timeout_seconds, headers={"Authorization": f"Bearer {key}"} if key else {})

    def __repr__(self) -> str:
        return f"HttpTeacher({self.name})"

    @property
    def name(self) -> str:
        parts = urlsplit(self.endpoint.removesuffix("/chat/completions"))
        return f"{self.model} at {urlunsplit(parts._replace(netloc=parts.netloc.rpartition('@')[2]))}"

    @property
    def batch(self) -> int:
        return 4 * self.concurrency

    def count_tokens(self, text: str) -> int:
        """An estimate, from the length in bytes."""
        return math.ceil(len(text.encode("utf-8", "replace")) / BYTES_PER_TOKEN)

    def generate(self, prompts: Sequence[str], max_tokens: int, temperature: float, seeds: Sequence[int]) -> list[str]:
        def one(request: tuple[str, int]) -> str:
            prompt, seed = request
            choice = self._ask(prompt, max_tokens=max_tokens, temperature=temperature, top_p=TOP_P, seed=seed)
            text = choice.get("message", {}).get("content")
            if not isinstance(text, str):
                raise self._error("answered without text", fix="Does the server speak the OpenAI chat API, and is the model a chat model?")
            return text

        return self._map(one, list(zip(prompts, seeds, strict=True)))

    def score(self, prompts: Sequence[str], choices: Sequence[str]) -> npt.NDArray[np.float64]:
        """From the first token's `top_logprobs`; a choice beyond the twenty likeliest counts as the twentieth."""

        def one(prompt: str) -> list[float]:
            choice = self._ask(prompt, max_tokens=1, temperature=0.0, logprobs=True, top_logprobs=TOP_LOGPROBS)
            content = (choice.get("logprobs") or {}).get("content") or []
            if not content or not content[0].get("top_logprobs"):
                raise self._error("gives no top_logprobs", fix="Grading needs them: choose a server that gives log-probabilities.")
            return _over_choices({str(top["token"]): float(top["logprob"]) for top in content[0]["top_logprobs"]}, choices)

        return np.array(self._map(one, list(prompts)), dtype=np.float64).reshape(len(prompts), len(choices))

    def _map(self, one: Callable[[Any], Any], requests: list[Any]) -> list[Any]:
        with ThreadPoolExecutor(self.concurrency) as pool:
            futures = [pool.submit(one, request) for request in requests]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _ask(self, prompt: str, **parameters: Any) -> dict[str, Any]:
        body = {"model": self.model, "messages": [{"role": "user", "content": prompt}], **parameters}
        for attempt in range(self.retries + 1):
            wait = min(LONGEST_WAIT, self.backoff_seconds * 2**attempt)
            try:
                response = self._client.post(self.endpoint, json=body)
            except httpx.TransportError as error:
                problem, fix = f"cannot be reached: {type(error).__name__}: {error}", "Is the server running, and teacher.url right?"
            except httpx.InvalidURL as error:
                raise self._error(f"is not a URL: {error}", fix="Mend teacher.url in the recipe.") from None
            else:
                if response.is_success:
                    return self._choice(response)
                problem = f"answered {response.status_code}: {self._scrub(response.text)}"
                fix = self._way_out(response.status_code)
                if response.status_code not in AGAIN:
                    raise self._error(problem, fix=fix)
                wait = min(LONGEST_WAIT, _retry_after(response.headers.get("retry-after"), wait))
            if attempt < self.retries:
                self._pause(wait)
        raise self._error(f"{problem} ({self.retries + 1} attempts)", fix=fix)

    def _choice(self, response: httpx.Response) -> dict[str, Any]:
        try:
            choice = response.json()["choices"][0]
            if not isinstance(choice, dict):
                raise TypeError
        except (ValueError, KeyError, IndexError, TypeError):
            raise self._error(
                f"answered something else than a completion: {self._scrub(response.text)}",
                fix="teacher.url should end where /chat/completions begins, often in /v1.",
            ) from None
        return choice

    def _scrub(self, text: str) -> str:
        """The beginning of an answer, without the key should the server repeat it."""
        return " ".join((text.replace(self._key, "…") if self._key else text).split())[:300]

    def _way_out(self, status: int) -> str:
        if status in (401, 403):
            return f"Put a valid key into the environment variable {self.key_variable}." if self.key_variable else "The server wants a key."
        if status == 404:
            return f"Does the server have the model {self.model!r}, and does teacher.url end where /chat/completions begins?"
        if status in AGAIN:
            return "Lower teacher.concurrency, or try later: what is answered so far is kept."
        return "The server refuses the request."

    def _error(self, what: str, fix: str) -> TeacherError:
        return TeacherError(what, where=f"teacher {self.name}", fix=fix)


def _retry_after(header: str | None, otherwise: float) -> float:
    """Seconds: the header gives them, or a date."""
    if not header:
        return otherwise
    try:
        return max(0.0, float(header))
    except ValueError:
        try:
            return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
        except ValueError:
            return otherwise


def _over_choices(top: dict[str, float], choices: Sequence[str]) -> list[float]:
    """Log-probabilities of the choices, normalised; NaN when none of them is among `top`."""
    found = {choice: [lp for token, lp in top.items() if token.strip() == choice] for choice in choices}
    if not any(found.values()):
        return [math.nan] * len(choices)
    floor = min(top.values())
    values = np.array([np.logaddexp.reduce(found[choice]) if found[choice] else floor for choice in choices])
    return [float(v) for v in np.round(values - np.logaddexp.reduce(values), 6)]
