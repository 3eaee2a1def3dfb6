"""Claims about what is stored: files, heads, recorded inputs and code, leftovers, and the event log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from gristmill.lake.hashing import file_hash, mapping_hash
from gristmill.lake.lease import Lease
from gristmill.lake.store import Stored
from gristmill.lake.table_hash import table_hash
from gristmill.lake.workspace import Output, Workspace, versions_digest
from gristmill.lineage.audit.scope import AUDIT, UNREADABLE, Event, Finding, Scope, rank, said
from gristmill.lineage.builds.builds import each_read, objects, reachable
from gristmill.lineage.plan.plan import SOURCE
from gristmill.naming import named
from gristmill.recipe.section import fingerprint

HASHED_BYTES = 4 << 30  # of what stands, that a sampled audit reads again; the rest must be there
LOGGED = 2_000  # partitions of an asset whose event a sampled audit reads
UNREAD = "what cannot be read: "
NAMED = 3  # objects named in a sentence

FILES = "stored files hash to their names"
CONTENTS = "contents match the record"
INPUTS = "inputs exist as they were read"
CODE = "code versions follow from the recipe"
LEFTOVERS = "every object belongs to something"
EVENTS = "the event log says what is stored"


def stored_files(scope: Scope) -> Iterator[Finding]:
    """Every table and file of every partition, read again. Of a large lake a sampled audit reads HASHED_BYTES, by hash, the tables
    and files of unpartitioned assets first."""
    seen, left = dict[str, str](), HASHED_BYTES
    for output in sorted(
        scope.outputs.values(), key=lambda o: (o.partition is not None, rank(f"{o.asset} {o.partition} {o.data_version}"))
    ):
        stored = {**output.tables, **output.files}
        size = sum(each.bytes for each in stored.values() if each.key not in seen)
        read = scope.documents is None or size <= left
        left -= size if read else 0
        yield scope.check(FILES, named(output.asset, output.partition), lambda o=output, r=read: _files(scope, o, r, seen))  # type: ignore[misc]
        yield scope.check(CONTENTS, named(output.asset, output.partition), lambda o=output: _contents(o))  # type: ignore[misc]


def _files(scope: Scope, output: Output, read: bool, seen: dict[str, str]) -> tuple[str, str]:
    lake, problems = scope.workspace.lake, []
    stored = {**output.tables, **output.files}
    for name, each in stored.items():
        if not read:
            if not lake.is_whole(each):
                problems.append(f"{each.key} is gone: {scope.anew(output.asset, output.partition)}")
            continue
        if each.key not in seen:
            try:
                seen[each.key] = _hash(scope, name, each)
            except UNREADABLE as error:
                seen[each.key] = f"{UNREAD}{said(error, lake, fix=True)}"
        if seen[each.key] != each.hash:
            problem = f"{each.key}, recorded as {each.hash}, holds {seen[each.key]}"
            told = seen[each.key].startswith(UNREAD)  # with its way out
            problems.append(problem if told else f"{problem}: {scope.way_out(output.asset, output.partition, each)}")
    for folder in output.needs:
        if not lake.keys(f"{folder}/"):
            problems.append(f"{folder} is gone: {scope.anew(output.asset, output.partition)}")
    return "; ".join(problems), f"{len(stored)} tables and files{'' if read else ' are there; not read, since the audit is sampled'}"


def _hash(scope: Scope, name: str, stored: Stored) -> str:
    lake = scope.workspace.lake
    if stored.kind == "table":
        return table_hash(name, lake.scan(stored).collect())
    path = lake.local_path(stored)
    if not stored.names:
        return file_hash(path)
    present = sorted(each.relative_to(path).as_posix() for each in path.rglob("*") if each.is_file())
    return mapping_hash({each: file_hash(path / each) for each in present})


def _contents(output: Output) -> tuple[str, str]:
    hashed = {name: each.hash for name, each in {**output.tables, **output.files}.items() if name not in output.unhashed}
    claimed = mapping_hash(hashed)
    if claimed == output.data_version:
        return "", output.data_version
    return f"files give {claimed}, recorded as {output.data_version}", ""


def inputs_exist(scope: Scope) -> Iterator[Finding]:
    """The versions that a partition was made from stand now, or the index or a build remembers them (it is stale, then), and the
    recorded digest follows from them. Of a held asset the inputs may be gone."""
    for output in scope.outputs.values():
        yield scope.check(INPUTS, named(output.asset, output.partition), lambda o=output: _inputs(scope, o))  # type: ignore[misc]


def _inputs(scope: Scope, output: Output) -> tuple[str, str]:
    problems, notes = [], []
    for name, digest in output.inputs.items():
        if name == SOURCE:
            continue
        read = output.read.get(name, {})
        if versions_digest(read) != digest:
            problems.append(f"the digest of {name} does not follow from the versions that were read")
        now = {key: head.data_version if (head := scope.outputs.get((name, key or None))) else "" for key in read}
        moved = [key for key, version in read.items() if now[key] != version]
        if not moved:
            continue
        gone = [key for key in moved if read[key] and scope.version(name, key or None, read[key]) is None]
        if gone and not output.held:
            first = named(name, gone[0] or None)
            problems.append(
                f"{len(gone)} of {len(read)} versions of {name} that it was made from are nowhere, e.g. {first} {read[gone[0]]}"
            )
        else:
            notes.append(f"{name} moved in {len(moved)} of {len(read)} partitions since")
    held = "held, " if output.held else "stale, " if notes else ""
    return "; ".join(problems), f"{held}{'; '.join(notes)}" if notes else f"{len(output.inputs)} inputs"


def code_follows(scope: Scope) -> Iterator[Finding]:
    """A code version is the algorithm's and the fingerprint of the recipe values that are on record for it."""
    for (asset, version), outputs in sorted(_by_code(scope).items()):
        yield scope.check(CODE, f"{asset} {version}", lambda a=asset, v=version, n=outputs: _code(scope, a, v, n))  # type: ignore[misc]


