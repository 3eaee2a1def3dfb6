"""How every asset of the graph is made: one idiom, in one place.

A run over many partitions writes one materialisation event per partition, each with its own data version,
input digests and files: Dagster gives every partition of a run the same version otherwise. So a run of
several partitions logs its events itself and yields no output; a run of one yields it, so that a step
downstream in the same run can follow.
"""

import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import dagster as dg

from assets.columns import definition_metadata
from assets.shown import BUILD, materialization_metadata, metadata_value
from gristmill.errors import LakeError
from gristmill.lake import damage, disk
from gristmill.lake.failures import ATTEMPTS, Failure, Failures
from gristmill.lake.lease import Holder, Lease
from gristmill.lake.processes import Process
from gristmill.lake.workspace import Check, Inputs, Made, Output, Partition, Workspace
from gristmill.lineage.builds.builds import READERS, next_name
from gristmill.lineage.plan.made import Why, lines
from gristmill.lineage.plan.plan import SOURCE
from gristmill.lineage.plan.reasons import Code
from gristmill.naming import named
from gristmill.recipe import Recipe
from resources.event_log import ALGORITHM, HELD, SECTIONS, Edges, asset_key
from resources.plan_cache import CODE_VERSION, DATA_VERSION, INPUTS
from resources.up_to_date import after_run, check_spec
from resources.workers import Workers

warnings.filterwarnings("ignore", category=dg.BetaWarning)  # `backfill_policy`, and conditions that user code evaluates

Dep = str | tuple[str, dg.PartitionMapping]
Make = Callable[..., Made]

