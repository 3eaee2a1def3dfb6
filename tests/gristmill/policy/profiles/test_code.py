"""The profiles `code` and `phi-reasoning`: what they drop, and what they leave alone."""

import polars as pl
import pytest

from gristmill.policy.profiles import PROFILES
from gristmill.policy.rules import Rule
from gristmill.signals import code
from gristmill.signals.compute import compute_families

WRITTEN = '# Adds.\n\ndef add(a, b):\n    """The sum of two."""\n    return a + b\n'


def fires(rule: Rule, value: float) -> bool:
    return {"<": value < rule.threshold, "<=": value <= rule.threshold, ">": value > rule.threshold, ">=": value >= rule.threshold}[
        rule.when
    ]


def fired(profile: str, text: str, name: str = "a.py", language: str = "code") -> list[str]:
    documents = pl.DataFrame({"doc_id": ["a"], "url": [f"file://source/{name}"], "text": [text], "language": [language]})
    rules = PROFILES[profile].rules
    values: dict[str, float] = {}
    for table in compute_families(sorted({rule.signal.split(".")[0] for rule in rules}), documents).values():
        values |= table.row(0, named=True)
    return [rule.name for rule in rules if fires(rule, values[rule.signal])]


@pytest.mark.parametrize("profile", ["code", "phi-reasoning"])
@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("", "code"),
        ("", "en"),
        ("Une page, 1 2 3 4 Paris.", "fr"),
        ("x = (", "de"),
        ("\0", "und"),
        ("so (" * 500, "und"),
        ("文" * 2_000, "zh"),
    ],
)
def test_other_documents_pass(profile: str, text: str, language: str) -> None:
    assert fired(profile, text, language=language) == []


def test_neutral_values_break_no_rule() -> None:
    assert [rule.name for rule in PROFILES["code"].rules if fires(rule, code.NEUTRAL[rule.signal.removeprefix("code.")])] == []


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        (WRITTEN, []),
        ("# c\nx = '" + "ab, " * 300 + "'", ["code.max_line_length", "code.mean_line_length", "code.few_comments", "code.data_share"]),
        ("# c\n" + "x = name(other\n", ["code.parses"]),
        ("# c\n" + "()\n" * 90, ["code.alphanumeric_share"]),
        ("# @generated\n" + WRITTEN, ["code.generated"]),
        ("def add(a, b):\n    return a + b\n", ["code.few_comments"]),
        ("# all of it is said here\nx", ["code.mostly_comments", "code.self_containedness"]),
        ("# c\nimport a\nimport b\nfrom c import d\n", ["code.boilerplate_share"]),
        ("# c\nfrom other import a, b\n\n\n\nx = a(b)\ny = x", ["code.self_containedness"]),
    ],
)
def test_rules_of_code(text: str, rules: list[str]) -> None:
    assert fired("code", text) == rules


def test_rules_of_reasoning() -> None:
    results = "Also Arsenal beat Chelsea 3-1, Leeds beat Derby 2-0, Everton lost to Stoke 0-1 on 12 May 2019. "
    mixed = "It was in the evening that the people of Rome went with Marcus to the river and saw Titus come in a boat from Ostia. "
    assert fired("phi-reasoning", results * 5, language="en") == ["reasoning.factoids", "reasoning.balance"]
    assert fired("phi-reasoning", mixed * 5, language="en") == ["reasoning.balance"]
    assert fired("phi-reasoning", "It holds because if it did not, we get less; therefore it must. " * 5, language="en") == []
    assert [rule.action for rule in PROFILES["phi-reasoning"].rules] == ["drop", "down_weight"]


def test_differences_are_written_down() -> None:
    assert all(len(PROFILES[profile].differences) > 200 for profile in ("code", "phi-reasoning"))
