"""Signals of URLs: each list alone, on URLs as canonical and as wild as they come."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals.chunk import References
from gristmill.signals.compute import compute_families
from gristmill.signals.registry import FAMILIES


def signals(url: str, **lists: set[str]) -> dict[str, float]:
    frame = pl.DataFrame({"doc_id": ["a"], "url": [url], "text": [""]})
    found = compute_families(["url"], frame, References(lists={name: frozenset(entries) for name, entries in lists.items()}))["url"]
    return {name.removeprefix("url."): value for name, value in found.drop("doc_id").row(0, named=True).items()}


@pytest.mark.parametrize(
    ("host", "entry", "banned"),
    [
        ("a.b.co.uk", "b.co.uk", 1),
        ("a.b.co.uk", "a.b.co.uk", 1),
        ("a.b.co.uk", "co.uk", 1),                     # as listed
        ("a.b.co.uk", "x.a.b.co.uk", 0),
        ("ab.co.uk", "b.co.uk", 0),
        ("b.co.uk.org", "b.co.uk", 0),
        ("A.B.CO.UK", "b.co.uk.", 1),
        ("a.b.co.uk:8080", ".b.co.uk", 1),
        ("user:secret@b.co.uk", "http://b.co.uk/path", 1),
        ("xn--mhle-0ra.de", "mühle.de", 1),
        ("192.0.2.7", "192.0.2.7", 1),
        ("192.0.2.7", "2.7", 0),                       # an address has no parents
        ("[2001:db8::1]", "[2001:db8::1]", 1),
        ("localhost", "localhost", 1),
    ],
)  # fmt: skip
def test_domains(host: str, entry: str, banned: int) -> None:
    assert signals(f"http://{host}/x", domains={entry.lower()}) == dict.fromkeys(FAMILIES["url"], 0) | {"banned_domain": banned}


@pytest.mark.parametrize(
    ("url", "entry", "banned"),
    [
        ("https://a.org/X/y?q=1", "http://a.org/x/y?q=1", 1),
        ("https://a.org/x/", "a.org/x", 1),                      # lists write no scheme
        ("https://a.org/", "a.org", 1),
        ("https://a.org/x#part", "a.org/x", 1),
        ("https://a.org/x/y", "a.org/x", 0),
        ("https://a.org/%D0%BF", "a.org/п", 1),
        ("https://a.org//b//c", "a.org//b//c", 1),
    ],
)  # fmt: skip
def test_urls(url: str, entry: str, banned: int) -> None:
    assert signals(url, urls={entry})["banned_url"] == banned


def test_words_are_whole_distinct_and_in_any_case() -> None:
    url = "http://Mill.org/DUST-grain_dust?grain=wheat2"
    assert signals(url, url_words={"dust", "grain", "chaff"})["banned_words"] == 2
    assert signals(url, url_words={"whea", "wheat", "mil"})["banned_words"] == 0
    assert signals(url, url_soft_words={"wheat2", "org"})["soft_words"] == 2
    assert signals(url, url_words={"d-u.st"})["banned_words"] == 1  # as datatrove reads its lists
    assert signals("http://m.org/%D0%9F%D1%8B%D0%BB%D1%8C/a", url_words={"пыль", "http"})["banned_words"] == 1


def test_substrings_ignore_punctuation() -> None:
    assert signals("http://fine-Du.st/", url_substrings={"nedust"})["banned_substring"] == 1
    assert signals("http://a.org/fi/ne", url_substrings={"f.i-n/e"})["banned_substring"] == 1
    assert signals("http://a.org/fine", url_substrings={"fined", "http"})["banned_substring"] == 0
    assert signals("http://a.org/fine", url_substrings={"", "--"})["banned_substring"] == 0  # an entry of nothing


def test_without_lists_all_is_zero() -> None:
    assert set(signals("http://dust.org/dust").values()) == {0}
    assert set(signals("http://dust.org/dust", domains=set(), urls=set(), url_words=set(), url_substrings=set()).values()) == {0}


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40), st.text(max_size=10))
def test_any_url_and_entry(url: str, entry: str) -> None:
    lists = {name: {entry} for name in ("domains", "urls", "url_words", "url_soft_words", "url_substrings")}
    assert set(signals(f"http://{url}", **lists).values()) <= {0, 1}


LABEL = st.text(st.sampled_from("ab-1"), min_size=1, max_size=3)


@settings(max_examples=100, deadline=None)
@given(st.lists(LABEL, min_size=1, max_size=5), st.lists(LABEL, min_size=1, max_size=3))
def test_a_domain_is_below_its_parents(host: list[str], entry: list[str]) -> None:
    address = all(part.isdigit() for part in host)
    below = host == entry if address else host[-len(entry) :] == entry
    assert signals(f"http://{'.'.join(host)}/", domains={".".join(entry)})["banned_domain"] == below
