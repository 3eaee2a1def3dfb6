import gzip
import json
import os
import socket
import threading
from collections import Counter
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from gristmill.crawl.sources import crawls, register, scan_watched, shard_source, shards, source_digest
from gristmill.crawl.warc import Page, read_records, read_shard, recompute_digest
from gristmill.errors import SourceError
from gristmill.lake.store import Lake
from gristmill.recipe import Recipe, Sources

SMALL = Recipe(sources=Sources(shard_bytes=10_000))


def web(archive, pages: range):
    """Pages of about a kilobyte each when compressed."""
    made = archive()
    for i in pages:
        made.response(f"http://a.example/{i}", f"<html><p>Page {i} says {os.urandom(900).hex()}</p></html>".encode())
    return made


def places(lake: Lake) -> dict[str, str]:
    """URL -> shard."""
    return {page.url: shard for shard in shards(lake) for page in read_shard(lake, shard, 10**7, Counter()) if isinstance(page, Page)}


def digests(lake: Lake) -> dict[str, str]:
    return {shard: source_digest(lake, shard) for shard in shards(lake)}


def test_a_big_archive_is_cut_at_records(lake, archive, tmp_path: Path):
    made = web(archive, range(60))
    path = made.write(tmp_path / "a.warc.gz")
    new = register(lake, SMALL, "one", [str(path)])
    assert new == shards(lake) == [f"one/{i:04d}" for i in range(len(new))] and len(new) > 4
    parts = [part for shard in new for part in shard_source(lake, shard)]
    assert [parts[0].start, *(part.end for part in parts)] == [0, *(part.start for part in parts[1:]), len(made.data)]
    assert {part.start for part in parts} <= set(made.offsets)
    assert all(10_000 <= part.end - part.start < 13_000 for part in parts[:-1])
    assert len(places(lake)) == 60
    assert crawls(lake) == ["one"]


def test_adding_again_does_nothing(lake, archive, tmp_path: Path):
    path = web(archive, range(9)).write(tmp_path / "a.warc.gz")
    assert register(lake, SMALL, "one", [str(path)])
    manifest = lake.get("crawls/one.json")
    assert register(lake, SMALL, "one", [str(path), str(path)]) == []
    assert lake.get("crawls/one.json") == manifest
    os.utime(path, ns=(1, 1))
    assert register(lake, SMALL, "one", [str(path)]) == []


def test_a_new_file_appends_and_moves_nothing(lake, archive, tmp_path: Path):
    register(lake, SMALL, "one", [str(web(archive, range(30)).write(tmp_path / "b.warc.gz"))])
    before, digested = places(lake), digests(lake)
    new = register(lake, SMALL, "one", [str(web(archive, range(30, 50)).write(tmp_path / "a.warc.gz"))])
    assert min(new) > max(digested)
    assert before.items() <= places(lake).items() and digested.items() <= digests(lake).items()


def test_a_replaced_file_keeps_its_shards_and_moves_no_other(lake, archive, tmp_path: Path):
    first = web(archive, range(30)).write(tmp_path / "a.warc.gz")
    other = web(archive, range(30, 50)).write(tmp_path / "b.warc.gz")
    register(lake, SMALL, "one", [str(first), str(other)])
    mine = {shard for shard in shards(lake) if shard_source(lake, shard)[0].uri == str(first)}
    before, digested = places(lake), digests(lake)
    web(archive, range(100, 190)).write(first)
    moved = register(lake, SMALL, "one", [str(first)])
    assert mine < set(moved) and min(set(moved) - mine) > max(digested)
    after = places(lake)
    assert all(after[url] == shard for url, shard in before.items() if shard not in mine)
    assert {shard for shard, digest in digests(lake).items() if digested.get(shard, "") != digest} == set(moved)
    web(archive, range(100, 105)).write(first)  # it shrinks: its other shards are empty, not gone
    assert set(register(lake, SMALL, "one", [str(first)])) == set(moved)
    assert set(shards(lake)) >= set(moved)
    assert [shard for shard in moved if shard_source(lake, shard)] == [min(mine)]
    assert read_records(lake, max(moved), 10**7)[0].is_empty()


def test_a_file_that_grew_changes_its_last_shard_only(lake, archive, tmp_path: Path):
    made = web(archive, range(25))
    path = made.write(tmp_path / "a.warc.gz")
    old = register(lake, SMALL, "one", [str(path)])
    made.response("http://a.example/last", b"<p>" + os.urandom(3_000).hex().encode()).write(path)
    recipe = Recipe(sources=Sources(shard_bytes=50_000))  # another width is for other files
    assert register(lake, recipe, "one", [str(path)])[0] == old[-1]


