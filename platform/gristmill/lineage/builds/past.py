"""A past build as a workspace: every reader of the lake reads it as it would what stands now."""

from __future__ import annotations

import copy
import json
from typing import Any, NoReturn

import polars as pl

from gristmill.errors import GristmillError, LakeError
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Output, Partition, Workspace
from gristmill.lineage.builds.builds import Build
from gristmill.naming import named
from gristmill.recipe import Recipe
from gristmill.recipe.dedup import ItemFile
from gristmill.recipe.lists import WordList


class BuildWorkspace(Workspace):
    """A workspace whose heads are a build's. It can be read, and nothing can be made in it."""

    def __init__(self, lake: Lake, build: Build):
        super().__init__(lake, recipe_of(build))
        self.namespace = build.namespace
        self.build = build
        self._heads: dict[str, dict[str, str]] = {}

    def head(self, asset: str, partition: Partition = None) -> Output | None:
        text = self._of(asset).get(partition or "")
        return None if text is None else Output.from_json(json.loads(text))

    def output(self, asset: str, partition: Partition = None) -> Output:
        head = self.head(asset, partition)
        if head is None:
            name = named(asset, partition)
            raise LakeError(f"holds no {name}", where=f"build {self.build.name}", fix="It was not part of the graph when it was recorded.")
        return head

    def has(self, asset: str, partition: Partition = None) -> bool:
        return (partition or "") in self._of(asset)

    def partitions(self, asset: str) -> list[str]:
        return sorted(partition for partition in self._of(asset) if partition)

    def outputs(self) -> list[Output]:
        return [Output.from_json(json.loads(text)) for asset in sorted(self.build.heads) for text in self._of(asset).values()]

    def store(self, *_: Any, **__: Any) -> NoReturn:
        self._refuse()

    def publish(self, output: Output) -> NoReturn:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise LakeError("a build is never changed", where=f"build {self.build.name}", fix="Rebuild: what comes out is the next build.")

    def _of(self, asset: str) -> dict[str, str]:
        """Partition ("" when unpartitioned) -> its head as JSON."""
        if asset not in self._heads:
            heads = self.build.heads.get(asset)
            rows = self.lake.scan(heads.stored).select("partition", "output").collect().rows() if heads else []
            self._heads[asset] = dict(rows)
        return self._heads[asset]


def versions(workspace: Workspace) -> pl.DataFrame:
    """asset, partition ("" when unpartitioned), data_version and code_version of everything that a workspace holds; of a build without
    reading its heads."""
    columns = ["asset", "partition", "data_version", "code_version"]
    frames = [pl.DataFrame(schema=dict.fromkeys(columns, pl.String))]
    if isinstance(workspace, BuildWorkspace):
        frames += [workspace.lake.scan(heads.stored).select(columns).collect() for heads in workspace.build.heads.values()]
    else:
        rows = [(each.asset, each.partition or "", each.data_version, each.code_version) for each in workspace.outputs()]
        frames.append(pl.DataFrame(rows, schema=frames[0].schema, orient="row"))
    return pl.concat(frames)


def recipe_of(build: Build) -> Recipe:
    """The recipe of a build. Its lists and items are known by the digests of then; the files may be gone or hold something else."""
    value = copy.deepcopy(dict(build.recipe))
    lists, items = value["signals"].pop("lists", {}), value["decontamination"].pop("items", {})
    try:
        recipe = Recipe.model_validate_json(json.dumps(value))
    except (GristmillError, ValueError) as error:
        raise LakeError(
            f"its recipe means nothing to this version of gristmill: {error}",
            where=f"build {build.name}",
            fix=f"Look at it with the version that made it: commit {build.origin.commit or 'unknown'}.",
        ) from None
    signals = recipe.signals.model_copy(update={"lists": {name: WordList.model_construct(**each) for name, each in lists.items()}})
    decontamination = recipe.decontamination.model_copy(
        update={"items": {name: ItemFile.model_construct(**each) for name, each in items.items()}}
    )
    return recipe.model_copy(update={"signals": signals, "decontamination": decontamination})
