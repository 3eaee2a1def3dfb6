"""A lake, its vectors and a crawl in an object store, through dagster-aws's S3Resource."""

import io
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from gristmill.crawl.sources import register, source_digest
from gristmill.dedup.vectors import VectorTable
from gristmill.errors import LakeError
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Workspace
from gristmill.recipe import Recipe
from resources.lake import LakeResource, open_lake, storage_options


@pytest.fixture
def remote(s3, request) -> Lake:
    return open_lake(LakeResource(root=f"s3://mill/{request.node.name}", s3=s3))


def edits(*doc_ids: str) -> pl.DataFrame:
    rows = [{"doc_id": each, "start": 0, "end": 1, "replacement": "é", "rule": "pii.email"} for each in doc_ids]
    return pl.DataFrame(rows, schema=CONTRACTS["edits"].schema)


def test_only_what_is_set_reaches_the_store(s3):
    options = storage_options(s3)
    assert options["aws_allow_http"] == "true" and options["aws_endpoint"].startswith("http://127.0.0.1")
    assert "aws_session_token" not in options


def test_tables_heads_and_files_work_as_they_do_in_a_folder(remote: Lake, lake: Lake, tmp_path: Path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_bytes(b"w" * 1000)
    versions = []
    for each in (remote, lake):
        workspace = Workspace(each, Recipe())
        made = Made({"edits": edits("b", "a")}, {"model": tmp_path / "model"}, metadata={"n": 2})
        versions.append(workspace.store("edits", "web/0000", made, "1").data_version)
        assert workspace.partitions("edits") == ["web/0000"]
        assert workspace.scan("edits", "web/0000").select("doc_id").collect()["doc_id"].to_list() == ["a", "b"]
        assert (workspace.path("edits", "web/0000") / "weights").read_bytes() == b"w" * 1000
        assert workspace.is_whole(workspace.output("edits", "web/0000"))
        each.delete(workspace.output("edits", "web/0000").tables["edits"].key)
        assert not workspace.is_whole(workspace.output("edits", "web/0000"))
    assert versions[0] == versions[1]


def test_a_bucket_that_is_not_there_is_a_clear_error(s3):
    with pytest.raises(LakeError, match=r"s3://nowhere/x/a\.json"):
        Lake("s3://nowhere/x", storage_options(s3)).put("a.json", b"{}")


def test_vectors_lie_beside_the_lake(remote: Lake):
    table = VectorTable.open(remote, "model", 4)
    table.put(["a1", "a2"], np.eye(4, dtype=np.float32)[:2])
    table.put(["a2"], np.eye(4, dtype=np.float32)[1:2])
    assert table.missing(["a1", "a3"]) == ["a3"]
    assert VectorTable.open(remote, "model", 4).get(["a2", "a1"]).tolist() == np.eye(4)[[1, 0]].tolist()


def test_a_crawl_in_a_bucket_becomes_shards(remote: Lake, tmp_path: Path):
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=True)
    for i in range(3):
        headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
        page = f"<html><body><p>{'A page about milling grain. ' * 20}{i}</p></body></html>".encode()
        writer.write_record(
            writer.create_warc_record(f"http://mill.example/{i}", "response", payload=io.BytesIO(page), http_headers=headers)
        )
    remote.put("incoming/site.warc.gz", buffer.getvalue())
    shards = register(remote, Recipe(), "docs-1", [f"{remote.root}/incoming/site.warc.gz"])
    assert shards == ["docs-1/0000"]
    assert source_digest(remote, "docs-1/0000")

    from assets.crawl import make_documents, make_raw_crawl
    from assets.takedown import make_tombstones

    workspace = Workspace(remote, Recipe())
    made = make_raw_crawl(workspace, "docs-1/0000")
    assert made.tables["records"].height == 3
    workspace.store("raw_crawl", "docs-1/0000", made, "1")
    workspace.store("tombstones", "docs-1/0000", make_tombstones(workspace, "docs-1/0000"), "1")
    assert make_documents(workspace, "docs-1/0000").tables["documents"].height == 3
