import gzip
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from gristmill.crawl.sources import register, shards
from gristmill.crawl.urls import doc_id
from gristmill.crawl.warc import read_records, recompute_digest
from gristmill.errors import SourceError
from gristmill.lake.contracts import conform
from gristmill.lake.store import Lake
from gristmill.recipe import Recipe, Sources

LIMIT = 20_000
WRONG = "sha1:" + "A" * 32


def read(lake: Lake, made, tmp_path: Path, limit: int = LIMIT) -> tuple[pl.DataFrame, pl.DataFrame, Counter]:
    """records, quarantine and counts of an archive of one shard; both tables keep their contracts."""
    register(lake, Recipe(), "one", [str(made.write(tmp_path / "a.warc.gz"))])
    (shard,) = shards(lake)
    records, quarantine, counts = read_records(lake, shard, limit)
    return conform("records", records), conform("quarantine", quarantine), counts


def errors(quarantine: pl.DataFrame) -> dict[str | None, tuple[str, str]]:
    return {url: (stage, error) for url, stage, error in quarantine.select("url", "stage", "error").iter_rows()}


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("zipped", [True, False], ids=["gzip", "plain"])
def test_a_response_is_a_record(lake, archive, page, tmp_path: Path, version: str, zipped: bool):
    made = archive(zipped, version).info().info()
    made.response(
        "HTTP://A.example:80/x?b=1&a=2&utm_source=mail", page("x"), "text/html; charset=utf-8", warc={"WARC-Date": "2026-01-05T06:07:08Z"}
    )
    records, quarantine, counts = read(lake, made, tmp_path)
    assert quarantine.is_empty() and counts == {"warcinfo": 2}
    (row,) = records.to_dicts()
    assert row["url"] == "http://a.example/x?a=2&b=1" and row["host"] == "a.example"
    assert (row["kind"], row["status"], row["mime"]) == ("response", 200, "text/html")
    assert row["fetched_at"] == datetime(2026, 1, 5, 6, 7, 8, tzinfo=UTC)
    assert row["warc"] == str(tmp_path / "a.warc.gz") and row["offset"] == made.offsets[2]
    assert row["offset"] + row["length"] == len(made.data)
    assert row["doc_id"] == doc_id(row["url"], row["payload_digest"])
    assert recompute_digest(lake, row) == row["payload_digest"]


def test_wet_conversions_are_records(lake, archive, tmp_path: Path):
    made = archive().info().record("http://a.example/", "conversion", "Ein Text, schon herausgezogen. Überall.".encode(), "text/plain")
    records, _, _ = read(lake, made, tmp_path)
    assert records.select("kind", "status", "mime").row(0) == ("conversion", None, "text/plain")


def test_resources_are_records_when_they_are_pages(lake, archive, page, tmp_path: Path):
    made = archive().record("http://a.example/", "resource", page("a"), "text/html; charset=latin-1")
    made.record("urn:X-wpull:log", "resource", b"log", "text/plain").record("metadata://gnu.org/x", "resource", b"x", "text/plain")
    made.record("https://a.example/x.json", "resource", b"{}", "application/json")
    records, quarantine, counts = read(lake, made, tmp_path)
    assert records["url"].to_list() == ["http://a.example/"] and counts["resource"] == 2
    assert errors(quarantine) == {"https://a.example/x.json": ("payload", "NotText")}


def test_records_that_are_no_content_are_counted(lake, archive, page, tmp_path: Path):
    made = archive().response("http://a.example/", page("a"))
    made.record("http://a.example/", "request", b"GET / HTTP/1.1\r\n\r\n", "application/http;msgtype=request")
    made.record("http://a.example/", "metadata", b"x: y", "application/warc-fields")
    made.record("http://a.example/b", "revisit", b"HTTP/1.1 200 OK\r\n\r\n", "application/http;msgtype=response")
    records, quarantine, counts = read(lake, made, tmp_path)
    assert records.height == 1 and quarantine.is_empty()
    assert counts == {"request": 1, "metadata": 1, "revisit": 1}


def test_target_in_angle_brackets(lake, archive, page, tmp_path: Path):
    records, _, _ = read(lake, archive().response("<http://a.example/x>", page("x")), tmp_path)
    assert records["url"].to_list() == ["http://a.example/x"]


def test_coded_bodies_are_decoded_before_they_are_hashed(lake, archive, page, tmp_path: Path):
    made = (
        archive()
        .response("http://a.example/x", page("x"))
        .response("http://b.example/x", gzip.compress(page("x")), Content_Encoding="gzip")
    )
    records, _, _ = read(lake, made, tmp_path)
    assert records["payload_digest"].n_unique() == 1 and records.height == 2
    assert all(recompute_digest(lake, row) == row["payload_digest"] for row in records.to_dicts())


