"""One recipe's view of the lake: which tables each partition of each asset holds now, and what made them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from gristmill.errors import LakeError
from gristmill.lake.cache import KeyedCache
from gristmill.lake.hashing import mapping_hash
from gristmill.lake.store import Lake, Stored, as_json, from_json
from gristmill.naming import named
from gristmill.recipe import Recipe

Partition = str | None


@dataclass
class Made:
    """What one step made of one partition. Tables and files are hashed into the data version; `unhashed` files
    (logs with clock times) and metadata are not."""

    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    unhashed: dict[str, Path] = field(default_factory=dict)
    needs: tuple[str, ...] = ()  # folders of the lake that it stands on beside these: tables of vectors
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class Check:
    """The outcome of an asset check. `warn` reports, `error` fails the build."""

    passed: bool
    metadata: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    severity: Literal["error", "warn"] = "error"


@dataclass(frozen=True)
class Output:
    """A partition as it stands: what it holds, and from which code and inputs it was made."""

    asset: str
    partition: Partition
    data_version: str
    code_version: str
    inputs: dict[str, str]  # input asset -> digest of the versions of the partitions read
    tables: dict[str, Stored]
    files: dict[str, Stored]
    metadata: dict[str, Any]
    seconds: float
    read: dict[str, dict[str, str]] = field(default_factory=dict)  # input asset -> partition ("" when unpartitioned) -> data version
    unhashed: tuple[str, ...] = ()  # files outside the data version
    held: bool = False  # kept when its inputs move
    needs: tuple[str, ...] = ()  # folders of the lake that it stands on beside its files

    def as_json(self) -> dict[str, Any]:
        return {
            **{
                name: getattr(self, name)
                for name in ("asset", "partition", "data_version", "code_version", "inputs", "metadata", "seconds", "read", "held")
            },
            "unhashed": list(self.unhashed),
            "needs": list(self.needs),
            "tables": {name: as_json(stored) for name, stored in self.tables.items()},
            "files": {name: as_json(stored) for name, stored in self.files.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Output:
        stored = {kind: {name: from_json(item) for name, item in value[kind].items()} for kind in ("tables", "files")}
        return cls(**{**value, **stored, "unhashed": tuple(value["unhashed"]), "needs": tuple(value["needs"])})


@dataclass(frozen=True)
class Inputs:
    """The data versions that a step is going to read: per input asset and partition, and files outside the lake."""

    read: dict[str, dict[str, str]] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)

    @property
    def digests(self) -> dict[str, str]:
        return {name: versions_digest(versions) for name, versions in self.read.items()} | self.source


def versions_digest(versions: Mapping[str, str] | Mapping[Partition, str]) -> str:
    """32 hex digits over partition (None or "" when unpartitioned) -> data version: what is recorded about an input."""
    return mapping_hash({partition or "": version for partition, version in versions.items()})


def version_digest(partition: Partition, version: str) -> str:
    """The same of one partition: a plan asks for it two hundred thousand times."""
    return hashlib.blake2b(f"{partition or ''}={version}\n".encode(), digest_size=16).hexdigest()


class Workspace:
    """What a recipe's assets hold now. Cheap to make, picklable: worker processes get a copy."""

    def __init__(self, lake: Lake, recipe: Recipe):
        self.lake, self.recipe = lake, recipe
        self.namespace = recipe.namespace or "default"

    # heads

    def head_key(self, asset: str, partition: Partition) -> str:
        return f"heads/{self.namespace}/{asset}/{partition or '@'}.json"

    def head(self, asset: str, partition: Partition = None) -> Output | None:
        value = self.lake.get_json(self.head_key(asset, partition))
        return None if value is None else Output.from_json(value)

    def output(self, asset: str, partition: Partition = None) -> Output:
        """What the partition holds; LakeError when it was never made."""
        head = self.head(asset, partition)
        if head is None:
            name = named(asset, partition)
            raise LakeError(
                f"{name} has not been made yet", where=self.lake.root, fix=f"Materialize {name} first, or run `gristmill rebuild`."
            )
        return head

    def has(self, asset: str, partition: Partition = None) -> bool:
        return self.lake.exists(self.head_key(asset, partition))

    def is_whole(self, output: Output) -> bool:
        """Whether every file of an output is still there."""
        files = all(self.lake.is_whole(stored) for stored in (*output.tables.values(), *output.files.values()))
        return files and all(self.lake.keys(f"{folder}/") for folder in output.needs)

    def partitions(self, asset: str) -> list[str]:
        prefix = f"heads/{self.namespace}/{asset}/"
        return [key.removeprefix(prefix).removesuffix(".json") for key in self.lake.keys(prefix) if not key.endswith("/@.json")]

    def outputs(self) -> list[Output]:
        """Everything that this namespace holds now, by asset and partition."""
        keys = self.lake.keys(f"heads/{self.namespace}/")
        return [Output.from_json(value) for key in keys if (value := self.lake.get_json(key)) is not None]

    def version(self, asset: str, partition: Partition = None) -> str:
        return self.output(asset, partition).data_version

    def metadata(self, asset: str, partition: Partition = None) -> dict[str, Any]:
        return self.output(asset, partition).metadata

    # contents

    def scan(self, asset: str, partition: Partition = None, table: str | None = None) -> pl.LazyFrame:
        """A table of a partition, lazily; `table` defaults to the first one that its asset stores."""
        output = self.output(asset, partition)
        name = table or next(iter(output.tables), None)
        if name not in output.tables:
            raise LakeError(f"{asset} holds no table {name!r}", where=self.lake.root, fix=f"It holds: {', '.join(output.tables)}.")
        return self.lake.scan(output.tables[name])

    def read(self, asset: str, partition: Partition = None, table: str | None = None, columns: Iterable[str] | None = None) -> pl.DataFrame:
        frame = self.scan(asset, partition, table)
        return (frame.select(*columns) if columns is not None else frame).collect()

    def path(self, asset: str, partition: Partition = None, name: str = "model") -> Path:
        """A local path of a stored file or folder."""
        output = self.output(asset, partition)
        if name not in output.files:
            raise LakeError(f"{asset} holds no file {name!r}", where=self.lake.root, fix=f"It holds: {', '.join(output.files)}.")
        return self.lake.local_path(output.files[name])

    # making

    def store(
        self,
        asset: str,
        partition: Partition,
        made: Made,
        code_version: str,
        inputs: Inputs | None = None,
        seconds: float = 0.0,
        held: bool = False,
    ) -> Output:
        """Publishes what was made: contents first, then the index entry, then the head. A crash in between leaves the old head."""
        tables = {name: self.lake.write_table(name, frame) for name, frame in made.tables.items()}
        files = {name: self.lake.write_file(name, path) for name, path in made.files.items()}
        data_version = mapping_hash({name: stored.hash for name, stored in (tables | files).items()})
        files |= {name: self.lake.write_file(name, path) for name, path in made.unhashed.items()}
        inputs = inputs or Inputs()
        output = Output(
            asset,
            partition,
            data_version,
            code_version,
            inputs.digests,
            tables,
            files,
            made.metadata,
            round(seconds, 3),
            inputs.read,
            tuple(made.unhashed),
            held,
            made.needs,
        )
        self.lake.put_json(self.index_key(asset, partition, code_version, output.inputs), output.as_json())
        self.publish(output)
        return output

    def publish(self, output: Output) -> None:
        self.lake.put_json(self.head_key(output.asset, output.partition), output.as_json())

    def made_before(self, asset: str, partition: Partition, code_version: str, inputs: dict[str, str]) -> Output | None:
        """What the same code made of the same inputs earlier, in this namespace or another, if its files are still there."""
        value = self.lake.get_json(self.index_key(asset, partition, code_version, inputs))
        output = None if value is None else Output.from_json(value)
        return output if output and self.is_whole(output) else None

    def index_key(self, asset: str, partition: Partition, code_version: str, inputs: Mapping[str, str]) -> str:
        """Where it is remembered what this code makes of these inputs."""
        digest = mapping_hash({"partition": partition or "", "code": code_version, **{f"input {k}": v for k, v in inputs.items()}})
        return f"index/{asset}/{digest}.json"

    def record_code(self, asset: str, code_version: str, algorithm: str, sections: Iterable[str]) -> None:
        """Remembers what a code version is made of, once: the algorithm's version and the recipe's values."""
        key = self._code_key(asset, code_version)
        if not self.lake.exists(key):
            self.lake.put_json(key, {"code_version": code_version, "algorithm": algorithm, "sections": self.recipe.values(*sections)})

    def code(self, asset: str, code_version: str) -> dict[str, Any] | None:
        """`algorithm`, and `sections` (name -> value), of a code version under which something was made; None if not recorded."""
        value: dict[str, Any] | None = self.lake.get_json(self._code_key(asset, code_version))
        return value

    def _code_key(self, asset: str, code_version: str) -> str:
        return f"codes/{asset}/{mapping_hash({'code': code_version})}.json"

    def memo(self, keys: Mapping[str, str], make: Callable[[list[str]], Mapping[str, pl.DataFrame]]) -> dict[str, pl.DataFrame]:
        """Tables made before under their keys (table -> what names everything that it depends on); the others are made
        together now, by one call of `make` with their names, and remembered."""
        entries = {
            table: f"index/memo/{hashlib.blake2b(json.dumps([table, key]).encode(), digest_size=16).hexdigest()}.json"
            for table, key in keys.items()
        }
        stored = {}
        for table, entry in entries.items():
            value = self.lake.get_json(entry)
            if value is not None and self.lake.is_whole(known := from_json(value)):
                stored[table] = known
        if missing := [table for table in keys if table not in stored]:
            made = make(missing)
            for table in missing:
                stored[table] = self.lake.write_table(table, made[table])
                self.lake.put_json(entries[table], as_json(stored[table]))
        return {table: self.lake.scan(stored[table]).collect() for table in keys}

    def cache(self, name: str) -> KeyedCache:
        return KeyedCache(self.lake.cache_folder / f"{name}.sqlite")

    def scratch(self, asset: str, partition: Partition = None) -> Path:
        """A local folder for work in progress that a killed run finds again."""
        folder = self.lake.cache_folder / "scratch" / self.namespace / asset / (partition or "@")
        folder.mkdir(parents=True, exist_ok=True)
        return folder
