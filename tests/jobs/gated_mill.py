"""A rebuild of a small graph in a process of its own: `python gated_mill.py FOLDER [SHARD]`.

first[shard] -> second[shard] -> joined. Each partition that is made writes a line to FOLDER/made; making first[SHARD] tells so
in FOLDER/reached and goes on when there is FOLDER/go.
"""

import os
import sys
import time
from pathlib import Path

import dagster as dg
import polars as pl
from dagster_aws.s3 import S3Resource

from assets.materialize import made_asset
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Partition, Workspace
from gristmill.recipe import Recipe
from jobs.driver import Driver
from jobs.plan_cli import print_outcome, terminated_is_interrupted
from resources.lake import LakeResource
from resources.workers import Workers

SHARDS = [f"web/{i:04d}" for i in range(4)]
FOLDER = Path(sys.argv[1]) if __name__ == "__main__" else Path()
GATED = sys.argv[2] if __name__ == "__main__" and len(sys.argv) > 2 else ""


def frame(text: str) -> Made:
    return Made(
        {"edits": pl.DataFrame([{"doc_id": text, "start": 0, "end": 1, "replacement": "", "rule": "r"}], schema=CONTRACTS["edits"].schema)}
    )


def tell(asset: str, partition: Partition) -> None:
    with (FOLDER / "made").open("a") as log:
        log.write(f"{asset}[{partition}]\n")


def make_first(workspace: Workspace, partition: Partition) -> Made:
    if partition == GATED:
        (FOLDER / "reached").touch()
        while not (FOLDER / "go").exists():
            time.sleep(0.01)
    tell("first", partition)
    return frame("one")


def make_second(workspace: Workspace, partition: Partition) -> Made:
    tell("second", partition)
    return frame(str(partition))


def make_joined(workspace: Workspace, partition: Partition) -> Made:
    tell("joined", partition)
    return frame("all")


def driver(folder: Path, instance: dg.DagsterInstance) -> Driver:
    shards, recipe = dg.DynamicPartitionsDefinition(name="shards"), Recipe()
    instance.add_dynamic_partitions("shards", SHARDS)
    say = {"group": "test", "description": "", "sections": [], "version": "1"}
    assets = [
        made_asset(recipe, "first", make=make_first, partitions=shards, **say),
        made_asset(recipe, "second", make=make_second, partitions=shards, deps=["first"], **say),
        made_asset(recipe, "joined", make=make_joined, deps=["second"], **say),
    ]
    root = str(folder / "lake")
    resources = {"lake": LakeResource(root=root, s3=S3Resource()), "workers": Workers(processes=1)}
    return Driver(dg.Definitions(assets=assets, resources=resources), instance, Workspace(Lake(root), recipe), {})


if __name__ == "__main__":
    home = FOLDER / "dagster"
    home.mkdir(exist_ok=True)
    with dg.DagsterInstance.local_temp(str(home)) as instance, terminated_is_interrupted():
        outcome = driver(FOLDER, instance).drive(say=lambda text: print(text, flush=True))  # noqa: T201
    print_outcome(outcome)
    sys.stdout.flush()
    os._exit(130 if outcome.interrupted else 0 if outcome.succeeded else 1)
