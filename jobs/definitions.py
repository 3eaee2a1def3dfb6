"""What Dagster loads: the graph of every recipe of the deployment, its jobs, schedules, sensors and automation.

Orchestration is put together here and nothing else happens here.
"""

import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource

from assets.graph import SOURCE_VERSIONS, recipe_assets
from gristmill.lake.workspace import Workspace
from gristmill.lineage.plan.plan import Plan, plan
from gristmill.recipe import Recipe
from jobs import settings
from jobs.automation import rebuild_when_stale
from jobs.driver import Driver
from jobs.drives import drive_jobs
from jobs.sensors import new_files_sensor
from jobs.shards import sync_shards
from jobs.what_stands import what_stands_sensor
from resources.audit_log import AuditLogResource
from resources.embedder import EmbedderResource
from resources.event_log import DagsterGraph, asset_key
from resources.lake import LakeResource, open_lake
from resources.plan_cache import Held, PlanCache
from resources.teacher import TeacherResource
from resources.workers import Workers


def lake_resource() -> LakeResource:
    """The deployment's lake; credentials only by reference to the environment."""

    def given(variable: str) -> str | None:
        return dg.EnvVar(variable) if os.environ.get(variable) else None

    return LakeResource(
        root=settings.lake_root(),
        unnamed=settings.unnamed_builds(),
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
        "log": AuditLogResource(),
    }


def graph_definitions(recipes: Sequence[Recipe]) -> dg.Definitions:
    """Assets and resources alone: what the driver runs."""
    return dg.Definitions(assets=[asset for recipe in recipes for asset in recipe_assets(recipe)], resources=resource_definitions())


def driver_of(recipe: Recipe, instance: dg.DagsterInstance) -> Driver:
    """A driver of the recipe's graph in the deployment's lake, with every registered shard a partition."""
    workspace = Workspace(open_lake(lake_resource()), recipe)
    sync_shards(instance, workspace.lake, recipe)
    return Driver(graph_definitions([recipe]), instance, workspace, SOURCE_VERSIONS)


def build_definitions(recipes: Sequence[Recipe]) -> dg.Definitions:
    """Everything that Dagster shows and runs for these recipes."""
    condition = rebuild_when_stale()
    assets: list[dg.AssetsDefinition] = []
    jobs: list[Any] = []
    schedules, sensors = [], []
    for recipe in recipes:
        graph = recipe_assets(recipe)
        assets += [asset.map_asset_specs(lambda spec: spec.replace_attributes(automation_condition=condition)) for asset in graph]
        jobs += drive_jobs(recipe)
        audit = dg.define_asset_job(
            recipe.prefixed("audit"),
            dg.AssetSelection.assets(asset_key(recipe.namespace, "lineage_audit")),
            description="Recomputes what the lake claims.",
        )
        jobs.append(audit)
        schedules.append(dg.ScheduleDefinition(recipe.prefixed("nightly_audit"), job=audit, cron_schedule="0 3 * * *"))
        sensors += [new_files_sensor(recipe), what_stands_sensor(recipe)]
        sensors.append(
            dg.AutomationConditionSensorDefinition(
                recipe.prefixed("rebuild_when_stale"),
                target=dg.AssetSelection.assets(*[asset.key for asset in graph]),
                use_user_code_server=True,
                default_status=dg.DefaultSensorStatus.RUNNING,
                minimum_interval_seconds=15,
                description="Asks the plan what is stale and ready, and rebuilds it.",
            )
        )
    return dg.Definitions(assets=assets, resources=resource_definitions(), jobs=jobs, schedules=schedules, sensors=sensors)


@cache
def deployment() -> dict[str, Recipe]:
    """The recipes of the deployment by namespace, read once."""
    return {recipe.namespace: recipe for recipe in settings.recipes()}


def workspace_of(namespace: str) -> Workspace:
    """What a recipe of the deployment holds in the deployment's lake."""
    return Workspace(open_lake(lake_resource()), deployment()[namespace])


_read: Held = {}


def plan_of(namespace: str, instance: dg.DagsterInstance, asset_graph: object) -> Plan:
    """The plan of one recipe of the deployment. A code server asks for it every few seconds, in several threads, with another
    `instance` each time: what was read of the event log stays in memory between two ticks."""
    workspace = workspace_of(namespace)
    cache = PlanCache(instance, workspace.lake.cache_folder / "plan", _read)
    return plan(DagsterGraph(instance, asset_graph, workspace, SOURCE_VERSIONS, cache))


@dg.definitions
def defs() -> dg.Definitions:
    return build_definitions(list(deployment().values()))
