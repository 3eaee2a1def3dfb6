"""The report: whole, escaped, self-contained, equal for equal contents, and honest about what is missing."""

import re
from html.parser import HTMLParser

import numpy as np
import polars as pl

from gristmill.evaluation import plots, sections
from gristmill.evaluation.excerpts import EXCERPT, excerpt
from gristmill.evaluation.report import SECTIONS, render, write_report
from gristmill.policy.rules import Rule
from gristmill.policy.verdicts import judge

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Balanced(HTMLParser):
    """Fails on a tag that does not close its own; keeps attributes that could load something."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.loads = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "srcset", "data", "action") and not (value or "").startswith("#"):
                self.loads.append((tag, value))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(page: str) -> Balanced:
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    return parser


def test_a_whole_build(built, tmp_path):
    path = write_report(built, tmp_path / "deep" / "report.html")
    page = path.read_text()
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
    parser = parsed(page)
    assert parser.loads == [] and "url(http" not in page and "@import" not in page and "<script" not in page
    assert set(SECTIONS) <= set(parser.ids)
    assert page.count("<svg") == 1 + 4 + 2 + 1 + 1  # funnel, four signals, quality, loss, bits per byte
    assert "Not made yet" not in page
    for expected in (
        "gopher.word_count_min",
        "drop when &lt; 50",
        "too_large",
        "+5.00%",
        "payloads match their digests",
        "annealing",
        built.recipe.fingerprint("policy"),
    ):
        assert expected in page, expected


def test_text_from_outside_is_escaped(built):
    page = render(built)
    assert "<i>sat</i>" not in page and "&lt;i&gt;sat&lt;/i&gt;" in page
    assert "<b>4</b>?" not in page and "&lt;EMAIL&gt;" in page and "a@b.org" not in page


def test_equal_contents_give_an_equal_file(built):
    assert render(built) == render(built)
    assert not re.search(r"20\d\d-\d\d-\d\d", render(built))


def test_an_empty_lake_says_what_is_missing(workspace):
    page = render(workspace)
    parsed(page)
    assert page.count("Not made yet") == len(SECTIONS)
    assert all(f"<code>{asset}</code>" in page for _, _, asset in SECTIONS.values())


def test_a_lake_half_made(built, workspace):
    for asset in ("raw_crawl", "documents", "signals", "filtered_shards"):
        for shard in built.partitions(asset):
            output = built.output(asset, shard)
            workspace.lake.put_json(f"heads/default/{asset}/{shard}.json", output.as_json())
            for stored in output.tables.values():
                workspace.lake.put(stored.key, built.lake.get(stored.key))
    page = render(type(workspace)(workspace.lake, built.recipe))
    parsed(page)
    assert page.count("Not made yet") == 6
    assert "the cat" not in page  # no edits yet: nothing unmasked is quoted


def test_nearest_takes_both_sides_and_spares_exempt_sources():
    signals = pl.DataFrame(
        {"doc_id": list("abcdef"), "shard": "s", "source": ["web"] * 5 + ["code"], "x.y": [1.0, 4.0, 4.9, 5.0, 9.0, 4.99]}
    )
    rule = Rule(name="x.low", signal="x.y", when="<", threshold=5, except_sources=["code"])
    judged = pl.concat([judge(part, [rule], source, "test") for (source,), part in signals.group_by("source")])
    found = sections.nearest(signals, judged, rule, count=2)
    assert found.select("doc_id", "dropped").rows() == [("c", True), ("b", True), ("d", False), ("e", False)]


def test_figures_survive_odd_data():
    for values in (np.array([]), np.array([3.0]), np.zeros(5), np.array([np.inf, 1.0]), np.array([1.0, 1e6]), np.array([-5.0, 900.0])):
        assert plots.histogram(values, [("<", 2.0), (">", 1e5)], "a < b").startswith("<svg")
    assert plots.funnel([], {}).startswith("<svg")
    assert plots.bits_per_byte(["all"], {"float": [None]}, {"unigram": [None]}).startswith("<svg")
    assert plots.loss(np.array([1]), np.array([2.0]), np.array([0.1]), ["general"], None).startswith("<svg")
    assert "a &lt; b" in plots.histogram(np.ones(3), [], "a < b")


def test_an_excerpt_is_one_short_line():
    assert excerpt("a\n\n b") == "a b"
    assert excerpt("word " * 500).endswith("…") and len(excerpt("word " * 500)) <= EXCERPT
