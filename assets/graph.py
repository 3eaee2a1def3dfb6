"""The whole graph of one recipe, and what it reads outside the lake."""

import dagster as dg

from assets.contamination import contamination_assets
from assets.corpus import corpus_assets
from assets.crawl import crawl_assets, source_versions
from assets.dedup import dedup_assets
from assets.evaluation import evaluation_assets
from assets.filters import filter_assets
from assets.lineage import lineage_assets
from assets.models import checkpoint_assets
from assets.quality import quality_assets
from assets.quantization import quantization_assets
from assets.repeated import repeated_assets
from assets.synthetic import synthetic_assets
from assets.takedown import source_versions as tombstone_versions
from assets.takedown import takedown_assets
from gristmill.recipe import Recipe
from resources.event_log import SourceVersions


def shards_definition(recipe: Recipe) -> dg.DynamicPartitionsDefinition:
    """The shard partitions `<crawl>/<shard>` of a recipe's namespace."""
    return dg.DynamicPartitionsDefinition(name=shards_name(recipe))


def shards_name(recipe: Recipe) -> str:
    return recipe.prefixed("shards")


def recipe_assets(recipe: Recipe) -> list[dg.AssetsDefinition]:
    shards = shards_definition(recipe)
    made = [
        *crawl_assets(recipe, shards),
        *takedown_assets(recipe, shards),
        *filter_assets(recipe, shards),
        *dedup_assets(recipe, shards),
        *repeated_assets(recipe, shards),
        *contamination_assets(recipe, shards),
        *quality_assets(recipe, shards),
        *synthetic_assets(recipe),
        *corpus_assets(recipe, shards),
        *checkpoint_assets(recipe),
        *quantization_assets(recipe),
        *evaluation_assets(recipe),
    ]
    return [*made, *lineage_assets(recipe, shards, made)]


SOURCE_VERSIONS: SourceVersions = {"raw_crawl": source_versions, "tombstones": tombstone_versions}
