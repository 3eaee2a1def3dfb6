"""The funnel adds up, whatever has been made."""

import importlib.util
import io
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from gristmill.lineage.funnel import bytes_per_token, eval_table, format_funnel, funnel, reasons, totals, with_totals

spec = importlib.util.spec_from_file_location("generated_lake", Path(__file__).parents[1] / "evaluation" / "generated_lake.py")
generated_lake = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generated_lake)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    workspace = generated_lake.generated(tmp_path_factory.mktemp("built") / "lake")
    generated_lake.evaluated(workspace)
    return workspace


def printed(workspace) -> str:
    out = io.StringIO()
    format_funnel(workspace, Console(file=out, width=120))
    return out.getvalue()


def test_documents_and_reasons_add_up(built):
    rows = funnel(built)
    assert rows["stage"].unique(maintain_order=True).to_list() == ["records", "documents", "filtered", "deduplicated", "curated", "mixed"]
    for source in ("web", "code"):
        part = rows.filter(pl.col("source") == source)
        for before, after in zip(part["documents"], part.slice(1).iter_rows(named=True), strict=False):
            assert before - after["documents"] == sum(reason["documents"] for reason in after["dropped_by"]), (source, after["stage"])


def test_what_stopped_whom(built):
    dropped = {
        (row["stage"], row["source"]): {each["rule"]: each["documents"] for each in row["dropped_by"]}
        for row in funnel(built).iter_rows(named=True)
    }
    assert dropped["documents", "web"] == {"quarantine: too_large": 2, "captured again unchanged": 2}
    assert dropped["filtered", "code"] == {"gopher.word_count_min": 8}
    assert dropped["deduplicated", "web"] == {"dedup.near": 2}
    assert dropped["deduplicated", "code"] == {}
    assert dropped["curated", "web"] == {"quality.score": 2}
    assert set(dropped["mixed", "web"]) == {"test split", "validation split"}


def test_words_and_tokens(built):
    rows = {(row["stage"], row["source"]): row for row in funnel(built).iter_rows(named=True)}
    assert bytes_per_token(built) == {"web": 3.0, "code": 4.0}
    characters = sum(built.read("documents", shard)["n_chars"].sum() for shard in ("docs-1/a", "docs-1/b"))
    assert rows["documents", "web"]["tokens"] == round(characters / 3)
    assert rows["records", "web"]["tokens"] is None and rows["records", "web"]["words"] is None
    provenance = built.read("mixed_corpus", "general", "provenance")
    assert rows["mixed", "code"]["tokens"] == (provenance["end"] - provenance["start"]).sum()
    assert rows["documents", "web"]["words"] > rows["filtered", "web"]["words"] > 0


def test_totals_are_sums(built):
    rows = funnel(built)
    summed = totals(rows)
    assert summed["documents"].to_list() == [rows.filter(pl.col("stage") == stage)["documents"].sum() for stage in summed["stage"]]
    assert {each["rule"]: each["documents"] for each in summed.filter(pl.col("stage") == "filtered")["dropped_by"][0]} == {
        "gopher.word_count_min": 24
    }


def test_shares_are_of_the_stage_before(built):
    rows = funnel(built)
    added = rows.filter(pl.col("stage") == "mixed").head(1).with_columns(source=pl.lit("synthetic"), documents=pl.lit(999, pl.Int64))
    shares = {(row["stage"], row["source"]): row["share"] for row in with_totals(pl.concat([rows, added]))}
    assert shares["records", "all"] is None
    assert shares["filtered", "web"] == 64 / 80
    assert shares["filtered", "all"] == 86 / 110
    assert shares["mixed", "synthetic"] is None
    assert shares["mixed", "all"] < 1  # what the mix adds was not kept


def test_printed_with_the_eval_table(built):
    text = printed(built)
    assert "gopher.word_count_min 16" in text and "deduplicated" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["small", "float", "2.100", "2.000", "2.200"] in lines
    assert [line[1] for line in lines if line[:1] == ["small"]] == ["float", "w8", "w4", "w2"]
    assert eval_table(built).columns == ["model", "scheme", "web", "code", "all"]


def test_an_empty_lake(workspace):
    assert funnel(workspace).is_empty()
    assert eval_table(workspace).is_empty()
    assert "Nothing has been made yet" in printed(workspace)


def test_reasons_are_short():
    assert reasons([{"rule": f"r{n}", "documents": 1000} for n in range(5)]) == "r0 1,000, r1 1,000, r2 1,000, others 2,000"
    assert reasons([]) == ""
