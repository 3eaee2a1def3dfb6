import os
import signal
import threading

import pytest

from gristmill.crawl.content import extract, extractor_version
from gristmill.crawl.extract import Extraction, Request, extract_all
from gristmill.crawl.responses import Refused
from gristmill.errors import GristmillError

ENDLESS = b"<html><body>" + b"<div>" * 200_000 + b"deep" + b"</div>" * 200_000
"""Costs Resiliparse time that grows with the square of the depth: minutes."""


def request(payload: bytes, extractor="resiliparse", charset: str | None = None) -> Request:
    return Request(f"sha256:{payload[:400].hex()}", payload, charset, extractor)


def text_of(extraction: Extraction, asked: Request) -> str:
    ((_, answer),) = extraction.texts([asked])
    if isinstance(answer, Refused):
        raise answer
    return answer.decode()


def test_a_child_extracts_what_this_process_would(page):
    with Extraction(10, ["resiliparse"]) as extraction:
        for payload in (page("a"), page("ü"), b"", bytes(range(256)), b"x" * 500_000):
            assert text_of(extraction, request(payload)) == extract(payload, None, "resiliparse").decode()
        assert extraction.restarts == 0


def test_a_page_that_hangs_in_c_is_stopped_and_the_next_one_goes_on(page):
    with Extraction(0.3, ["resiliparse"]) as extraction:
        assert "story of a" in text_of(extraction, request(page("a")))
        with pytest.raises(Refused) as refused:
            text_of(extraction, request(ENDLESS))
        assert refused.value.error == "Timeout" and "0.3 s" in refused.value.message
        assert "story of b" in text_of(extraction, request(page("b")))
        assert extraction.restarts == 1


def test_the_limit_is_per_page(page):
    with Extraction(0.5, ["resiliparse"]) as extraction:
        asked = [request(page(f"{i}") + b"<p>more of it</p>" * 1_000) for i in range(600)]  # together they take longer than one may
        assert all(isinstance(answer, bytes) for _, answer in extraction.texts(asked))
        assert extraction.restarts == 0


def test_pages_are_sent_ahead_and_answered_in_order(page):
    sizes = [0, 1, 70_000, 3_000_000, 10, 200_000] * 20  # of plain text, so that answers fill their pipe as well
    asked = [Request(f"{i}", f"{i} ".encode() + b"x" * size, None, "plain") for i, size in enumerate(sizes)]
    with Extraction(10, ["resiliparse"]) as extraction:
        found = list(extraction.texts(asked))
        assert [each for each, _ in found] == asked
        assert [answer for _, answer in found] == [extract(each.payload, None, "plain") for each in asked]
        assert extraction.restarts == 0


def test_pages_behind_one_that_ends_its_child_are_asked_again(page):
    asked = [request(ENDLESS if i in (3, 4, 9) else page(f"{i}")) for i in range(10)]
    with Extraction(0.3, ["resiliparse"]) as extraction:
        found = [answer for _, answer in extraction.texts(asked)]
        assert extraction.restarts == 2  # the last one ended with its child, which no page needed again
    assert [i for i, answer in enumerate(found) if isinstance(answer, Refused)] == [3, 4, 9]
    assert all(f"story of {i}".encode() in found[i] for i in (0, 1, 2, 5, 6, 7, 8))


def test_answers_that_nobody_reads_are_not_taken_for_the_next_ones(page):
    with Extraction(10, ["resiliparse"]) as extraction:
        for answer in extraction.texts(request(page(f"{i}")) for i in range(5)):
            assert b"story of 0" in answer[1]
            break
        assert "story of z" in text_of(extraction, request(page("z")))


def test_a_child_that_dies_costs_its_page_only(page):
    with Extraction(60, ["resiliparse"]) as extraction:
        text_of(extraction, request(page("a")))
        child = extraction._child
        assert child is not None
        timer = threading.Timer(0.2, os.kill, (child.pid, signal.SIGSEGV))
        timer.start()
        with pytest.raises(Refused, match="Crash"):
            text_of(extraction, request(ENDLESS))
        timer.join()
        assert "story of b" in text_of(extraction, request(page("b")))
        os.kill(extraction._child.pid, signal.SIGKILL)  # between two pages: nobody is to blame
        extraction._child.wait()
        assert "story of c" in text_of(extraction, request(page("c")))


def test_a_worker_that_cannot_start_says_why(monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nonexistent")
    with Extraction(1, ["resiliparse"]) as extraction, pytest.raises(GristmillError, match="does not start") as error:
        text_of(extraction, request(b"x"))
    assert error.value.fix


def test_the_same_payload_is_extracted_once(workspace, page):
    requests = [request(page(f"{i}")) for i in range(5)]
    with Extraction(10, ["resiliparse"]) as extraction:
        first, refused, cached = extract_all(requests, extraction, workspace.cache)
        assert len(first) == 5 and not refused and cached == 0
    with Extraction(10, ["resiliparse"]) as untouched:
        again, _, cached = extract_all(requests, untouched, workspace.cache)
        assert again == first and cached == 5 and untouched._child is None
        other = [request(page("0"), charset="utf-16le")]
        assert extract_all(other, untouched, workspace.cache)[2] == 0  # another charset is another text
    assert workspace.cache(f"texts-{extractor_version('resiliparse')}").path.exists()


def test_refusals_are_not_cached(workspace, page):
    requests = [request(ENDLESS), request(page("a"))]
    for cached_before in (0, 1):
        with Extraction(0.3, ["resiliparse"]) as extraction:
            texts, refused, cached = extract_all(requests, extraction, workspace.cache)
        assert {why.error for why in refused.values()} == {"Timeout"} and len(texts) == 1 and cached == cached_before


def test_plain_text_needs_no_child(workspace):
    with Extraction(10, ["resiliparse"]) as extraction:
        texts, _, _ = extract_all([request("Grüße\r\n\0".encode(), "plain")], extraction, workspace.cache)
        assert list(texts.values()) == ["Grüße".encode()] and extraction._child is None
