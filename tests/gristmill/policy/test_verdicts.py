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
from gristmill.signals.lines import LINE_SIGNALS
from gristmill.signals.registry import SIGNALS

SHORT = Rule(name="short", signal="gopher.word_count", when="<", threshold=50)
LONG = Rule(name="long", signal="gopher.word_count", when=">=", threshold=100)
ODD = Rule(name="odd", signal="kl.divergence", when=">", threshold=5, except_sources=["code"])
RULES = [SHORT, LONG, ODD]


def signals(*rows: tuple[str, float, float]) -> pl.DataFrame:
    schema = {"doc_id": pl.String, "gopher.word_count": pl.Float64, "kl.divergence": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


CROWD = signals(("a", 50, 5), ("b", 49, 0), ("c", 100, 5.5), ("d", 99, 6), ("e", 10, 7))


def test_a_verdict_carries_its_reasons_in_the_policys_order() -> None:
    verdicts = conform("verdicts", judge(CROWD, RULES, "web", "p@1:abc"))
    assert verdicts.rows() == [
        ("a", True, None, None, None, [], 1.0, "p@1:abc"),
        ("b", False, "short", 49.0, 50.0, ["short"], 1.0, "p@1:abc"),
        ("c", False, "long", 100.0, 100.0, ["long", "odd"], 1.0, "p@1:abc"),
        ("d", False, "odd", 6.0, 5.0, ["odd"], 1.0, "p@1:abc"),
        ("e", False, "short", 10.0, 50.0, ["short", "odd"], 1.0, "p@1:abc"),
    ]
    assert judge(CROWD, [ODD, LONG, SHORT], "web", "p")["first_rule"].to_list() == [None, "short", "odd", "odd", "odd"]


def test_a_rule_does_not_judge_the_sources_it_excepts() -> None:
    assert judge(CROWD, RULES, "code", "p")["fired"].to_list() == [[], ["short"], ["long"], [], ["short"]]


@pytest.mark.parametrize(("comparison", "dropped"), [("<", "b"), ("<=", "ab"), (">", "c"), (">=", "ac")])
def test_comparisons_at_the_threshold(comparison: str, dropped: str) -> None:
    rule = Rule(name="r", signal="gopher.word_count", when=comparison, threshold=50)
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


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_read_signals_that_exist_name_their_source_and_say_how_they_differ(name: str) -> None:
    profile = PROFILES[name]
    assert len(profile.differences) > 40
    assert len({rule.name for rule in profile.rules}) == len(profile.rules)
    for rule in profile.rules:
        assert rule.signal in (LINE_SIGNALS if rule.action == "edit" else SIGNALS) and rule.source


def test_a_rule_has_a_threshold_for_a_language_and_leaves_others_alone() -> None:
    rule = Rule(name="r", signal="gopher.word_count", when="<", threshold=50, by_language={"de": 20}, except_languages=["ja"])
    crowd = signals(*((n, 30, 0) for n in "abc"), ("d", 10, 0)).with_columns(language=pl.Series(["en", "de", "ja", "de"]))
    verdicts = judge(crowd, [rule], "web", "p")
    assert verdicts.select("kept", "value", "threshold").rows() == [
        (False, 30, 50),
        (True, None, None),
        (True, None, None),
        (False, 10, 20),
    ]
    assert near_threshold(crowd, verdicts, [rule], 9).filter(doc_id="d")["threshold"].to_list() == [20]
    with pytest.raises(RecipeError, match="speaks of languages"):
        judge(CROWD, [rule], "web", "p")


def test_a_down_weighted_document_stays_and_says_why() -> None:
    light = [Rule(name=n, signal="kl.divergence", when=">", threshold=5.2, action="down_weight", weight=0.5) for n in ("l", "m")]
    verdicts = judge(CROWD, [*light, SHORT], "web", "p").sort("doc_id")
    assert verdicts.select("kept", "first_rule", "fired", "weight").rows() == [
        (True, None, [], 1.0),
        (False, "short", ["short"], 1.0),
        (True, None, ["l", "m"], 0.25),
        (True, None, ["l", "m"], 0.25),
        (False, "short", ["l", "m", "short"], 0.25),
    ]
    near = near_threshold(CROWD, verdicts, light[:1], 9)
    assert [(side, part["doc_id"].to_list()) for (side,), part in near.group_by("side", maintain_order=True)] == [
        ("down-weighted", ["c", "d", "e"]),
        ("kept", ["a"]),
    ]
    assert judge(CROWD, [rule.model_copy(update={"weight": 1e-4}) for rule in light], "web", "p")["weight"].min() == 1e-6
    assert rule_counts(verdicts, [*light, SHORT]).rows() == [("l", 3, 0, 0), ("m", 3, 0, 0), ("short", 2, 2, 2)]


def test_more_rules_than_a_mask_has_bits() -> None:
    many = [Rule(name=f"r{n}", signal="gopher.word_count", when="<", threshold=n) for n in range(150)]
    verdicts = judge(CROWD, many, "web", "p")
    assert verdicts["fired"].list.len().to_list() == [99, 100, 49, 50, 139]
    assert verdicts["first_rule"].to_list() == ["r51", "r50", "r101", "r100", "r11"]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"signal": "line.word_count", "action": "drop"}, "only an edit"),
        ({"signal": "gopher.word_count", "action": "edit"}, "only an edit"),
        ({"signal": "line.word_count", "action": "edit", "by_language": {"de": 1}}, "every language"),
        ({"signal": "gopher.word_count", "action": "down_weight"}, "below one"),
        ({"signal": "gopher.word_count", "weight": 0.5}, "below one"),
    ],
)
def test_rules_that_make_no_sense(rule: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Rule(name="r", when="<", threshold=1, **rule)


NUMBERS = st.integers(0, 120).map(float)


@settings(deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12), st.randoms(use_true_random=False))
def test_as_the_definition_says_in_any_order(values: list[tuple[float, float]], random) -> None:  # type: ignore[no-untyped-def]
    table = signals(*((f"{n:02}", *pair) for n, pair in enumerate(values)))
    verdicts = judge(table, RULES, "web", "p")
    holds = {"<": float.__lt__, ">": float.__gt__, ">=": float.__ge__}
    for row, verdict in zip(table.iter_rows(named=True), verdicts.iter_rows(named=True), strict=True):
        fired = [rule for rule in RULES if holds[rule.when](row[rule.signal], float(rule.threshold))]
        assert verdict["fired"] == [rule.name for rule in fired] and verdict["kept"] == (not fired)
        assert (verdict["first_rule"], verdict["value"], verdict["threshold"]) == (
            (fired[0].name, row[fired[0].signal], fired[0].threshold) if fired else (None, None, None)
        )
    shuffled = table[random.sample(range(table.height), table.height)]
    assert conform("verdicts", judge(shuffled, RULES, "web", "p")).equals(conform("verdicts", verdicts))
