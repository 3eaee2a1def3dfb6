"""Shards as partitions: what the lake's crawl manifests hold is what Dagster's dynamic partitions show."""

from __future__ import annotations

import dagster as dg

from assets.graph import shards_name
from gristmill.crawl.sources import shards
from gristmill.lake.store import Lake
from gristmill.recipe import Recipe


def sync_shards(instance: dg.DagsterInstance, lake: Lake, recipe: Recipe) -> list[str]:
    """Adds the partitions of registered shards that the recipe takes and the instance does not know yet; returns them."""
    known = set(instance.get_dynamic_partitions(shards_name(recipe)))
    new = [shard for shard in shards(lake) if shard not in known and recipe.takes(shard.split("/")[0])]
    if new:
        instance.add_dynamic_partitions(shards_name(recipe), new)
    return new