def test_a_folder_of_text_is_grouped_in_path_order(lake, tmp_path: Path):
    folder = tmp_path / "src"
    for i in range(12):
        (folder / f"d{i % 3}").mkdir(parents=True, exist_ok=True)
        (folder / f"d{i % 3}" / f"m{i}.py").write_text(f"print({i})\n" * 300)
    for ignored in ("d0/x.so", "d0/.hidden.py", "d0/__pycache__/m.py", ".git/a.py", "d1/blob"):
        (folder / ignored).parent.mkdir(exist_ok=True)
        (folder / ignored).write_text("x")
    (folder / "README").write_text("about")
    new = register(lake, SMALL, "code", [str(folder)])
    files = [part.relative for shard in new for part in shard_source(lake, shard)]
    assert files == sorted(files) and len(files) == 13
    assert all(sum(part.end for part in shard_source(lake, shard)) <= 10_000 for shard in new)
    assert lake.get_json("crawls/code.json")["folders"][str(folder)]["left_out"] == 3
    records, quarantine, _ = read_records(lake, new[0], 10**7)
    assert quarantine.is_empty() and records["kind"].unique().to_list() == ["file"]
    assert "file://code/d0/m0.py" in records["url"] and records["host"].unique().to_list() == ["code"]
    assert all(recompute_digest(lake, row) == row["payload_digest"] for row in records.iter_rows(named=True))


def test_a_folder_that_changes(lake, tmp_path: Path):
    folder = tmp_path / "src"
    folder.mkdir()
    for i in range(8):
        (folder / f"m{i}.py").write_text(f"print({i})\n" * 400)
    old = register(lake, SMALL, "code", [str(folder)])
    before = places(lake)
    (folder / "a_first.py").write_text("new = 1\n")
    (folder / "m0.py").write_text("print('other')\n")
    (folder / "m7.py").unlink()
    moved = register(lake, SMALL, "code", [str(folder)])
    after = places(lake)
    assert set(moved) == {before["file://code/m0.py"], before["file://code/m7.py"], after["file://code/a_first.py"]}
    assert after["file://code/a_first.py"] not in old and "file://code/m7.py" not in after
    assert all(after[url] == shard for url, shard in before.items() if not url.endswith("m7.py"))
    assert register(lake, SMALL, "code", [str(folder)]) == []


