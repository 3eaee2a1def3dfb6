"""The sensor that looks at what stands: it tells Dagster's pages what is stale and why, and names a build when nothing is.

Level-triggered, as the automation is, and apart from it: where rebuilds are started by hand, the pages still say what to start, and
what the daemon or the UI rebuilt is recorded as a build as `gristmill rebuild` would.
"""

import dagster as dg

from gristmill.errors import LakeError
from gristmill.lake.workspace import Workspace
from gristmill.recipe import Recipe
from jobs.origin import record
from resources.event_log import asset_key
from resources.lake import open_lake
from resources.up_to_date import report

SECONDS = 30


def what_stands_sensor(recipe: Recipe) -> dg.SensorDefinition:
    """Asks for no run; its ticks say what it found."""

    @dg.sensor(
        name=recipe.prefixed("what_stands"),
        minimum_interval_seconds=SECONDS,
        asset_selection=dg.AssetSelection.assets(asset_key(recipe.namespace, "lineage_audit")),  # a sensor must have a target
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Shows on each asset's page what is stale and why; records a build when everything is fresh. Starts no run.",
    )
    def what_stands(context: dg.SensorEvaluationContext):
        from jobs.definitions import lake_resource, plan_of

        assert context.repository_def is not None
        planned = plan_of(recipe.namespace, context.instance, context.repository_def.asset_graph)
        told = report(context.instance, planned, lambda name: asset_key(recipe.namespace, name))
        news = f" News of {', '.join(told)}." if told else ""
        if not planned.is_fresh:
            stale = {name: len(reasons) for name, reasons in planned.reasons.items() if reasons}
            return dg.SkipReason(f"Stale: {', '.join(f'{name} ({count:,})' for name, count in stale.items())}.{news}")
        try:
            return dg.SkipReason(f"Everything is fresh: {record(Workspace(open_lake(lake_resource()), recipe), planned).name}.{news}")
        except LakeError as error:  # a run moves it at this moment
            return dg.SkipReason(f"No build was recorded: {error}.{news}")

    return what_stands
