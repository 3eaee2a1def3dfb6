"""The declared sources of columns, held against what the assets read: with them alone an asset makes the same, without one it does not."""

import importlib
import inspect
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets import contamination
from assets.column_sources import sources
from assets.columns import Column, columns, columns_read, definition_metadata, lineage_of
from assets.graph import recipe_assets
from gristmill.errors import GristmillError
from gristmill.lake.contracts import conform
from gristmill.lake.hashing import mapping_hash
from gristmill.lake.store import Lake
from gristmill.lake.table_hash import table_hash
from gristmill.lake.workspace import Made, Output, Partition, Workspace
from gristmill.recipe import Recipe
from resources.embedder import EmbedderResource
from resources.teacher import TeacherResource

MODULES = (
    "blocks", "contamination", "corpus", "crawl", "dedup", "evaluation", "filters", "lineage", "models", "quality", "quantization",
    "repeated", "synthetic", "takedown",
)  # fmt: skip
RESOURCES = {"embedder": EmbedderResource(), "teacher": TeacherResource()}
WITHOUT = {"raw_crawl", "synthetic_sets", "lineage_audit"}  # they read nothing in the lake, or everything
SLOW = {"topic_classifier", "document_embeddings", "checkpoints"}  # they embed, or load torch
NEEDS = ["documents", "edits", "filtered_shards", "deduplicated_shards", "repeated_spans", "contamination", "quality_scores",
         "curated_shards", "duplicate_twins", "corpus_placements", "training_steps", "document_index"]  # fmt: skip
NOT_IN_THE_CRAWL = {("edits", "edits", own) for own in ("start", "end", "replacement")}  # no rule of its policy removes a line


def makers() -> dict[str, Any]:
    found = {}
    for module in MODULES:
        for label, function in inspect.getmembers(importlib.import_module(f"assets.{module}"), inspect.isfunction):
            if label.startswith("make_"):
                given = {each: RESOURCES[each] for each in inspect.signature(function).parameters if each in RESOURCES}
                found[label.removeprefix("make_")] = partial(function, **given)
    return found


def narrowed(workspace: Workspace, kept: Collection[Column], folder: Path) -> Workspace:
    """A lake that holds these columns and files and nothing else, under the versions of the whole one."""
    shutil.rmtree(folder, ignore_errors=True)
    whole, lake = workspace.lake, Lake(folder, cache_folder=workspace.lake.cache_folder)
    folder.mkdir(parents=True)
    for entry in Path(whole.root).iterdir():
        if entry.name not in ("heads", "tables", "index"):
            (folder / entry.name).symlink_to(entry)
    narrow = Workspace(lake, workspace.recipe)
    for asset in {each for each, _, _ in kept}:
        wanted = {table: {column for a, t, column in kept if (a, t) == (asset, table)} for a, table, _ in kept if a == asset}
        partitions: list[Partition] = [*workspace.partitions(asset)] or [None]
        for each in partitions:
            output = workspace.output(asset, each)
            for table in {*wanted} - {""}:
                stored = output.tables[table]
                frame = whole.scan(stored)
                path = folder / stored.key
                path.parent.mkdir(parents=True, exist_ok=True)
                shared = {"doc_id"} if table.startswith("signals.") else set()
                frame.select(own for own in frame.collect_schema().names() if own in wanted[table] | shared).sink_parquet(path)
            narrow.publish(
                replace(
                    output,
                    tables={table: stored for table, stored in output.tables.items() if table in wanted},
                    files={own: stored for own, stored in output.files.items() if own in wanted.get("", ())},
                )
            )
    return narrow


def version(workspace: Workspace, made: Made) -> str:
    hashes = {table: table_hash(table, conform(table, frame)) for table, frame in made.tables.items()}
    hashes |= {label: workspace.lake.write_file(label, path).hash for label, path in made.files.items()}
    return mapping_hash(hashes)


def remade(workspace: Workspace, narrow: Workspace, make: Any, asset: str) -> Iterator[tuple[Output, str]]:
    """Each partition as it stands, and the version of what is made of the narrow lake."""
    for each in partitions_of(workspace, asset):
        yield workspace.output(asset, each), version(narrow, make(narrow, each))


def partitions_of(workspace: Workspace, asset: str) -> list[Partition]:
    return [*workspace.partitions(asset)] or [None]


