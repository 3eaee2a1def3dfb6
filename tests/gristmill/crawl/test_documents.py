from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from gristmill.crawl.documents import extract_documents
from gristmill.crawl.sources import register
from gristmill.crawl.warc import Page, read_pages, read_records, read_shard
from gristmill.lake.contracts import conform
from gristmill.lake.hashing import text_hash
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.recipe import Extraction, Recipe

ENDLESS = b"<html><body>" + b"<div>" * 200_000 + b"deep" + b"</div>" * 200_000


def documents(workspace: Workspace, path: Path, settings: Extraction | None = None) -> tuple[pl.DataFrame, pl.DataFrame, Counter]:
    settings = settings or Extraction()
    (shard,) = register(workspace.lake, Recipe(), "one", [str(path)])
    records, _, _ = read_records(workspace.lake, shard, settings.max_bytes)
    found = read_pages(workspace.lake, shard, records, settings.max_bytes)
    made, quarantine, counts = extract_documents(records, found, settings, workspace.cache)
    return conform("documents", made), conform("quarantine", quarantine), counts


def test_one_row_per_document_with_all_its_captures(workspace, archive, page, tmp_path: Path):
    made = archive()
    for date in ("2026-02-03T00:00:00Z", "2026-01-02T00:00:00Z"):
        made.response("http://a.example/", page("the mill"), warc={"WARC-Date": date})
    made.response("http://a.example/other", page("the other"))
    table, quarantine, _ = documents(workspace, made.write(tmp_path / "a.warc.gz"))
    assert table.height == 2 and quarantine.is_empty()
    row = table.filter(pl.col("url") == "http://a.example/").to_dicts()[0]
    assert len(row["captures"]) == 2 and row["fetched_at"].isoformat() == "2026-01-02T00:00:00+00:00"
    assert row["host"] == "a.example" and "story of the mill" in row["text"]
    assert row["text_hash"] == text_hash(row["text"]) and row["n_chars"] == len(row["text"])
    assert row["n_bytes"] == len(row["text"].encode()) and row["language"] == "en"
    assert row["extractor"].startswith("resiliparse-")


def test_pages_read_again_are_those_that_were_recorded(workspace, archive, page, tmp_path: Path):
    made = archive().response("http://a.example/a?utm_source=x", page("a"), "text/html; charset=latin-1", "404 Not Found")
    made.response("http://A.example:80/b", page("b"), "text/html; charset=utf-8").response(
        "http://a.example/picture", b"GIF89a", "image/gif"
    )
    made.response("http://a.example/c", page("c"), "text/html; charset=latin-1").response("http://a.example/c", page("c"))
    made.record("http://a.example/d", "conversion", b"plain text", "text/plain").record("http://a.example/e", "request", b"GET / HTTP/1.1")
    (shard,) = register(workspace.lake, Recipe(), "one", [str(made.write(tmp_path / "a.warc.gz"))])
    records, _, _ = read_records(workspace.lake, shard, 10**7)
    recorded = [each for each in read_shard(workspace.lake, shard, 10**7, Counter()) if isinstance(each, Page)]
    assert len(recorded) == 4 and list(read_pages(workspace.lake, shard, records, 10**7)) == recorded
    other = records.with_columns(payload_digest=pl.lit("sha256:" + "0" * 64))
    assert list(read_pages(workspace.lake, shard, other, 10**7)) == []


def test_text_and_conversions_pass_through(workspace, archive, tmp_path: Path):
    prose = "Zwei Zeilen Text,\n\n  <b>nicht</b> ausgelegt: überall dieselben Wörter."
    made = (
        archive()
        .response("http://a.example/t", prose.encode(), "text/plain")
        .record("http://a.example/c", "conversion", prose.encode(), "text/plain")
    )
    table, _, _ = documents(workspace, made.write(tmp_path / "a.warc.gz"))
    assert table["text"].to_list() == [prose, prose] and set(table["language"]) == {"de"}
    assert all(each.startswith("plain-") for each in table["extractor"])


def test_pages_without_text_or_without_end_are_in_quarantine(workspace, archive, page, tmp_path: Path):
    made = archive().response("http://a.example/empty", b"<html><body></body></html>").response("http://a.example/hangs", ENDLESS)
    made.response("http://a.example/fine", page("fine"))
    table, quarantine, counts = documents(workspace, made.write(tmp_path / "a.warc.gz"), Extraction(timeout_seconds=0.3))
    assert table["url"].to_list() == ["http://a.example/fine"]
    assert dict(quarantine.select("url", "error").iter_rows()) == {"http://a.example/empty": "Empty", "http://a.example/hangs": "Timeout"}
    assert set(quarantine["stage"]) == {"extract"} and counts["worker restarts"] <= 1


@pytest.mark.parametrize("extractor", ["resiliparse", "trafilatura"])
def test_rows_do_not_depend_on_the_order_or_the_cache(tmp_path: Path, archive, page, extractor):
    tables = []
    for run, order in enumerate((range(12), reversed(range(12)))):
        made = archive()
        for i in order:
            made.response(
                f"http://a.example/{i}", page(f"number {i % 9}"), warc={"WARC-Record-ID": f"<urn:{i}>", "WARC-Date": "2026-01-01T00:00:00Z"}
            )
        (tmp_path / str(run)).mkdir()
        path = made.write(tmp_path / str(run) / "a.warc.gz")
        workspace = Workspace(Lake(tmp_path / str(run) / "lake"), Recipe())
        tables += [documents(workspace, path, Extraction(extractor=extractor))[0]]
        records, _, _ = read_records(workspace.lake, "one/0000", 10**7)
        again = extract_documents(
            records, read_shard(workspace.lake, "one/0000", 10**7, Counter()), Extraction(extractor=extractor), workspace.cache
        )
        assert again[2]["cached"] == 9
        tables.append(conform("documents", again[0]))
    assert all(table.equals(tables[0]) for table in tables) and tables[0].height == 12


def test_code_is_known_by_its_suffix(workspace, tmp_path: Path):
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "a.py").write_text("# The old lighthouse keeper climbed the stairs\nx = 1\n")
    (folder / "b.md").write_text("Der alte Leuchtturmwärter stieg jeden Abend die Treppe hinauf.")
    (folder / "empty.py").write_text("")
    (folder / "latin.c").write_bytes("/* Schöne Grüße aus München, überall gehört */\nint main() {}\n".encode("cp1252"))
    table, quarantine, _ = documents(workspace, folder)
    languages = dict(table.select("url", "language").iter_rows())
    assert languages == {"file://one/a.py": "code", "file://one/b.md": "de", "file://one/latin.c": "code"}
    assert table.filter(pl.col("language") == "code")["language_score"].unique().to_list() == [1.0]
    assert table["fetched_at"].null_count() == 3 and set(table["host"]) == {"one"}
    assert "München" in table.filter(pl.col("url").str.ends_with("latin.c"))["text"][0]
    assert quarantine.select("url", "error").rows() == [("file://one/empty.py", "Empty")]
