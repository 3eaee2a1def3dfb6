"""Deletes every copy of what was taken down that a rebuild leaves behind: old builds and tables, vectors, caches, work in progress.

In this order: builds that hold the text leave the list; what nothing stands on any more is collected; vectors are forgotten with
all their old versions; caches and scratch folders are emptied of it; at last the journal says that it was done. Killed at any
moment it is simply started again.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from gristmill.crawl import tombstones
from gristmill.crawl.tombstones import Tombstone
from gristmill.dedup.vectors import VectorTable
from gristmill.errors import LakeError
from gristmill.lake.lease import Lease
from gristmill.lake.workspace import Workspace
from gristmill.lineage.builds import builds
from gristmill.lineage.builds.collect import collect
from gristmill.lineage.takedown import receipt, takedown
from gristmill.lineage.takedown.takedown import naming, table_at

EVERY = 1 << 62  # builds that stay: all that are still listed


@dataclass
class Purged:
    """What was deleted, or would be. `kept`: pinned builds that hold the text and stay."""

    dry_run: bool
    builds: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    objects: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    vectors: int = 0
    entries: dict[str, int] = field(default_factory=dict)  # of caches
    scratch: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)  # whose events quoted it

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def purge(
    workspace: Workspace,
    tombstone: Tombstone,
    who: str,
    assets: Collection[tuple[str, str]] = (),
    pinned: bool = False,
    dry_run: bool = False,
    say: Callable[[str], object] = print,
    forget_events: Callable[[Tombstone, bool], list[str]] = lambda tombstone, dry_run: [],
) -> Purged:
    """LakeError while something that stands still holds it: that would stay. `pinned`: pinned builds that hold it go too. `assets`
    (namespace, name) are those that may be made meanwhile. `forget_events` deletes what the event log quotes, and says of which runs."""
    lake, done = workspace.lake, Purged(dry_run)
    present = receipt.receipt(workspace, tombstone)
    if failed := [claim for claim in present["stands"] if not claim["passed"]]:
        raise LakeError(
            f"what stands still holds it; the receipt's claim \u201c{failed[0]['claim']}\u201d fails: {'; '.join(failed[0]['found'])}",
            where=f"tombstone {tombstone.id}",
            fix="Run `gristmill rebuild` first; `gristmill takedown receipt` shows all that is left.",
        )
    ids = set(present["documents"])
    hashes = sorted(receipt.purgeable_hashes(workspace, tombstone))
    models = sorted(takedown.text_hashes(lake, ids)) or _models(workspace)
    holders = takedown.holding_builds(lake, {key for key in lake.names("tables/documents/") if naming(lake, table_at(key), ids).height})
    pins = {namespace: builds.pins(lake, namespace) for namespace in {build.namespace for build in holders}}
    for build in holders:
        if build.number in pins[build.namespace] and not pinned:
            done.kept.append(build.name)
            continue
        done.builds.append(build.name)
        if not dry_run:
            builds.remove(lake, build, f"purge of tombstone {tombstone.id}")
    collected = collect(lake, assets, EVERY, dry_run, say)
    done.objects, done.bytes = collected.objects, collected.bytes
    stored = any(lake.names("vectors/"))
    for model in models if stored else ():
        table = VectorTable.open(lake, model)
        done.vectors += len(hashes) - len(table.missing(hashes))
        if not dry_run:
            table_forget(table, hashes)
    _caches(workspace, tombstone, done)
    done.runs = forget_events(tombstone, dry_run)
    if not dry_run:
        about = {name: value for name, value in done.as_json().items() if name not in ("dry_run", "scratch")}
        tombstones.add(
            lake,
            {"action": "purge", "of": tombstone.id, "who": who, "when": tombstones.now(), "text_hashes": hashes, "deleted": about},
        )
    return done


def table_forget(table: VectorTable, hashes: list[str]) -> None:
    """Also where the table lacks them by now: older versions may have them."""
    from gristmill.dedup.upkeep import forget

    forget(table, hashes)


def _models(workspace: Workspace) -> list[str]:
    found = set()
    for output in takedown.outputs_of(workspace.lake, "document_embeddings"):
        stored = output.tables.get("embeddings")
        if stored is not None and workspace.lake.is_whole(stored):
            found |= set(workspace.lake.scan(stored).select("model").unique().collect()["model"])
    return sorted(found)


def _caches(workspace: Workspace, tombstone: Tombstone, done: Purged) -> None:
    keys: dict[str, list[str]] = {}
    for name, key in takedown.cached_extractions(workspace, tombstone):
        keys.setdefault(name, []).append(key)
    if answers := receipt.quoting_answers(workspace, tombstone):
        keys["teacher"] = answers
    for name, mine in keys.items():
        done.entries[name] = len(mine)
        if not done.dry_run:
            workspace.cache(name).forget(mine)
    # numbers under hashes of texts, which cannot be led back to a document: all of them go, and are computed again
    if numbers := [key for key, _ in workspace.cache("evaluation").items()]:
        done.entries["evaluation"] = len(numbers)
        if not done.dry_run:
            workspace.cache("evaluation").forget(numbers)
    for path in receipt.scratch_copies(workspace, tombstone):
        namespace, asset = path.relative_to(workspace.lake.cache_folder / "scratch").parts[:2]
        if Lease(workspace.lake, namespace, asset).at_work() is None:
            done.scratch.append(str(path.relative_to(workspace.lake.cache_folder)))
            if not done.dry_run:
                shutil.rmtree(path)
    fetched = workspace.lake.cache_folder / "fetched"
    for path in sorted(fetched.rglob("*")) if not done.dry_run else ():
        if path.is_file() and not workspace.lake.exists(path.relative_to(fetched).as_posix()):
            path.unlink()
