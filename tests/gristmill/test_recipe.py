"""Recipes: errors that name file, key and nearest key; fingerprints that move with their section alone."""

import re
from pathlib import Path

import pytest

from gristmill.errors import RecipeError
from gristmill.recipe import Recipe, fingerprint, load_recipe

ROOT = Path(__file__).parents[2]


def load(tmp_path: Path, text: str) -> Recipe:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return load_recipe(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[polcy]\n", ["unknown key `polcy`", "did you mean `policy`"]),
        ("[extraction]\nextracter = 'x'\n", ["unknown key `extraction.extracter`", "did you mean `extractor`"]),
        ("[models.small]\nhiden = 3\n", ["unknown key `models.small.hiden`", "did you mean `hidden`"]),
        ("[corpus.phases.general]\ntokens = 5\nmix = {web = 1.0}\ntoken = 1\n", ["unknown key", "did you mean `tokens`"]),
        ("[sources]\nshard_bytes = 'many'\n", ["`sources.shard_bytes`", "integer", "'many'"]),
        (
            "[policy.thresholds]\n'gopher.word_cont_min' = 3\n",
            ["no rule named 'gopher.word_cont_min'", "did you mean `gopher.word_count_min`"],
        ),
        (
            "[[policy.rules]]\nname = 'a'\nsignal = 'gopher.wrd_count'\nwhen = '<'\nthreshold = 2.0\n",
            ["'gopher.wrd_count' that nothing computes", "did you mean `gopher.word_count`"],
        ),
        ("[signals]\nfamilies = ['gopher', 'language', 'repetition']\n", ["kl.outlier reads kl.divergence", "not in signals.families"]),
        ("[corpus.phases.general]\ntokens = 5\nmix = {web = 0.5}\n", ["sums to 0.5, not to one"]),
        ("[corpus.phases.general]\ntokens = 5\nmix = {wob = 1.0}\n", ["no source named 'wob'", "did you mean `web`"]),
        ("[corpus.phases.general]\ntokens = 5\nmix = {'synthetic/story' = 1.0}\n", ["did you mean `synthetic/stories`"]),
        ("[models.small]\nheads = 3\n", ["hidden 128 is not divisible by heads 3"]),
        ("[policy]\nprofiles = ['gofer']\n", ["unknown profile 'gofer'", "did you mean `gopher`"]),
        ("[policy]\nprofiles = ['fineweb', 'fineweb@0.3']\n", ["fineweb@0.3 and another profile define", "differently"]),
        ("[edits]\nmask = ['mail']\n", ["`edits.mask.0`", "'email'", "'mail'"]),
        ("[signals.lists.domains]\npath = 'none.txt'\n", ["none.txt cannot be read", "No such file"]),
        ("[signals.lists.domains]\n", ["either `path` or `entries`"]),
        ("[signals.lists.domain]\npath = 'none.txt'\n", ["signals.lists"]),
        ("[signals.views]\ngofer = 'clean'\n", ["unknown signal family 'gofer'", "did you mean `gopher`"]),
        ("[policy.by_language.'gopher.word_cont_min']\nde = 3\n", ["no rule named 'gopher.word_cont_min'"]),
        ("not toml", ["is not TOML"]),
    ],
)
def test_errors_name_the_file_the_key_and_the_nearest(tmp_path: Path, text: str, said: list[str]):
    with pytest.raises(RecipeError) as error:
        load(tmp_path, text)
    assert str(tmp_path / "recipe.toml") in str(error.value)
    for part in said:
        assert part in str(error.value)


def test_a_missing_recipe_says_where_examples_are(tmp_path: Path):
    with pytest.raises(RecipeError, match="no such recipe"):
        load_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").glob("*.toml")), ids=lambda path: path.name)
def test_shipped_recipes_load(path: Path):
    assert load_recipe(path).policy.resolved()


def test_a_section_moves_its_own_fingerprint_alone(tmp_path: Path):
    before, after = Recipe(), load(tmp_path, "[policy.thresholds]\n'gopher.word_count_min' = 60\n")
    moved = {name for name in Recipe.model_fields if before.fingerprint(name) != after.fingerprint(name)}
    assert moved == {"policy"}


def test_a_fingerprint_does_not_depend_on_the_order_of_keys_or_on_comments(tmp_path: Path):
    one = load(tmp_path, "[extraction]\nmax_bytes = 5000\ntimeout_seconds = 1.0\n")
    two = load(tmp_path, "# a comment\n[extraction]\ntimeout_seconds = 1.0\nmax_bytes = 5000\n")
    assert one.fingerprint("extraction") == two.fingerprint("extraction")


def test_a_threshold_that_is_the_default_changes_nothing(tmp_path: Path):
    same = load(tmp_path, "[policy.thresholds]\n'gopher.word_count_min' = 50\n")
    assert same.fingerprint("policy") == Recipe().fingerprint("policy")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
def test_what_json_cannot_hold_exactly_is_refused(value: object):
    with pytest.raises(RecipeError):
        fingerprint(value)


def test_sources_of_shards():
    recipe = Recipe.model_validate(
        {"sources": {"groups": {"code": {"crawls": ["stdlib"]}, "web": {"crawls": ["docs-*"]}}}, "corpus": {"phases": {}}}
    )
    assert recipe.source_of("docs-1/0003") == "web"
    assert recipe.source_of("stdlib/0000") == "code"
    with pytest.raises(RecipeError, match="no source group"):
        recipe.source_of("other/0000")


