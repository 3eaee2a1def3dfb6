"""Look-ups by key find what a filter finds, and read few row groups."""

import hashlib

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.lake.store import Lake
from gristmill.lake.workspace import Inputs, Made, Workspace
from gristmill.lineage.index import documents as index
from gristmill.lineage.why.find import INDEX, Between, Keyed
from gristmill.recipe import Recipe

HOSTS = ("mill.example", "www.mill.example", "grain.example", "a.example:8080")


def _id(n: int) -> str:
    return hashlib.blake2b(str(n).encode(), digest_size=16).hexdigest()


def _rows(count: int) -> pl.DataFrame:
    rows = [
        {
            "doc_id": _id(n),
            "url": f"http://{HOSTS[n % 4]}/{n // 7}/{'long-' * (n % 40)}{n}",
            "shard": f"docs/{n % 3}",
            "capture": "",
            "fetched_at": None,
        }
        for n in range(count)
    ]
    rows += [{**row, "shard": "docs/9"} for row in rows[::10]]  # a document in two shards
    rows.append({"doc_id": "", "url": "http://mill.example/torn", "shard": "docs/1", "capture": "c", "fetched_at": None})
    return pl.DataFrame(rows, schema=index.ROW)


def _stored(root, rows: pl.DataFrame, expected: int) -> Keyed:
    workspace = Workspace(Lake(root / "lake"), Recipe())
    shards = [part for _, part in sorted(rows.partition_by("shard", as_dict=True).items())]
    assert index.write_index(shards, expected, root / "index") == rows.height
    workspace.store(INDEX, None, Made(files={"index": root / "index"}), "1", Inputs())
    return Keyed(workspace)


@pytest.fixture(scope="module", params=[1, 40_000_000, 400_000_000], ids=["one bucket", "16 of each", "256 of each"])
def indexed(request, tmp_path_factory):
    rows = _rows(2_000)
    return _stored(tmp_path_factory.mktemp("index"), rows, request.param), rows


@settings(max_examples=25, deadline=None)
@given(numbers=st.lists(st.integers(0, 2_400), max_size=8))
def test_documents_by_id(indexed, numbers):
    keyed, rows = indexed
    ids = [_id(n) for n in numbers]
    wanted = rows.filter(pl.col("doc_id").is_in(ids))
    assert keyed.documents(ids).sort(pl.all()).equals(wanted.sort(pl.all()))


@settings(max_examples=25, deadline=None)
@given(numbers=st.lists(st.integers(0, 1_999), max_size=8), digits=st.integers(0, 6))
def test_pages_by_url_and_documents_by_the_beginning_of_an_id(indexed, numbers, digits):
    keyed, rows = indexed
    urls = [rows["url"][n] for n in numbers] + ["http://mill.example/torn", "http://nowhere.example/"]
    assert keyed.pages(urls).sort(pl.all()).equals(rows.filter(pl.col("url").is_in(urls)).sort(pl.all()))
    prefix = _id(1)[:digits]
    wanted = rows.filter(pl.col("doc_id").str.starts_with(prefix) & (pl.col("doc_id") != ""))
    assert keyed.documents(Between.starting_with(prefix)).sort(pl.all()).equals(wanted.sort(pl.all()))


def test_similar_urls_come_from_the_same_host(indexed):
    keyed, rows = indexed
    known = rows["url"][400]
    found = keyed.similar_urls(known[:-1] + "x")
    assert found and found[0].rpartition("/")[0] == known.rpartition("/")[0]
    assert {url.split("/")[2] for url in found} == {known.split("/")[2]}
    assert keyed.similar_urls("http://nowhere.example/page") == []


def test_the_index_does_not_depend_on_how_documents_lie_in_shards(tmp_path):
    rows = _rows(300).with_columns(shard=pl.lit("docs/0")).unique()
    index.write_index([rows], 300, tmp_path / "one")
    index.write_index([rows[200:], rows[:100], rows[100:200]], 300, tmp_path / "three")
    for path in (tmp_path / "one").rglob("*.parquet"):
        assert path.read_bytes() == (tmp_path / "three" / path.relative_to(tmp_path / "one")).read_bytes()


def test_a_look_up_reads_one_row_group_of_many(tmp_path):
    workspace = Workspace(Lake(tmp_path), Recipe())
    count = 300_000
    frame = pl.DataFrame({"doc_id": pl.int_range(count, eager=True).cast(pl.String).str.zfill(32), "set": ["x"] * count})
    split = frame.select("doc_id", cluster=pl.col("doc_id"), split=pl.lit("train"))
    workspace.store("deduplicated_shards", "docs/0", Made({"splits": split}), "1")
    keyed = Keyed(workspace)
    groups = workspace.lake.parquet(workspace.output("deduplicated_shards", "docs/0").tables["splits"].key).metadata.num_row_groups
    assert groups >= 6
    found = keyed.rows("deduplicated_shards", "docs/0", "splits", {"doc_id": [frame["doc_id"][123_456]]}, ["split", "doc_id"])
    assert found.rows() == [("train", frame["doc_id"][123_456])]
    assert keyed.groups == 1
    assert keyed.rows("deduplicated_shards", "docs/0", "splits", {"doc_id": ["zzz"]}).is_empty() and keyed.groups == 1
    assert keyed.rows("deduplicated_shards", "docs/1", "splits", {"doc_id": ["0"]}) is None
    assert keyed.rows("deduplicated_shards", "docs/0", "verdicts", {"doc_id": ["0"]}) is None


def test_several_keys_narrow_the_row_groups_together(tmp_path):
    workspace = Workspace(Lake(tmp_path), Recipe())
    count = 200_000
    frame = pl.DataFrame(
        {"phase": ["general"] * (count // 2) + ["annealing"] * (count // 2), "sequence": [*range(count // 2)] * 2, "model": ["m"] * count}
    ).with_columns(step=pl.col("sequence") // 4, slot=pl.col("sequence") % 4)
    workspace.store("training_steps", "m", Made({"steps": frame}), "1")
    keyed = Keyed(workspace)
    found = keyed.rows("training_steps", "m", "steps", {"phase": ["general"], "sequence": [7, 70_000]})
    assert found.select("phase", "step").rows() == [("general", 1), ("general", 17_500)]
    assert keyed.groups == 2


def test_text_lies_in_small_row_groups(tmp_path):
    lake = Lake(tmp_path)
    count = 3_000
    keys = pl.DataFrame({"doc_id": [_id(n) for n in range(count)], "set": ["s"] * count, "text": ["x" * 10_000] * count})
    filled = keys.with_columns(
        plan=pl.lit(""),
        teacher=pl.lit(""),
        seed=pl.lit(1, pl.Int64),
        verification=pl.lit(""),
        verified=pl.lit(True),
        attempts=pl.lit(1, pl.Int64),
    )
    file = lake.parquet(lake.write_table("synthetic", filled).key)
    assert 300 <= file.metadata.row_group(0).num_rows <= 500  # of ten thousand bytes each: about four megabytes
