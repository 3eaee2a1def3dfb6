"""How every asset of the graph is made: one idiom, in one place.

A run over many partitions writes one materialisation event per partition, each with its own data version,
input digests and files: Dagster gives every partition of a run the same version otherwise. So a run of
several partitions logs its events itself and yields no output; a run of one yields it, so that a step
downstream in the same run can follow.
"""

import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from gristmill.lake.failures import ATTEMPTS, Failures
from gristmill.lake.lease import Holder, Lease
from gristmill.lake.workspace import Check, Inputs, Made, Output, Partition, Workspace
from gristmill.lineage.plan.plan import SOURCE
from gristmill.recipe import Recipe
from resources.event_log import ALGORITHM, HELD, SECTIONS, Edges, asset_key
from resources.plan_cache import CODE_VERSION, DATA_VERSION, FILES, INPUTS
from resources.workers import Workers

warnings.filterwarnings("ignore", category=dg.BetaWarning)  # `backfill_policy`, and conditions that user code evaluates

Dep = str | tuple[str, dg.PartitionMapping]
Make = Callable[..., Made]

PARTITIONS = "gristmill/partitions"  # run tag: the partitions of the run's range that are to be made (JSON)
OWNERS = ["team:data"]


@dataclass(frozen=True)
class _Step:
    """What a worker process needs to make one partition of one asset."""

    name: str
    make: Make
    workspace: Workspace
    code_version: str
    held: bool
    resources: Mapping[str, Any]

    def __call__(self, partition: Partition, inputs: Mapping[Partition, Inputs]) -> tuple[Output, bool]:
        """The output, and whether the same code made it of the same inputs before."""
        found = self.workspace.made_before(self.name, partition, self.code_version, inputs[partition].digests)
        if found and not found.needs:  # what stands on a table of vectors looks there itself which of them are missing
            self.workspace.publish(found)
            return found, True
        start = time.monotonic()
        made = self.make(self.workspace, partition, **self.resources)
        seconds = time.monotonic() - start
        return self.workspace.store(self.name, partition, made, self.code_version, inputs[partition], seconds, self.held), False


