"""Builds: what a recipe's whole graph came to, named and kept, so that it can be looked at and compared later.

`builds/<namespace>/<number>.json` is a manifest: the recipe as resolved and as written, who made it and with what, and for
each asset the key of a table of its heads (contract `heads`). Assets whose partitions did not move share that table, and what
did not move within them shares its files, so that a build costs what it changed. Manifests are created once and never
overwritten; a build that is removed leaves its name and when and why it went, so that no name is given twice.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from gristmill.errors import LakeError
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.hashing import mapping_hash
from gristmill.lake.store import Lake, Stored, as_json, from_json
from gristmill.lake.workspace import Output, Partition, Workspace
from gristmill.lineage.plan.plan import Recorded
from gristmill.recipe import Recipe
from gristmill.recipe.section import fingerprint, nearest

READERS = 16  # heads read at a time: each is a request where the lake is a bucket
TABLE = "heads"


@dataclass(frozen=True)
class Origin:
    """Who made a build, and with what. `commit` ends in `+` where files were edited since; "" outside of a checkout."""

    by: str = ""
    commit: str = ""
    python: str = ""
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Heads:
    """An asset's part of a build: the table of its heads, how many they are, and the digest of what the log recorded of them."""

    stored: Stored
    partitions: int
    recorded: str

    @property
    def key(self) -> str:
        return self.stored.key


@dataclass(frozen=True)
class Build:
    """A manifest. `policy` holds the rules in force, which the recipe names by profile; `content` is the hash of recipe and heads."""

    name: str
    namespace: str
    number: int
    content: str
    made_at: str
    origin: Origin
    recipe: Mapping[str, Any]
    policy: Mapping[str, Any]
    recipe_text: str
    heads: Mapping[str, Heads]

    def as_json(self) -> dict[str, Any]:
        heads = {
            asset: {"table": as_json(each.stored), "partitions": each.partitions, "recorded": each.recorded}
            for asset, each in self.heads.items()
        }
        return {**{name: getattr(self, name) for name in FIELDS}, "origin": asdict(self.origin), "heads": heads}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Build:
        heads = {asset: Heads(from_json(each["table"]), each["partitions"], each["recorded"]) for asset, each in value["heads"].items()}
        return cls(**{name: value[name] for name in FIELDS}, origin=Origin(**value["origin"]), heads=heads)

    def values(self) -> dict[str, Any]:
        """The recipe's sections as `recipe_diff.changes` compares them."""
        return {**{name: value for name, value in self.recipe.items() if name != "namespace"}, "policy": self.policy}

    def outputs(self, lake: Lake) -> list[Output]:
        """Every partition of the build, as it stood."""
        return [Output.from_json(json.loads(text)) for each in self.heads.values() for text in lake.scan(each.stored).collect()["output"]]


FIELDS = ("name", "namespace", "number", "content", "made_at", "recipe", "policy", "recipe_text")


@dataclass(frozen=True)
class Pin:
    """Why a build is kept however old it gets."""

    by: str
    at: str
    why: str


def values_of(recipe: Recipe) -> dict[str, Any]:
    """The recipe's sections as `recipe_diff.changes` compares them."""
    return recipe.values(*(name for name in Recipe.model_fields if name != "namespace"))


def record(
    workspace: Workspace,
    recorded: Mapping[str, Mapping[Partition, Recorded]],
    origin: Origin,
    name: str,
    recipe_text: str = "",
) -> Build:
    """The build of what stands now; the last one where nothing moved since. `recorded` is what the log says of every partition
    of every asset that belongs to it, `name` the part before the slash. LakeError when a head says something else: it moved
    while it was read, or what it holds was not made by a run."""
    lake, recipe = workspace.lake, workspace.recipe
    resolved, policy = recipe.model_dump(mode="json"), recipe.values("policy")["policy"]
    content = mapping_hash(
        {"recipe": fingerprint([resolved, policy])}
        | {asset: _digest({p: f"{r.data_version} {r.code_version}" for p, r in found.items()}) for asset, found in recorded.items()}
    )
    while True:
        known = numbers(lake, workspace.namespace)
        last = next((build for number in reversed(known) if (build := _load(lake, workspace.namespace, number))), None)
        if last is not None and last.content == content:
            return last
        before = last.heads if last else {}
        heads = {asset: _heads(workspace, asset, found, before.get(asset)) for asset, found in recorded.items()}
        number = max(known, default=0) + 1
        made_at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        build = Build(f"{name}/{number}", workspace.namespace, number, content, made_at, origin, resolved, policy, recipe_text, heads)
        if lake.create(_key(workspace.namespace, number), json.dumps(build.as_json(), indent=1, ensure_ascii=False).encode()):
            return build


def numbers(lake: Lake, namespace: str) -> list[int]:
    """The numbers that were given in a namespace, also to builds that were removed since."""
    prefix = f"builds/{namespace}/"
    return sorted(int(key.removeprefix(prefix).removesuffix(".json")) for key in lake.keys(prefix))


def next_name(workspace: Workspace, name: str) -> str:
    """What the next build of the namespace will be called, unless nothing moves: `name` is the part before the slash."""
    return f"{name}/{max(numbers(workspace.lake, workspace.namespace), default=0) + 1}"


def builds(lake: Lake, namespace: str) -> list[Build]:
    """The builds of a namespace, oldest first."""
    return [build for number in numbers(lake, namespace) if (build := _load(lake, namespace, number))]


def all_builds(lake: Lake) -> list[Build]:
    """The builds of every namespace in the lake."""
    namespaces = sorted({key.split("/")[1] for key in lake.keys("builds")})
    return [build for namespace in namespaces for build in builds(lake, namespace)]


