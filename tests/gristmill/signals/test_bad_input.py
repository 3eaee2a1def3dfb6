"""Every family has a finite value for every text, and the same one whatever stands beside it in the chunk."""

from typing import get_args

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.crawl.content import clean, decode
from gristmill.lake.contracts import CONTRACTS, conform
from gristmill.recipe import List
from gristmill.signals.chunk import References
from gristmill.signals.compute import compute_families
from gristmill.signals.registry import FAMILIES, MODULES

DISTRIBUTION = pl.DataFrame({"token": ["one", "the"], "count": [1, 9], "probability": [0.1, 0.8]})
LISTS = {"dirty_words": frozenset({"dust", "big dust", "尘"}), "domains": frozenset({"mill.org"}), "url_words": frozenset({"x"})}
REFERENCES = References(distribution=DISTRIBUTION, lists=LISTS, edits=CONTRACTS["edits"].empty())

TEXTS = {
    "empty": "",
    "spaces": " \n\t\r\n\u2028\u00a0\u3000",
    "nuls": "\0\0 a\0b \0",
    "one word": "word",
    "right to left": "مرحبا بالعالم، هذا نص. \u202eשלום עולם\u202c" * 20,
    "without spaces": "自然语言处理是人工智能的一个方向。今天天气很好。" * 30,
    "thai": "ภาษาไทยเขียนติดกันไม่มีช่องว่าง " * 20,
    "combining marks": "e\u0301\u0327\u0323 " * 200 + "\u0301" * 500,
    "emoji and planes": "👩‍👩‍👧‍👦 🏳️‍🌈 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 \U000e0041\U0010ffff" * 10,
    "one-letter words": "a " * 1_000_000,
    "one n-gram": "to be or not " * 20_000,
    "one letter": "a" * 200_000,
    "punctuation": "...!!!???---***###\"\"\"'''{}[]()<>" * 500,
    "lines": "\n" * 50_000,
    "short lines": "a\n" * 50_000,
    "mixed line ends": "one\r\ntwo\u2028three\x0cfour\x85five\n\n\nsix\r",
    "deeply nested": "(" * 20_000 + ")" * 20_000,
    "numbers": "3.14 1,000 10^6 2026-11-21 " * 500,
    "code": "def f(x):\n    return '''" + "x" * 1_000 + "'''\n" * 50,
    "markdown": "# t\n\n* [a](b_c) `x` **y** " + "[" * 5_000 + "*" * 5_000,
}


def frame(texts: dict[str, str] | list[str], language: str = "en") -> pl.DataFrame:
    named = texts if isinstance(texts, dict) else {f"{n:03}": text for n, text in enumerate(texts)}
    urls = [f"https://mill.org/{n}.py" for n in range(len(named))]
    rows = {
        "doc_id": list(named), "text": list(named.values()), "url": urls, "host": "mill.org",
        "language": language, "language_score": 0.9, "extractor": "plain-1", "n_bytes": [len(t.encode()) for t in named.values()],
        "n_chars": [len(t) for t in named.values()],
    }  # fmt: skip
    return pl.DataFrame(rows, schema_overrides={"doc_id": pl.String, "text": pl.String, "n_bytes": pl.Int64, "n_chars": pl.Int64})


@pytest.mark.parametrize("language", ["en", "code", "und"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_text_has_a_finite_value(family: str, language: str) -> None:
    given = frame(TEXTS, language)
    whole = compute_families([family], given, REFERENCES)[family]
    conform(f"signals.{family}", whole)
    assert whole.columns == ["doc_id", *(f"{family}.{name}" for name in FAMILIES[family])]
    assert whole["doc_id"].to_list() == list(TEXTS)
    assert whole.select(pl.all_horizontal(pl.exclude("doc_id").is_finite().all())).item()
    alone = pl.concat([compute_families([family], part, REFERENCES)[family] for part in reversed(list(given.iter_slices(3)))])
    assert alone.sort("doc_id").equals(whole.sort("doc_id"))


def test_a_line_of_fifty_megabytes() -> None:
    text = "the miller of the town said that flour is ground from grain, and 12 people have bought it. " * 560_000
    table = compute_families(FAMILIES, frame({"long": text}), REFERENCES)
    assert len(text) > 50_000_000
    assert table["gopher"]["gopher.word_count"][0] == 18 * 560_000
    for family, found in table.items():
        assert found.select(pl.all_horizontal(pl.exclude("doc_id").is_finite())).item(), family


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=60), min_size=1, max_size=5))
def test_any_text_has_a_finite_value_that_depends_on_it_alone(texts: list[str]) -> None:
    given = frame(texts)
    whole = compute_families(FAMILIES, given, REFERENCES)
    last = compute_families(FAMILIES, given.tail(1), REFERENCES)
    for family in FAMILIES:
        assert whole[family].tail(1).equals(last[family]), family
        assert whole[family].select(pl.all_horizontal(pl.exclude("doc_id").is_finite().all())).item(), family


def test_what_no_text_can_hold_is_gone_before_signals() -> None:
    assert clean(decode(b"caf\xe9 \xff\xfe\x00 ok", None, html=False)).endswith(b"ok")
    assert clean("a\ud800b\0c") == b"abc"


def test_families_say_what_they_read() -> None:
    lists = get_args(List)
    known = {"text", "documents", "distribution", "edits", *(f"lists.{name}" for name in lists)}
    for family, module in MODULES.items():
        assert module.READS and known >= module.READS, family
        assert module.VERSION and module.SIGNALS, family
