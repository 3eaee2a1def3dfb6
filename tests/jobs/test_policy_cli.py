"""`gristmill policy` as a user types it, on a small real crawl whose texts and archives are gone before the first command."""

import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest

from assets.crawl import make_documents, make_raw_crawl
from assets.filters import make_edits, make_filtered_shards, make_signals, make_token_distribution
from assets.takedown import make_tombstones
from gristmill.crawl.sources import register
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.policy.profiles import PROFILES
from gristmill.recipe import load_recipe

RECIPE = """
[sources.groups.web]
crawls = ["docs-*"]
[sources.groups.code]
crawls = ["code"]
[policy]
profiles = ["gopher", "language"]
off = ["gopher.ellipsis_lines"]
[policy.except_sources]
"gopher.stop_words" = ["code"]
[policy.thresholds]
"gopher.word_count_min" = 60
[corpus.phases.general]
tokens = 8000
mix = { web = 1.0 }
[corpus.phases.annealing]
tokens = 8000
mix = { web = 1.0 }
"""
SHARD_ASSETS = (("raw_crawl", make_raw_crawl), ("tombstones", make_tombstones), ("documents", make_documents), ("edits", make_edits))


@pytest.fixture(scope="module")
def home(sources, tmp_path_factory) -> Path:
    """A lake with signals and verdicts; every text, archive and cache is deleted, but for a copy of the tables in `texts`."""
    folder = tmp_path_factory.mktemp("policy")
    (folder / "recipe.toml").write_text(RECIPE)
    workspace = Workspace(Lake(folder / "lake"), load_recipe(folder / "recipe.toml"))
    crawls = tmp_path_factory.mktemp("crawls")
    for crawl, paths in sources.items():
        copies = [shutil.copytree(path, crawls / path.name) if path.is_dir() else shutil.copy(path, crawls) for path in paths]
        register(workspace.lake, workspace.recipe, crawl, [str(path) for path in copies])
    from gristmill.crawl.sources import shards

    for shard in shards(workspace.lake):
        for asset, make in SHARD_ASSETS:
            workspace.store(asset, shard, make(workspace, shard), "1")
    workspace.store("token_distribution", None, make_token_distribution(workspace, None), "1")
    for shard in shards(workspace.lake):
        workspace.store("signals", shard, make_signals(workspace, shard), "1")
        workspace.store("filtered_shards", shard, make_filtered_shards(workspace, shard), "1")
    shutil.rmtree(crawls)
    shutil.rmtree(folder / "lake" / "cache", ignore_errors=True)
    shutil.move(folder / "lake" / "tables" / "documents", folder / "texts")
    shutil.move(folder / "lake" / "tables" / "edits", folder / "edits")
    return folder


@pytest.fixture
def gristmill(home, command_line):
    return command_line(home, "policy")


def verdicts(home: Path, recipe: Path) -> pl.DataFrame:
    """What materialising `filtered_shards` under a recipe says of every document."""
    workspace = Workspace(Lake(home / "lake"), load_recipe(recipe))
    tables = [
        make_filtered_shards(workspace, shard).tables["verdicts"].with_columns(shard=pl.lit(shard))
        for shard in workspace.partitions("signals")
    ]
    return pl.concat(tables)


