"""The new-files sensor over a watched folder."""

import shutil

import dagster as dg
from dagster_aws.s3 import S3Resource

from gristmill.recipe import Recipe
from jobs.sensors import new_files_sensor
from resources.lake import LakeResource


def test_files_that_appear_in_a_watched_folder_become_partitions_once(tmp_path, sources):
    watched = tmp_path / "incoming"
    watched.mkdir()
    recipe = Recipe.model_validate({"sources": {"watch": {"docs-1": str(watched)}, "shard_bytes": 24_000}})
    sensor = new_files_sensor(recipe)
    resources = {"lake": LakeResource(root=str(tmp_path / "lake"), s3=S3Resource())}
    with dg.DagsterInstance.ephemeral() as instance:

        def tick():
            with dg.build_sensor_context(instance=instance, resources=resources) as context:
                result = sensor(context)
            for request in getattr(result, "dynamic_partitions_requests", None) or []:
                instance.add_dynamic_partitions("shards", request.partition_keys)
            return result

        assert isinstance(tick(), dg.SkipReason)
        shutil.copy(sources["docs-1"][0], watched)
        assert tick().run_requests
        first = instance.get_dynamic_partitions("shards")
        assert first and all(key.startswith("docs-1/") for key in first)
        assert isinstance(tick(), dg.SkipReason)
        shutil.copy(sources["docs-1"][1], watched)
        tick()
        second = instance.get_dynamic_partitions("shards")
        assert second[: len(first)] == first and len(second) > len(first)


def test_a_recipe_that_watches_nothing_says_so(tmp_path):
    resources = {"lake": LakeResource(root=str(tmp_path / "lake"), s3=S3Resource())}
    with dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance=instance, resources=resources) as context:
        result = new_files_sensor(Recipe())(context)
    assert isinstance(result, dg.SkipReason) and "watches no location" in str(result.skip_message)
