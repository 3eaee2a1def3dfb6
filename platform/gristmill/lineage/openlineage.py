"""What stands as OpenLineage events (spec 2-0-2): a COMPLETE event for each partition's last materialisation, and one for the audit.

https://openlineage.io/docs/spec/object-model. A partition is a dataset `<namespace>/<asset>/<partition>` under the lake's root. A run of
Dagster's makes many of them, and a run of OpenLineage's belongs to one job: each gets an id of its own that follows from
Dagster's, which is its parent. The audit's findings are the facet `dataQualityAssertions` of what it read.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from gristmill.lake.workspace import Output, Partition, Workspace
from gristmill.lineage.audit.scope import AUDIT, Event, Log, named
from gristmill.lineage.plan.plan import SOURCE

SPEC = "https://openlineage.io/spec"
PRODUCER = "urn:gristmill:0.1.0"
EVENT = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = {
    "parent": "1-2-0/ParentRunFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
    "schema": "1-2-0/SchemaDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
    "dataQualityAssertions": "1-1-0/DataQualityAssertionsDatasetFacet",
}
MANY = 1_000  # partitions of an input from which it is one dataset, the asset
OWN = uuid.UUID("6f5b2d0e-2f0b-5f57-9d0c-3b8a6f0f4f11")  # the namespace of run ids that are made here

Json = dict[str, Any]


def openlineage(workspace: Workspace, claims: pl.DataFrame, log: Log, at: dt.datetime) -> Iterator[Json]:
    """The events, upstream in no particular order; `claims` is the audit's table and `at` when it was made. What the log does not know
    has no event: it was not made by a run."""
    outputs = [output for output in workspace.outputs() if output.asset != AUDIT]
    for asset in sorted({output.asset for output in outputs}):
        logged = log.events(asset, lambda partitions: partitions)
        for output in (each for each in outputs if each.asset == asset):
            event = logged.get(output.partition)
            if event is not None and event.run_known and event.recorded.data_version == output.data_version:
                yield _materialized(workspace, output, event)
    yield _audited(workspace, outputs, claims, at)


def as_lines(events: Iterator[Json]) -> str:
    """One event a line, as OpenLineage's file transport writes them."""
    return "".join(f"{json.dumps(event, ensure_ascii=False)}\n" for event in events)


def _materialized(workspace: Workspace, output: Output, event: Event) -> Json:
    inputs = [dataset for name, read in sorted(output.read.items()) if name != SOURCE for dataset in _inputs(workspace, output, name, read)]
    size = sum(stored.bytes for stored in (*output.tables.values(), *output.files.values()))
    rows = next((stored.rows for stored in output.tables.values()), len(output.files))
    made = _dataset(workspace, output.asset, output.partition, output.data_version, _fields(workspace, output))
    made["outputFacets"] = {"outputStatistics": _facet("outputStatistics", rowCount=rows, size=size)}
    parent = {"run": {"runId": event.run}, "job": {"namespace": _jobs(workspace), "name": "rebuild"}}
    when = dt.datetime.fromtimestamp(event.at, dt.UTC)
    run = str(uuid.uuid5(OWN, f"{event.run} {named(output.asset, output.partition)}"))
    facets = {"parent": _facet("parent", **parent)}
    return _event(workspace, output.asset, run, when, inputs, [made], facets, {"codeVersion": output.code_version})


def _inputs(workspace: Workspace, output: Output, name: str, read: Mapping[str, str]) -> list[Json]:
    if len(read) > MANY:
        return [_dataset(workspace, name, None, output.inputs.get(name, ""))]
    return [_dataset(workspace, name, partition or None, version) for partition, version in sorted(read.items()) if version]


def _audited(workspace: Workspace, outputs: list[Output], claims: pl.DataFrame, at: dt.datetime) -> Json:
    """The audit's own event: each partition with what was claimed of it, and the lake as a whole with the rest."""
    by_subject: dict[str, list[Json]] = {}
    for claim, subject, passed, _ in claims.select("claim", "subject", "passed", "evidence").iter_rows():
        by_subject.setdefault(subject, []).append({"assertion": claim, "success": passed})
    inputs = []
    for output in outputs:
        if assertions := by_subject.pop(named(output.asset, output.partition), []):
            dataset = _dataset(workspace, output.asset, output.partition, output.data_version)
            inputs.append({**dataset, "inputFacets": {"dataQualityAssertions": _facet("dataQualityAssertions", assertions=assertions)}})
    rest = [{**each, "assertion": f"{each['assertion']}: {subject}"} for subject, found in sorted(by_subject.items()) for each in found]
    if rest:
        lake = {"namespace": _datasets(workspace), "name": workspace.namespace}
        inputs.append({**lake, "inputFacets": {"dataQualityAssertions": _facet("dataQualityAssertions", assertions=rest)}})
    return _event(workspace, AUDIT, str(uuid.uuid5(OWN, f"audit {workspace.namespace} {at.isoformat()}")), at, inputs, [], {}, {})


def _event(
    workspace: Workspace, job: str, run: str, at: dt.datetime, inputs: list[Json], outputs: list[Json], facets: Json, code: Json
) -> Json:
    described: Json = {"jobType": _facet("jobType", processingType="BATCH", integration="GRISTMILL", jobType="ASSET")}
    if code:
        described["gristmill_code"] = {"_producer": PRODUCER, "_schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/JobFacet", **code}
    return {
        "eventType": "COMPLETE",
        "eventTime": at.isoformat(),
        "producer": PRODUCER,
        "schemaURL": EVENT,
        "run": {"runId": run, "facets": facets},
        "job": {"namespace": _jobs(workspace), "name": job, "facets": described},
        "inputs": inputs,
        "outputs": outputs,
    }


def _dataset(workspace: Workspace, asset: str, partition: Partition, version: str, fields: list[Json] | None = None) -> Json:
    facets = {"version": _facet("version", datasetVersion=version)}
    if fields:
        facets["schema"] = _facet("schema", fields=fields)
    name = f"{workspace.namespace}/{asset}/{partition}" if partition else f"{workspace.namespace}/{asset}"
    return {"namespace": _datasets(workspace), "name": name, "facets": facets}


def _fields(workspace: Workspace, output: Output) -> list[Json]:
    """The columns of the partition's tables, each once; none where a table cannot be read."""
    found: dict[str, str] = {}
    for stored in output.tables.values():
        if workspace.lake.exists(stored.key):
            for name, kind in workspace.lake.scan(stored).collect_schema().items():
                found.setdefault(name, str(kind))
    return [{"name": name, "type": kind} for name, kind in found.items()]


def _facet(name: str, **values: Any) -> Json:
    file, _, kind = FACETS[name].partition("/")
    return {"_producer": PRODUCER, "_schemaURL": f"{SPEC}/facets/{file}/{kind}.json#/$defs/{kind}", **values}


def _jobs(workspace: Workspace) -> str:
    return f"gristmill/{workspace.namespace}"


def _datasets(workspace: Workspace) -> str:
    return workspace.lake.root if workspace.lake.remote else f"file://{workspace.lake.root}"
