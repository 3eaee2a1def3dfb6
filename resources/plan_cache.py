"""The latest record of every partition of an asset, from the event log, kept in a file that follows the log.

The log decides, always. For each asset one query gives the *mark* of its materialisations: how many there are, the sum of
their ids, the last one's id, time and run, and when the asset was wiped. A file with the same mark holds what the log holds;
a file whose mark is the log's up to its own last event needs the events after it; any other is made anew. Counting and summing
up to the last event, and not going by a cursor alone, sees events that were deleted, ids that SQLite gives out again after a
wipe, and events that another process wrote under a lower id but committed later.

Reads Dagster's tables (1.13.27) directly: 200,000 events take a quarter of an hour through its objects. What it cannot read
that way (another storage, another form of event) goes through Dagster's own functions. `tests/resources/test_plan_cache.py`
holds each of these against them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy as sa
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import AssetKeyTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import AssetDetails, SqlEventLogStorage
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._serdes import deserialize_value

from gristmill.lake.workspace import Partition
from gristmill.lineage.plan.plan import Recorded

INPUTS = "gristmill/inputs."  # tag prefix; Dagster's own input versions are wrong from 100 upstream partitions on
FILES = "gristmill/files"  # metadata: keys of the files that a materialisation stands on
DATA_VERSION = "dagster/data_version"
CODE_VERSION = "dagster/code_version"
ROWS = ("dagster/partition_row_count", "dagster/row_count")
FORMAT = 1  # of the files
PAGE = 900  # ids per query: SQLite allows 999 variables on old builds
MATERIALIZATION = dg.DagsterEventType.ASSET_MATERIALIZATION

Records = dict[Partition, Recorded]
_T = SqlEventLogStorageTable.c


@dataclass(frozen=True)
class Mark:
    """What an asset's materialisations in the log come to, up to the event `last`."""

    count: int
    total: int  # of the ids
    last: int
    at: str  # time and run of the last
    wiped: float | None


Held = dict[Path, tuple[Mark, Records]]
"""Files as they were last read or written, in memory. What lies in it is never changed, only replaced, so that threads may share it."""