def made_asset(
    recipe: Recipe,
    name: str,
    *,
    group: str,
    make: Make,
    version: str,
    sections: Sequence[str],
    description: str,
    deps: Sequence[Dep] = (),
    partitions: dg.PartitionsDefinition | None = None,
    kinds: Iterable[str] = (),
    pool: str | None = None,
    resources: Sequence[str] = (),
    held: str | None = None,
    checks: Mapping[str, Callable[[Workspace], Check]] | None = None,
    source_version: Callable[[Workspace, str], str] | None = None,
    parallel: bool = False,
) -> dg.AssetsDefinition:
    """One asset of `recipe`'s graph.

    `make(workspace, partition, **resources) -> Made` is called for each partition asked for; with `parallel` in
    worker processes, so it must be a module's own function. `version` is the algorithm's; with the fingerprint of
    the recipe `sections` that it reads it is the code version. `held` is a refresh mode: `manual` keeps the asset
    when its inputs move. `source_version` digests what an asset without upstream reads outside the lake.
    `checks` look at the whole asset after every run.
    """
    code_version = f"{version}-{recipe.fingerprint(*sections)}" if sections else version
    checks = dict(checks or {})
    key = asset_key(recipe.namespace, name)
    dep_keys = {dep if isinstance(dep, str) else dep[0]: None if isinstance(dep, str) else dep[1] for dep in deps}

    @dg.asset(
        key=key,
        group_name=group,
        description=description,
        code_version=code_version,
        kinds=set(kinds),
        owners=OWNERS,
        deps=[dg.AssetDep(asset_key(recipe.namespace, dep), partition_mapping=mapping) for dep, mapping in dep_keys.items()],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
        check_specs=[dg.AssetCheckSpec(check, asset=key) for check in checks] or None,
        required_resource_keys={"lake", "workers", *resources},
        output_required=False,
        pool=pool,
        tags={HELD: held} if held else None,
        metadata={SECTIONS: ", ".join(sections) or "none", ALGORITHM: version, "attempts, unattended": ATTEMPTS},
    )
    def _asset(context: dg.AssetExecutionContext) -> Iterator[Any]:
        workspace = context.resources.lake.workspace(recipe)
        step = _Step(name, make, workspace, code_version, held == "manual", {each: getattr(context.resources, each) for each in resources})
        wanted = _wanted(context, partitions is not None)
        claims = {"run": context.run_id, "code_version": code_version, "partitions": wanted}
        died: list[Holder] = []
        with Lease(workspace.lake, workspace.namespace, name).held(claims, lambda text: context.log.info(f"{name} {text}"), died.append):
            inputs = _inputs(context, workspace, list(dep_keys), wanted, source_version)
            failures = _Failing(context, key, Failures(workspace), code_version, inputs)
            failures.of_dead(died, workspace)
            workspace.record_code(name, code_version, version, sections)
            dagster_tags = _dagster_input_tags(context, list(dep_keys), recipe)
            start = time.monotonic()
            mapped = (context.resources.workers if parallel else Workers(processes=1)).map(step, wanted, inputs)
            for done, (partition, result, error) in enumerate(mapped, 1):
                if error:
                    failures.add(partition, error)
                    continue
                output, cached = result
                failures.clear(partition)
                tags = _tags(output) | dagster_tags
                metadata = _metadata(output, cached, workspace.head_key(name, partition))
                if len(wanted) == 1:
                    yield dg.MaterializeResult(
                        asset_key=key,
                        metadata=metadata,
                        data_version=dg.DataVersion(output.data_version),
                        tags={tag: value for tag, value in tags.items() if tag.startswith(INPUTS)},
                    )
                else:
                    context.log_event(dg.AssetMaterialization(key, partition=partition, metadata=metadata, tags=tags))
                    rate = done / max(time.monotonic() - start, 1e-9)
                    context.log.info(f"{name}: {done}/{len(wanted)} partitions, {rate:.2f}/s, {(len(wanted) - done) / rate:.0f} s left")
            if failures.errors:
                raise failures.as_failure(len(wanted))
            for check, look in checks.items():
                outcome = look(workspace)
                yield dg.AssetCheckResult(
                    check_name=check,
                    asset_key=key,
                    passed=bool(outcome.passed),
                    description=outcome.description or None,
                    severity=dg.AssetCheckSeverity.ERROR if outcome.severity == "error" else dg.AssetCheckSeverity.WARN,
                    metadata={label: _metadata_value(value) for label, value in outcome.metadata.items()},
                )

    return _asset


class _Failing:
    """What fails in a run: counted in the lake, shown on the asset's page, told when the run ends."""

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        key: dg.AssetKey,
        failures: Failures,
        code_version: str,
        inputs: Mapping[Partition, Inputs],
    ):
        self.context, self.key, self.failures, self.code_version, self.inputs = context, key, failures, code_version, inputs
        self.errors: dict[Partition, str] = {}
        self._before = set(failures.of(key.path[-1]))

    def add(self, partition: Partition, error: str) -> None:
        name = self.key.path[-1]
        self.errors[partition] = error
        self.context.log.error(f"{name}[{partition}] failed:\n{error}")
        self._count(partition, error, self.context.run_id)

    def of_dead(self, holders: Sequence[Holder], workspace: Workspace) -> None:
        """A process that died while it made a partition counts as a failure of it: what kills its process must not be tried
        for ever. Nobody can tell which of the partitions in work it was."""
        name = self.key.path[-1]
        for holder in holders:
            if holder.claims.get("code_version") != self.code_version:
                continue
            for partition in holder.claims["partitions"]:
                if partition in self.inputs and not workspace.made_before(
                    name, partition, self.code_version, self.inputs[partition].digests
                ):
                    self._count(partition, f"{holder} died while it made this", holder.claims["run"])

    def _count(self, partition: Partition, error: str, run: str) -> None:
        name = self.key.path[-1]
        failure = self.failures.add(name, partition, error, self.code_version, self.inputs[partition].digests, run)
        self._before.add(partition)
        metadata: dict[str, Any] = {
            "failure": str(failure),
            "left alone": failure.left_alone,
            "error": dg.MetadataValue.md(f"```\n{failure.error}\n```"),
        }
        self.context.log_event(dg.AssetObservation(self.key, partition=partition, metadata=metadata, description=str(failure)))

    def clear(self, partition: Partition) -> None:
        if partition in self._before:
            self.failures.clear(self.key.path[-1], partition)

    def as_failure(self, of: int) -> dg.Failure:
        """Every failed partition is an entry of the metadata."""
        first = next(iter(self.errors.values())).strip().splitlines()[-1]
        names = ", ".join(str(partition) for partition in self.errors)
        return dg.Failure(
            f"{len(self.errors)} of {of} partitions of {self.key.path[-1]} failed: {names}. The first: {first}",
            metadata={str(partition): dg.MetadataValue.md(f"```\n{error}\n```") for partition, error in self.errors.items()},
            allow_retries=False,
        )