def test_the_flips_are_those_that_a_rebuild_would_make(gristmill, home, tmp_path) -> None:
    edited = tmp_path / "edited.toml"
    edited.write_text(RECIPE.replace("= 60", "= 400").replace('"gopher.ellipsis_lines"', '"gopher.stop_words"'))
    status, printed = gristmill(
        "try",
        "gopher.word_count_min=400",
        "gopher.stop_words=off",
        "gopher.ellipsis_lines=on",
        "--json",
        "--flips",
        tmp_path / "new" / "folder" / "flips.parquet",
    )
    assert status == 0
    answer, flips = json.loads(printed), pl.read_parquet(tmp_path / "new" / "folder" / "flips.parquet")
    before, after = verdicts(home, home / "recipe.toml"), verdicts(home, edited)
    both = before.join(after, on=["doc_id", "shard"], suffix="_after").filter(pl.col("kept") != pl.col("kept_after"))
    assert sorted(flips.select("doc_id", "shard").rows()) == sorted(both.select("doc_id", "shard").rows())
    lost = flips.filter(pl.col("flip") == "lost")
    assert lost.height == answer["lost_documents"] == both["kept"].sum() > 3
    assert (answer["documents"], answer["kept_after"]) == (after.height, after["kept"].sum())
    reasons = {(d, s): r or a for d, s, r, a in both.select("doc_id", "shard", "first_rule", "first_rule_after").iter_rows()}
    assert {(d, s): r for d, s, r in flips.select("doc_id", "shard", "rule").iter_rows()} == reasons
    for by in ("rule", "source", "host", "language"):
        assert sum(row["lost_bytes"] for row in answer["flips"][by]) == answer["lost_bytes"] == lost["n_bytes"].sum()
    assert answer["flips"]["topic"] == [] and answer["lost_tokens"] is None
    assert gristmill("try", "--recipe", edited, "--json") == (0, printed)


def test_the_terminal_says_what_flips_and_shows_the_nearest(gristmill) -> None:
    status, printed = gristmill("try", "gopher.word_count_min=400")
    assert status == 0
    for said in (
        "gopher.word_count < 60, now < 400",
        "What would be kept",
        "reference.example",
        "kept → dropped",
        "Tokens are not known",
        "! Fires on nothing, as before:",
    ):
        assert said in printed
    status, printed = gristmill("try", "gopher.word_count_min=61")
    assert status == 0 and "No document flips." in printed and "gopher.word_count_min passes: the documents nearest" in printed
    assert "The two policies are the same." in gristmill("try", "gopher.word_count_min=60")[1]


def test_a_page_without_text_and_one_that_quotes_its_examples(gristmill, home, tmp_path) -> None:
    page = tmp_path / "page.html"
    status, printed = gristmill("try", "gopher.word_count_min=400", "--html", page)
    assert status == 0 and printed.endswith(f"{page}\n") and "http://reference.example/" in page.read_text()
    assert gristmill("try", "gopher.word_count_min=400", "--excerpts")[0] == 2
    status, printed = gristmill("try", "gopher.word_count_min=400", "--html", page, "--excerpts")
    assert status == 1 and "is gone" in printed  # the texts are needed now, and they are not there
    links = [home / "lake" / "tables" / name for name in ("documents", "edits")]
    links[0].symlink_to(home / "texts")
    links[1].symlink_to(home / "edits")
    try:
        private, words = masked(Workspace(Lake(home / "lake"), load_recipe(home / "recipe.toml")))
        assert gristmill("try", f"gopher.word_count_min={words + 1}", "--html", page, "--excerpts")[0] == 0
    finally:
        for link in links:
            link.unlink()
    quoted = page.read_text()
    assert "<p>" in quoted[quoted.index("Documents nearest") :] and private not in quoted and "example.org" in quoted


def masked(workspace: Workspace) -> tuple[str, float]:
    """A piece of personal data near the start of a page, and the page's word count."""
    for shard in workspace.partitions("edits"):
        near = workspace.read("edits", shard).filter(pl.col("rule").str.starts_with("pii.email") & (pl.col("start") < 200))
        rows = near.join(workspace.read("documents", shard), on="doc_id").join(
            workspace.read("signals", shard, "signals.gopher"), on="doc_id"
        )
        for row in rows.iter_rows(named=True):
            return row["text"][row["start"] : row["end"]], row["gopher.word_count"]
    raise AssertionError("no page begins with an address")


