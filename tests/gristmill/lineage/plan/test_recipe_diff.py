"""What moved in a recipe, key by key, from the recipes themselves."""

from hypothesis import given
from hypothesis import strategies as st

from gristmill.lineage.plan.recipe_diff import ABSENT, changes, shown
from gristmill.recipe import Recipe

LEAVES = st.integers(0, 2) | st.sampled_from(["a", "b"]) | st.lists(st.integers(0, 1), max_size=2)
TABLES = st.dictionaries(st.sampled_from("xyz"), LEAVES | st.dictionaries(st.sampled_from("uv"), LEAVES, max_size=2), max_size=3)
SECTIONS = st.dictionaries(st.sampled_from(["split", "training", "models"]), TABLES, max_size=2)


def said(old: dict, new: dict, *sections: str) -> list[str]:
    recipes = [Recipe.model_validate(each) for each in (old, new)]
    return [str(change) for change in changes(*(recipe.values(*sections) for recipe in recipes))]


def test_a_threshold_goes_by_the_key_that_sets_it():
    edited = {"policy": {"thresholds": {"gopher.word_count_min": 60}}}
    assert said({}, edited, "policy", "sources.groups") == ["policy.thresholds.gopher.word_count_min 50 -> 60"]


def test_what_follows_from_a_key_of_the_recipe_is_not_told_beside_it():
    assert said({}, {"edits": {"strip": ["markdown"]}}, "edits", "strips") == ['edits.strip [] -> ["markdown"]']
    assert said({}, {"edits": {"strip": ["markdown"]}}, "strips") == ['strips [] -> ["markdown"]']


def test_rules_that_come_and_go_exceptions_and_languages():
    rule = {"name": "mine.short", "signal": "gopher.word_count", "when": "<", "threshold": 5.0}
    edited = {
        "sources": {"groups": {"code": {"crawls": ["code"]}, "web": {"crawls": ["*"]}}},
        "policy": {
            "version": "2",
            "off": ["gopher.ellipsis_lines"],
            "rules": [rule],
            "except_sources": {"gopher.stop_words": ["code"]},
            "by_language": {"gopher.mean_word_length_max": {"de": 12}},
        },
    }
    assert sorted(said({}, edited, "policy")) == [
        "policy.by_language.gopher.mean_word_length_max.de absent -> 12",
        'policy.except_sources.gopher.stop_words [] -> ["code"]',
        "policy.rules.gopher.ellipsis_lines in force -> off",
        "policy.rules.mine.short off -> in force",
        "policy.version 1 -> 2",
    ]


def test_other_sections_by_their_dotted_keys():
    assert said({}, {"split": {"test": 0.1}}, "split") == ["split.test 0.05 -> 0.1"]
    assert said({}, {"split": {"test": 0.1}}, "policy", "training") == []


@given(SECTIONS, SECTIONS)
def test_there_are_changes_where_the_values_differ_and_nowhere_else(old, new):
    found = changes(old, new)
    assert bool(found) == (old != new)
    assert len({change.key for change in found}) == len(found)
    assert [(change.key, change.new, change.old) for change in changes(new, old)] == [(each.key, each.old, each.new) for each in found]


def test_values_are_short_and_numbers_plain():
    assert [shown(each) for each in (50.0, 0.25, True, None, "x", ABSENT, ["a"])] == ["50", "0.25", "true", "null", "x", "absent", '["a"]']
    assert len(shown("x" * 500)) == 60
