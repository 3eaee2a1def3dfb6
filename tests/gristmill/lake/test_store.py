"""The lake: contracts, atomic content-addressed publishing, in a folder and in an object store."""

import pickle
from pathlib import Path

import polars as pl
import pytest

from gristmill.errors import ContractError, LakeError
from gristmill.lake.contracts import CONTRACTS, conform
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Inputs, Made, Workspace
from gristmill.recipe import Recipe


def edits(*doc_ids: str) -> pl.DataFrame:
    rows = [{"doc_id": each, "start": 0, "end": 1, "replacement": "", "rule": "pii.email"} for each in doc_ids]
    return pl.DataFrame(rows, schema=CONTRACTS["edits"].schema)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (edits("a").drop("end"), "lacks the columns end"),
        (edits("a").with_columns(more=1), "does not name: more"),
        (edits("a").with_columns(pl.col("start").cast(pl.Int32)), "column start: must be Int64, is Int32"),
        (edits("a").with_columns(rule=pl.lit(None, pl.String)), "column rule: has 1 null values"),
        (edits("a", "a"), "rows share a key, for example ('a', 0, 'pii.email')"),
    ],
)
def test_a_broken_contract_is_refused_and_says_where(lake: Lake, frame: pl.DataFrame, said: str):
    with pytest.raises(ContractError) as error:
        lake.write_table("edits", frame)
    assert said in str(error.value)
    assert lake.keys("tables/") == []


def test_signals_take_float_columns_and_nothing_else(lake: Lake):
    lake.write_table("signals.gopher", pl.DataFrame({"doc_id": ["a"], "gopher.word_count": [1.0]}))
    with pytest.raises(ContractError, match="must be Float64"):
        lake.write_table("signals.gopher", pl.DataFrame({"doc_id": ["a"], "gopher.word_count": [1]}))


def test_equal_content_is_stored_once(lake: Lake):
    first, second = lake.write_table("edits", edits("a", "b")), lake.write_table("edits", edits("b", "a"))
    assert first == second
    assert lake.keys("tables/") == [first.key]


def test_folders_are_addressed_by_what_is_in_them(lake: Lake, tmp_path: Path):
    for name in ("one", "two"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "weights").write_bytes(b"w")
    one, two = lake.write_file("model", tmp_path / "one"), lake.write_file("model", tmp_path / "two")
    assert one == two
    assert (lake.local_path(one) / "inner" / "weights").read_bytes() == b"w"
    (tmp_path / "two" / "inner" / "weights").rename(tmp_path / "two" / "inner" / "biases")
    assert lake.write_file("model", tmp_path / "two").hash != one.hash


def test_a_deleted_table_is_an_error_that_says_what_to_do(lake: Lake):
    stored = lake.write_table("edits", edits("a"))
    lake.delete(stored.key)
    with pytest.raises(LakeError, match="is gone") as error:
        lake.scan(stored)
    assert "no partition stands on it now" in str(error.value) and "gristmill audit" in str(error.value)


def test_a_broken_head_names_the_file(workspace: Workspace):
    workspace.lake.put("heads/default/edits/w/0000.json", b"{")
    with pytest.raises(LakeError, match=r"heads/default/edits/w/0000\.json"):
        workspace.head("edits", "w/0000")


def test_a_workspace_reads_back_what_was_made(workspace: Workspace):
    made = Made({"edits": edits("a")}, metadata={"rows": 1})
    output = workspace.store("edits", "web/0000", made, "1", Inputs({"documents": {"web/0000": "v"}}, {"source": "s"}), 0.5)
    assert workspace.partitions("edits") == ["web/0000"]
    assert workspace.read("edits", "web/0000", columns=["doc_id"]).rows() == [("a",)]
    assert workspace.metadata("edits", "web/0000") == {"rows": 1}
    assert workspace.output("edits", "web/0000") == output
    assert set(output.inputs) == {"documents", "source"}
    assert pickle.loads(pickle.dumps(workspace)).version("edits", "web/0000") == output.data_version
    with pytest.raises(LakeError, match=r"edits\[web/0001\] has not been made yet"):
        workspace.read("edits", "web/0001")
    with pytest.raises(LakeError, match="holds no table 'signals'"):
        workspace.read("edits", "web/0000", "signals")


def test_clock_times_are_outside_the_data_version(workspace: Workspace, tmp_path: Path):
    versions = set()
    for seconds in ("1", "2"):
        (tmp_path / "log.jsonl").write_text(seconds)
        versions.add(
            workspace.store("edits", None, Made({"edits": edits("a")}, unhashed={"log": tmp_path / "log.jsonl"}), "1").data_version
        )
    assert len(versions) == 1


def test_what_was_made_before_comes_back_in_any_namespace_unless_its_files_are_gone(lake: Lake):
    one, two = Workspace(lake, Recipe()), Workspace(lake, Recipe(namespace="other"))
    inputs = Inputs({"documents": {"": "v1"}})
    made = one.store("edits", None, Made({"edits": edits("a")}), "1", inputs)
    assert two.made_before("edits", None, "1", inputs.digests) == made
    assert two.made_before("edits", None, "2", inputs.digests) is None
    assert two.made_before("edits", None, "1", Inputs({"documents": {"": "v2"}}).digests) is None
    lake.delete(made.tables["edits"].key)
    assert two.made_before("edits", None, "1", inputs.digests) is None


def test_a_memo_is_made_once(workspace: Workspace):
    calls: list[list[str]] = []

    def make(missing: list[str]) -> dict[str, pl.DataFrame]:
        calls.append(missing)
        tables = {"edits": edits("a"), "signals.x": pl.DataFrame({"doc_id": ["a"], "x.y": [1.0]})}
        return {name: tables[name] for name in missing}

    for _ in range(2):
        assert workspace.memo({"edits": "key"}, make)["edits"].height == 1
    both = workspace.memo({"edits": "key", "signals.x": "key"}, make)
    assert list(both) == ["edits", "signals.x"] and both["signals.x"]["x.y"].to_list() == [1.0]
    assert workspace.memo({"edits": "other key", "signals.x": "key"}, make)["edits"].height == 1
    assert calls == [["edits"], ["signals.x"], ["edits"]]


def test_the_cache_keeps_first_values_and_takes_many_keys(workspace: Workspace):
    cache = workspace.cache("pages")
    assert cache.get_many(["a"]) == {}
    cache.put_many({f"k{i}": str(i).encode() for i in range(1200)})
    cache.put_many({"k1": b"other"})
    found = cache.get_many([f"k{i}" for i in range(1300)])
    assert len(found) == 1200
    assert found["k1"] == b"1"


def test_conform_sorts_by_key():
    assert conform("edits", edits("b", "a"))["doc_id"].to_list() == ["a", "b"]