def test_a_sweep_prints_a_table_and_writes_a_page(gristmill, tmp_path) -> None:
    page = tmp_path / "sweep.html"
    status, printed = gristmill("sweep", "gopher.stop_word_count", "--html", page)
    assert status == 0 and "Dropped when gopher.stop_word_count < threshold" in printed and "gopher.stop_words" in printed
    assert "do not judge code" in printed and page.read_text().count("<svg") == 2
    assert "█" in gristmill("sweep", "gopher.word_count")[1]
    status, printed = gristmill("sweep", "gopher.word_count", "--when", "<=", "--json")
    swept = json.loads(printed)
    assert {row["when"] for row in swept["curve"]} == {"<="} and swept["curve"][-1]["source"] == "code"


def test_a_sweep_under_an_edited_recipe(gristmill, tmp_path) -> None:
    edited = tmp_path / "edited.toml"
    edited.write_text(RECIPE.replace("= 60", "= 75.5") + '[policy.by_language."gopher.word_count_min"]\nes = 9\n')
    status, printed = gristmill("sweep", "gopher.word_count", "--when", "<", "--recipe", edited, "--json")
    marks = {mark["label"]: mark for mark in json.loads(printed)["marks"] if mark["in_force"]}
    assert status == 0 and marks["gopher.word_count_min"]["threshold"] == 75.5
    assert marks["gopher.word_count_min, es"]["languages"] == "in es"
    edited.write_text(RECIPE + "[signals.views]\ngopher = 'extracted'\n")
    status, printed = gristmill("sweep", "gopher.word_count", "--recipe", edited)
    assert status == 1 and "the edited recipe has it read the extracted view" in printed


def test_a_pattern_and_a_language_on_the_command_line(gristmill) -> None:
    status, printed = gristmill("try", "gopher.*=off", "gopher.word_count_min[es]=12", "--json")
    changed = {each["rule"]: each for each in json.loads(printed)["changes"]}
    assert status == 0 and changed["gopher.stop_words"]["after"] is None
    assert changed["gopher.word_count_min"]["after"]["by_language"] == {"es": 12}


def test_show(gristmill, monkeypatch) -> None:
    status, printed = gristmill("show")
    assert status == 0 and "gopher.word_count < 60" in printed and "shipped 50" in printed and "Off: gopher.ellipsis_lines." in printed
    status, printed = gristmill("show", "kl")
    assert status == 0 and "kl.divergence > 5" in printed and "neither units" in printed
    for name in PROFILES:
        assert gristmill("show", name)[0] == 0
    monkeypatch.setenv("COLUMNS", "80")
    status, printed = gristmill("show", "fineweb")
    assert re.search(r"datatrove\.duplicate_paragraph_chars  drop  \[\d+\]\n  datatrove\.duplicate_paragraph_char_share > 0\.2\n", printed)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["try", "gopher.word_count_mn=3"], "Did you mean gopher.word_count_min"),
        (["try", "gopher.word_count_min"], "is no change"),
        (["try", "gopher.word_count_min=many"], "'many' is no number"),
        (["try", "gopher.word_count_min=nan"], "'nan' is no finite number"),
        (["try", "gopher.stop_words=3", "gopher.stop_words=off"], "gopher.stop_words is changed twice"),
        (["try", "kl.outlier=3"], "the family 'kl', which is not stored"),
        (["sweep", "gopher.word_cnt"], "Did you mean gopher.word_count"),
        (["show", "gophr"], "Did you mean gopher"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(gristmill, arguments, said) -> None:
    status, printed = gristmill(*arguments)
    assert status == 1 and said in printed and "Traceback" not in printed
    assert gristmill("try")[0] == 2


def test_a_recipe_that_changes_the_texts_is_refused(gristmill, tmp_path) -> None:
    edited = tmp_path / "edited.toml"
    edited.write_text(RECIPE + '[edits]\nstrip = ["markdown"]\n')
    status, printed = gristmill("try", "--recipe", edited)
    assert status == 1 and "the clean view changes (stripped: markdown, before nothing)" in printed
    edited.write_text(RECIPE.replace('crawls = ["docs-*"]', 'crawls = ["docs-*", "code"]'))
    status, printed = gristmill("try", "--recipe", edited)
    assert status == 1 and "sources.groups: differs between the two recipes" in printed and "rebuild --until signals" in printed
