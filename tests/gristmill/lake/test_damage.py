"""Stored tables that were cut, overwritten or deleted: every reader's error ends as one that names the file and the way out."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from gristmill.errors import LakeError
from gristmill.lake import damage
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake, Stored
from gristmill.lake.workspace import Made, Workspace

ROWS = 2_000


def edits(name: str) -> pl.DataFrame:
    rows = [{"doc_id": f"{name}{n:05}", "start": n, "end": n + 1, "replacement": "", "rule": "pii.email"} for n in range(ROWS)]
    return pl.DataFrame(rows, schema=CONTRACTS["edits"].schema)


@pytest.fixture
def several(workspace: Workspace) -> dict[str, Stored]:
    return {name: workspace.store("edits", f"web/{name}", Made({"edits": edits(name)}), "1").tables["edits"] for name in "abcd"}


def garbled(data: bytes) -> bytes:
    return data[:200] + bytes(len(data) - 1000) + data[-800:]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda data: data[: len(data) // 2], "was cut short or overwritten"),
        (lambda data: b"", "it is empty"),
        (lambda data: b"PAR1", "it holds 4 bytes"),
        (garbled, "a part of it does not decode"),
    ],
)
def test_of_many_tables_the_damaged_one_is_named_with_its_partition_and_the_way_out(
    workspace: Workspace, several: dict[str, Stored], harm: Callable[[bytes], bytes], said: str
):
    lake, key = workspace.lake, several["b"].key
    lake.put(key, harm(lake.get(key) or b""))
    with pytest.raises(pl.exceptions.PolarsError) as polars_error:
        pl.concat([workspace.scan("edits", f"web/{name}").filter(pl.col("rule") != "x") for name in several]).collect()
    told = damage.explained(polars_error.value, lake)
    assert isinstance(told, LakeError) and told.where == f"{lake.root}/{key}"
    assert said in told.what and "edits[web/b]" in told.what and "web/a" not in told.what
    assert f"`rm {lake.root}/{key}`, then `gristmill rebuild --until edits`" in str(told.fix) and "`gristmill audit`" in str(told.fix)
    with pytest.raises(Exception) as arrow_error:
        lake.parquet(key).read()
    assert str(damage.explained(arrow_error.value, lake)) == str(told)


def test_of_two_damaged_tables_the_one_that_was_read_is_named(workspace: Workspace, several: dict[str, Stored]):
    lake = workspace.lake
    lake.put(several["a"].key, (lake.get(several["a"].key) or b"")[:500])
    lake.put(several["b"].key, garbled(lake.get(several["b"].key) or b""))
    for name, said in (("a", "cut short"), ("b", "does not decode"), ("a", "cut short")):
        with pytest.raises(pl.exceptions.PolarsError) as error:
            workspace.read("edits", f"web/{name}")
        told = damage.explained(error.value, lake)
        assert told and told.where == f"{lake.root}/{several[name].key}" and said in told.what


def test_what_is_deleted_before_it_is_opened_or_after(workspace: Workspace, several: dict[str, Stored]):
    lake = workspace.lake
    opened = workspace.scan("edits", "web/c")
    lake.delete(several["c"].key)
    with pytest.raises(Exception) as late:
        opened.collect()
    with pytest.raises(LakeError, match=r"is gone \(the table edits of edits\[web/c\]\)") as early:
        workspace.scan("edits", "web/c")
    assert "`gristmill rebuild --until edits` makes it anew" in str(early.value)
    assert str(damage.explained(late.value, lake)) == str(early.value)
    assert damage.explained(early.value, lake) is None  # told already


def test_equal_tables_are_one_file_so_all_that_stand_on_it_are_named(lake: Lake, workspace: Workspace):
    for asset, partition in (("edits", "web/a"), ("edits", "web/b"), ("edits_again", None)):
        stored = workspace.store(asset, partition, Made({"edits": edits("a")}), "1").tables["edits"]
    told = damage.damaged(lake, stored.key, "it is empty")
    assert "edits[web/a], edits[web/b], edits_again)" in told.what
    assert "--until edits --until edits_again" in str(told.fix)


def test_other_errors_stay_what_they_are(workspace: Workspace, several: dict[str, Stored]):
    with pytest.raises(pl.exceptions.ColumnNotFoundError) as error:
        workspace.scan("edits", "web/a").select("no such").collect()
    for other in (error.value, ValueError("parquet"), FileNotFoundError(2, "no such file", "/elsewhere"), OSError("stream closed")):
        assert damage.explained(other, workspace.lake) is None


def test_in_an_object_store_too(tmp_path: Path):
    lake = Lake(f"file://{tmp_path}")  # a store by its URL, of which no file is opened
    key = "tables/edits/00.parquet"
    lake.put(key, b"PAR1" + bytes(20) + b"PAR0")
    damage.remember(lake, key)
    told = damage.explained(pl.exceptions.ComputeError("parquet: File out of specification"), lake)
    assert (
        told and told.where == f"file://{tmp_path}/{key}" and str(told.fix).startswith("Delete that object: no partition stands on it now.")
    )
    lake.delete(key)
    assert damage.explained(pl.exceptions.ComputeError("parquet: File out of specification"), lake) is None
