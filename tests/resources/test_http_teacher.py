"""The HTTP teacher against a real server on loopback that answers from a script."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from gristmill.errors import TeacherError
from resources.http_teacher import HttpTeacher

Answer = tuple[int, dict[str, str], Any]


def text(content: str) -> Answer:
    return 200, {}, {"choices": [{"message": {"role": "assistant", "content": content}}]}


def tops(**logprobs: float) -> Answer:
    entries = [{"token": token, "logprob": logprob} for token, logprob in logprobs.items()]
    return 200, {}, {"choices": [{"message": {"content": ""}, "logprobs": {"content": [{"token": "", "top_logprobs": entries}]}}]}


class Script:
    """Answers requests by `reply(body, number of requests so far)` and remembers bodies and headers."""

    def __init__(self) -> None:
        self.reply: Callable[[dict[str, Any], int], Answer] = lambda body, n: text("hello")
        self.bodies: list[dict[str, Any]] = []
        self.authorization: list[str | None] = []
        self.lock = threading.Lock()
        self.url = ""


@pytest.fixture
def server() -> Iterator[Script]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with script.lock:
                script.bodies.append(body)
                script.authorization.append(self.headers.get("Authorization"))
                number = len(script.bodies)
            known = self.path == "/v1/chat/completions"
            status, headers, answer = script.reply(body, number) if known else (404, {}, {"error": "no such path"})
            data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            with contextlib.suppress(ConnectionError):  # the client did not wait
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.url = f"http://127.0.0.1:{httpd.server_port}/v1"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield script
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def teacher(server: Script, **changes: Any) -> tuple[HttpTeacher, list[float]]:
    waits: list[float] = []
    settings = {"url": server.url, "model": "tutor", "key": "secret-key", "key_variable": "SOME_KEY", "concurrency": 3, "retries": 3}
    return HttpTeacher(**{**settings, "backoff_seconds": 1.0, "pause": waits.append, **changes}), waits


def test_generate_sends_what_the_api_wants_and_keeps_the_order(server: Script) -> None:
    server.reply = lambda body, n: text(body["messages"][0]["content"].upper())
    one, _ = teacher(server)
    assert one.generate([f"prompt {i}" for i in range(20)], 7, 0.5, range(20)) == [f"PROMPT {i}" for i in range(20)]
    by_prompt = {body["messages"][0]["content"]: body for body in server.bodies}
    assert by_prompt["prompt 4"] == {
        "model": "tutor",
        "messages": [{"role": "user", "content": "prompt 4"}],
        "max_tokens": 7,
        "temperature": 0.5,
        "top_p": 0.95,
        "seed": 4,
    }
    assert set(server.authorization) == {"Bearer secret-key"}


def test_score_normalises_over_the_choices(server: Script) -> None:
    server.reply = lambda body, n: tops(**{"1": np.log(0.2), " 1": np.log(0.1), "2": np.log(0.1), "The": np.log(0.05)})
    one, _ = teacher(server)
    scores = one.score(["grade this"], ["1", "2", "3"])
    np.testing.assert_allclose(np.exp(scores), [[0.3 / 0.45, 0.1 / 0.45, 0.05 / 0.45]], atol=1e-5)  # 3 as the least likely
    assert server.bodies[0]["top_logprobs"] == 20 and server.bodies[0]["max_tokens"] == 1


def test_a_teacher_that_chooses_none_is_nan(server: Script) -> None:
    server.reply = lambda body, n: tops(I=-0.1, As=-3.0)
    one, _ = teacher(server)
    assert np.isnan(one.score(["grade this"], ["1", "2"])).all()


@pytest.mark.parametrize("status", [429, 500, 503, 529])
def test_what_may_pass_is_tried_again_after_doubling_waits(server: Script, status: int) -> None:
    server.reply = lambda body, n: (status, {}, {"error": "later"}) if n < 4 else text("hello")
    one, waits = teacher(server)
    assert one.generate(["p"], 5, 0.5, [1]) == ["hello"]
    assert waits == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        ("100000", 60, 60),
        ("soon", 1, 1),
        pytest.param(formatdate(usegmt=True), 0, 1, id="now"),
    ],
)
def test_retry_after_is_honoured_within_reason(server: Script, header: str, low: float, high: float) -> None:
    server.reply = lambda body, n: (429, {"Retry-After": header}, {}) if n == 1 else text("hello")
    one, waits = teacher(server)
    assert one.generate(["p"], 5, 0.5, [1]) == ["hello"]
    assert len(waits) == 1 and low <= waits[0] <= high


def test_giving_up_names_url_status_and_way_out(server: Script) -> None:
    server.reply = lambda body, n: (503, {}, {"error": "overloaded"})
    one, waits = teacher(server)
    with pytest.raises(TeacherError) as caught:
        one.generate(["p"], 5, 0.5, [1])
    assert len(server.bodies) == 4 and len(waits) == 3
    assert all(part in str(caught.value) for part in (server.url, "503", "overloaded", "4 attempts", "teacher.concurrency"))


@pytest.mark.parametrize(("status", "way_out"), [(401, "SOME_KEY"), (404, "'tutor'"), (400, "refuses")])
def test_what_cannot_pass_is_not_tried_again(server: Script, status: int, way_out: str) -> None:
    server.reply = lambda body, n: (status, {}, {"error": "no: secret-key"})
    one, waits = teacher(server)
    with pytest.raises(TeacherError) as caught:
        one.generate(["p"], 5, 0.5, [1])
    assert waits == [] and way_out in str(caught.value) and str(status) in str(caught.value)
    assert "secret-key" not in str(caught.value) + repr(caught.value) + repr(one)


@pytest.mark.parametrize("answer", [b"<html>", {}, {"choices": []}, {"choices": ["x"]}, [1]])
def test_something_else_than_a_completion(server: Script, answer: Any) -> None:
    server.reply = lambda body, n: (200, {}, answer)
    with pytest.raises(TeacherError, match="something else than a completion"):
        teacher(server)[0].generate(["p"], 5, 0.5, [1])


def test_no_text_and_no_logprobs(server: Script) -> None:
    server.reply = lambda body, n: (200, {}, {"choices": [{"message": {"content": None}}]})
    with pytest.raises(TeacherError, match="without text"):
        teacher(server)[0].generate(["p"], 5, 0.5, [1])
    with pytest.raises(TeacherError, match="top_logprobs"):
        teacher(server)[0].score(["p"], ["1", "2"])


def test_a_server_that_is_not_there() -> None:
    waits: list[float] = []
    one = HttpTeacher("http://127.0.0.1:9/v1", "tutor", retries=2, pause=waits.append)
    with pytest.raises(TeacherError, match="cannot be reached"):
        one.generate(["p"], 5, 0.5, [1])
    assert waits == [1.0, 2.0]


def test_a_slow_server_is_a_timeout_and_tried_again(server: Script) -> None:
    release = threading.Event()

    def reply(body: dict[str, Any], n: int) -> Answer:
        if n == 1:
            release.wait(30)
        return text("hello")

    server.reply = reply
    one, waits = teacher(server, timeout_seconds=0.2)
    assert one.generate(["p"], 5, 0.5, [1]) == ["hello"]
    release.set()
    assert waits == [1.0]


def test_name_and_tokens() -> None:
    one = HttpTeacher("http://user:password@example.org/v1/", "tutor")
    assert one.name == "tutor at http://example.org/v1"
    assert one.count_tokens("four ch") == 2 and one.count_tokens("") == 0
