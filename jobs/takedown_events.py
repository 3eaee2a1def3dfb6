"""Deletes the runs in whose events a page that was taken down is quoted: their metadata show excerpts.

A run is deleted whole, its log with it. Where it was the latest to make a partition, the plan finds the partition's files in the
lake again at the next rebuild, at the cost of a look-up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import dagster as dg
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from gristmill.crawl.tombstones import Tombstone
from gristmill.lineage.takedown.quotes import Quotes, strings

PAGE = 100  # events read at a time


def forget_events(instance: dg.DagsterInstance, tombstone: Tombstone, dry_run: bool) -> list[str]:
    """The ids of the runs that quoted it, deleted unless `dry_run`. Reads every materialisation's metadata; a database keeps deleted
    rows in its free pages until it is vacuumed, which is done for SQLite."""
    quotes = Quotes(tombstone.texts)
    if not tombstone.texts:
        return []
    quoting: set[str] = set()
    for key in sorted(instance.all_asset_keys()):
        cursor = None
        while True:
            page = instance.fetch_materializations(key, limit=PAGE, cursor=cursor)
            for record in page.records:
                made = record.asset_materialization
                if made and quotes.among(said for each in made.metadata.values() for said in strings(each.value)):
                    quoting.add(record.run_id)
            cursor = page.cursor
            if not page.has_more:
                break
    for run_id in sorted(quoting) if not dry_run else ():
        instance.delete_run(run_id)
    storage = instance.event_log_storage
    if quoting and not dry_run and isinstance(storage, SqliteEventLogStorage):
        files: list[Callable[[], Any]] = [storage.index_connection, *(partial(storage.run_connection, run) for run in sorted(quoting))]
        for opened in files:
            with opened() as connection:
                connection.commit()
                connection.connection.driver_connection.execute("vacuum")
    return sorted(quoting)