@contextmanager
def changed(narrow: Workspace, column: Column, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Iterator[None]:
    """The lake with `change` made to the table of the column in every partition; a file is taken out of its outputs."""
    asset, table, own = column
    shutil.rmtree(Path(narrow.lake.root) / "index", ignore_errors=True)
    contamination._references.cache_clear()  # it knows tables by their path, and these change
    outputs = [narrow.output(asset, each) for each in partitions_of(narrow, asset)]
    paths = {Path(narrow.lake.root) / output.tables[table].key for output in outputs} if table else set()
    before = {path: path.read_bytes() for path in paths}
    for path, data in before.items():
        change(pl.read_parquet(data)).write_parquet(path)
    for output in outputs if not table else ():
        narrow.publish(replace(output, files={label: stored for label, stored in output.files.items() if label != own}))
    try:
        yield
    finally:
        for path, data in before.items():
            path.write_bytes(data)
        for output in outputs:
            narrow.publish(output)
        contamination._references.cache_clear()


def is_needed(workspace: Workspace, narrow: Workspace, make: Any, asset: str, column: Column) -> bool:
    """Whether the asset fails without the column, or makes something else."""
    with changed(narrow, column, lambda frame: frame.drop(column[2])):
        try:
            return any(made != output.data_version for output, made in remade(workspace, narrow, make, asset))
        except (GristmillError, pl.exceptions.PolarsError, KeyError, TypeError):
            return True


def assets_of(recipe: Recipe) -> list[str]:
    return [name for asset in recipe_assets(recipe) if (name := asset.key.path[-1]) not in WITHOUT]


@pytest.fixture(scope="module")
def lakes(built, tmp_path_factory):
    """(the lake, asset -> its lake of declared columns)"""
    mill, recipe, _ = built
    workspace, folder = mill.driver(recipe).workspace, tmp_path_factory.mktemp("narrow")
    return workspace, {asset: narrowed(workspace, columns_read(recipe, asset), folder / asset) for asset in assets_of(recipe)}


def test_an_asset_makes_the_same_of_its_declared_columns_alone(lakes):
    workspace, narrow = lakes
    make = makers()
    for asset in narrow.keys() - SLOW:
        for output, made in remade(workspace, narrow[asset], make[asset], asset):
            assert made == output.data_version, f"{asset}[{output.partition}]"


@pytest.mark.parametrize("asset", NEEDS)
def test_without_any_one_of_them_it_does_not(lakes, asset):
    workspace, narrow = lakes
    make = makers()[asset]
    columns = columns_read(workspace.recipe, asset) - NOT_IN_THE_CRAWL
    assert [column for column in sorted(columns) if not is_needed(workspace, narrow[asset], make, asset, column)] == []


@pytest.mark.parametrize("asset", ["filtered_shards", "deduplicated_shards", "quality_scores", "curated_shards"])
def test_a_column_moves_only_those_that_are_declared_to_be_made_of_it(lakes, asset):
    workspace, narrow = lakes
    make, lineage = makers()[asset], lineage_of(workspace.recipe, asset)
    moves = 0
    for column in sorted(columns_read(workspace.recipe, asset)):
        declared = {(table, own) for (_, table, own), made_of in lineage.items() if column in made_of}
        if not column[1] or any(own == "doc_id" for _, own in declared):  # it says which rows there are, or is a file
            continue
        with changed(narrow[asset], column, lambda frame: frame.with_columns(pl.col(column[2]).reverse())):  # noqa: B023
            for each in partitions_of(workspace, asset):
                try:
                    made = make(narrow[asset], each)
                except GristmillError:  # survivors without a score
                    continue
                moved = differing(workspace, asset, each, made)
                assert moved <= declared, f"{asset}[{each}] of {column}"
                moves += len(moved)
    assert moves, "some of it is seen to move"


def differing(workspace: Workspace, asset: str, partition: Partition, made: Made) -> set[tuple[str, str]]:
    """Columns that differ in rows that both have; and the key where the rows are others."""
    found = set()
    for table, frame in made.tables.items():
        before, after = workspace.read(asset, partition, table), conform(table, frame)
        if not before["doc_id"].equals(after["doc_id"]):
            found.add((table, "doc_id"))
            both = before["doc_id"].filter(before["doc_id"].is_in(after["doc_id"].implode()))
            before, after = (each.filter(pl.col("doc_id").is_in(both.implode())) for each in (before, after))
        found |= {(table, own) for own in before.columns if not before[own].equals(after[own], null_equal=True)}
    return found


def test_every_table_is_declared_with_every_column(lakes):
    workspace, _ = lakes
    for asset in [*assets_of(workspace.recipe), "raw_crawl", "synthetic_sets"]:
        declared: dict[str, set[str]] = {}
        for table, own in columns(sources(workspace.recipe, asset)):
            declared.setdefault(table, set()).add(own)
        for each in partitions_of(workspace, asset):
            output = workspace.output(asset, each)
            stored = {table: set(workspace.scan(asset, each, table).collect_schema().names()) for table in output.tables}
            stored = {table: own - {"doc_id"} if table.startswith("signals.") else own for table, own in stored.items()}
            assert stored | ({"": set(output.files)} if output.files else {}) == declared, asset


def test_what_is_declared_exists_upstream(lakes):
    workspace, _ = lakes
    graph = {asset.key.path[-1]: {key.path[-1] for key in asset.dependency_keys} for asset in recipe_assets(workspace.recipe)}
    for asset in assets_of(workspace.recipe):
        for upstream, table, own in columns_read(workspace.recipe, asset):
            assert upstream in graph[asset] and (table, own) in set(columns(sources(workspace.recipe, upstream)))
        made_of = definition_metadata(workspace.recipe, asset).get("dagster/column_lineage")
        shown = {column.name for column in definition_metadata(workspace.recipe, asset)["dagster/column_schema"].columns}
        assert made_of is None or made_of.deps_by_column.keys() <= shown


def test_a_verdict_is_made_of_the_signals_of_its_rules(lakes):
    workspace, _ = lakes
    lineage = definition_metadata(workspace.recipe, "filtered_shards")["dagster/column_lineage"].deps_by_column
    read = {f"{dep.asset_key.to_user_string()} {dep.column_name}" for dep in lineage["verdicts.value"]}
    signals = {rule.signal for rule in workspace.recipe.policy.document_rules() if rule.action == "drop"}
    assert {f"signals {signal}" for signal in signals} == read - {"signals pages.language"}
