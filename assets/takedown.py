"""tombstones: which of a shard's pages are taken down, so that a takedown makes stale only the shards that it touches."""

from collections.abc import Mapping, Sequence

import dagster as dg

from assets.materialize import made_asset
from gristmill.crawl import taken_texts, tombstones
from gristmill.crawl.documents import VERSION as DOCUMENTS_VERSION
from gristmill.lake.workspace import Made, Partition, Workspace
from gristmill.recipe import Recipe


def source_version(workspace: Workspace, shard: str) -> str:
    return tombstones.list_version(workspace.lake)


def source_versions(workspace: Workspace, shards: Sequence[str]) -> Mapping[str, str]:
    """The list is one for all shards, so it is read once."""
    return dict.fromkeys(shards, tombstones.list_version(workspace.lake))


def make_tombstones(workspace: Workspace, shard: Partition) -> Made:
    assert shard is not None
    listed = tombstones.active(workspace.lake)
    found = taken_texts.shard_hits(workspace, shard, listed)
    counts = found.group_by("tombstone", "by").len().sort("tombstone", "by")
    return Made(
        {"tombstones": found},
        metadata={
            "tombstones in force": len(listed),
            "documents taken down": found["doc_id"].n_unique(),
            "by tombstone": [{"tombstone": name, "by": by, "documents": n} for name, by, n in counts.iter_rows()],
        },
    )


def takedown_assets(recipe: Recipe, shards: dg.PartitionsDefinition) -> list[dg.AssetsDefinition]:
    return [
        made_asset(
            recipe,
            "tombstones",
            group="crawl",
            make=make_tombstones,
            version=f"{tombstones.VERSION}.{DOCUMENTS_VERSION}.{tombstones.sketch_version()}",
            sections=["extraction"],
            deps=["raw_crawl"],
            partitions=shards,
            description="The shard's documents that `gristmill takedown` names, or whose text it knows. They are left out of `documents`.",
            kinds={"python", "parquet"},
            pool="cpu",
            source_version=source_version,
            parallel=True,
        )
    ]