def find(lake: Lake, namespace: str, name: str) -> Build:
    """A build by its name, `quickstart/3`, or its number; LakeError, with the way out, when there is none."""
    number = name.rpartition("/")[2]
    value = lake.get_json(_key(namespace, int(number))) if number.isdecimal() else None
    if value is not None and name in (value["name"], number):
        if "removed" in value:
            raise LakeError(
                f"was removed {value['removed']['at']}: {value['removed']['why']}",
                where=f"build {value['name']}",
                fix="What it held may be gone. `gristmill builds list` shows those that are kept.",
            )
        return Build.from_json(value)
    known = [build.name for build in builds(lake, namespace)]
    raise LakeError(
        f"no build named {name!r} in the namespace {namespace!r}{nearest(name, known)}" if known else "no build has been recorded yet",
        where=f"{lake.root}/builds",
        fix="`gristmill builds list` shows what there is; a rebuild of everything that ends fresh records one.",
    )


def remove(lake: Lake, build: Build, why: str) -> None:
    """Takes a build out of the list, pinned or not. Its name and content hash stay on record; its files stay until `collect` finds
    that nothing else stands on them."""
    told = {"name": build.name, "content": build.content, "made_at": build.made_at, "removed": {"at": _now(), "why": why}}
    lake.put_json(_key(build.namespace, build.number), told)
    unpin(lake, build)


def pins(lake: Lake, namespace: str) -> dict[int, Pin]:
    """Pinned numbers of a namespace."""
    prefix = f"pins/{namespace}/"
    found = {int(key.removeprefix(prefix).removesuffix(".json")): lake.get_json(key) for key in lake.keys(prefix)}
    return {number: Pin(**value) for number, value in found.items() if value is not None}


def pin(lake: Lake, build: Build, by: str, why: str) -> None:
    lake.put_json(f"pins/{build.namespace}/{build.number}.json", asdict(Pin(by, _now(), why)))


def unpin(lake: Lake, build: Build) -> None:
    lake.delete(f"pins/{build.namespace}/{build.number}.json")


def reachable(lake: Lake, kept: Iterable[Build] | None = None) -> set[str]:
    """Keys of every table, file, index and memo entry that a head of any namespace stands on, or one of the `kept` builds: all
    of them, unless said otherwise. An index entry is reached by the output that it remembers, a memo entry by its table."""
    found: set[str] = set()
    keys_of = Workspace(lake, Recipe())
    outputs = each_read(lake.get_json, sorted(key for key in lake.names("heads/") if key.endswith(".json")))
    tables = {each.key: each.stored for build in (all_builds(lake) if kept is None else kept) for each in build.heads.values()}
    found |= tables.keys()
    texts = {text for stored in tables.values() for text in lake.scan(stored).collect()["output"]}
    for value in (*(value for value in outputs if value is not None), *map(json.loads, sorted(texts))):
        output = Output.from_json(value)
        found.add(keys_of.index_key(output.asset, output.partition, output.code_version, output.inputs))
        for stored in (*output.tables.values(), *output.files.values()):
            found |= objects(stored)
    memos = sorted(key for key in lake.names("index/memo/") if key.endswith(".json"))
    return found | {key for key, value in zip(memos, each_read(lake.get_json, memos), strict=True) if value and value["key"] in found}


def objects(stored: Stored) -> set[str]:
    """The keys of the objects behind a stored table, file or folder."""
    return {f"{stored.key}/{name}" for name in stored.names} or {stored.key}


def each_read(read: Callable[[str], Any], keys: Collection[str]) -> list[Any]:
    """What `read` gives for each key, in their order, several at a time."""
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(read, keys))


def _heads(workspace: Workspace, asset: str, recorded: Mapping[Partition, Recorded], before: Heads | None) -> Heads:
    """The table of an asset's heads: the earlier build's where the log says the same of every partition."""
    digest = _digest({p: f"{r.data_version} {r.code_version} {mapping_hash(r.inputs)}" for p, r in recorded.items()})
    if before is not None and before.recorded == digest and workspace.lake.is_whole(before.stored):
        return before
    partitions = list(recorded)
    with ThreadPoolExecutor(READERS) as readers:
        outputs = list(readers.map(lambda partition: workspace.output(asset, partition), partitions))
    for partition, output in zip(partitions, outputs, strict=True):
        said = recorded[partition]
        if (output.data_version, output.code_version, output.inputs) != (said.data_version, said.code_version, dict(said.inputs)):
            raise LakeError(
                f"holds {output.data_version} while the event log says {said.data_version}: no build was recorded",
                where=workspace.head_key(asset, partition),
                fix="Another rebuild moved it, or a file was put there by hand. Run `gristmill rebuild` again.",
            )
    rows = [(o.asset, o.partition or "", o.data_version, o.code_version, json.dumps(o.as_json(), ensure_ascii=False)) for o in outputs]
    frame = pl.DataFrame(rows, schema=CONTRACTS[TABLE].schema, orient="row")
    return Heads(workspace.lake.write_table(TABLE, frame), len(rows), digest)


def _digest(items: Mapping[Partition, str]) -> str:
    return mapping_hash({partition or "": value for partition, value in items.items()})


def _load(lake: Lake, namespace: str, number: int) -> Build | None:
    value = lake.get_json(_key(namespace, number))
    return None if value is None or "removed" in value else Build.from_json(value)


def _key(namespace: str, number: int) -> str:
    return f"builds/{namespace}/{number}.json"


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