def _by_code(scope: Scope) -> Counter[tuple[str, str]]:
    return Counter((output.asset, output.code_version) for output in scope.outputs.values())


def _code(scope: Scope, asset: str, version: str, partitions: int) -> tuple[str, str]:
    known = scope.workspace.code(asset, version)
    if known is None:
        return f"{partitions} partitions were made by it, and what it is made of is not on record", ""
    sections: Mapping[str, Any] = known["sections"]
    values = {name: list(value.values()) if name == "policy" else value for name, value in sections.items()}
    follows = f"{known['algorithm']}-{fingerprint(values)}" if sections else known["algorithm"]
    current = scope.codes.get(asset, version) == version
    note = "" if current else f"; today's is {scope.codes[asset]}"
    return "" if follows == version else f"the values on record give {follows}", f"{partitions} partitions, {len(sections)} sections{note}"


def leftovers(scope: Scope) -> Iterator[Finding]:
    """What is neither part of a head or build, nor remembered by the index: a process that died left it, or somebody put it there.
    And heads of assets that the graph does not have."""
    if at_work := _at_work(scope.workspace):  # what it has written so far is not yet part of anything
        yield scope.check(LEFTOVERS, "tables and files", lambda: ("", f"not looked at while {at_work}"))
    else:
        yield scope.check(LEFTOVERS, "tables and files", lambda: _unreached(scope))
    if scope.codes:
        strangers = sorted({asset for asset, _ in scope.outputs} - set(scope.codes))
        folder = f"heads/{scope.workspace.namespace}"
        text = f"the graph has no asset called {', '.join(strangers)}; delete {folder}/{strangers[0]}/" if strangers else ""
        yield scope.check(LEFTOVERS, "heads", lambda: (text, f"{len(scope.outputs)} heads"))


def _unreached(scope: Scope) -> tuple[str, str]:
    lake = scope.workspace.lake
    present = {key for prefix in ("tables/", "files/") for key in lake.names(prefix)}
    lost = present - reachable(lake)
    if lost:
        entries = each_read(lake.get_json, sorted(key for key in lake.names("index/") if key.endswith(".json")))
        for value in (value for value in entries if value is not None):
            lost -= _remembers(value)
    if not lost:
        return "", f"{len(present)} objects"
    named_ones = ", ".join(sorted(lost)[:NAMED]) + (", …" if len(lost) > NAMED else "")
    return f"{len(lost)} of {len(present)} belong to nothing: {named_ones}; `gristmill builds gc` deletes them", ""


def _remembers(entry: Mapping[str, Any]) -> set[str]:
    """The objects behind an entry of the index: an output, or one table."""
    if "tables" not in entry:
        return {str(entry["key"])}
    output = Output.from_json(entry)
    return {key for stored in (*output.tables.values(), *output.files.values()) for key in objects(stored)}


def _at_work(workspace: Workspace) -> str:
    """Which asset of any namespace is being made, beside the audit itself."""
    for namespace, asset in sorted({(key.split("/")[1], key.split("/")[2]) for key in workspace.lake.names("heads/")}):
        if asset != AUDIT and (holder := Lease(workspace.lake, namespace, asset).at_work()):
            return f"{asset} is being made by {holder}"
    return ""


def events(scope: Scope) -> Iterator[Finding]:
    """Each head was logged by a run as it stands, and nothing else was."""
    if scope.log is None:
        return
    for asset in sorted({*(asset for asset, _ in scope.outputs), *scope.log.assets()} - {AUDIT}):
        heads = [partition for name, partition in scope.outputs if name == asset]
        chosen = set(scope.some(heads, LOGGED))
        logged = scope.log.events(asset, lambda ids, h=heads, c=chosen: [each for each in ids if each in c or each not in h])  # type: ignore[misc]
        for partition in sorted({*logged, *chosen}, key=str):
            head, event = scope.outputs.get((asset, partition)), logged.get(partition)
            yield scope.check(EVENTS, named(asset, partition), lambda h=head, e=event: _event(h, e))  # type: ignore[misc]


def _event(head: Output | None, event: Event | None) -> tuple[str, str]:
    if event is None:
        return "it stands in the lake, and no event says that it was made", ""
    if not event.run_known:
        return f"the last event was written by hand: {f'no run {event.run} is known' if event.run else 'it names no run'}", ""
    if head is None:
        return f"run {event.run} says that it was made, and nothing stands in the lake", ""
    said = event.recorded
    pairs = {
        "data version": (said.data_version, head.data_version),
        "code version": (said.code_version, head.code_version),
        "inputs": (dict(said.inputs), head.inputs),
    }
    for name, (logged, stored) in pairs.items():
        if logged != stored:
            return f"the log says {name} {logged} (run {event.run}), the head says {stored}", ""
    return "", f"run {event.run}"
