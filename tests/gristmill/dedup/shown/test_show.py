"""What is shown of duplicates: the right rows, their differences, no personal data, and no text that was not asked for."""

import io
import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from gristmill.dedup.shown import page, show, terminal
from gristmill.errors import GristmillError, LakeError
from tests.gristmill.dedup.shown.duplicated_lake import FOOTER, duplicated_lake, empty_lake, ident


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return duplicated_lake(tmp_path_factory.mktemp("lake"))


def printed(say, found, width: int = 160) -> str:
    out = io.StringIO()
    say(found, Console(file=out, width=width))
    return out.getvalue()


class Balanced(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.loads = [], []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_numbers(lake):
    found = show.duplicates(lake)
    assert found.documents == 36 and found.kinds == {"same": 1, "url": 0, "payload": 0, "exact": 1, "near": 31, "semantic": 0}
    assert [(row["source"], row["lost"], row["share"]) for row in found.sources] == [("code", 1, 1.0), ("mirror", 32, 1.0), ("web", 0, 0.0)]
    (cluster,) = found.clusters
    assert (cluster.documents, cluster.copies, cluster.least, cluster.survivor.doc_id) == (33, 34, 0.8, ident("whole"))
    assert len(cluster.twins) == show.TWINS and cluster.more == 33 - 1 - show.TWINS
    assert [twin.differs is not None for twin in cluster.twins] == [True] * show.COMPARED + [False] * (show.TWINS - show.COMPARED)


def test_a_difference_stands_beside_its_survivor(lake):
    whole = show.document(lake, ident("near"))
    twin = whole.cluster.twins[0]  # the document that was asked for comes first
    assert (twin.doc_id, twin.kind, twin.similarity, twin.source) == (ident("near"), "near", 0.9, "mirror")
    changed = [part for place in twin.differs.places for part in place.parts if not part.same]
    assert [(part.left, part.right) for part in changed] == [("1820. ", "1902 & never burnt. ")]
    assert (twin.differs.left, twin.differs.right) == (1, 3)


def test_a_cluster_by_name_and_a_document_without_one(lake):
    name = show.document(lake, ident("copy")).cluster.cluster
    whole = show.cluster(lake, name, 50)
    assert len(whole.twins) == 32 and whole.more == 0
    assert next(twin for twin in whole.twins if twin.doc_id == ident("copy")).differs is None  # exact: nothing to see
    alone = show.document(lake, ident("alone"))
    assert (alone.cluster, alone.cuts, alone.contaminated) == (None, [], [])
    assert "is in no cluster" in printed(terminal.print_document, alone)


def test_cuts_are_masked_and_counted(lake):
    found = show.duplicates(lake)
    assert found.cuts == [{"rule": "dedup.line", "cuts": 3, "documents": 3, "characters": 3 * len(FOOTER)}]
    (cut,) = found.cut_most
    assert (cut.documents, cut.characters, cut.text) == (3, len(FOOTER), "Write to <EMAIL> about <b>flour</b>.")
    assert show.document(lake, ident("whole")).cuts[0].text == cut.text


def test_contaminated_documents_name_the_item(lake):
    found = show.duplicates(lake)
    assert found.contamination == [{"items": "arc", "documents": 1, "train": 0}, {"items": "held_out", "documents": 1, "train": 1}]
    dropped, stays = found.contaminated
    assert (dropped.doc_id, dropped.overlap, dropped.split) == (ident("exam"), 1.0, "train")
    assert dropped.item_url == "http://code.example/held?<i>" and dropped.before == "Homework:"
    assert (
        dropped.quote.startswith("grain0 grain1 ")
        and dropped.after.startswith("grain13 ")
        and (stays.item, stays.split, stays.item_url) == ("arc/9", "test", "")
    )
    assert show.document(lake, ident("exam")).contaminated == [dropped]


def test_a_source_shows_its_own_clusters(lake):
    web = show.duplicates(lake, source="web")
    assert web.clusters == [] and web.cuts[0]["cuts"] == 1 and [row.doc_id for row in web.contaminated] == [ident("exam")]
    assert show.duplicates(lake, source="code").n_clusters == 1
    with pytest.raises(GristmillError, match="no source named 'cod'"):
        show.duplicates(lake, source="cod")


def test_the_terminal_says_all_of_it(lake):
    said = printed(terminal.print_duplicates, show.duplicates(lake))
    for expected in ("33 of 36 documents", "1 same, 1 exact, 31 near", "33-64", "and 31 more", "dedup.line", "<EMAIL>", "held_out"):
        assert expected in said, expected
    assert "miller@mill" not in said
    assert printed(terminal.print_duplicates, show.duplicates(lake), width=60)


def test_the_terminal_gives_no_similarity_where_no_texts_were_compared(lake):
    found = show.duplicates(lake)
    (cluster,) = found.clusters[:1]
    of_url = replace(cluster, kinds={"url": 1}, least=1.0, twins=[])
    assert "least similar 0.800" in printed(terminal.print_duplicates, replace(found, clusters=[cluster]))
    assert "least similar" not in printed(terminal.print_duplicates, replace(found, clusters=[of_url]))


def test_the_terminal_says_where_a_source_lost_most_inexact_copies(lake):
    found = show.duplicates(lake)
    largest = {"cluster": "c" * 8, "survivor": "s", "to": "web", "documents": 30, "inexact": 20}
    rows = [{**found.sources[0], "source": "web", "lost": 40, "largest": [largest]}]
    said = printed(terminal.print_duplicates, replace(found, sources=rows))
    assert "web: no cluster took more near or semantic copies than cccccccc (20, of 40 documents that it lost in all)" in said
    rows = [{**rows[0], "source": "mirror", "largest": [largest | {"inexact": 0}]}]
    said = printed(terminal.print_duplicates, replace(found, sources=rows))
    assert "mirror: no cluster took more copies than cccccccc of web (30, of 40" in said


def test_the_page_is_whole_escaped_and_loads_nothing(lake):
    found = show.duplicates(lake)
    text = page.duplicates_page(lake, found)
    parser = Balanced()
    parser.feed(text)
    assert parser.open == [] and parser.loads == [] and "<script" not in text
    assert "<b>flour" not in text and "?<i>" not in text and "&lt;EMAIL&gt;" in text and "miller@mill" not in text
    assert text.count("<ins>Page") == show.COMPARED
    assert "27 more" in text and text == page.duplicates_page(lake, show.duplicates(lake))


def test_json_names_every_field(lake):
    value = json.loads(json.dumps(show.plain(show.duplicates(lake))))
    assert value["clusters"][0]["twins"][0]["differs"]["places"][0]["parts"][0]["same"] is True
    assert value["contaminated"][0]["item"].startswith("held_out/")


def test_only_what_is_shown_is_opened(tmp_path):
    """What masks the mirror's texts is gone: what opens none of them still answers."""
    lake = duplicated_lake(tmp_path)
    stored = lake.output("edits", "mirror/a").tables["edits"]
    lake.lake.delete(stored.key)
    assert show.duplicates(lake, source="web").clusters == []
    with pytest.raises(LakeError):
        show.duplicates(lake)


def test_nothing_to_show(tmp_path):
    lake = empty_lake(tmp_path)
    found = show.duplicates(lake)
    assert (found.documents, found.lost, found.clusters, found.sources, found.cuts, found.contaminated) == (0, 0, [], [], [], [])
    assert "nothing to compare" in printed(terminal.print_duplicates, found)
    assert "0 of 0 documents" in page.duplicates_page(lake, found)
    with pytest.raises(GristmillError, match="no document"):
        show.document(lake, ident("whole"))
    with pytest.raises(GristmillError, match="no cluster named"):
        show.cluster(lake, "x")
