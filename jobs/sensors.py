"""The new-crawl sensor: files that appear, or change, in a watched location become shards."""

import dagster as dg

from assets.graph import shards_definition, shards_name
from gristmill.crawl.sources import scan_watched
from gristmill.recipe import Recipe
from resources.lake import LakeResource


def new_files_sensor(recipe: Recipe) -> dg.SensorDefinition:
    """Registers new files under `sources.watch` and adds their partitions; what is stale then is the plan's to say."""

    @dg.sensor(
        name=recipe.prefixed("new_files"),
        minimum_interval_seconds=60,
        job_name=recipe.prefixed("ingest"),
        default_status=dg.DefaultSensorStatus.RUNNING if recipe.sources.watch else dg.DefaultSensorStatus.STOPPED,
        description="Registers files that appear or change in the recipe's watched locations.",
    )
    def new_files(context: dg.SensorEvaluationContext, lake: LakeResource):
        if not recipe.sources.watch:
            return dg.SkipReason("The recipe watches no location: name some in [sources.watch].")
        moved = scan_watched(lake.open(), recipe)
        known = set(context.instance.get_dynamic_partitions(shards_name(recipe)))
        fresh = sorted(set(moved) - known)
        if not moved:
            return dg.SkipReason(f"Nothing new in {', '.join(recipe.sources.watch.values())}.")
        request = shards_definition(recipe).build_add_request(fresh)
        return dg.SensorResult(
            run_requests=[dg.RunRequest()],
            dynamic_partitions_requests=[request] if fresh else [],
        )

    return new_files