def _wanted(context: dg.AssetExecutionContext, partitioned: bool) -> list[Partition]:
    """The partitions to make: those of the run's range, narrowed by the run's own list where it has one."""
    if not partitioned:
        return [None]
    keys = list(context.partition_keys)
    listed = json.loads(context.run.tags.get(PARTITIONS, "null"))
    if listed is None:
        return keys
    if outside := sorted(set(listed) - set(keys)):
        raise dg.Failure(
            f"The run's tag {PARTITIONS} lists {outside[0]}, which lies outside the run's range of {len(keys)} partitions; "
            "ranges follow the order in which partitions were added.",
            allow_retries=False,
        )
    return [key for key in keys if key in set(listed)]


def _inputs(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    deps: list[str],
    wanted: list[Partition],
    source_version: Callable[[Workspace, str], str] | None,
) -> dict[Partition, Inputs]:
    """For each partition: the data versions in the lake that it is going to read."""
    edges, namespace = Edges(context.job_def.asset_layer.asset_graph, context.instance), workspace.recipe.namespace
    versions: dict[tuple[str, Partition], str] = {}

    def version(dep: str, partition: Partition) -> str:
        if (dep, partition) not in versions:
            head = workspace.head(dep, partition)
            versions[dep, partition] = head.data_version if head else ""
        return versions[dep, partition]

    found: dict[Partition, Inputs] = {}
    for partition in wanted:
        read = {}
        for dep in deps:
            keys = edges.parents(context.asset_key, partition, asset_key(namespace, dep))
            read[dep] = {key or "": version(dep, key) for key in keys}
        found[partition] = Inputs(read, {SOURCE: source_version(workspace, partition or "")} if source_version else {})
    return found


def _tags(output: Output) -> dict[str, str]:
    return {
        DATA_VERSION: output.data_version,
        f"{DATA_VERSION}_is_user_provided": "true",
        CODE_VERSION: output.code_version,
        **{f"{INPUTS}{name}": digest for name, digest in output.inputs.items()},
    }


def _dagster_input_tags(context: dg.AssetExecutionContext, deps: list[str], recipe: Recipe) -> dict[str, str]:
    """Dagster's own provenance tags for an event that we log ourselves, so that its UI does not call the inputs new."""
    tags = {}
    for dep in deps:
        key = asset_key(recipe.namespace, dep)
        for record in context.instance.fetch_materializations(key, limit=1).records:
            if record.asset_materialization:
                path = key.to_user_string()
                tags[f"dagster/input_event_pointer/{path}"] = str(record.storage_id)
                tags[f"dagster/input_data_version/{path}"] = (record.asset_materialization.tags or {}).get(DATA_VERSION, "")
    return tags


def _metadata(output: Output, cached: bool, head: str) -> dict[str, Any]:
    rows = {name: stored.rows for name, stored in output.tables.items()}
    values: dict[str, Any] = {label: _metadata_value(value) for label, value in output.metadata.items()}
    if rows:
        values["dagster/partition_row_count" if output.partition else "dagster/row_count"] = next(iter(rows.values()))
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


def _metadata_value(value: Any) -> Any:
    """Plain values as they are; a list of rows as a table."""
    if isinstance(value, list):
        return dg.MetadataValue.md(markdown_table(value))
    if isinstance(value, dict):
        return dg.MetadataValue.json(value)
    return value.item() if hasattr(value, "item") else value


def markdown_table(rows: list[dict[str, Any]]) -> str:
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