def test_everything_that_is_no_readable_page_is_in_quarantine_and_the_rest_goes_on(lake, archive, page, tmp_path: Path):
    host = "http://a.example"
    made = archive()
    made.response(f"{host}/gone", page("gone"), status="404 Not Found")
    made.response(f"{host}/moved", b"", status="301 Moved Permanently")
    made.response(f"{host}/image", b"\x89PNG\r\n\x1a\n", "image/png")
    made.response(f"{host}/lying", b"%PDF-1.4 ...", "text/html")
    made.response(f"{host}/binary", b"<html>\0\0\0", "text/html")
    made.response(f"{host}/book", b"PK\x03\x04", "application/epub+zip")
    made.response(f"{host}/big", b"<p>" + b"x" * LIMIT, "text/html")
    made.response(f"{host}/huge", b"<p>" + b"x" * 200_000, "text/html")
    made.response(f"{host}/bomb", gzip.compress(bytes(LIMIT * 10)), Content_Encoding="gzip")
    made.response(f"{host}/torn", gzip.compress(page("torn"))[:-9], Content_Encoding="gzip")
    made.response(f"{host}/flipped", page("flipped"), warc={"WARC-Payload-Digest": WRONG, "WARC-Block-Digest": WRONG})
    head = [
        "WARC/1.1",
        "WARC-Type: response",
        "WARC-Date: 2026-01-01T00:00:00Z",
        f"WARC-Target-URI: {host}/no-http",
        "Content-Length: 19",
        "",
    ]
    made.raw(gzip.compress("\r\n".join([*head, ""]).encode() + b"nothing of the kind\r\n\r\n"))  # nor has it an identifier
    made.response(f"{host}/undated", page("u"), warc={"WARC-Date": "yesterday"})
    made.response("http://[oops/", page("u"))
    made.response(f"{host}/segment", page("s"), warc={"WARC-Segment-Number": "1"})
    made.response(f"{host}/fine", page("fine"))
    records, quarantine, counts = read(lake, made, tmp_path)
    assert records["url"].to_list() == [f"{host}/fine"]
    assert errors(quarantine) == {
        f"{host}/gone": ("response", "Status"),
        f"{host}/moved": ("response", "Status"),
        f"{host}/image": ("response", "NotText"),
        f"{host}/lying": ("payload", "NotText"),
        f"{host}/binary": ("payload", "NotText"),
        f"{host}/book": ("response", "NotText"),
        f"{host}/big": ("response", "TooLarge"),
        f"{host}/huge": ("record", "TooLarge"),
        f"{host}/bomb": ("response", "TooLarge"),
        f"{host}/torn": ("response", "BrokenCoding"),
        f"{host}/flipped": ("response", "DigestMismatch"),
        f"{host}/no-http": ("response", "NotHttp"),
        f"{host}/undated": ("record", "BadDate"),
        None: ("record", "BadUrl"),
        f"{host}/segment": ("record", "Segmented"),
    }
    assert "404" in quarantine.filter(pl.col("url") == f"{host}/gone")["message"][0]
    assert counts["NotText"] == 4


def test_a_damaged_member_is_a_row_too(lake, archive, page, tmp_path: Path):
    made = (
        archive()
        .response("http://a.example/1", page("1"))
        .response("http://a.example/2", page("2"))
        .response("http://a.example/3", page("3"))
    )
    data = bytearray(made.data)
    data[made.offsets[1] + 100 : made.offsets[1] + 130] = bytes(30)
    (tmp_path / "a.warc.gz").write_bytes(data[:-40])  # and the last one is cut off
    register(lake, Recipe(), "one", [str(tmp_path / "a.warc.gz")])
    records, quarantine, _ = read_records(lake, "one/0000", LIMIT)
    assert records["url"].to_list() == ["http://a.example/1"]
    assert quarantine.select("stage", "offset").sort("offset").rows() == [("record", made.offsets[1]), ("record", made.offsets[2])]


