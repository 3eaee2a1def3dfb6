"""What-ifs agree with brute force, document by document; numbers sum up; examples are the nearest; pages escape."""

import re

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from gristmill.errors import LakeError, RecipeError
from gristmill.lake.workspace import Made
from gristmill.policy.page import what_if_page
from gristmill.policy.profiles import PROFILES
from gristmill.policy.rules import Rule
from gristmill.policy.terminal import print_what_if
from gristmill.policy.trial import same_signals, tried
from gristmill.policy.what_if import what_if
from gristmill.recipe import Recipe

SHORT = Rule(name="short", signal="gopher.word_count", when="<", threshold=50)
ODD = Rule(name="odd", signal="kl.divergence", when=">", threshold=5, except_sources=["code"])
HOLDS = {"<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__}


def moved(rule: Rule, threshold: float) -> Rule:
    return rule.model_copy(update={"threshold": threshold})


def fires(rule: Rule, row: dict, source: str) -> bool:
    if source in rule.except_sources or row["language"] in rule.except_languages:
        return False
    value = row["words" if rule.signal == "gopher.word_count" else "divergence"]
    return HOLDS[rule.when](float(value), float(rule.by_language.get(row["language"], rule.threshold)))


def drops(rules: list[Rule], row: dict, source: str) -> list[str]:
    return [rule.name for rule in rules if rule.action == "drop" and fires(rule, row, source)]


def rules_of(draw: st.DrawFn, names: list[str]) -> list[Rule]:
    found = []
    for name in names:
        weight = draw(st.sampled_from([1.0, 1.0, 0.5]))
        found.append(
            Rule(
                name=name,
                signal=draw(st.sampled_from(["gopher.word_count", "kl.divergence"])),
                when=draw(st.sampled_from(["<", "<=", ">", ">="])),
                threshold=draw(st.integers(0, 6)),
                action="drop" if weight == 1 else "down_weight",
                weight=weight,
                by_language=draw(st.sampled_from([{}, {}, {"de": 3.0}])),
                except_languages=draw(st.sampled_from([[], [], ["ja"]])),
                except_sources=draw(st.sampled_from([[], [], ["code"]])),
            )
        )
    return found


@st.composite
def policies(draw: st.DrawFn) -> tuple[list[Rule], list[Rule]]:
    old = rules_of(draw, draw(st.sampled_from([[], ["a"], ["a", "b"], ["a", "b", "c"]])))
    kept = [rule for rule in old if draw(st.booleans())]
    changed = rules_of(draw, [name for name in ("a", "b", "d") if name not in {rule.name for rule in kept} and draw(st.booleans())])
    return old, draw(st.permutations([*kept, *changed]))


ROWS = st.lists(
    st.tuples(
        st.integers(0, 6), st.integers(0, 6), st.sampled_from(["en", "de", "ja"]), st.sampled_from(["a.b", "c.d"]), st.integers(0, 99)
    ),
    max_size=9,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(policies(), ROWS, ROWS, st.integers(1, 3))
def test_as_brute_force_finds_it(stored, tmp_path_factory, both, web, code, per_side) -> None:
    old, new = both
    names = ("words", "divergence", "language", "host", "n_bytes")
    shards = {
        shard: [{"doc_id": f"{n:02}", **dict(zip(names, row, strict=True))} for n, row in enumerate(rows)]
        for shard, rows in {"web-1/a": web[::2], "web-1/b": web[1::2], "code/a": code}.items()
    }
    workspace = stored(tmp_path_factory.mktemp("lake"), shards)
    seen: list[pl.DataFrame] = []
    answer = what_if(workspace, old, new, per_side, on_flips=seen.append)
    every = [(shard.split("/")[0].split("-")[0], shard, row) for shard, rows in sorted(shards.items()) for row in rows]
    documents = list({row["doc_id"]: (source, shard, row) for source, shard, row in reversed(every)}.values())
    assert answer.copies == len(every) - len(documents) and answer.total("documents") == len(documents)

    expected = []
    for source, shard, row in documents:
        before, after = drops(old, row, source), drops(new, row, source)
        if bool(before) != bool(after):
            expected.append(
                (shard, row["doc_id"], row["host"], row["language"], row["n_bytes"], "gained" if before else "lost", (before or after)[0])
            )
    found = [row for frame in seen for row in frame.select("shard", "doc_id", "host", "language", "n_bytes", "flip", "rule").iter_rows()]
    assert sorted(found) == sorted(expected)

    for by, at in (("rule", 6), ("host", 2), ("language", 3)):
        table = answer.flips.filter(pl.col("by") == by)
        for row in table.iter_rows(named=True):
            of_name = [each for each in expected if each[at] == row["name"]]
            for way in ("lost", "gained"):
                assert row[f"{way}_documents"] == sum(each[5] == way for each in of_name)
                assert row[f"{way}_bytes"] == sum(each[4] for each in of_name if each[5] == way)
        assert set(table["name"]) == {each[at] for each in expected}
    assert answer.total("kept_before") == sum(not drops(old, row, source) for source, _, row in documents)
    assert answer.total("kept_after") == sum(not drops(new, row, source) for source, _, row in documents)

    for row in answer.rules.iter_rows(named=True):
        for when, rules in (("before", old), ("after", new)):
            rule = next((rule for rule in rules if rule.name == row["rule"]), None)
            fired = rule and sum(fires(rule, each, source) for source, _, each in documents)
            alone = rule and sum(drops(rules, each, source) == [rule.name] for source, _, each in documents)
            assert (row[f"fired_{when}"], row[f"alone_{when}"]) == (fired, alone)
    check_weights(answer, old, new, documents)
    check_changes(answer, old, new, documents, per_side)


def check_weights(answer, old, new, documents) -> None:
    def weight(rules, row, source):
        found = 1.0
        for rule in rules:
            found *= rule.weight if rule.action == "down_weight" and fires(rule, row, source) else 1
        return found

    changes = [
        (weight(new, row, source) - weight(old, row, source), row["n_bytes"])
        for source, _, row in documents
        if not drops(old, row, source) and not drops(new, row, source)
    ]
    for way, sign in (("gained", 1), ("lost", -1)):
        assert answer.sources[f"weight_{way}"].sum() == pytest.approx(sum(max(sign * each, 0) for each, _ in changes))
        assert answer.sources[f"weight_bytes_{way}"].sum() == pytest.approx(sum(max(sign * each, 0) * size for each, size in changes))


def check_changes(answer, old, new, documents, per_side) -> None:
    before, after = {rule.name: rule for rule in old}, {rule.name: rule for rule in new}
    assert {each.name for each in answer.changes} == {name for name in {*before, *after} if before.get(name) != after.get(name)}
    for each in answer.changes:
        was, now = before.get(each.name), after.get(each.name)
        starts = [(s, r) for s, _, r in documents if now and fires(now, r, s) and not (was and fires(was, r, s))]
        stops = [(s, r) for s, _, r in documents if was and fires(was, r, s) and not (now and fires(now, r, s))]
        row = answer.changed.filter(pl.col("rule") == each.name).row(0, named=True)
        assert (row["starts"], row["stops"]) == (len(starts), len(stops))
        for what, some in (("starts", starts), ("stops", stops)):
            anyway = [1 for s, r in some if set(drops(old, r, s)) - {each.name} and set(drops(new, r, s)) - {each.name}]
            assert row[f"{what}_elsewhere"] == len(anyway)
        rule = now or was
        for side in ("fires", "passes"):
            ranked: dict[str, tuple] = {}
            for source, shard, r in documents:
                if source in rule.except_sources or r["language"] in rule.except_languages or fires(rule, r, source) != (side == "fires"):
                    continue
                value = r["words" if rule.signal == "gopher.word_count" else "divergence"]
                margin = abs(value - rule.by_language.get(r["language"], rule.threshold))
                others = [name for name in drops(new, r, source) if name != each.name]
                key = (margin, bool(others), r["doc_id"], shard, others)
                ranked[r["doc_id"]] = min(key, ranked.get(r["doc_id"], key))
            table = answer.nearest.filter((pl.col("rule") == each.name) & (pl.col("side") == side))
            shown = [(m, bool(o), d, s, o) for m, d, s, o in table.select("margin", "doc_id", "shard", "others").iter_rows()]
            assert shown == sorted(ranked.values())[:per_side]


def test_flips_are_told_by_everything_with_tokens_and_topics(stored, tmp_path) -> None:
    workspace = stored(
        tmp_path / "lake",
        {
            "web-1/a": [
                {"doc_id": "a", "words": 45, "divergence": 1, "n_bytes": 300, "topic": "science"},
                {"doc_id": "b", "words": 45, "divergence": 9, "n_bytes": 100, "language": "de"},
                {"doc_id": "c", "words": 55, "divergence": 6, "n_bytes": 60, "host": "b.example"},
            ],
            "code/a": [{"doc_id": "d", "words": 42, "divergence": 9, "n_bytes": 80}],
        },
    )
    tokenizer = Made(metadata={"by source": [{"source": "web", "bytes_per_token": 3.0}, {"source": "code", "bytes_per_token": 4.0}]})
    workspace.store("tokenizer", None, tokenizer, "1")
    answer = what_if(workspace, [SHORT, ODD], [moved(SHORT, 40), moved(ODD, 8)])
    by = {
        (row["by"], row["name"]): (row["gained_documents"], row["gained_bytes"], row["gained_tokens"])
        for row in answer.flips.iter_rows(named=True)
    }
    assert by == {
        ("rule", "short"): (2, 380, 120),
        ("rule", "odd"): (1, 60, 20),
        ("source", "web"): (2, 360, 120),
        ("source", "code"): (1, 80, 20),
        ("host", "a.example"): (2, 380, 120),
        ("host", "b.example"): (1, 60, 20),
        ("language", "en"): (3, 440, 140),
        ("topic", "science"): (1, 300, 100),
        ("topic", None): (1, 60, 20),
    }
    assert answer.flipped("gained_tokens") == 140 and answer.flipped("lost_documents") == 0
    assert answer.changed.rows() == [("short", 0, 0, 3, 1), ("odd", 0, 0, 1, 0)]
    assert [str(each) for each in answer.changes] == ["short: gopher.word_count < 50, now < 40", "odd: kl.divergence > 5, now > 8"]


def test_without_a_tokenizer_tokens_are_unknown(stored, tmp_path) -> None:
    workspace = stored(tmp_path / "lake", {"web-1/a": [{"doc_id": "a", "words": 45, "divergence": 1}]})
    answer = what_if(workspace, [SHORT], [moved(SHORT, 40)])
    assert answer.flipped("gained_tokens") is None and answer.flipped("gained_bytes") == 10


def test_a_document_of_several_shards_is_an_example_once(stored, tmp_path) -> None:
    rows = [{"doc_id": f"{n:02}", "words": 49 - n, "divergence": 0} for n in range(5)]
    workspace = stored(tmp_path / "lake", {f"web-{n}/a": rows for n in range(6)})
    answer = what_if(workspace, [], [SHORT], per_side=3)
    assert answer.nearest.select("doc_id", "shard").rows() == [("00", "web-0/a"), ("01", "web-0/a"), ("02", "web-0/a")]


def test_warnings(stored, tmp_path) -> None:
    rows = [{"doc_id": f"{n:02}", "words": 40 + n, "divergence": n % 2} for n in range(40)]
    code = [{**row, "doc_id": f"code {row['doc_id']}"} for row in rows[:19]]
    workspace = stored(tmp_path / "lake", {"web-1/a": rows, "code/a": code})
    never = Rule(name="never", signal="kl.divergence", when=">", threshold=9)
    assert what_if(workspace, [SHORT, never], [moved(SHORT, 61), moved(ODD, 1), never]).warnings == [
        "Fires on nothing: odd.",
        "Fires on nothing, as before: never.",
        "short fires on more than half of the source web: 52% (21 documents, of which no other rule drops 21; 25% before).",
    ]


def test_rules_about_lines_are_refused_when_they_change(stored, tmp_path) -> None:
    workspace = stored(tmp_path / "lake", {"web-1/a": [{"doc_id": "a", "words": 45, "divergence": 1}]})
    line = Rule(name="line", signal="line.word_count", when="<", threshold=3, action="edit")
    for old, new in (([line], [moved(line, 4)]), ([], [line]), ([line], [])):
        with pytest.raises(RecipeError, match="line changes the clean view"):
            what_if(workspace, old, new)
    assert what_if(workspace, [line, SHORT], [line]).flipped("gained_documents") == 1


def test_signals_that_are_not_there(workspace, stored, tmp_path) -> None:
    with pytest.raises(LakeError, match="rebuild --until signals"):
        what_if(workspace, [], [SHORT])
    lake = stored(tmp_path / "lake", {"web-1/a": [{"doc_id": "a", "words": 45, "divergence": 1}]})
    with pytest.raises(RecipeError, match="the rule sure reads the family 'language'"):
        what_if(lake, [], [Rule(name="sure", signal="language.score", when="<", threshold=0.5)])
    with pytest.raises(RecipeError, match=r"(?s)no signal 'gopher.word_cont'.*gopher.word_count"):
        what_if(lake, [], [Rule(name="typo", signal="gopher.word_cont", when="<", threshold=0.5)])


def test_an_empty_shard_and_equal_policies(stored, tmp_path) -> None:
    workspace = stored(tmp_path / "lake", {"web-1/a": []})
    assert what_if(workspace, [], [SHORT]).flips.is_empty()
    same = what_if(workspace, [SHORT], [SHORT.model_copy(update={"source": "elsewhere"})])
    assert same.changes == [] and same.nearest.is_empty()
    assert "The two policies are the same" in what_if_page(workspace, same)


def test_the_page_escapes_and_needs_nothing_else(stored, tmp_path) -> None:
    evil = "http://a.example/<script>alert(1)</script>"
    rows = [{"doc_id": "a", "words": 45, "divergence": 1, "url": evil, "host": "<b>host", "topic": "<i>topic"}]
    workspace = stored(tmp_path / "lake", {"web-1/a": rows})
    page = what_if_page(workspace, what_if(workspace, [SHORT, ODD], [moved(SHORT, 40)]))
    assert "<script" not in page and "<b>host" not in page and "<i>topic" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page and "&lt;b&gt;host" in page and "&lt;i&gt;topic" in page
    assert not re.search(r"""(src|href)="(?!#)|@import|url\(""", page)
    for said in ("gopher.word_count &lt; 50, now &lt; 40", "kl.divergence &gt; 5, now off", "dropped → kept"):
        assert said in page
    assert what_if_page(workspace, what_if(workspace, [SHORT, ODD], [moved(SHORT, 40)])) == page


HALF = Rule(name="half", signal="kl.divergence", when=">", threshold=5, action="down_weight", weight=0.5, except_languages=["ja"])


def printed(answer, width: int = 80) -> str:
    console = Console(width=width)
    with console.capture() as said:
        print_what_if(answer, console)
    return said.get()


def test_weight_is_told_in_bytes_and_tokens_by_source_and_in_the_verdict(stored, tmp_path) -> None:
    rows = [
        {"doc_id": "a", "words": 90, "divergence": 6, "n_bytes": 300},
        {"doc_id": "b", "words": 90, "divergence": 5, "n_bytes": 30},
        {"doc_id": "c", "words": 10, "divergence": 9, "n_bytes": 900},
    ]
    workspace = stored(tmp_path / "lake", {"web-1/a": rows, "code/a": [{**rows[0], "doc_id": "d", "n_bytes": 80}]})
    unknown = what_if(workspace, [SHORT], [SHORT, HALF])
    assert unknown.sources["weight_tokens_lost"].to_list() == [None, None] and "≈ tokens" not in printed(unknown)
    tokenizer = Made(metadata={"by source": [{"source": "web", "bytes_per_token": 3.0}, {"source": "code", "bytes_per_token": 4.0}]})
    workspace.store("tokenizer", None, tokenizer, "1")
    answer = what_if(workspace, [SHORT], [SHORT, HALF])
    assert answer.sources.select("source", "weight_lost", "weight_bytes_lost", "weight_tokens_lost").rows() == [
        ("web", 0.5, 150, 50),
        ("code", 0.5, 40, 10),
    ]
    said = printed(answer)
    for each in (
        "new: kl.divergence > 5, down-weight 0.5, not for language ja",
        "kept → weight 0.5",
        "≈ tokens lost",
        "No document flips.",
    ):
        assert each in said
    assert re.search(r"all +1\.0 +190 B +60\b", said) and "gained" not in said.split("Kept by both")[1]
    page = what_if_page(workspace, answer)
    assert "kept → weight 0.5" in page and "Weighed otherwise" in page and "down-weight 0.5" in page
    assert "weight 0.5 → kept" in printed(what_if(workspace, [HALF], [])) and "weight 0.5 " in printed(
        what_if(workspace, [HALF], [moved(HALF, 5.5)])
    )
    assert "Kept by both" not in printed(what_if(workspace, [SHORT], [moved(SHORT, 5)]))


def test_only_what_moves_is_told(stored, tmp_path) -> None:
    workspace = stored(tmp_path / "lake", {"web-1/a": [{"doc_id": "a", "words": 45, "divergence": 1, "n_bytes": 300}]})
    workspace.store("tokenizer", None, Made(metadata={"by source": [{"source": "web", "bytes_per_token": 3.0}]}), "1")
    said = printed(what_if(workspace, [], [SHORT]))
    assert "About 100 tokens are lost.\n" in said and "gained" not in said.split("Documents that flip")[1]
    assert "fired on nothing" in printed(what_if(workspace, [ODD], []))


def test_eighty_columns_break_no_name(stored, tmp_path) -> None:
    url = "http://documentation.example/a/rather/long/path/that/goes/on/and/on/chapter-twelve.html"
    rows = [
        {"doc_id": f"{n}", "words": n, "divergence": 9, "url": url, "host": "a-rather-long-host-name.documentation.example"}
        for n in range(3)
    ]
    workspace = stored(tmp_path / "lake", {"web-1/a": rows})
    names = ["gopher.a_rule_of_a_rather_long_name", "gopher.another_rule_of_a_rather_long_name", "third"]
    others = [ODD.model_copy(update={"name": name}) for name in names]
    said = printed(what_if(workspace, others, [*others, SHORT]))
    assert max(map(len, said.splitlines())) <= 80 and "…" not in said
    assert all(piece in said for piece in ("http://documentation.example/a/rather/", "chapter-twelve.html", *names[:2], "and 1 more"))


def test_many_rules_show_fewer_documents_each_and_the_page_has_contents(stored, tmp_path) -> None:
    rows = [{"doc_id": f"{n:02}", "words": n, "divergence": 0} for n in range(60)]
    workspace = stored(tmp_path / "lake", {"web-1/a": rows})
    few = printed(what_if(workspace, [], [SHORT]))
    assert few.count("http://") == 20 + 10 and "--html shows" not in few  # ten pass
    rules = [moved(SHORT, 25 + n).model_copy(update={"name": f"short{n}"}) for n in range(10)]
    answer = what_if(workspace, [], [*rules, ODD])
    many, page = printed(answer), what_if_page(workspace, answer)
    assert many.count("http://") == 10 * 2 * 3 + 3 and "The 3 nearest on each side; --html shows 20 of every rule." in many
    assert page.count('<a href="#rule-') == 11 and page.count("http://") == 10 * 2 * 20 + 20
    targets = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= targets


@pytest.mark.parametrize("rule", [SHORT, SHORT.model_copy(update={"action": "down_weight", "weight": 0.5})])
def test_the_terminal_shows_the_nearest_where_nothing_flips(stored, tmp_path, rule) -> None:
    rows = [{"doc_id": "a", "words": 45, "divergence": 1}, {"doc_id": "b", "words": 55, "divergence": 1}]
    workspace = stored(tmp_path / "lake", {"web-1/a": rows})
    said = printed(what_if(workspace, [rule], [moved(rule, 50.5)]), 160)
    assert "No document flips." in said and "http://a.example/a" in said and "http://a.example/b" in said
    assert "short fires: the documents nearest" in said and "short passes: the documents nearest" in said


def recipe(**sections) -> Recipe:
    groups = {"web": {"crawls": ["web-*"]}, "code": {"crawls": ["code"]}}
    phase = {"tokens": 9, "mix": {"web": 1.0}}
    fixed = {"sources": {"groups": groups}, "corpus": {"phases": {"general": phase, "annealing": phase}}}
    return Recipe.model_validate({**fixed, **sections})


READERS = [
    {"name": f"own.{n}", "signal": signal, "when": ">", "threshold": 0.5}
    for n, signal in enumerate(("toxicity.score", "url.banned_domain", "personal.email_count", "removed.line_share"))
]
ALL = {"families": ["gopher", "kl", "language", "personal", "removed", "repetition", "toxicity", "url"]}


def signals_of(**changed) -> dict:
    return {"signals": {**ALL, **changed}, "policy": {"rules": READERS}}


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        ({}, {"sources": {"groups": {"web": {"crawls": ["web-1"]}, "code": {"crawls": ["code", "web-*"]}}}}, "sources.groups"),
        ({}, {"sources": {"groups": {"code": {"crawls": ["code"]}, "web": {"crawls": ["web-*"]}}}}, "sources.groups"),
        ({}, {"extraction": {"extractor": "trafilatura"}}, "extraction"),
        ({}, {"edits": {"strip": ["markdown"]}}, "edits.strip"),
        ({"edits": {"strip": ["markdown"]}}, {"edits": {"strip": ["markdown"], "except_sources": ["code"]}}, "edits.except_sources"),
        ({}, {"signals": {"views": {"gopher": "extracted"}}}, "signals.views"),
        ({}, {"signals": {"distribution_documents": 5}}, "signals.distribution_documents"),
        (signals_of(), signals_of(lists={"toxic_words": {"entries": ["a"]}}), "signals.lists.toxic_words"),
        (
            signals_of(lists={"domains": {"entries": ["a.b"]}}),
            signals_of(lists={"domains": {"entries": ["c.d"]}}),
            "signals.lists.domains",
        ),
        (signals_of(), {**signals_of(), "edits": {"mask": ["email"]}}, "edits.mask"),
    ],
)
def test_a_recipe_whose_signals_would_be_others_is_refused(before, after, where) -> None:
    stored, edited = recipe(**before), recipe(**after)
    with pytest.raises(RecipeError, match=r"rebuild --until signals") as refused:
        same_signals(stored, edited, tried(edited, []))
    assert refused.value.where == where
    same_signals(edited, edited, tried(edited, []))


