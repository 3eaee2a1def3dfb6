"""Garbage collection: what neither stands now, nor in a pinned build, nor in one of the last few, is deleted.

Mark and sweep. It holds the lease of every asset that it knows meanwhile, so that no rebuild finds a file that is about to
go. First old builds leave the list, then index and memo entries go, then tables and files: whenever it is interrupted,
nothing is remembered whose files are missing. Tables of vectors are left alone: they are shared by texts, not by partitions.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gristmill.errors import LakeError
from gristmill.lake.lease import Holder, Lease
from gristmill.lake.store import Lake
from gristmill.lineage.builds.builds import Build, all_builds, each_read, pins, reachable, remove

KEEP = 5  # builds of each namespace that stay without a pin
SWEPT = {"index/": "index and memo entries", "tables/": "tables", "files/": "files"}  # in this order


@dataclass
class Collected:
    """What was deleted, or would be: builds by name, and per kind of object how many and their bytes."""

    dry_run: bool
    kept: list[str] = field(default_factory=list)
    builds: list[str] = field(default_factory=list)
    objects: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("dry_run", "kept", "builds", "objects", "bytes")}


def collect(
    lake: Lake, assets: Collection[tuple[str, str]] = (), keep: int = KEEP, dry_run: bool = False, say: Callable[[str], object] = print
) -> Collected:
    """Deletes what nothing stands on. `assets` (namespace, name) are those that may be made while this runs; those with a head are
    known anyway. LakeError while one of them is being made: what it has written so far is not yet part of anything."""
    known = sorted({*assets, *_with_heads(lake)})
    leases = {(namespace, asset): Lease(lake, namespace, asset) for namespace, asset in known}
    if not dry_run:
        for (namespace, asset), lease in leases.items():
            if holder := lease.at_work():
                raise LakeError(
                    f"is being made by {holder}; nothing was deleted",
                    where=f"{asset} of the namespace {namespace!r}",
                    fix="Wait for the rebuild to end, or stop it; --dry-run shows what would go.",
                )
    with contextlib.ExitStack() as held:
        for lease in leases.values() if not dry_run else ():
            held.enter_context(lease.held({"run": "", "work": "garbage collection"}, say, _forget))
        return _sweep(lake, keep, dry_run)


def kept_builds(lake: Lake, keep: int = KEEP) -> tuple[list[Build], list[Build]]:
    """The builds that stay (pinned, or among the last `keep` of their namespace), and those that go."""
    stays: list[Build] = []
    goes: list[Build] = []
    found = all_builds(lake)
    for namespace in sorted({build.namespace for build in found}):
        pinned, ours = pins(lake, namespace), [build for build in found if build.namespace == namespace]
        for age, build in enumerate(reversed(ours)):
            (stays if age < keep or build.number in pinned else goes).append(build)
    return stays, goes


def _sweep(lake: Lake, keep: int, dry_run: bool) -> Collected:
    stays, goes = kept_builds(lake, keep)
    reached = reachable(lake, stays)
    done = Collected(dry_run, [build.name for build in reversed(stays)], [build.name for build in reversed(goes)])
    for build in goes if not dry_run else ():
        remove(lake, build, f"garbage collection: neither pinned nor among the last {keep}")
    for prefix, kind in SWEPT.items():
        unreached = {key: size for key, size in lake.sizes(prefix).items() if key not in reached}
        done.objects[kind], done.bytes[kind] = len(unreached), sum(unreached.values())
        if not dry_run:
            each_read(lake.delete, sorted(unreached))
            _drop_leftovers(lake, prefix)
            _drop_empty_folders(lake, prefix, unreached)
    return done


def _with_heads(lake: Lake) -> set[tuple[str, str]]:
    return {(key.split("/")[1], key.split("/")[2]) for key in lake.names("heads/")}


def _drop_leftovers(lake: Lake, prefix: str) -> None:
    """What a process that was killed had half-written: a store on a disk writes to `<name>#<number>` and renames."""
    for key in [] if lake.remote else [key for key in lake.names(prefix) if re.search(r"#\d+$", key)]:
        (Path(lake.root) / key).unlink(missing_ok=True)


def _drop_empty_folders(lake: Lake, prefix: str, deleted: Collection[str]) -> None:
    if lake.remote:
        return
    top = Path(lake.root) / prefix
    for folder in sorted({parent for key in deleted for parent in (Path(lake.root) / key).parents if top in parent.parents}, reverse=True):
        with contextlib.suppress(OSError):  # not empty
            folder.rmdir()


def _forget(holder: Holder) -> None:
    """A rebuild that died left its lease: what it had not published goes with the rest."""
