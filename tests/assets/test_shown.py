"""What a materialisation's metadata says of its past, its inputs and its build."""

from dataclasses import replace

from assets.shown import LISTED, content, made_from, materialization_metadata
from gristmill.lake.store import Stored
from gristmill.lake.workspace import Output

TABLE = Stored("table", "tables/verdicts/h.parquet", "h", 7, 70)
OUTPUT = Output(
    "checkpoints", "tiny", "a" * 32, "c", {"mixed_corpus": "d" * 32, "tokenizer": "e" * 32},
    {"verdicts": TABLE, "splits": replace(TABLE, rows=5)},
    {}, {"kept": 3}, 0.5, {"mixed_corpus": {"general": "f" * 32, "annealing": "0" * 32}, "tokenizer": {"": "1" * 32}},
)  # fmt: skip


def test_equal_content_says_that_it_stops_there():
    assert content(None, OUTPUT) == "new"
    assert content(OUTPUT, OUTPUT) == "equal to before: what reads it is not made again"
    assert content(replace(OUTPUT, data_version="b" * 32), OUTPUT) == "changed: bbbbbbbbbbbb -> aaaaaaaaaaaa"


def test_every_partition_that_was_read_is_linked():
    rows = {row["partition"]: row for row in made_from(OUTPUT, "trial")}
    link = "[general](/assets/trial/mixed_corpus?view=partitions&partition=general)"
    assert rows[link]["version"] == "f" * 12 and len(rows) == 3
    many = replace(OUTPUT, read={"mixed_corpus": {f"web/{i:04d}": "f" * 32 for i in range(LISTED + 1)}})
    assert [(row["partition"], row["version"]) for row in made_from(many, "")] == [("all 9", "dddddddddddd, of all")]


def test_reasons_rows_and_the_runs_of_the_build_are_shown():
    values = materialization_metadata(
        OUTPUT, cached=False, head="heads/x.json", before=None, why=["missing", "a 1 -> 2"], build="quickstart/4", namespace=""
    )
    assert list(values)[:3] == ["why", "content", "build"] and values["why"] == "missing; a 1 -> 2"
    assert values["dagster/partition_row_count"] == 7 and values["rows of splits"] == 5 and values["kept"] == 3
    assert values["build"].value == "[quickstart/4](/runs?q%5B0%5D=tag%3Agristmill%2Fbuild%3Dquickstart%2F4)"