@pytest.mark.parametrize(
    "section",
    [
        {"edits": {"except_sources": ["code"]}},  # nothing is stripped
        {"edits": {"mask": ["ip", "email"]}},  # in another order
        {"edits": {"mask": ["email"]}},  # no rule reads a family that reads edits
        {"signals": {"families": [*ALL["families"], "dirty_words"], "lists": {"dirty_words": {"entries": ["a"]}}}},
        {"sources": {"groups": {"web": {"crawls": ["web-*"], "priority": 3}, "code": {"crawls": ["code"]}}}},
        {"policy": {"profiles": ["language", "gopher"]}},
    ],
)
def test_a_recipe_that_differs_where_no_rule_looks_is_tried(section) -> None:
    edited = recipe(**section)
    same_signals(recipe(), edited, tried(edited, []))


def test_a_list_is_looked_at_for_rules_that_join() -> None:
    stored = recipe(signals={**ALL, "families": [*ALL["families"], "dirty_words"]})
    edited = recipe(signals={**stored.signals.model_dump(), "lists": {"dirty_words": {"entries": ["a"]}}})
    same_signals(stored, edited, tried(edited, []))
    reader = Rule(name="own.dirty", signal="dirty_words.count", when=">", threshold=3)
    with pytest.raises(RecipeError, match=r"signals\.lists\.dirty_words"):
        same_signals(stored, edited, [*tried(edited, []), reader])