PARTITIONS = "gristmill/partitions"  # run tag: the partitions of the run's range that are to be made (JSON)
STEP = "gristmill/step"  # run tag: the processes that work on the run, its step's and the one that started that (JSON)
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
        try:
            made = self.make(self.workspace, partition, **self.resources)
            seconds = time.monotonic() - start
            return self.workspace.store(self.name, partition, made, self.code_version, inputs[partition], seconds, self.held), False
        except Exception as error:  # libraries say in many ways that a disk is full or a table damaged, and not which
            writing = named(self.name, partition)
            if told := disk.explained(error, self.workspace.lake.local_folders, writing) or damage.explained(error, self.workspace.lake):
                raise told from error
            raise


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
    the recipe `sections` that it reads it is the code version. `held` is the recipe's key of a refresh mode: under `manual`
    the asset is kept when its inputs move. `source_version` digests what an asset without upstream reads outside the lake.
    `checks` look at the whole asset after every run.
    """
    code_version = f"{version}-{recipe.fingerprint(*sections)}" if sections else version
    holder = held if held and attrgetter(held)(recipe) == "manual" else None
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
        check_specs=[check_spec(key), *(dg.AssetCheckSpec(check, asset=key) for check in checks)],
        required_resource_keys={"lake", "workers", *resources},
        output_required=False,
        pool=pool,
        tags={HELD: holder} if holder else None,
        metadata={SECTIONS: ", ".join(sections) or "none", ALGORITHM: version, "attempts, unattended": ATTEMPTS}
        | definition_metadata(recipe, name),
    )
    def _asset(context: dg.AssetExecutionContext) -> Iterator[Any]:
        workspace = context.resources.lake.workspace(recipe)
        context.instance.add_run_tags(context.run_id, at_work())
        step = _Step(
            name, make, workspace, code_version, holder is not None, {each: getattr(context.resources, each) for each in resources}
        )
        wanted = _wanted(context, partitions is not None)
        claims = {"run": context.run_id, "code_version": code_version, "partitions": wanted}
        died: list[Holder] = []
        lease = Lease(workspace.lake, workspace.namespace, name)
        with ExitStack() as held_open:
            tenure = held_open.enter_context(lease.held(claims, lambda text: context.log.info(f"{name} {text}"), died.append))
            edges = Edges(context.job_def.asset_layer.asset_graph, context.instance)
            inputs = _inputs(context, edges, workspace, list(dep_keys), wanted, source_version)
            failures = _Failing(context, key, Failures(workspace), code_version, inputs)
            failures.of_dead(died, workspace)
            workspace.record_code(name, code_version, version, sections)
            build = next_name(workspace, context.resources.lake.builds_named(recipe))
            context.instance.add_run_tags(context.run_id, {BUILD: build})
            stood = _stood(workspace, name, code_version, Code(version, recipe.values(*sections)), inputs)
            dagster_tags = _dagster_input_tags(context, list(dep_keys), recipe)
            start = time.monotonic()
            workers = context.resources.workers if parallel else Workers(processes=1)
            mapped = held_open.enter_context(closing(workers.map(step, wanted, inputs)))  # no worker outlives the lease
            for done, (partition, result, error) in enumerate(mapped, 1):
                if error:
                    failures.add(partition, error)
                    continue
                output, cached = result
                failures.clear(partition)
                tags = _tags(output) | dagster_tags
                metadata = materialization_metadata(
                    output,
                    cached=cached,
                    head=workspace.head_key(name, partition),
                    before=stood[partition][0],
                    why=stood[partition][1],
                    build=build,
                    namespace=recipe.namespace,
                )
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
            tenure.settled = True  # the generator goes on after an event is in the log
            if failures.errors:
                raise failures.as_failure(len(wanted))
            yield after_run(context.instance, key, wanted, edges.partitions(key))
            for check, look in checks.items():
                outcome = look(workspace)
                yield dg.AssetCheckResult(
                    check_name=check,
                    asset_key=key,
                    passed=bool(outcome.passed),
                    description=outcome.description or None,
                    severity=dg.AssetCheckSeverity.ERROR if outcome.severity == "error" else dg.AssetCheckSeverity.WARN,
                    metadata={label: metadata_value(value) for label, value in outcome.metadata.items()},
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
        digests = self.inputs[partition].digests
        try:
            failure = self.failures.add(name, partition, error, self.code_version, digests, run)
        except LakeError as unwritten:  # a full disk: the run's other partitions may still find room
            self.context.log.error(f"{name}[{partition}]: the failure could not be noted in the lake: {unwritten}")
            failure = Failure(1, error, self.code_version, digests, run)
        self._before.add(partition)
        self.context.log_event(observation(self.key, partition, failure))

    def clear(self, partition: Partition) -> None:
        if partition in self._before:
            self.failures.clear(self.key.path[-1], partition)

    def as_failure(self, of: int) -> dg.Failure:
        """Every failed partition is an entry of the metadata."""
        first = Failure(1, next(iter(self.errors.values())), self.code_version, {}).last_line
        names = ", ".join(str(partition) for partition in self.errors)
        return dg.Failure(
            f"{len(self.errors)} of {of} partitions of {self.key.path[-1]} failed: {names}. The first: {first}",
            metadata={str(partition): dg.MetadataValue.md(f"```\n{error}\n```") for partition, error in self.errors.items()},
            allow_retries=False,
        )


def at_work() -> dict[str, str]:
    """The tag of a run that this process works on."""
    return {STEP: json.dumps([str(Process.here()), str(Process.of(os.getppid()))])}


def observation(key: dg.AssetKey, partition: Partition, failure: Failure) -> dg.AssetObservation:
    """How an asset's page shows that a partition failed."""
    metadata: dict[str, Any] = {
        "failure": str(failure),
        "left alone": failure.left_alone,
        "error": dg.MetadataValue.md(f"```\n{failure.error}\n```"),
    }
    return dg.AssetObservation(key, partition=partition, metadata=metadata, description=str(failure))


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
    edges: Edges,
    workspace: Workspace,
    deps: list[str],
    wanted: list[Partition],
    source_version: Callable[[Workspace, str], str] | None,
) -> dict[Partition, Inputs]:
    """For each partition: the data versions in the lake that it is going to read."""
    namespace = workspace.recipe.namespace
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


def _stood(
    workspace: Workspace, name: str, code_version: str, code: Code, inputs: Mapping[Partition, Inputs]
) -> dict[Partition, tuple[Output | None, list[str]]]:
    """What the partitions hold before they are made, and why they are made."""
    why = Why(workspace, name, code_version, code)

    def look(partition: Partition) -> tuple[Output | None, list[str]]:
        head = workspace.head(name, partition)
        return head, lines(why.reasons(head, inputs[partition]))

    with ThreadPoolExecutor(READERS) as readers:
        return dict(zip(inputs, readers.map(look, inputs), strict=True))


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
