"""The semantic search over what shards have embedded: documents, or paragraphs."""

import hashlib
from collections.abc import Collection, Iterable

import polars as pl

from gristmill.dedup import centroids, semantic, vectors
from gristmill.errors import LakeError
from gristmill.lake.workspace import Workspace
from gristmill.recipe.dedup import Semantic

TABLES = {"searched_blocks": semantic.SEARCHED, "block_pairs": semantic.BLOCK_PAIRS}


def search(workspace: Workspace, asset: str, embedded: str, shards: Iterable[pl.DataFrame]) -> semantic.Blocks:
    """The pairs among texts (text_hash, model), a frame for each shard, whose vectors the asset `embedded` made. Blocks that
    `asset` searched when it was last made are taken from there; in which blocks a shard's texts lie is worked out once."""
    settings = workspace.recipe.dedup.semantic
    held = workspace.read("semantic_centroids")
    models: set[str] = set()
    members = [pl.DataFrame(schema=semantic.MEMBERS)]
    for texts in shards:
        models |= set(texts["model"])
        if len(models) > 1:
            raise LakeError(f"vectors of several models cannot be compared: {', '.join(sorted(models))}", where=embedded,
                            fix=f"Materialize {embedded} of all shards.")  # fmt: skip
        if texts.height:
            members.append(_members(workspace, texts, held, settings))
    if not models:
        return semantic.Blocks(pl.DataFrame(schema=semantic.SEARCHED), pl.DataFrame(schema=semantic.BLOCK_PAIRS), 0)
    model = models.pop()
    read = vectors.VectorTable.open(workspace.lake, model).get
    return semantic.search(pl.concat(members), read, model, settings.threshold, _before(workspace, asset))


def _members(workspace: Workspace, texts: pl.DataFrame, held: pl.DataFrame, settings: Semantic) -> pl.DataFrame:
    """The blocks of one shard's texts: they depend on the texts and the centroids alone."""
    model, hashes = str(texts["model"][0]), texts["text_hash"].unique().sort().to_list()
    read = vectors.VectorTable.open(workspace.lake, model).get
    these = hashlib.blake2b("\n".join(hashes).encode(), digest_size=16).hexdigest()
    key = f"{semantic.VERSION} {centroids.VERSION} {settings.probes} {model} {workspace.version('semantic_centroids')} {these}"
    return workspace.memo({"block_members": key}, lambda _: {"block_members": semantic.members(hashes, read, held, settings.probes)})[
        "block_members"
    ]


def _before(workspace: Workspace, asset: str) -> semantic.Blocks | None:
    tables = standing(workspace, asset, TABLES)
    if tables is None:
        return None
    searched, pairs = (tables[name].select(list(columns)).collect() for name, columns in TABLES.items())
    return semantic.Blocks(searched, pairs, 0)


def standing(workspace: Workspace, asset: str, names: Collection[str]) -> dict[str, pl.LazyFrame] | None:
    """The tables of the asset as it stands, from which its next run goes on; None where it has not all of them. Only for what
    says the same however old it is: the result must not depend on where a run began."""
    head = workspace.head(asset)
    if head is None or not head.tables.keys() >= set(names) or not workspace.is_whole(head):
        return None
    return {name: workspace.scan(asset, None, name) for name in names}