def test_a_rule_that_joins_is_excepted_as_the_policy_says() -> None:
    policy = {"profiles": ["gopher"], "except_sources": {"*": ["code"]}}
    rules = {rule.name: rule for rule in tried(recipe(policy=policy), ["kl.outlier=3", "gopher.stop_words=off"])}
    assert rules["kl.outlier"].except_sources == ["code"] and rules["kl.outlier"].threshold == 3
    assert "gopher.stop_words" not in rules and list(rules)[-1] == "kl.outlier"


def test_a_rule_that_joins_reads_the_view_of_its_profile() -> None:
    families = ["datatrove", "gopher", "kl", "language", "repetition"]
    name = next(rule.name for rule in PROFILES["fineweb"].rules if rule.signal.startswith("datatrove."))
    joining = [f"{name}=on"]
    clean, extracted = (recipe(signals={"families": families, "views": views}) for views in ({}, {"datatrove": "extracted"}))
    with pytest.raises(
        RecipeError, match=f"datatrove was computed from the clean view, and {name} of the profile fineweb reads the extracted"
    ):
        tried(clean, joining)
    assert tried(extracted, joining)[-1].name == name
    with pytest.raises(RecipeError, match="computed from the clean view"):
        tried(recipe(), joining, clean)  # the edited recipe does not name the family; the one that stored it does


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999"])
def test_a_threshold_is_finite(value) -> None:
    with pytest.raises(RecipeError, match=f"'{value}' is no finite number"):
        tried(recipe(), [f"gopher.word_count_min={value}"])


