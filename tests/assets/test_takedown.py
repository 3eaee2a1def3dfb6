"""tombstones over a small crawl: what moves with a takedown, what a return leaves behind, what an undo brings back."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from assets import lineage
from assets.crawl import make_documents, make_raw_crawl, text_found
from assets.takedown import make_tombstones, source_version, source_versions
from gristmill.crawl import tombstones
from gristmill.crawl.sources import register, shards
from gristmill.errors import LakeError
from gristmill.lake.workspace import Inputs, Workspace
from gristmill.lineage.takedown.takedown import propose, touched
from gristmill.lineage.takedown.terminal import print_touched
from gristmill.recipe import Recipe, Source, Sources

RECIPE = Recipe(sources=Sources(shard_bytes=10_000, groups={"web": Source(crawls=["*"])}))
STORY = "The miller of {0} grinds the corn of the whole valley of {0}, and has done so for more years than anybody in {0} can tell. "
WHO = {"who": "Ann", "why": "the author asked"}


def write(path: Path, pages: dict[str, str]) -> str:
    with path.open("wb") as target:
        writer = WARCWriter(target, gzip=True)
        for url, text in pages.items():
            body = f"<html><body><article><h1>{url}</h1><p>{text}</p></article></body></html>".encode()
            http = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
            ids = {"WARC-Record-ID": f"<urn:{url}>", "WARC-Date": "2026-01-05T00:00:00Z"}
            writer.write_record(writer.create_warc_record(url, "response", io.BytesIO(body), http_headers=http, warc_headers_dict=ids))
    return str(path)


def story(place: str) -> str:
    return STORY.format(place) * 2


@pytest.fixture
def filled(workspace: Workspace, tmp_path: Path) -> Workspace:
    """Two shards: two hosts, one page of the second a near copy of one of the first."""
    one = write(tmp_path / "one.warc.gz", {f"http://a.example/{name}": story(name) for name in ("Ulm", "Bonn", "Kiel")})
    two = write(tmp_path / "two.warc.gz", {"http://b.example/Ulm": story("Ulm") + "A copy.", "http://www.a.example/Hof": story("Hof")})
    workspace = Workspace(workspace.lake, RECIPE)
    register(workspace.lake, RECIPE, "web", [one, two])
    make_all(workspace)
    return workspace


def make_all(workspace: Workspace) -> dict[str, tuple[str, str]]:
    """Shard -> data versions of tombstones and documents."""
    versions = {}
    for shard in shards(workspace.lake):
        workspace.store("raw_crawl", shard, make_raw_crawl(workspace, shard), "1")
        found = workspace.store("tombstones", shard, make_tombstones(workspace, shard), "1")
        versions[shard] = found.data_version, workspace.store("documents", shard, make_documents(workspace, shard), "1").data_version
    return versions


def urls(workspace: Workspace) -> set[str]:
    return {url for shard in workspace.partitions("documents") for url in workspace.read("documents", shard, "documents")["url"]}


def cached(workspace: Workspace) -> int:
    return sum(1 for path in workspace.lake.cache_folder.glob("texts-*.sqlite") for _ in workspace.cache(path.stem).items())


def test_only_the_shard_that_holds_the_page_moves_and_an_undo_moves_it_back(filled: Workspace):
    before, listed = make_all(filled), source_version(filled, "web/0000")
    stone = tombstones.take_down(filled.lake, propose(filled, "url", "http://a.example/Bonn", **WHO))
    assert source_versions(filled, ["web/0000", "web/0001"]) == dict.fromkeys(["web/0000", "web/0001"], source_version(filled, ""))
    assert source_version(filled, "web/0000") != listed
    after = make_all(filled)
    assert [shard for shard in after if after[shard] != before[shard]] == ["web/0000"]
    assert "http://a.example/Bonn" not in urls(filled)
    about = filled.metadata("documents", "web/0000")
    assert (about["documents"], about["quarantined"], about["taken down"]) == (2, 0, 1) and text_found(filled).passed
    row = filled.read("documents", "web/0000", "quarantine").row(0, named=True)
    assert (row["stage"], row["error"], row["url"], row["message"]) == ("takedown", "TakenDown", "http://a.example/Bonn", "t1 (url)")
    tombstones.undo(filled.lake, stone.id, "Ann", "a mistake")
    assert make_all(filled) == before


def test_a_domain_goes_with_all_below_it(filled: Workspace):
    stone = propose(filled, "domain", "a.example", **WHO)
    assert len(stone.found) == 4 and not stone.texts
    tombstones.take_down(filled.lake, stone)
    make_all(filled)
    assert urls(filled) == {"http://b.example/Ulm"}


def test_near_copies_go_too(filled: Workspace):
    alone = propose(filled, "url", "http://a.example/Ulm", **WHO)
    assert [row["url"] for row in alone.found] == ["http://a.example/Ulm"]
    both = propose(filled, "near", "http://a.example/Ulm", **WHO)
    assert {row["url"]: row["by"] for row in both.found} == {"http://a.example/Ulm": "url", "http://b.example/Ulm": "near"}
    tombstones.take_down(filled.lake, both)
    make_all(filled)
    assert urls(filled) == {"http://a.example/Bonn", "http://a.example/Kiel", "http://www.a.example/Hof"}


@pytest.mark.parametrize("kind", ["url", "near"])
def test_a_return_is_caught_before_its_text_is_kept(filled: Workspace, tmp_path: Path, kind: str):
    tombstones.take_down(filled.lake, propose(filled, kind, "http://a.example/Bonn", **WHO))  # type: ignore[arg-type]
    before = cached(filled)
    pages = {"http://a.example/Bonn": story("Bonn") + "Changed.", "http://c.example/B": story("Bonn"), "http://c.example/R": story("Rom")}
    register(filled.lake, RECIPE, "later", [write(tmp_path / "later.warc.gz", pages)])
    make_all(filled)
    # the heading of a page is its URL, so that at another one its words are not quite the same
    caught = {"http://a.example/Bonn"} | ({"http://c.example/B"} if kind == "near" else set())
    assert pages.keys() - urls(filled) == caught
    assert cached(filled) == before + len(pages) - len(caught)


def test_the_same_words_at_another_address(filled: Workspace, tmp_path: Path):
    """In a folder of text, where a page is nothing but its words."""
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "one.txt").write_text(story("Bonn"))
    register(filled.lake, RECIPE, "prose", [str(folder)])
    make_all(filled)
    tombstones.take_down(filled.lake, propose(filled, "url", "file://prose/one.txt", **WHO))
    (folder / "two.txt").write_text(story("Bonn").upper())
    register(filled.lake, RECIPE, "prose", [str(folder)])
    make_all(filled)
    assert not {each for each in urls(filled) if each.startswith("file://")}
    assert filled.read("tombstones", "prose/0001")["by"].to_list() == ["text"]


def test_what_it_touches_is_told_without_changing_anything(filled: Workspace):
    heads = {key: filled.lake.get(key) for key in filled.lake.keys("heads/")}
    answer = touched(filled, propose(filled, "url", "http://a.example/Bonn", **WHO))
    told = {row["level"]: row["count"] for row in answer.levels}
    assert told == {"captures": 1, "documents": 1, "sources": 1, "extraction cache": 1, "tables of text": 1}
    assert {key: filled.lake.get(key) for key in filled.lake.keys("heads/")} == heads and not filled.lake.keys(tombstones.FOLDER)


def test_a_page_that_is_not_there_can_be_awaited_by_url_only(filled: Workspace):
    assert propose(filled, "url", "http://z.example/", **WHO).found == ()
    for kind in ("doc", "near"):
        with pytest.raises(LakeError, match="no document"):
            propose(filled, kind, "0" * 32, **WHO)  # type: ignore[arg-type]
    with pytest.raises(LakeError, match="exclude each other"):
        propose(filled, "near", "http://a.example/Ulm", exactly=True, **WHO)
    with pytest.raises(LakeError, match="--who"):
        propose(filled, "url", "http://a.example/Ulm", who=" ", why="x")
    assert propose(filled, "url", "http://a.example/Ulm", who="", why="", draft=True).found, "what is only shown needs neither"


def test_an_unknown_address_names_the_likest_known_ones(filled: Workspace):
    ulm = "http://a.example/Ulm"
    assert touched(filled, propose(filled, "url", f"{ulm}m", **WHO)).near == [], "there is no index yet"
    read = {"raw_crawl": {shard: filled.version("raw_crawl", shard) for shard in filled.partitions("raw_crawl")}}
    filled.store("document_index", None, lineage.make_document_index(filled, None), "1", Inputs(read))
    misspelt = touched(filled, propose(filled, "url", f"{ulm}m", **WHO))
    assert misspelt.near[0] == ulm and misspelt.as_json()["near"] == misspelt.near
    assert touched(filled, propose(filled, "url", "https://www.a.example/Ulm", **WHO)).near[0] == ulm
    assert touched(filled, propose(filled, "url", ulm, **WHO)).near == []
    assert touched(filled, propose(filled, "url", "http://elsewhere.example/x", **WHO)).near == []
    out = io.StringIO()
    print_touched(misspelt, Console(file=out, width=120))
    assert "Did you mean" in out.getvalue() and f"  {ulm}\n" in out.getvalue()
