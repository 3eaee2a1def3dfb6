"""raw_crawl and documents over a small crawl: what is made, what moves when a source does, checks that can fail."""

import io
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster_aws.s3 import S3Resource
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from assets.crawl import READING, crawl_assets, make_documents, make_raw_crawl, records_found, source_version, text_found
from assets.takedown import make_tombstones, takedown_assets
from gristmill.crawl.sources import register, shards
from gristmill.errors import SourceError
from gristmill.lake.workspace import Inputs, Workspace
from gristmill.lineage.plan.plan import SOURCE
from gristmill.recipe import Extraction, Recipe, Source, Sources
from resources.lake import LakeResource
from resources.workers import Workers

RECIPE = Recipe(sources=Sources(shard_bytes=10_000, groups={"code": Source(crawls=["src"]), "web": Source(crawls=["*"])}))
TEXT = "The miller of the old mill by the river grinds the corn of the whole valley, and has done so for many years. "


def write(path: Path, pages: dict[str, bytes]) -> str:
    with path.open("wb") as target:
        writer = WARCWriter(target, gzip=True)
        for url, body in pages.items():
            http = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
            ids = {"WARC-Record-ID": f"<urn:{url}>", "WARC-Date": "2026-01-05T00:00:00Z"}
            writer.write_record(writer.create_warc_record(url, "response", io.BytesIO(body), http_headers=http, warc_headers_dict=ids))
    return str(path)


def page(about: str) -> bytes:
    return f"<html><body><article><h1>{about}</h1><p>{TEXT * 3}</p><p>{about} {TEXT}</p></article></body></html>".encode()


@pytest.fixture
def filled(workspace: Workspace, tmp_path: Path) -> Workspace:
    """Two archives and a folder, registered, with both assets made."""
    one = write(tmp_path / "one.warc.gz", {f"http://a.example/{i}": page(f"number {i}") for i in range(4)})
    two = write(tmp_path / "two.warc.gz", {"http://b.example/": page("two"), "http://b.example/empty": b"<html></html>"})
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("x = 1\n")
    workspace = Workspace(workspace.lake, RECIPE)
    register(workspace.lake, RECIPE, "web", [one, two])
    register(workspace.lake, RECIPE, "src", [str(tmp_path / "src")])
    make_all(workspace)
    return workspace


def make_all(workspace: Workspace) -> dict[str, tuple[str, str]]:
    """Shard -> data versions of both assets."""
    versions = {}
    for shard in shards(workspace.lake):
        raw = workspace.store("raw_crawl", shard, make_raw_crawl(workspace, shard), "1")
        workspace.store("tombstones", shard, make_tombstones(workspace, shard), "1")
        versions[shard] = raw.data_version, workspace.store("documents", shard, make_documents(workspace, shard), "1").data_version
    return versions


def test_records_become_documents(filled: Workspace):
    assert filled.partitions("documents") == ["src/0000", "web/0000", "web/0001"]
    documents = filled.read("documents", "web/0000")
    assert documents.height == 4 and set(documents["language"]) == {"en"}
    assert filled.metadata("raw_crawl", "web/0000")["records"] == 4
    about = filled.metadata("documents", "web/0001")
    assert (about["documents"], about["quarantined"]) == (1, 1) and about["quarantine"] == [{"error": "Empty", "count": 1}]
    assert filled.read("documents", "web/0001", "quarantine")["url"].to_list() == ["http://b.example/empty"]
    assert filled.read("documents", "src/0000")["language"].to_list() == ["code"]


def test_made_again_they_are_the_same(filled: Workspace):
    first, again = make_all(filled), make_all(filled)
    assert first == again
    assert filled.metadata("documents", "web/0000")["from cache"] == 4


def test_a_replaced_file_moves_its_own_shards_only(filled: Workspace, tmp_path: Path):
    before, sources = make_all(filled), {shard: source_version(filled, shard) for shard in shards(filled.lake)}
    path = write(tmp_path / "two.warc.gz", {"http://b.example/": page("changed")})
    with pytest.raises(SourceError, match="has changed since"):
        make_raw_crawl(filled, "web/0001")
    assert register(filled.lake, RECIPE, "web", [path]) == ["web/0001"]
    assert [shard for shard in sources if source_version(filled, shard) != sources[shard]] == ["web/0001"]
    after = make_all(filled)
    assert [shard for shard in after if after[shard] != before[shard]] == ["web/0001"]