class PlanCache:
    """The records of one instance's assets. `folder` may be deleted at any time; two processes may share it, and two caches of one
    process `held`. An object of this class is one thread's: it remembers its last look."""

    def __init__(self, instance: dg.DagsterInstance, folder: Path, held: Held | None = None):
        self.instance = instance
        runs = instance.run_storage
        self.folder = folder / (runs.get_run_storage_id() if isinstance(runs, SqlRunStorage) else "instance")
        self._marks: dict[dg.AssetKey, Mark] = {}
        self._held = {} if held is None else held
        self.events_read = 0  # since this object was made

    def look(self, keys: Iterable[dg.AssetKey]) -> None:
        """Reads the marks of these assets; `records` answers by them until the next look."""
        storage = self.instance.event_log_storage
        self._marks = _marks(storage, list(keys)) if isinstance(storage, SqlEventLogStorage) else {}

    def records(self, key: dg.AssetKey) -> Records:
        """The latest record of every partition (None for an unpartitioned asset), as of the last look."""
        storage = self.instance.event_log_storage
        if not isinstance(storage, SqlEventLogStorage):
            return latest_records(self.instance, key)
        now = self._marks.get(key)
        if now is None:
            return {}
        path = self._path(key)
        mark, records = self._held.get(path) or self._load(key) or (None, {})
        if mark != now:
            if mark and mark.wiped == now.wiped and mark.last < now.last and _marks(storage, [key], mark.last).get(key) == mark:
                records = {**records, **self._read(storage, key, now, mark.last)}
            else:
                records = self._read(storage, key, now, 0)
            self._store(key, now, records)
        self._held[path] = now, records
        return {p: r for p, r in records.items() if p is not None} or records

    def _read(self, storage: SqlEventLogStorage, key: dg.AssetKey, now: Mark, after: int) -> Records:
        found: Records = {}
        for partition, event in _latest_events(storage, key, after, now):
            found[partition] = parsed(event)
            self.events_read += 1
        return found

    def _path(self, key: dg.AssetKey) -> Path:
        return self.folder / f"{'.'.join(key.path)}.json"

    def _load(self, key: dg.AssetKey) -> tuple[Mark, Records] | None:
        try:
            value = json.loads(self._path(key).read_bytes())
            if value["format"] != FORMAT or value["asset"] != key.path:
                return None
            return Mark(**value["mark"]), _from_columns(value["records"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _store(self, key: dg.AssetKey, mark: Mark, records: Records) -> None:
        value = {"format": FORMAT, "asset": key.path, "mark": asdict(mark), "records": _columns(records)}
        path = self._path(key)
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps(value, separators=(",", ":")))
            os.replace(partial, path)
        except OSError:  # a full or read-only disk: the log can be read again
            with suppress(OSError):
                partial.unlink()


def _columns(records: Records) -> dict[str, Any]:
    rows = list(records.values())
    inputs = sorted({name for row in rows for name in row.inputs})
    return {
        "partition": list(records),
        **{name: [getattr(row, name) for row in rows] for name in Recorded._fields if name != "inputs"},
        "inputs": {name: [row.inputs.get(name) for row in rows] for name in inputs},
    }


def _from_columns(value: Mapping[str, Any]) -> Records:
    partitions, inputs = value["partition"], value["inputs"]
    digests: list[dict[str, str]] = [{} for _ in partitions]
    for name, column in inputs.items():
        for row, digest in zip(digests, column, strict=True):
            if digest is not None:
                row[name] = digest
    columns = [digests if name == "inputs" else value[name] for name in Recorded._fields]
    return dict(zip(partitions, map(Recorded._make, zip(*columns, strict=True)), strict=True))


# the log


def _marks(storage: SqlEventLogStorage, keys: list[dg.AssetKey], upto: int | None = None) -> dict[dg.AssetKey, Mark]:
    names = {key.to_string(): key for key in keys}
    query = (
        sa.select(_T.asset_key, sa.func.count(), sa.func.sum(_T.id), sa.func.max(_T.id))
        .where(_T.asset_key.in_(names), _T.dagster_event_type == MATERIALIZATION.value, *([] if upto is None else [_T.id <= upto]))
        .group_by(_T.asset_key)
    )
    with storage.index_connection() as conn:
        counted = conn.execute(query).fetchall()
        last = [int(row[3]) for row in counted]
        events: dict[int, str] = {}
        for i in range(0, len(last), PAGE):
            rows = conn.execute(sa.select(_T.id, _T.timestamp, _T.run_id).where(_T.id.in_(last[i : i + PAGE])))
            events |= {int(row[0]): f"{row[1]} {row[2]}" for row in rows}
        details = conn.execute(
            sa.select(AssetKeyTable.c.asset_key, AssetKeyTable.c.asset_details).where(AssetKeyTable.c.asset_key.in_(names))
        )
        wiped = {row[0]: deserialize_value(row[1], AssetDetails).last_wipe_timestamp for row in details if row[1]}
    return {names[row[0]]: Mark(int(row[1]), int(row[2]), int(row[3]), events.get(int(row[3]), ""), wiped.get(row[0])) for row in counted}


def _latest_events(storage: SqlEventLogStorage, key: dg.AssetKey, after: int, now: Mark) -> Iterator[tuple[Partition, str]]:
    """Partition and serialised event of the latest materialisation of each partition among the events after `after`."""
    of_asset = [
        _T.asset_key == key.to_string(),
        _T.dagster_event_type == MATERIALIZATION.value,
        _T.id > after,
        _T.id <= now.last,
    ]
    if now.wiped is not None:  # as Dagster reads it
        of_asset.append(_T.timestamp > datetime.fromtimestamp(now.wiped, UTC).replace(tzinfo=None))
    with storage.index_connection() as conn:  # in pages: Dagster's connections to Postgres commit by themselves and cannot stream
        ids = sorted(int(row[0]) for row in conn.execute(sa.select(sa.func.max(_T.id)).where(*of_asset).group_by(_T.partition)))
        for i in range(0, len(ids), PAGE):
            for row in conn.execute(sa.select(_T.partition, _T.event).where(_T.id.in_(ids[i : i + PAGE]))):
                yield row[0], row[1]


def parsed(event: str) -> Recorded:
    """A record from a serialised event: the few fields that the plan needs, without making Dagster's objects of the rest."""
    try:
        materialization = json.loads(event)["dagster_event"]["event_specific_data"]["materialization"]
        metadata = {entry["label"]: entry["entry_data"] for entry in materialization["metadata_entries"]}
        values = {name: metadata[name].get("text", metadata[name].get("value")) for name in (FILES, *MEASURED) if name in metadata}
        return _recorded(materialization["tags"] or {}, values)
    except (KeyError, TypeError, ValueError, AttributeError):
        entry = deserialize_value(event, EventLogEntry)
        assert entry.asset_materialization
        return of_materialization(entry.asset_materialization)


def latest_records(instance: dg.DagsterInstance, key: dg.AssetKey) -> Records:
    """The same through Dagster's own functions, without a cache."""
    ids = list(instance.event_log_storage.get_latest_storage_id_by_partition(key, MATERIALIZATION).values())
    found: Records = {}
    for i in range(0, len(ids), PAGE):
        page = instance.fetch_materializations(dg.AssetRecordsFilter(key, storage_ids=ids[i : i + PAGE]), limit=PAGE)
        for record in page.records:
            if record.asset_materialization:
                found[record.partition_key] = of_materialization(record.asset_materialization)
    if not ids:  # from the events: `get_latest_materialization_event` goes on telling of one that was deleted
        for record in instance.fetch_materializations(key, limit=1).records:
            if record.asset_materialization:
                found[None] = of_materialization(record.asset_materialization)
    return found


MEASURED = ("seconds", "tokens", "device", *ROWS)


def of_materialization(materialization: dg.AssetMaterialization) -> Recorded:
    metadata = materialization.metadata
    return _recorded(materialization.tags or {}, {name: metadata[name].value for name in (FILES, *MEASURED) if name in metadata})


def _recorded(tags: Mapping[str, str], values: Mapping[str, Any]) -> Recorded:
    seconds, tokens = values.get("seconds"), values.get("tokens")
    rows = next((values[name] for name in ROWS if name in values), None)
    return Recorded(
        data_version=tags.get(DATA_VERSION, ""),
        code_version=tags.get(CODE_VERSION, ""),
        inputs={tag[len(INPUTS) :]: value for tag, value in tags.items() if tag.startswith(INPUTS)},
        files=json.loads(values[FILES]) if FILES in values else [],
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        rows=rows if isinstance(rows, int) else None,
        tokens=tokens if isinstance(tokens, int) else None,
        device=str(values.get("device", "cpu")),
    )