def test_a_folder_of_archives_is_its_archives(lake, archive, tmp_path: Path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    web(archive, range(3)).write(tmp_path / "in" / "a.warc.gz")
    web(archive, range(3, 6)).write(tmp_path / "in" / "deep" / "b.warc")
    (tmp_path / "in" / "notes.txt").write_text("no page")
    assert len(register(lake, SMALL, "one", [str(tmp_path / "in")])) == 2
    assert len(places(lake)) == 6


def test_an_archive_that_is_not_cut_by_record_stays_whole(lake, archive, tmp_path: Path, caplog):
    plain = archive(gzip=False)
    for i in range(40):
        plain.response(f"http://a.example/{i}", f"<p>{os.urandom(900).hex()}</p>".encode())
    (tmp_path / "a.warc.gz").write_bytes(gzip.compress(plain.data))
    (shard,) = register(lake, SMALL, "one", [str(tmp_path / "a.warc.gz")])
    assert "warcio recompress" in caplog.text
    records, _, _ = read_records(lake, shard, 10**7)
    assert records.height == 40
    assert all(recompute_digest(lake, row) == row["payload_digest"] for row in records.head(3).iter_rows(named=True))


@pytest.mark.parametrize(
    ("name", "data", "says", "fix"),
    [
        ("missing.warc", None, "No such file", "Check the path"),
        ("empty.warc", b"", "is empty", ""),
        ("note.txt", b"a note", "is not a WARC or WET file", "give the folder"),
        ("old.arc", b"filedesc://old.arc 0.0.0.0 20000101 text/plain 9\n", "is not a WARC", "warcio recompress"),
    ],
)
def test_what_cannot_be_registered_says_so(lake, tmp_path: Path, name: str, data: bytes | None, says: str, fix: str):
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(SourceError) as error:
        register(lake, SMALL, "one", [str(path)])
    assert error.value.where == str(path) and says in error.value.what and fix in (error.value.fix or "")
    assert crawls(lake) == []


def test_an_empty_folder_a_bad_name_and_a_strange_scheme(lake, tmp_path: Path):
    (tmp_path / "blob.bin").write_bytes(b"x")
    for crawl, uri, says in (
        ("one", str(tmp_path), "holds no file"),
        ("a/b", str(tmp_path), "no name"),
        ("one", "gopher://x/y", "gopher://"),
    ):
        with pytest.raises(SourceError, match=says):
            register(lake, SMALL, crawl, [uri])
    with pytest.raises(SourceError, match="no shard 'one/0000'"):
        source_digest(lake, "one/0000")


def test_a_source_that_changed_since_is_not_read(lake, archive, tmp_path: Path):
    path = web(archive, range(3)).write(tmp_path / "a.warc.gz")
    (shard,) = register(lake, SMALL, "one", [str(path)])
    (row,) = read_records(lake, shard, 10**7)[0].head(1).to_dicts()
    web(archive, range(3, 9)).write(path)
    with pytest.raises(SourceError, match="has changed since"):
        read_records(lake, shard, 10**7)
    with pytest.raises(SourceError, match="holds no record"):
        recompute_digest(lake, row | {"capture": "0" * 32})
    path.unlink()
    with pytest.raises(SourceError, match="no such file"):
        read_records(lake, shard, 10**7)


def test_watched_locations(lake, archive, tmp_path: Path, caplog):
    watched = tmp_path / "incoming"
    recipe = Recipe(sources=Sources(shard_bytes=10_000, watch={"one": str(watched)}))
    assert scan_watched(lake, recipe) == []
    watched.mkdir()
    assert scan_watched(lake, recipe) == []
    web(archive, range(3)).write(watched / "a.warc.gz")
    (watched / "half.warc.gz").write_bytes(b"\x1f\x8b\x08 still being written")
    assert scan_watched(lake, recipe) == ["one/0000"]
    assert "half.warc.gz" in caplog.text
    assert scan_watched(lake, recipe) == []
    web(archive, range(3, 6)).write(watched / "half.warc.gz")
    assert scan_watched(lake, recipe) == ["one/0001"]
    web(archive, range(6, 9)).write(watched / "a.warc.gz")
    assert scan_watched(lake, recipe) == ["one/0000"]


def test_http_files_are_fetched_once(lake, archive, tmp_path: Path):
    web(archive, range(30)).write(tmp_path / "a.warc.gz")
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, directory=str(tmp_path), **kwargs)

        def log_message(self, *args):
            asked.append(self.command)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    uri = f"http://127.0.0.1:{server.server_port}/a.warc.gz"
    try:
        new = register(lake, SMALL, "far", [uri])
        assert len(new) > 1 and len(places(lake)) == 30
        (row,) = read_records(lake, new[1], 10**7)[0].head(1).to_dicts()
        assert row["warc"] == uri and recompute_digest(lake, row) == row["payload_digest"]
        assert asked.count("GET") == 1
        assert register(lake, SMALL, "far", [uri]) == []
        with pytest.raises(SourceError, match="404"):
            register(lake, SMALL, "far", [uri + "x"])
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def bucket():
    """An empty bucket, as a client and as the lake's storage options."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port)
    server.start()
    endpoint, keys = f"http://127.0.0.1:{port}", {"aws_access_key_id": "test-key", "aws_secret_access_key": "test-secret"}
    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="crawls")
    yield client, {**keys, "aws_region": "us-east-1", "aws_endpoint": endpoint, "aws_allow_http": "true"}
    server.stop()


def test_a_watched_prefix_of_a_bucket(bucket, archive, tmp_path: Path):
    client, options = bucket
    lake = Lake(tmp_path / "lake", options)
    recipe = Recipe(sources=Sources(shard_bytes=10_000, watch={"far": "s3://crawls/in/"}))
    assert scan_watched(lake, recipe) == []
    client.put_object(Bucket="crawls", Key="in/a.warc.gz", Body=web(archive, range(30)).data)
    client.put_object(Bucket="crawls", Key="in/notes.txt", Body=b"no archive")
    client.put_object(Bucket="crawls", Key="index.warc.gz", Body=web(archive, range(3)).data)
    moved = scan_watched(lake, recipe)
    assert len(moved) > 1 and len(places(lake)) == 30 and scan_watched(lake, recipe) == []
    (row,) = read_records(lake, moved[1], 10**7)[0].head(1).to_dicts()
    assert row["warc"] == "s3://crawls/in/a.warc.gz" and recompute_digest(lake, row) == row["payload_digest"]
    client.put_object(Bucket="crawls", Key="in/a.warc.gz", Body=web(archive, range(30, 33)).data)
    other = Lake(lake.root, options, cache_folder=tmp_path / "another machine")  # which has not fetched the first one
    with pytest.raises(SourceError, match="has changed since"):
        read_records(other, moved[0], 10**7)
    assert scan_watched(lake, recipe) == moved and len(places(lake)) == 3
    for uri in ("s3://crawls/nothing/", "s3://crawls/nothing.warc", "s3://nowhere/a.warc"):
        with pytest.raises(SourceError):
            register(lake, recipe, "far", [uri])


def test_the_manifest_is_json_that_a_person_can_read(lake, archive, tmp_path: Path):
    path = web(archive, range(3)).write(tmp_path / "a.warc.gz")
    register(lake, SMALL, "one", [str(path)])
    manifest = json.loads(lake.get("crawls/one.json"))
    assert manifest["files"][str(path)]["shards"][0].keys() == {"shard", "start", "end", "sha256"}
