"""The list of tombstones, and what it comes to in a shard: by name, by words, by likeness."""

import datetime as dt
import hashlib
import json
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.crawl import tombstones
from gristmill.crawl.tombstones import Sketch, Tombstone, hits, sketched
from gristmill.errors import LakeError
from gristmill.lake.contracts import CONTRACTS, conform

WORDS = [f"word{n}" for n in range(40)]


def texts(**by_name: str) -> pl.DataFrame:
    return pl.DataFrame({"doc_id": list(by_name), "text": list(by_name.values()), "text_hash": ["" for _ in by_name]})


def records(**urls: str) -> pl.DataFrame:
    """doc_id -> URL, each captured twice."""
    rows = [
        {"doc_id": doc_id, "capture": f"{doc_id}{n}", "url": url, "host": url.split("/")[2], "warc": "a", "offset": n, "length": 1}
        | {"kind": "response", "payload_digest": f"sha256:{doc_id}", "fetched_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}
        | {"status": 200, "mime": "text/html"}
        for doc_id, url in urls.items()
        for n in (1, 2)
    ]
    return pl.DataFrame(rows, schema=CONTRACTS["records"].schema)


def tombstone(kind: str = "url", pattern: str = "http://a.example/", **more: object) -> Tombstone:
    return replace(Tombstone("t1", kind, pattern, "Ann", "asked", "2026-01-01"), **more)  # type: ignore[arg-type]


def knowing(text: str, **more: object) -> Tombstone:
    known = sketched(texts(x=text)).row(0)
    return tombstone(texts=(Sketch(known[1], tuple(known[2])),), sketched=tombstones.sketch_version(), **more)


def never(rest: pl.DataFrame) -> pl.DataFrame:
    raise AssertionError(f"{rest.height} documents would be read")


def found(records: pl.DataFrame, each: Tombstone, known: pl.DataFrame | None = None) -> dict[str, str]:
    def sketches(rest: pl.DataFrame) -> pl.DataFrame:
        assert known is not None
        return sketched(known.join(rest, on="doc_id", how="semi"))

    rows = conform("tombstones", hits(records, [each], never if known is None else sketches))
    return dict(rows.select("doc_id", "by").iter_rows())


def test_names_match_pages_hosts_and_documents_and_read_no_text():
    pages = records(d1="http://a.example/", d2="http://www.a.example/x", d3="http://ba.example/", d4="http://a.example/x")
    assert found(pages, tombstone()) == {"d1": "url"}
    assert found(pages, tombstone("domain", "a.example")) == {"d1": "domain", "d2": "domain", "d4": "domain"}
    assert found(pages, tombstone("doc", "d3")) == {"d3": "doc"}
    rows = hits(pages, [tombstone("doc", "d3")], never)
    assert rows["captures"].to_list() == [["d31", "d32"]]


def test_words_are_caught_elsewhere_unless_exactly():
    text = " ".join(WORDS)
    pages = records(d1="http://a.example/", d2="http://b.example/", d3="http://c.example/")
    known = texts(d1=text, d2=text.upper().replace(" ", ",  "), d3=" ".join(WORDS[::-1]))
    assert found(pages, knowing(text), known) == {"d1": "url", "d2": "text"}
    assert found(pages, knowing(text, exactly=True)) == {"d1": "url"}


def test_what_is_named_is_not_read_again():
    pages = records(d1="http://a.example/", d2="http://b.example/")
    asked: list[str] = []
    hits(pages, [knowing(" ".join(WORDS))], lambda rest: asked.extend(rest["doc_id"]) or sketched(texts(d2="x")))  # type: ignore[func-returns-value]
    assert set(asked) == {"d2"}


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.sampled_from(WORDS[:8]), min_size=0, max_size=14), min_size=1, max_size=6), st.sampled_from([0.2, 0.5, 0.8]))
def test_near_is_true_resemblance(drawn: list[list[str]], threshold: float):
    """Against sets of word tuples in plain Python."""
    base = WORDS[:8] + WORDS[:4]
    known = texts(**{f"d{n}": " ".join(words) for n, words in enumerate(drawn)})

    def shingles(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}

    def alike(words: list[str]) -> bool:
        ours, theirs = shingles(words), shingles(base)
        return words == base or (bool(ours) and round(len(ours & theirs) / len(ours | theirs), 6) >= threshold)

    answer = tombstones.compare(sketched(known), knowing(" ".join(base), threshold=threshold))
    assert set(answer["doc_id"]) == {f"d{n}" for n, words in enumerate(drawn) if alike(words)}


def test_a_text_without_words_is_nobodys_twin():
    assert sketched(texts(d1="", d2="…  —", d3="one")).height == 1


def test_the_journal_keeps_everything(lake):
    one = tombstones.take_down(lake, knowing("one two three four five six", found=({"doc_id": "d"},), seen_by=({"model": "m"},)))
    two = tombstones.take_down(lake, tombstone("domain", "b.example"))
    assert (one.id, two.id) == ("t1", "t2") and one.texts and one.found == ({"doc_id": "d"},)
    before = tombstones.list_version(lake)
    undone = tombstones.undo(lake, "t1", "Bob", "a mistake")
    assert undone.undone and undone.undone["who"] == "Bob"
    assert [each.id for each in tombstones.active(lake)] == ["t2"] and len(tombstones.tombstones(lake)) == 2
    assert tombstones.list_version(lake) != before
    with pytest.raises(LakeError, match="was undone"):
        tombstones.undo(lake, "t1", "Bob", "again")
    with pytest.raises(LakeError, match="no tombstone 't9'"):
        tombstones.find(lake, "t9")
    assert "one two" not in "".join(lake.get(key).decode() for key in lake.keys("tombstones/"))


def test_patterns_become_canonical_or_are_refused():
    assert tombstones.normal("url", "HTTP://A.example:80/x?utm_source=1#top") == "http://a.example/x"
    assert tombstones.normal("domain", "*.A.Example.") == "a.example"
    doc_id = hashlib.md5(b"x").hexdigest()
    assert tombstones.normal("near", doc_id.upper()) == doc_id and tombstones.normal("near", "http://a.example") == "http://a.example/"
    for kind, pattern in (("url", "a.example/x"), ("domain", "http://a.example/"), ("doc", "abc")):
        with pytest.raises(LakeError):
            tombstones.normal(kind, pattern)  # type: ignore[arg-type]


def test_sketches_of_another_version_are_refused():
    old = replace(knowing(" ".join(WORDS)), sketched="0/5")
    with pytest.raises(LakeError, match="version 0/5"):
        tombstones.compare(sketched(texts(d="x")), old)
    assert json.dumps(old.as_json())
