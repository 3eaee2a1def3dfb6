"""`gristmill duplicates show` as a user types it."""

import json
import re

import pytest

from tests.gristmill.dedup.shown.duplicated_lake import duplicated_lake, ident

RECIPE = """
[sources.groups.web]
crawls = ["web"]
priority = 1
[sources.groups.mirror]
crawls = ["mirror"]
[sources.groups.code]
crawls = ["code"]
[dedup]
levels = ["url", "exact", "near"]
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    duplicated_lake(folder / "lake")
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


@pytest.fixture
def gristmill(home, command_line):
    return command_line(home, "duplicates", "show")


def test_everything_in_the_terminal_on_a_page_and_as_json(gristmill, tmp_path):
    code, said = gristmill("--html", tmp_path / "deep" / "page.html")
    assert code == 0 and "33 of 36 documents are copies" in said and said.rstrip().endswith("page.html")
    page = (tmp_path / "deep" / "page.html").read_text()
    assert "Levels: url, exact, near." in page and "its source&#39;s priority, then the longest text" in re.sub(r"\s+", " ", page)
    code, said = gristmill("--json", "--top", 1)
    value = json.loads(said)
    assert code == 0 and value["kinds"]["near"] == 31 and len(value["clusters"]) == 1


def test_one_cluster_and_one_document(gristmill):
    code, said = gristmill("--doc", ident("near"))
    assert code == 0 and "near 0.900" in said and "1902" in said and "dedup.line" in said
    cluster = json.loads(gristmill("--doc", ident("near"), "--json")[1])["cluster"]["cluster"]
    code, said = gristmill("--cluster", cluster, "--top", 3)
    assert code == 0 and "and 29 more" in said
    assert json.loads(gristmill("--cluster", cluster, "--json")[1])["copies"] == 34


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--doc", "nobody"), 1, "no document 'nobody'"),
        (("--cluster", "nobody"), 1, "no cluster named 'nobody'"),
        (("--source", "wep"), 1, "no source named 'wep'\n  The recipe's: web, mirror, code."),
        (("--doc", "a", "--cluster", "b"), 2, "Give one of"),
        (("--doc", "a", "--html", "x.html"), 2, "--html is a page of all clusters"),
        (("--top", "0"), 2, "0 is not in the range"),
    ],
)
def test_what_cannot_be_shown_says_why(gristmill, arguments, code, says):
    status, said = gristmill(*arguments)
    assert status == code and says in said and "Traceback" not in said


def test_a_lake_without_clusters_says_what_to_make(gristmill, monkeypatch, tmp_path):
    monkeypatch.setenv("GRISTMILL_HOME", str(tmp_path))
    status, said = gristmill()
    assert status == 1 and "duplicate_clusters has not been made yet" in said