def test_documents_of_records_that_are_gone_say_so(filled: Workspace, tmp_path: Path):
    register(filled.lake, RECIPE, "web", [write(tmp_path / "one.warc.gz", {"http://a.example/0": page("number 0")})])
    with pytest.raises(SourceError, match="4 documents are recorded, 1 were found"):
        make_documents(filled, "web/0000")


@pytest.mark.parametrize(("algorithm", "replaced", "hashed"), [(READING, False, False), (READING, True, True), ("older", False, True)])
def test_payloads_are_hashed_again_unless_this_code_read_the_same_bytes(workspace, tmp_path, algorithm, replaced, hashed):
    workspace = Workspace(workspace.lake, RECIPE)
    (shard,) = register(workspace.lake, RECIPE, "web", [write(tmp_path / "one.warc.gz", {"http://a.example/": page("one")})])
    made = make_raw_crawl(workspace, shard)
    if not replaced:  # then only a digest that is wrong tells whether it was looked at
        made.tables["records"] = made.tables["records"].with_columns(payload_digest=pl.lit("sha256:" + "0" * 64))
    workspace.record_code("raw_crawl", "1", algorithm, [])
    workspace.store("raw_crawl", shard, made, "1", Inputs(source={SOURCE: source_version(workspace, shard)}))
    workspace.store("tombstones", shard, make_tombstones(workspace, shard), "1")
    if replaced:
        register(workspace.lake, RECIPE, "web", [write(tmp_path / "one.warc.gz", {"http://a.example/": page("two")})])
    if hashed:
        with pytest.raises(SourceError, match="1 documents are recorded, 0 were found"):
            make_documents(workspace, shard)
    else:
        assert make_documents(workspace, shard).tables["documents"].height == 1


def test_checks_pass_on_a_sound_crawl_and_fail_on_a_poor_one(filled: Workspace, tmp_path: Path):
    assert records_found(filled).passed
    outcome = text_found(filled)
    assert outcome.passed and {row["source"]: row["documents"] for row in outcome.metadata["by source"]} == {"code": 1, "web": 5}
    (tmp_path / "src" / "a.py").write_text("")
    register(filled.lake, RECIPE, "src", [str(tmp_path / "src")])
    make_all(filled)
    outcome = text_found(filled)
    assert not outcome.passed and outcome.metadata["failed"] == "code"


def test_an_archive_that_is_mostly_broken_fails_the_check(workspace: Workspace, tmp_path: Path):
    assert not records_found(workspace).passed and not text_found(workspace).passed  # nothing was made
    path = Path(write(tmp_path / "one.warc.gz", {f"http://a.example/{i}": page(f"number {i}") for i in range(6)}))
    data = bytearray(path.read_bytes())
    for i in (data.index(b"\x1f\x8b\x08", 10), data.rindex(b"\x1f\x8b\x08")):
        data[i + 60 : i + 90] = bytes(30)
    path.write_bytes(data)
    register(workspace.lake, RECIPE, "web", [str(path)])
    make_all(Workspace(workspace.lake, RECIPE))
    outcome = records_found(workspace)
    assert not outcome.passed and outcome.metadata["by crawl"] == [{"crawl": "web", "records": 4, "broken": 2}]


def test_the_assets_run_and_only_extraction_makes_documents_stale(filled: Workspace, tmp_path: Path):
    definition = dg.DynamicPartitionsDefinition(name="shards")
    assets = [*crawl_assets(RECIPE, definition), *takedown_assets(RECIPE, definition)]
    resources = {"lake": LakeResource(root=filled.lake.root, s3=S3Resource()), "workers": Workers(processes=1)}
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("shards", shards(filled.lake))
        result = dg.materialize(assets, instance=instance, partition_key="web/0001", resources=resources)
        assert result.success
        evaluations = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
    assert evaluations == {"up_to_date": True, "records_found": True, "text_found": True}

    def versions(recipe: Recipe) -> list[str | None]:
        return [next(iter(asset.code_versions_by_key.values())) for asset in crawl_assets(recipe, definition)]

    other = RECIPE.model_copy(update={"extraction": Extraction(extractor="trafilatura")})
    now, then = versions(RECIPE), versions(other)
    assert now[0] == then[0] and now[1] != then[1]
    assert all(asset.partitions_def == definition and set(asset.group_names_by_key.values()) == {"crawl"} for asset in assets)