FAMILIES = "[signals]\nfamilies = ['dirty_words', 'gopher', 'kl', 'language', 'repetition']\n"
DIRTY = FAMILIES + "[signals.lists.dirty_words]\n"
RULE = "[[policy.rules]]\nname = '{}'\nsignal = '{}'\nwhen = '<'\nthreshold = {}\naction = '{}'\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RULE.format("pii.mine", "line.word_count", 3.0, "edit"), "kept for masks and strips"),
        (RULE.format("a", "gopher.word_count", "true", "drop"), "number"),
        (RULE.format("a", "gopher.word_count", "nan", "drop"), "finite number"),
        (RULE.format("a", "gopher.word_count", 3, "drop") + "except_sources = ['wob']\n", "no source named 'wob'"),
        (RULE.format("a", "gopher.word_count", 3, "drop") + "by_language = {german = 3}\n", "'german' is no language code"),
        ("[policy.by_language.'gopher.stop_words']\ngerman = 3\n", "'german' is no language code"),
        ("[policy]\nprofiles = ['c4']\n[policy.by_language.'c4.line_words']\nde = 3\n", "alike in every language"),
        ("[policy.thresholds]\n'gopher.word_count_min' = inf\n", "finite number"),
        ("[policy]\nprofiles = ['refinedweb']\n[signals.views]\nremoved = 'clean'\n", "can read no other"),
        ("[signals.lists.domains]\nentries = ['a.org']\n", "no stored family reads it; add url to signals.families"),
        (
            "[policy]\nprofiles = ['llama3']\n[signals.lists.url_words]\nentries = ['a']\n",
            r"no rule of the policy reads url\.banned_words, so the list would do nothing; add a rule on it, or url to signals\.families",
        ),
        (DIRTY + "entries = ['a']\ndigest = 'x'\n", "is computed"),
        (DIRTY + "path = 'latin.txt'\n", "latin.txt is not UTF-8: byte 3 is 0xe9"),
    ],
)
def test_what_would_be_ignored_or_wrong_is_refused(tmp_path: Path, text: str, said: str):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(RecipeError, match=said):
        load(tmp_path, text)


def test_the_examples_of_the_documentation_load(tmp_path: Path):
    (tmp_path / "blocked-domains.txt").write_text("spam.example\n")
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "policies.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        recipe = load(tmp_path, '[sources.groups.code]\ncrawls = ["code"]\n[sources.groups.web]\ncrawls = ["*"]\n' + block)
        assert {rule.action for rule in recipe.policy.resolved()} >= {"drop", "down_weight"}


def test_an_edit_rule_moves_the_edits_and_no_verdict(tmp_path: Path):
    rule = "[[policy.rules]]\nname = 'my.lines'\nsignal = 'line.word_count'\nwhen = '<'\nthreshold = {}\naction = 'edit'\n"
    plain, one, other = (load(tmp_path, text) for text in ("", rule.format(2.0), rule.format(3.0)))
    assert plain.fingerprint("policy") == one.fingerprint("policy") == other.fingerprint("policy")
    assert len({each.fingerprint("policy.line_rules") for each in (plain, one, other)}) == 3


def test_a_list_is_known_by_what_it_holds(tmp_path: Path):
    (tmp_path / "words.txt").write_text("# a comment\nOne\ntwo words # why\nc#\n\n")
    text = DIRTY + "path = 'words.txt'\n"
    recipe = load(tmp_path, text)
    assert recipe.signals.lists["dirty_words"].read() == {"one", "two words", "c#"}
    before = recipe.fingerprint("lists")
    (tmp_path / "words.txt").write_text("three\n")
    with pytest.raises(RecipeError, match="changed after the recipe was loaded"):
        recipe.signals.lists["dirty_words"].read()
    assert load(tmp_path, text).fingerprint("lists") != before
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "words.txt").write_text("three\n")
    assert load(elsewhere, text).fingerprint("lists") == load(tmp_path, text).fingerprint("lists")


def test_a_list_is_taken_where_a_rule_or_a_stored_family_reads_it(tmp_path: Path):
    lists = "[signals.lists.url_words]\nentries = ['a']\n"
    for profile in ("fineweb", "fineweb@0.3", "refinedweb"):
        assert load(tmp_path, f"[policy]\nprofiles = ['{profile}']\n{lists}").lists
    assert load(tmp_path, f"[policy]\nprofiles = ['fineweb']\noff = ['url.banned_words']\n{lists}").lists
    assert load(tmp_path, FAMILIES.replace("'gopher'", "'gopher', 'url'") + lists).lists


def test_families_and_views_follow_the_policy(tmp_path: Path):
    assert Recipe().families == ["gopher", "kl", "language", "repetition"]
    fineweb = load(tmp_path, "[policy]\nprofiles = ['fineweb']\n[signals.views]\ngopher = 'extracted'\n")
    assert {"c4", "datatrove", "fineweb"} < set(fineweb.families) and fineweb.strips == ["citations"]
    assert (fineweb.views["datatrove"], fineweb.views["fineweb"], fineweb.views["gopher"]) == ("extracted", "clean", "extracted")
