"""The profiles named after FineWeb, Dolma and Gopher: their rules, in their namesakes' order."""

import polars as pl
import pytest

from gristmill.policy.profiles import PROFILES
from gristmill.policy.rules import Rule
from gristmill.policy.verdicts import judge
from gristmill.signals.chunk import References
from gristmill.signals.compute import compute_families
from gristmill.signals.registry import SIGNALS

ENGLISH = "The mill grinds what the farmers of that valley have, and it will be flour with which they bake. "


def documents_rules(profile: str) -> list[Rule]:
    return [rule for rule in PROFILES[profile].rules if rule.action != "edit"]


def first_reason(profile: str, text: str, language: str = "en") -> str | None:
    rules = documents_rules(profile)
    families = sorted({rule.signal.split(".")[0] for rule in rules})
    frame = pl.DataFrame({"doc_id": ["d"], "text": [text], "language": [language], "language_score": [0.9]})
    signals = frame.select("doc_id", "language")
    for table in compute_families(families, frame, References()).values():
        signals = signals.join(table, on="doc_id")
    return judge(signals, rules, "web", profile)["first_rule"][0]


@pytest.mark.parametrize("profile", ["gopher", "fineweb", "fineweb@0.3", "dolma@1.7"])
def test_every_rule_reads_a_signal_that_is_computed_and_names_its_source(profile: str) -> None:
    rules = documents_rules(profile)
    assert [rule.signal for rule in rules if rule.signal not in SIGNALS] == []
    assert all(rule.source for rule in rules)
    assert len({rule.name for rule in rules}) == len(rules)
    assert PROFILES[profile].differences


@pytest.mark.parametrize("profile", ["fineweb", "fineweb@0.3"])
def test_fineweb_asks_in_datatroves_order(profile: str) -> None:
    assert list(dict.fromkeys(rule.signal.split(".")[0].removesuffix("_0_3") for rule in PROFILES[profile].rules)) == [
        "url",
        "language",
        "datatrove",
        "line",
        "c4",
        "fineweb",
    ]


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "datatrove.empty"),
        ("I am your father.\n" * 4, "datatrove.duplicate_lines"),
        ("One line.\n\nOne line.\n\nOne line.", "datatrove.duplicate_paragraphs"),
        ("one two three four", "datatrove.top_2gram"),
        (ENGLISH + "Nobody knows why its wheel stood still through one long winter, long ago.", "datatrove.word_count_min"),
    ],
)
def test_reasons_of_fineweb(text: str, reason: str) -> None:
    assert first_reason("fineweb", text) == reason


LISTS = {
    "domains": frozenset({"dust.org"}),
    "urls": frozenset({"http://mill.org/chaff"}),
    "url_words": frozenset({"mould"}),
    "url_soft_words": frozenset({"weevil", "moth"}),
    "url_substrings": frozenset({"ergot"}),
}


@pytest.mark.parametrize("profile", ["fineweb", "fineweb@0.3", "refinedweb"])
@pytest.mark.parametrize(
    "url, reason",
    [
        ("http://www.dust.org/", "url.banned_domain"),
        ("http://mill.org/chaff", "url.banned_url"),
        ("http://mill.org/mould", "url.banned_words"),
        ("http://mill.org/weevil/moth", "url.soft_words"),
        ("http://mill.org/weevil", None),
        ("http://mill.org/anergotamine", "url.banned_substring"),
        ("http://mill.org/", None),
    ],
)
def test_the_users_lists_of_urls_are_asked_first(profile: str, url: str, reason: str | None) -> None:
    rules = [rule for rule in PROFILES[profile].rules if rule.signal.startswith("url.")]
    assert list(PROFILES[profile].rules[: len(rules)]) == rules and len(rules) == len(LISTS)
    frame = pl.DataFrame({"doc_id": ["d"], "text": [""], "url": [url], "language": ["en"]})
    for lists, expected in ((LISTS, reason), ({}, None)):
        signals = frame.select("doc_id", "language").join(compute_families(["url"], frame, References(lists=lists))["url"], on="doc_id")
        assert judge(signals, rules, "web", profile)["first_rule"][0] == expected


def test_fineweb_keeps_english_alone() -> None:
    assert first_reason("fineweb", ENGLISH, language="de") == "language.english"


def test_one_stop_word_twice_is_enough_for_0_3() -> None:
    nouns = [
        a + b + c
        for a in ("mill", "corn", "dust")
        for b in ("wheel", "field", "stone", "yard")
        for c in ("er", "ing", "like", "ward", "ish")
    ]
    text = "\n".join(
        f"{noun}s grind {noun}ed grain the same way." if n < 2 else f"{noun}s grind {noun}ed grain." for n, noun in enumerate(nouns)
    )
    assert first_reason("fineweb", text) == "datatrove.stop_words"
    assert first_reason("fineweb@0.3", text) is None


def test_reasons_of_dolma() -> None:
    assert first_reason("dolma@1.7", "word " * 10) == "dolma.word_count_min"
    assert first_reason("dolma@1.7", "the of " * 200) == "dolma.median_word_length_min"
    assert first_reason("dolma@1.7", "wheat rye oats barley the of spelt\n" * 20) == "dolma.duplicate_lines"