def test_a_language_has_its_own_threshold() -> None:
    rules = {rule.name: rule for rule in tried(recipe(), ["gopher.word_count_min[de]=12", "gopher.word_count_min=40"])}
    assert rules["gopher.word_count_min"].by_language == {"de": 12} and rules["gopher.word_count_min"].threshold == 40
    own = {"by_language": {"gopher.word_count_min": {"de": 9, "ja": 5}}, "off": ["gopher.word_count_min"]}
    rules = {rule.name: rule for rule in tried(recipe(policy=own), ["gopher.word_count_min[de]=12"])}
    assert rules["gopher.word_count_min"].by_language == {"de": 12, "ja": 5}


def test_patterns_switch_rules() -> None:
    names = {rule.name for rule in tried(recipe(), ["gopher.*=off", "gopher.word_count_min=40"])}
    assert {name for name in names if name.startswith("gopher.")} == {"gopher.word_count_min"} and "kl.outlier" in names
    gone = {"profiles": ["gopher"], "off": ["gopher.stop_words", "gopher.bullet_lines"]}
    assert {"gopher.stop_words", "gopher.bullet_lines"} <= {rule.name for rule in tried(recipe(policy=gone), ["gopher.*=on"])}
    joined = {rule.name for rule in tried(recipe(policy={"profiles": ["gopher"]}), ["kl.*=on"])}
    assert {rule.name for rule in PROFILES["kl"].rules} <= joined


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["gopher.stop_words=3", "gopher.stop_words=4"], "gopher.stop_words is changed twice: gopher.stop_words=3 and gopher.stop_words=4"),
        (["kl.outlier=3", "kl.outlier=off"], "kl.outlier is changed twice"),
        (["kl.outlier[de]=3", "kl.outlier[de]=4"], "kl.outlier is changed twice"),
        (["kl.outlier=off", "kl.outlier[de]=4"], "kl.outlier is changed twice"),
        (["gopher.*=off", "gopher.stop*=on"], r"gopher.stop_words is changed twice: gopher.\*=off and gopher.stop\*=on"),
        (["gopher.*=5"], "a pattern is switched off or on"),
        (["gophr.*=off"], r"no rule of the policy matches 'gophr.\*'"),
        (["kl.outlier[deutsch]=5"], "'deutsch' is no language code"),
        (["kl.outlier[de]=off"], "a rule is switched in all languages"),
        (["kl.outlier[de=5"], "is no change"),
        (["own.prose[de]=5"], "own.prose does not judge documents in de"),
    ],
)
def test_changes_that_contradict_or_say_nothing(changes, said) -> None:
    own = {"name": "own.prose", "signal": "gopher.word_count", "when": "<", "threshold": 5, "except_languages": ["de"]}
    with pytest.raises(RecipeError, match=said):
        tried(recipe(policy={"rules": [own]}), changes)
