"""What Dagster loads: the graph of every recipe of the deployment, its jobs, schedules, sensors and automation.

Orchestration is put together here and nothing else happens here.
"""

import os
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource

warnings.filterwarnings("ignore", category=dg.BetaWarning)  # backfill_policy and custom automation conditions

from assets.graph import SOURCE_VERSIONS, recipe_assets  # noqa: E402
from gristmill.lake.workspace import Workspace  # noqa: E402
from gristmill.lineage.plan import Plan, plan  # noqa: E402
from gristmill.recipe import Recipe  # noqa: E402
from jobs import settings  # noqa: E402
from jobs.automation import rebuild_when_stale  # noqa: E402
from jobs.drives import drive_jobs  # noqa: E402
from jobs.sensors import new_files_sensor  # noqa: E402
from resources.embedder import EmbedderResource  # noqa: E402
from resources.event_log import DagsterGraph, asset_key  # noqa: E402
from resources.lake import LakeResource, open_lake  # noqa: E402
from resources.teacher import TeacherResource  # noqa: E402
from resources.workers import Workers  # noqa: E402


def lake_resource() -> LakeResource:
    """The deployment's lake; credentials only by reference to the environment."""

    def given(variable: str) -> str | None:
        return dg.EnvVar(variable) if os.environ.get(variable) else None

    return LakeResource(
        root=settings.lake_root(),
        s3=S3Resource(
            aws_access_key_id=given("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=given("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=given("AWS_SESSION_TOKEN"),
            region_name=os.environ.get("AWS_REGION"),
            endpoint_url=os.environ.get("AWS_ENDPOINT_URL"),
        ),
    )


def resource_definitions() -> dict[str, dg.ConfigurableResource]:
    return {
        "lake": lake_resource(),
        "workers": Workers(processes=settings.workers()),
        "embedder": EmbedderResource(),
        "teacher": TeacherResource(),
    }


def graph_definitions(recipes: Sequence[Recipe]) -> dg.Definitions:
    """Assets and resources alone: what the driver runs."""
    return dg.Definitions(assets=[asset for recipe in recipes for asset in recipe_assets(recipe)], resources=resource_definitions())


def build_definitions(recipes: Sequence[Recipe]) -> dg.Definitions:
    """Everything that Dagster shows and runs for these recipes."""
    condition = rebuild_when_stale()
    assets = [
        asset.map_asset_specs(lambda spec: spec.replace_attributes(automation_condition=condition))
        for recipe in recipes
        for asset in recipe_assets(recipe)
    ]
    jobs: list[Any] = []
    schedules, sensors = [], []
    for recipe in recipes:
        prefix = f"{recipe.namespace}_" if recipe.namespace else ""
        jobs += drive_jobs(recipe)
        audit = dg.define_asset_job(
            f"{prefix}audit",
            dg.AssetSelection.assets(asset_key(recipe.namespace, "lineage_audit")),
            description="Recomputes what the lake claims.",
        )
        jobs.append(audit)
        schedules.append(dg.ScheduleDefinition(f"{prefix}nightly_audit", job=audit, cron_schedule="0 3 * * *"))
        sensors.append(new_files_sensor(recipe))
        sensors.append(
            dg.AutomationConditionSensorDefinition(
                f"{prefix}rebuild_when_stale",
                target=dg.AssetSelection.assets(*[asset_key(recipe.namespace, name) for name in _names(recipe)]),
                use_user_code_server=True,
                default_status=dg.DefaultSensorStatus.RUNNING,
                minimum_interval_seconds=15,
                description="Asks the plan what is stale and ready, and rebuilds it.",
            )
        )
    return dg.Definitions(assets=assets, resources=resource_definitions(), jobs=jobs, schedules=schedules, sensors=sensors)


def _names(recipe: Recipe) -> list[str]:
    return [asset.key.path[-1] for asset in recipe_assets(recipe)]


@cache
def deployment() -> dict[str, Recipe]:
    """The recipes of the deployment by namespace, read once."""
    return {recipe.namespace: recipe for recipe in settings.recipes()}


def plan_of(namespace: str, instance: dg.DagsterInstance, asset_graph: object) -> Plan:
    """The plan of one recipe of the deployment."""
    workspace = Workspace(open_lake(lake_resource()), deployment()[namespace])
    return plan(DagsterGraph(instance, asset_graph, workspace, SOURCE_VERSIONS))


@dg.definitions
def defs() -> dg.Definitions:
    return build_definitions(list(deployment().values()))
