"""What Dagster shows of a materialisation: why it was made, whether its content moved, what it was made from, for which build.

Labels come in the order in which a reader asks. Links lead to the partition that was read and to all runs of the build.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import dagster as dg

from gristmill.lake.workspace import Output
from resources.event_log import asset_key
from resources.plan_cache import FILES

BUILD = "gristmill/build"  # run tag: the build that the run works towards; see docs/decisions.md
LISTED = 8  # partitions of an input that are named; of more, their number and the digest of their versions
SHORT = 12  # digits of a version that people are shown


def materialization_metadata(
    output: Output, *, cached: bool, head: str, before: Output | None, why: Sequence[str], build: str, namespace: str
) -> dict[str, Any]:
    """`head` is the key of the partition's head, `before` what it said when the run began, `why` the reasons as people read
    them, `build` the name of the build to be."""
    values: dict[str, Any] = {
        "why": "; ".join(why),
        "content": content(before, output),
        "build": dg.MetadataValue.md(f"[{build}]({runs_page(build)})"),
    }
    values |= {label: metadata_value(value) for label, value in output.metadata.items()}
    rows = {name: stored.rows for name, stored in output.tables.items()}
    for position, (name, count) in enumerate(rows.items()):
        if position == 0:
            values["dagster/partition_row_count" if output.partition else "dagster/row_count"] = count
        elif not name.startswith("signals."):  # a row per document, as the first
            values[f"rows of {name}"] = count
    if output.read:
        values["made from"] = dg.MetadataValue.md(markdown_table(made_from(output, namespace)))
    stored = {**output.tables, **output.files}
    keys = (
        [head, *output.needs]
        + [f"{item.key}/{name}" for item in stored.values() for name in item.names]
        + [item.key for item in stored.values() if not item.names]
    )
    return values | {
        "seconds": output.seconds,
        "made before": cached,
        "bytes": sum(item.bytes for item in stored.values()),
        "data version": output.data_version,
        FILES: dg.MetadataValue.text(json.dumps(keys)),
    }


def content(before: Output | None, output: Output) -> str:
    """Whether the content is another than that of before: where it is equal, the rebuild stops here."""
    if before is None:
        return "new"
    if before.data_version == output.data_version:
        return "equal to before: what reads it is not made again"
    return f"changed: {before.data_version[:SHORT]} -> {output.data_version[:SHORT]}"


def made_from(output: Output, namespace: str) -> list[dict[str, Any]]:
    """A row for each partition that was read, with its version and a link; one for all of an input that has many."""
    rows = []
    for name, read in output.read.items():
        key = asset_key(namespace, name)
        if len(read) <= LISTED:
            rows += [
                {"input": f"[{name}]({asset_page(key)})", "partition": _partition(key, each), "version": version[:SHORT] or "none"}
                for each, version in sorted(read.items())
            ]
        else:
            rows.append(
                {
                    "input": f"[{name}]({asset_page(key)})",
                    "partition": f"all {len(read):,}",
                    "version": f"{output.inputs[name][:SHORT]}, of all",
                }
            )
    return rows


def _partition(key: dg.AssetKey, partition: str) -> str:
    return f"[{partition}]({asset_page(key)}?view=partitions&partition={quote(partition, safe='')})" if partition else ""


def asset_page(key: dg.AssetKey) -> str:
    return "/assets/" + "/".join(quote(part, safe="") for part in key.path)


def runs_page(build: str) -> str:
    """The runs list, of one build."""
    return f"/runs?q%5B0%5D={quote(f'tag:{BUILD}={build}', safe='')}"


def metadata_value(value: Any) -> Any:
    """Plain values as they are; a list of rows as a table."""
    if isinstance(value, list):
        return dg.MetadataValue.md(markdown_table(value))
    if isinstance(value, dict):
        return dg.MetadataValue.json(value)
    return value.item() if hasattr(value, "item") else value


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "(none)"

    def cell(value: Any) -> str:
        if isinstance(value, float):
            return f"{value:,.4g}"
        if isinstance(value, int) and not isinstance(value, bool):
            return f"{value:,}"
        return str(value).replace("|", "\\|").replace("\n", " ")

    head = list(rows[0])
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join(lines + [f"| {' | '.join(cell(row.get(name, '')) for name in head)} |" for row in rows])