def test_digests_that_only_look_wrong(lake, archive, page, tmp_path: Path):
    made = archive()
    made.response("http://a.example/writer", page("a"), warc={"WARC-Payload-Digest": WRONG})  # its block digest fits
    made.response("http://a.example/cut", page("b")[:99], warc={"WARC-Payload-Digest": WRONG, "WARC-Truncated": "length"})
    made.response("http://a.example/odd", page("c"), warc={"WARC-Payload-Digest": "crc32:1234", "WARC-Block-Digest": "?"})
    records, quarantine, counts = read(lake, made, tmp_path)
    assert records.height == 3 and quarantine.is_empty() and counts["cut short by the crawler"] == 1


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2026-01-05T06:07:08.123456789Z", datetime(2026, 1, 5, 6, 7, 8, 123456, tzinfo=UTC)),
        ("2026-01-05T08:07:08+02:00", datetime(2026, 1, 5, 6, 7, 8, tzinfo=UTC)),
        ("2026-01", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_dates_of_every_precision(lake, archive, page, tmp_path: Path, date: str, expected: datetime):
    records, _, _ = read(lake, archive().response("http://a.example/", page("a"), warc={"WARC-Date": date}), tmp_path)
    assert records["fetched_at"].to_list() == [expected]


def test_a_media_type_that_is_not_stated_is_guessed(lake, archive, page, tmp_path: Path):
    made = archive().response("http://a.example/h", page("h"), None).response("http://a.example/t", b"only words", None)
    made.response("http://a.example/u", "<html>ü</html>".encode("utf-16"), "text/html").response("http://a.example/i", b"GIF89a", None)
    records, quarantine, _ = read(lake, made, tmp_path)
    assert dict(records.select("url", "mime").iter_rows()) == {
        "http://a.example/h": "text/html",
        "http://a.example/t": "text/plain",
        "http://a.example/u": "text/html",
    }
    assert quarantine["error"].to_list() == ["NotText"]


def test_one_document_in_two_captures(lake, archive, page, tmp_path: Path):
    made = (
        archive()
        .response("http://a.example/", page("a"))
        .response("http://a.example/#top", page("a"))
        .response("http://a.example/", page("b"))
    )
    records, _, _ = read(lake, made, tmp_path)
    assert sorted(records.group_by("doc_id").len()["len"]) == [1, 2] and records["capture"].n_unique() == 3


def test_a_file_concatenated_with_itself_has_each_capture_once(lake, archive, page, tmp_path: Path):
    made = archive().response("http://a.example/", page("a")).response("http://a.example/x", b"gone", status="404 Not Found")
    made.raw(made.data)
    records, quarantine, _ = read(lake, made, tmp_path)
    assert records["offset"].to_list() == [0] and quarantine.height == 1


def test_records_do_not_depend_on_where_the_shards_are_cut(tmp_path: Path, archive, page):
    made = archive().info()
    for i in range(40):
        made.response(f"http://a.example/{i % 30}", page(f"page {i % 25}") + bytes(str(i % 25) * 300, "ascii"))
        made.record(f"http://a.example/{i % 30}", "request", b"GET / HTTP/1.1\r\n\r\n", "application/http;msgtype=request")
    path = str(made.write(tmp_path / "a.warc.gz"))
    tables = []
    for shard_bytes in (10_000, 10**8):
        lake = Lake(tmp_path / str(shard_bytes))
        found = register(lake, Recipe(sources=Sources(shard_bytes=shard_bytes)), "one", [path])
        tables.append(pl.concat([read_records(lake, shard, LIMIT)[0] for shard in found]).sort("capture"))
        tables[-1] = tables[-1].with_columns(shards=pl.lit(len(found)))
    assert tables[0]["shards"][0] > 1 and tables[1]["shards"][0] == 1
    assert tables[0].drop("shards").equals(tables[1].drop("shards"))


def test_files_that_are_no_text(lake, tmp_path: Path):
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "a.py").write_text("x = 1\n")
    (folder / "binary.txt").write_bytes(b"a\0b")
    (folder / "long.txt").write_text("x" * (LIMIT + 1))
    (folder / "page.html").write_text("<p>hello</p>")
    (shard,) = register(lake, Recipe(), "code", [str(folder)])
    records, quarantine, _ = read_records(lake, shard, LIMIT)
    assert dict(records.select("url", "mime").iter_rows()) == {"file://code/a.py": "text/x-code", "file://code/page.html": "text/html"}
    assert errors(quarantine) == {"file://code/binary.txt": ("payload", "NotText"), "file://code/long.txt": ("payload", "TooLarge")}


def test_the_audit_sees_a_payload_that_changed(lake, archive, page, tmp_path: Path):
    made = archive(gzip=False).response("http://a.example/", page("abc"))
    (row,) = read(lake, made, tmp_path)[0].to_dicts()
    path = tmp_path / "a.warc.gz"
    path.write_bytes(made.data.replace(b"story of abc", b"story of abd"))
    assert recompute_digest(lake, row) not in ("", row["payload_digest"])
    path.write_bytes(b"x" * len(made.data))
    with pytest.raises(SourceError, match="holds no record"):
        recompute_digest(lake, row)
