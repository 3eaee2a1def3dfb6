"""The condition that the daemon evaluates, tick by tick, over the whole built graph."""

import json

import dagster as dg
import pytest

from assets.materialize import PARTITIONS
from gristmill.lake.failures import ATTEMPTS
from gristmill.recipe import load_recipe
from jobs import definitions
from jobs.abandoned import DRIVER
from jobs.driver import RANGE_END, RANGE_START


@pytest.fixture
def tick(built):
    """Evaluates one tick and makes what it requests, as the daemon would; returns what was requested."""
    mill, _, _ = built
    cursor = None

    def tick_once(may_fail: bool = False, killed: bool = False) -> dict[str, list[str | None]]:
        nonlocal cursor
        definitions.deployment.cache_clear()
        defs = definitions.build_definitions(list(definitions.deployment().values()))
        result = dg.evaluate_automation_conditions(defs=defs, instance=mill.instance, cursor=cursor)
        cursor = result.cursor
        job = defs.resolve_implicit_global_asset_job_def()
        requested: dict[str, list[str | None]] = {}
        for key in sorted({each.key for each in result.results if not each.true_subset.is_empty}, key=str):
            if not isinstance(key, dg.AssetKey):
                continue
            partitions = sorted(result.get_requested_partitions(key), key=str)
            requested[key.path[-1]] = partitions
            if partitions != [None]:  # a range runs in the order in which the partitions were added
                partitions = [
                    each
                    for each in defs.resolve_asset_graph()
                    .get(key)
                    .partitions_def.get_partition_keys(dynamic_partitions_store=mill.instance)
                    if each in partitions
                ]
            tags = (
                {} if partitions == [None] else {RANGE_START: partitions[0], RANGE_END: partitions[-1], PARTITIONS: json.dumps(partitions)}
            )
            if killed:  # before its step began: of such a run there is what was planned, and what the code server says
                run = mill.instance.create_run_for_job(job_def=job, asset_selection={key}, tags=tags)
                mill.instance.report_engine_event("Run execution process was terminated by signal 9 (SIGKILL).", run)
                mill.instance.report_run_failed(run)
                continue
            assert (
                job.execute_in_process(instance=mill.instance, asset_selection=[key], tags=tags, raise_on_error=False).success or may_fail
            )
        return requested

    yield tick_once
    definitions.deployment.cache_clear()


def test_nothing_is_requested_while_all_is_fresh(built, tick):
    assert tick() == {}


def test_an_edit_that_flips_nothing_remakes_the_verdicts_and_stops(built, tick):
    mill, recipe, _ = built
    (mill.folder / "recipe.toml").write_text(
        (mill.folder / "recipe.toml")
        .read_text()
        .replace('"gopher.word_count_min"', '"gopher.word_count_max" = 99000\n"gopher.word_count_min"')
    )
    shards = mill.driver(recipe).workspace.partitions("filtered_shards")
    assert tick() == {"filtered_shards": shards}
    assert tick() == {}
    mill.recipe()
    assert tick() == {"filtered_shards": shards}  # the same content again, found in the index
    assert tick() == {}


def test_a_comment_in_the_recipe_changes_nothing(built, tick):
    mill, _, _ = built
    path = mill.folder / "recipe.toml"
    path.write_text("# a comment\n" + path.read_text())
    assert tick() == {}
    mill.recipe()


def test_while_a_driver_is_at_work_nothing_is_requested(built, tick):
    import os
    import socket

    from dagster._core.test_utils import create_run_for_test

    mill, recipe, _ = built
    lake = mill.driver(recipe).workspace.lake
    head = f"heads/default/synthetic_sets/{mill.driver(recipe).workspace.partitions('synthetic_sets')[0]}.json"
    run = create_run_for_test(mill.instance, status=dg.DagsterRunStatus.STARTED, tags={DRIVER: f"{socket.gethostname()}:{os.getpid()}"})
    lake.delete(head)
    assert tick() == {}
    mill.instance.report_run_failed(run)
    assert list(tick()) == ["synthetic_sets"]
    assert tick() == {}


def test_a_failing_partition_is_tried_again_then_left_alone_and_reported(built, sources, tick):
    mill, recipe, _ = built
    folder = sources["code"][0]
    shards = mill.driver(recipe).workspace.partitions("raw_crawl")
    code = [shard for shard in shards if shard.startswith("code/")]
    path = mill.folder / "recipe.toml"
    path.write_text(path.read_text().replace("[sources.groups.web]", "[extraction]\nmax_bytes = 9000001\n[sources.groups.web]"))
    folder.rename(folder.with_name("gone"))
    try:
        requested = [tick(may_fail=True).get("raw_crawl", []) for _ in range(ATTEMPTS + 2)]
        assert requested == [shards, *[code] * (ATTEMPTS - 1), [], []]
        driver = mill.driver(load_recipe(path))
        planned = driver.plan()
        assert planned.left_alone("raw_crawl") == code
        assert f"failed {ATTEMPTS} times, left alone" in str(planned.failed["raw_crawl"][code[0]])
        observed = mill.instance.fetch_observations(dg.AssetKey("raw_crawl"), limit=1).records[0].asset_observation
        assert observed.metadata["left alone"].value and "SourceError" in observed.metadata["error"].value
    finally:
        folder.with_name("gone").rename(folder)
    outcome = driver.drive(["raw_crawl"])  # by hand it is tried again
    assert sorted(outcome.made["raw_crawl"]) == code and driver.plan().failed == {}
    mill.drive(mill.recipe())
    assert tick() == {}


def test_runs_that_are_killed_before_their_step_begins_are_tried_again_then_left_alone_and_reported(built, tick):
    mill, recipe, _ = built
    driver = mill.driver(recipe)
    lake, [first, *_] = driver.workspace.lake, driver.workspace.partitions("synthetic_sets")
    lake.delete(f"heads/default/synthetic_sets/{first}.json")
    lake.delete("heads/default/lineage_audit/@.json")
    requested = [tick(killed=True) for _ in range(ATTEMPTS + 2)]
    assert requested == [{"synthetic_sets": [first]}] * ATTEMPTS + [{}, {}]
    planned = driver.plan()
    assert planned.left_alone("synthetic_sets") == [first]
    assert f"failed {ATTEMPTS} times, left alone: run " in str(planned.failed["synthetic_sets"][first])
    assert "terminated by signal 9" in str(planned.failed["synthetic_sets"][first])
    observed = mill.instance.fetch_observations(dg.AssetKey("synthetic_sets"), limit=1).records[0].asset_observation
    assert observed.partition == first and observed.metadata["left alone"].value
    outcome = driver.drive(["synthetic_sets"])  # by hand it is tried again
    assert outcome.reused == {"synthetic_sets": [first]} and driver.plan().failed == {}
    assert tick(killed=True) == {"lineage_audit": [None]}
    assert tick() == {"lineage_audit": [None]}
    assert tick() == {}
