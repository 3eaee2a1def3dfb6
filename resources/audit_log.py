"""The event log as the audit reads it: the last event of each partition, and whether a run of Dagster's wrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from gristmill.lake.workspace import Partition, Workspace
from gristmill.lineage.audit.scope import Event
from resources.event_log import asset_key
from resources.plan_cache import MATERIALIZATION, PAGE, of_materialization


class AuditLog:
    """`gristmill.lineage.audit.scope.Log` over an instance, for one namespace. It reads the log itself, never the plan's cache."""

    def __init__(self, instance: dg.DagsterInstance, namespace: str):
        self.instance, self.namespace = instance, namespace
        self._known: dict[str, bool] = {}

    def assets(self) -> Sequence[str]:
        prefix = [self.namespace] if self.namespace else []
        found = [key for key in self.instance.all_asset_keys() if list(key.path[:-1]) == prefix]
        return sorted(key.path[-1] for key in found if self.instance.fetch_materializations(key, limit=1).records)

    def events(self, asset: str, chosen: Callable[[Iterable[Partition]], Iterable[Partition]]) -> Mapping[Partition, Event]:
        key = asset_key(self.namespace, asset)
        ids: dict[Any, int] = dict(self.instance.event_log_storage.get_latest_storage_id_by_partition(key, MATERIALIZATION))
        wanted = [ids[partition] for partition in chosen(ids)]
        pages: list[Any] = [dg.AssetRecordsFilter(key, storage_ids=wanted[i : i + PAGE]) for i in range(0, len(wanted), PAGE)]
        if not ids:  # an unpartitioned asset of which Dagster keeps no id by partition
            pages = [key]
        found: dict[Partition, Event] = {}
        for page in pages:
            for record in self.instance.fetch_materializations(page, limit=PAGE if ids else 1).records:
                if record.asset_materialization:
                    recorded = of_materialization(record.asset_materialization)
                    found[record.partition_key] = Event(recorded, record.run_id, self._is_run(record.run_id), record.timestamp)
        return found

    def _is_run(self, run: str) -> bool:
        """Whether the instance has the run. What is reported by hand, through the UI or an API, names none."""
        if run not in self._known:
            self._known[run] = bool(run) and self.instance.has_run(run)
        return self._known[run]


class AuditLogResource(dg.ConfigurableResource):
    """Gives the audit the log of the instance that it runs under."""

    _instance: dg.DagsterInstance | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        self._instance = context.instance

    def open(self, workspace: Workspace) -> AuditLog | None:
        return None if self._instance is None else AuditLog(self._instance, workspace.recipe.namespace)
