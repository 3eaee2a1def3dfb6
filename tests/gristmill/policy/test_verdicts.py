"""Verdicts: every rule that fired, the first one, its value and threshold; exceptions; what is near a threshold."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.errors import RecipeError
from gristmill.lake.contracts import conform
from gristmill.policy.profiles import PROFILES
from gristmill.policy.rules import Rule
from gristmill.policy.verdicts import columns_read, judge, near_threshold, rule_counts
from gristmill.signals.registry import SIGNALS

SHORT = Rule(name="short", signal="gopher.word_count", drop_when="<", threshold=50)
LONG = Rule(name="long", signal="gopher.word_count", drop_when=">=", threshold=100)
ODD = Rule(name="odd", signal="kl.divergence", drop_when=">", threshold=5, except_sources=["code"])
RULES = [SHORT, LONG, ODD]


def signals(*rows: tuple[str, float, float]) -> pl.DataFrame:
    schema = {"doc_id": pl.String, "gopher.word_count": pl.Float64, "kl.divergence": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


CROWD = signals(("a", 50, 5), ("b", 49, 0), ("c", 100, 5.5), ("d", 99, 6), ("e", 10, 7))


def test_a_verdict_carries_its_reasons_in_the_policys_order() -> None:
    verdicts = conform("verdicts", judge(CROWD, RULES, "web", "p@1:abc"))
    assert verdicts.rows() == [
        ("a", True, None, None, None, [], "p@1:abc"),
        ("b", False, "short", 49.0, 50.0, ["short"], "p@1:abc"),
        ("c", False, "long", 100.0, 100.0, ["long", "odd"], "p@1:abc"),
        ("d", False, "odd", 6.0, 5.0, ["odd"], "p@1:abc"),
        ("e", False, "short", 10.0, 50.0, ["short", "odd"], "p@1:abc"),
    ]
    assert judge(CROWD, [ODD, LONG, SHORT], "web", "p")["first_rule"].to_list() == [None, "short", "odd", "odd", "odd"]


def test_a_rule_does_not_judge_the_sources_it_excepts() -> None:
    assert judge(CROWD, RULES, "code", "p")["fired"].to_list() == [[], ["short"], ["long"], [], ["short"]]


@pytest.mark.parametrize(("comparison", "dropped"), [("<", "b"), ("<=", "ab"), (">", "c"), (">=", "ac")])
def test_comparisons_at_the_threshold(comparison: str, dropped: str) -> None:
    rule = Rule(name="r", signal="gopher.word_count", drop_when=comparison, threshold=50)
    verdicts = judge(signals(("a", 50, 0), ("b", 49.999999, 0), ("c", 50.000001, 0)), [rule], "web", "p")
    assert "".join(sorted(verdicts.filter(~pl.col("kept"))["doc_id"])) == dropped


def test_without_rules_or_documents() -> None:
    assert conform("verdicts", judge(CROWD, [], "web", "p"))["kept"].all()
    assert conform("verdicts", judge(CROWD.head(0), RULES, "web", "p")).is_empty()
    assert rule_counts(judge(CROWD.head(0), RULES, "web", "p"), RULES)["fired"].to_list() == [0, 0, 0]
    assert rule_counts(judge(CROWD, [], "web", "p"), []).is_empty()


def test_a_rule_on_a_signal_that_is_not_there_is_an_error() -> None:
    with pytest.raises(RecipeError, match=r"the rule odd reads the signal 'kl.divergence'"):
        judge(CROWD.drop("kl.divergence"), RULES, "web", "p")
    with pytest.raises(RecipeError):
        judge(CROWD.drop("kl.divergence"), RULES, "code", "p")


def test_counts_by_rule() -> None:
    counts = rule_counts(judge(CROWD, RULES, "web", "p"), [ODD, SHORT, LONG])
    assert counts.rows() == [("odd", 3, 1, 1), ("short", 2, 2, 1), ("long", 1, 1, 0)]


def test_near_a_threshold_from_both_sides() -> None:
    near = near_threshold(CROWD, judge(CROWD, RULES, "web", "p"), RULES, per_side=2)
    by = {(rule, side): part["doc_id"].to_list() for (rule, side), part in near.group_by("rule", "side", maintain_order=True)}
    assert by["short", "dropped"] == ["b", "e"]
    assert by["odd", "dropped"] == ["d", "c"]  # d by this rule alone, c by another too, though c is nearer
    assert by["odd", "kept"] == by["long", "kept"] == ["a"]
    assert near.filter(rule="short", doc_id="b").rows() == [("short", "gopher.word_count", "<", 50.0, "dropped", "b", 49.0)]


def test_columns_read() -> None:
    assert columns_read([*RULES, SHORT]) == {"gopher": ["gopher.word_count"], "kl": ["kl.divergence"]}
    assert columns_read([]) == {}


@pytest.mark.parametrize("profile", PROFILES)
def test_profiles_read_signals_that_exist_and_name_their_source(profile: str) -> None:
    for rule in PROFILES[profile]:
        assert rule.signal in SIGNALS and rule.source and rule.name.split(".")[0] == rule.signal.split(".")[0]


NUMBERS = st.integers(0, 120).map(float)


@settings(deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12), st.randoms(use_true_random=False))
def test_as_the_definition_says_in_any_order(values: list[tuple[float, float]], random) -> None:  # type: ignore[no-untyped-def]
    table = signals(*((f"{n:02}", *pair) for n, pair in enumerate(values)))
    verdicts = judge(table, RULES, "web", "p")
    holds = {"<": float.__lt__, ">": float.__gt__, ">=": float.__ge__}
    for row, verdict in zip(table.iter_rows(named=True), verdicts.iter_rows(named=True), strict=True):
        fired = [rule for rule in RULES if holds[rule.drop_when](row[rule.signal], float(rule.threshold))]
        assert verdict["fired"] == [rule.name for rule in fired] and verdict["kept"] == (not fired)
        assert (verdict["first_rule"], verdict["value"], verdict["threshold"]) == (
            (fired[0].name, row[fired[0].signal], fired[0].threshold) if fired else (None, None, None)
        )
    shuffled = table[random.sample(range(table.height), table.height)]
    assert conform("verdicts", judge(shuffled, RULES, "web", "p")).equals(conform("verdicts", verdicts))
