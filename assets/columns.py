"""The columns of an asset as Dagster shows them: schema by contract, and for each column those that it is made from.

An asset holds several tables and files, and Dagster knows one table an asset, so a column is called `table.column`; a signal by its
own name, which holds its family, and a file by its name, with the type `file`. A signal table's `doc_id` is that of `pages`.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from assets.column_sources import NOTED, Sources, sources
from gristmill.lake.contracts import contract_of
from gristmill.recipe import Recipe
from gristmill.signals.registry import SIGNALS
from resources.event_log import asset_key

NAMED = 5  # columns of an asset, in words

Column = tuple[str, str, str]
"""Asset, table ("" for a file), column or file."""


def definition_metadata(recipe: Recipe, asset: str) -> dict[str, Any]:
    """`dagster/column_schema` and `dagster/column_lineage`: the same for all partitions, so it belongs to the definition."""
    declared = sources(recipe, asset)
    if not declared:
        return {}
    lineage = {
        name(column): [dg.TableColumnDep(asset_key(recipe.namespace, each[0]), name(each)) for each in made_of]
        for column, made_of in lineage_of(recipe, asset).items()
        if made_of
    }
    made_of = {column[1:]: each for column, each in lineage_of(recipe, asset).items()}
    schema = dg.TableSchema([_shown(column, made_of[column]) for column in columns(declared)])
    found: dict[str, Any] = {"dagster/column_schema": schema}
    return found | ({"dagster/column_lineage": dg.TableColumnLineage(lineage)} if lineage else {})


def columns(declared: Sources) -> Iterator[tuple[str, str]]:
    """(table, column), files last: a table's columns as its contract has them; signals as the declaration names them."""
    for table, made in declared.items():
        contract = contract_of(table) if table else None
        if contract is None or contract.open:
            yield from ((table, column) for group in made for column in group.split())
        else:
            yield from ((table, column) for column in contract.schema)


def lineage_of(recipe: Recipe, asset: str) -> dict[Column, list[Column]]:
    """Each of the asset's columns and files -> those that it is made of."""
    declared = sources(recipe, asset)
    of_column = {(table, each): read for table, made in declared.items() for group, read in made.items() for each in group.split()}
    return {(asset, *column): list(dict.fromkeys(parsed(of_column.get(column, ""), column[1]))) for column in columns(declared)}


def columns_read(recipe: Recipe, asset: str) -> set[Column]:
    """All that the asset reads, for its metadata too."""
    families = {f"signals.{family}" for family in recipe.families}
    noted = [each for each in parsed(NOTED.get(asset, "")) if not each[1].startswith("signals.") or each[1] in families]
    return {each for made_of in lineage_of(recipe, asset).values() for each in made_of} | set(noted)


def parsed(read: str, column: str = "") -> Iterator[Column]:
    """The columns of a declaration; `=` is the column of the same name as the one declared."""
    for part in filter(None, read.split("; ")):
        where, _, names = part.partition(":")
        asset, _, table = where.partition("/")
        if not names:
            yield asset, "", table
        for each in names.split():
            yield asset, table, column if each == "=" else each


def name(column: Column) -> str:
    _, table, own = column
    return own if not table or table.startswith("signals.") else f"{table}.{own}"


def _from(made_of: list[Column]) -> str:
    """In words, since Dagster's own pages show a column's description and not its lineage."""
    by_asset: dict[str, list[str]] = {}
    for column in made_of:
        by_asset.setdefault(column[0], []).append(name(column))
    told = [
        f"{asset}: {', '.join(each[:NAMED])}{f' and {len(each) - NAMED} more' if len(each) > NAMED else ''}"
        for asset, each in by_asset.items()
    ]
    return f"from {'; '.join(told)}" if told else ""


def _shown(place: tuple[str, str], made_of: list[Column]) -> dg.TableColumn:
    table, column = place
    shown, origin = name(("", table, column)), _from(made_of)
    if not table:
        return dg.TableColumn(shown, "file", origin or None)
    contract = contract_of(table)
    if column not in contract.schema:
        return dg.TableColumn(shown, "Float64", f"{SIGNALS[column]}; {origin}", dg.TableColumnConstraints(nullable=False))
    alone = contract.key == (column,)
    other = ["part of the key"] if column in contract.key and not alone else []
    return dg.TableColumn(
        shown, str(contract.schema[column]), origin or None, dg.TableColumnConstraints(column in contract.nullable, alone, other or None)
    )
