"""What an audit looks at, and how it says what it found.

A step is checked against what it was made from, not against what stands now: `as_read` shows the lake as a partition saw it when it
was made. So a lake in the middle of a rebuild holds, and an input that is nowhere any more is found.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import polars as pl

from gristmill.counting import counted
from gristmill.errors import GristmillError
from gristmill.lake import damage
from gristmill.lake.store import Lake, Stored
from gristmill.lake.workspace import Output, Partition, Workspace
from gristmill.lineage.builds.builds import builds, each_read
from gristmill.lineage.plan.plan import SOURCE, Recorded
from gristmill.naming import named

SHARDS = 24  # of a sampled audit: its documents are drawn from these
UNREADABLE = (GristmillError, OSError, pl.exceptions.PolarsError, ValueError, LookupError, TypeError, AssertionError, RuntimeError)
NOT_RECOMPUTED = "not recomputed: "
AUDIT = "lineage_audit"


class Finding(NamedTuple):
    """A row of the contract `audit`."""

    claim: str
    subject: str
    passed: bool
    evidence: str

    @property
    def recomputed(self) -> bool:
        return not self.evidence.startswith(NOT_RECOMPUTED)


class NotRecomputed(Exception):
    """Why a claim was not checked: its subject was made by other code or another recipe than today's. `gristmill plan` names it."""


class Event(NamedTuple):
    """The last materialisation of a partition in the event log. `run_known`: whether a run of Dagster's logged it. `at`: seconds since
    1970."""

    recorded: Recorded
    run: str
    run_known: bool
    at: float


class Log(Protocol):
    """The event log of one namespace, as the audit needs it. `resources.audit_log` has it over Dagster."""

    def assets(self) -> Sequence[str]:
        """Those of the namespace that have an event."""

    def events(self, asset: str, chosen: Callable[[Iterable[Partition]], Iterable[Partition]]) -> Mapping[Partition, Event]:
        """The last event of those of the asset's partitions that `chosen` takes of all that have one."""


class Scope:
    """One audit of a workspace. `documents` are drawn from SHARDS shards; None takes all of all. `codes` are the code versions of
    today's assets; without them every partition is taken to be made by today's code."""

    def __init__(self, workspace: Workspace, documents: int | None, codes: Mapping[str, str], log: Log | None):
        self.workspace, self.documents, self.codes, self.log = workspace, documents, codes, log
        found = (output for output in workspace.outputs() if output.asset != AUDIT)  # about to be replaced
        self.outputs = {(output.asset, output.partition): output for output in found}

    def of(self, asset: str) -> list[Output]:
        return [output for (name, _), output in self.outputs.items() if name == asset]

    def check(self, claim: str, subject: str, look: Callable[[], tuple[str, str]]) -> Finding:
        """`look` gives (problem, evidence), the first empty when the claim holds. What cannot be read does not hold."""
        try:
            problem, evidence = look()
        except NotRecomputed as why:
            return Finding(claim, subject, True, f"{NOT_RECOMPUTED}{why}")
        except UNREADABLE as error:
            problem, evidence = f"missing or broken: {said(error, self.workspace.lake)}", ""
        return Finding(claim, subject, not problem, problem or evidence)

    # which partitions, which documents

    @cached_property
    def shards(self) -> list[str]:
        """The shards that are looked into, by the hash of what they hold: other content, another choice."""
        found = [output for output in self.of("documents") if output.partition]
        if self.documents is None:
            return sorted(str(output.partition) for output in found)
        return sorted(str(o.partition) for o in sorted(found, key=lambda o: rank(f"{o.partition} {o.data_version}"))[:SHARDS])

    @cached_property
    def _last(self) -> str | None:
        """The largest doc_id that is looked at; None for all. They are hashes, so the smallest ones are a fair draw."""
        if self.documents is None or not self.shards:
            return None
        ids = [pl.Series("doc_id", [], dtype=pl.String)]
        for shard in self.shards:
            with suppress(*UNREADABLE):  # the claims about the shard say so
                ids.append(self._ids(self.workspace, shard))
        smallest = pl.concat(ids).unique().sort().head(self.documents)
        return None if len(smallest) < self.documents else str(smallest[-1])

    def _ids(self, lake: Workspace, shard: str) -> pl.Series:
        scan = lake.scan("documents", shard, "documents").select("doc_id")
        return (scan if self.documents is None else scan.head(self.documents)).collect()["doc_id"]  # sorted, by their contract

    def chosen(self, shard: str, lake: Workspace | None = None) -> pl.Series:
        """The doc_ids of a shard's documents that are looked at, sorted: of those that a step read, with its `as_read`."""
        return self.drawn(self._ids(lake or self.workspace, shard))

    def drawn(self, ids: pl.Series) -> pl.Series:
        """Those of a shard's doc_ids that are looked at, sorted. One at least, so that no shard passes for want of a document."""
        ids = ids.sort()
        if self._last is None:
            return ids
        few = ids.filter(ids <= self._last)
        return few if len(few) else ids.head(1)

    def stored(self, asset: str, shard: str, table: str | None, drawn: pl.Series) -> pl.DataFrame:
        """The rows of a shard's table as far as `drawn` goes, by doc_id. By the order of the ids and not by which they are: rows of
        documents that should not be there belong to it."""
        scan = self.workspace.scan(asset, shard, table)
        if self._last is not None:
            scan = scan.filter(pl.col("doc_id") <= max(self._last, *drawn.tail(1)))
        return scan.collect().sort("doc_id")

    @cached_property
    def looked(self) -> str:
        """What the audit looked at: all, or how many documents of how many."""
        every = sum(output.tables["documents"].rows for output in self.of("documents") if "documents" in output.tables)
        shards = len(self.of("documents"))
        if self.documents is None:
            return f"a full audit: all of {counted(every, 'document')} in {counted(shards, 'shard')}"
        count = 0
        for shard in self.shards:
            with suppress(*UNREADABLE):
                count += len(self.chosen(shard))
        return (
            f"a sampled audit: {count:,} of {counted(every, 'document')}, "
            f"from {len(self.shards):,} of {counted(shards, 'shard')}; `gristmill audit --full` looks at all"
        )

    def way_out(self, asset: str, partition: Partition, stored: Stored) -> str:
        """How a stored table or file of a partition is made anew."""
        where = shlex.quote(f"{self.workspace.lake.root}/{stored.key}")
        remove = "delete that object" if self.workspace.lake.remote else f"`rm {'-r ' if stored.kind == 'folder' else ''}{where}`"
        return f"{remove}, then {self.anew(asset, partition)}"

    def anew(self, asset: str, partition: Partition) -> str:
        return f"`{damage.rebuild_command(self.workspace.namespace, [asset])}` makes {named(asset, partition)} anew"

    def some(self, subjects: Iterable[Any], most: int) -> list[Any]:
        """At most `most` of them by hash, in their order; all of them in a full audit."""
        found = list(subjects)
        if self.documents is None or len(found) <= most:
            return found
        kept = {str(each) for each in sorted(found, key=lambda each: rank(str(each)))[:most]}
        return [each for each in found if str(each) in kept]

    # what a partition was made from

    def as_read(self, asset: str, partition: Partition = None) -> Workspace:
        """The lake as the partition saw it when it was made; NotRecomputed where other code made it, LookupError (through `check` a
        finding) where an input is nowhere any more."""
        output = self.outputs.get((asset, partition))
        if output is None:
            raise NotRecomputed("it has not been made")
        if self.codes and output.code_version != self.codes.get(asset, output.code_version):
            raise NotRecomputed("other code or another recipe made it; `gristmill plan` says which")
        return _AsRead(self, output)

    def version(self, asset: str, partition: Partition, data_version: str) -> Output | None:
        """An output that stands, or that the index or a build remembers."""
        now = self.outputs.get((asset, partition))
        if now is not None and now.data_version == data_version:
            return now
        return self._remembered(asset).get((partition, data_version))

    def _remembered(self, asset: str) -> dict[tuple[Partition, str], Output]:
        if asset not in self._past:
            lake = self.workspace.lake
            values = each_read(lake.get_json, lake.keys(f"index/{asset}/"))
            found = [Output.from_json(value) for value in values if value is not None]
            found += [output for output in self._built if output.asset == asset]
            self._past[asset] = {(output.partition, output.data_version): output for output in found}
        return self._past[asset]

    @cached_property
    def _past(self) -> dict[str, dict[tuple[Partition, str], Output]]:
        return {}

    @cached_property
    def _built(self) -> list[Output]:
        lake = self.workspace.lake
        return [output for build in builds(lake, self.workspace.namespace) for output in build.outputs(lake)]


class _AsRead(Workspace):
    """A workspace whose heads of one output's inputs are those that it was made from; what it did not read stands as it does."""

    def __init__(self, scope: Scope, output: Output):
        super().__init__(scope.workspace.lake, scope.workspace.recipe)
        self._scope, self._read = scope, {name: read for name, read in output.read.items() if name != SOURCE}
        self._found: dict[tuple[str, Partition], Output | None] = {}

    def head(self, asset: str, partition: Partition = None) -> Output | None:
        if asset not in self._read or (partition or "") not in self._read[asset]:
            return self._scope.outputs.get((asset, partition)) if asset not in self._read else None
        key = asset, partition
        if key not in self._found:
            version = self._read[asset][partition or ""]
            found = self._scope.version(asset, partition, version) if version else None
            if version and found is None:
                raise LookupError(f"{named(asset, partition)} at the version {version} that it was made from is nowhere any more")
            self._found[key] = found
        return self._found[key]

    def has(self, asset: str, partition: Partition = None) -> bool:
        return self.head(asset, partition) is not None

    def partitions(self, asset: str) -> list[str]:
        if asset in self._read:
            return sorted(key for key, version in self._read[asset].items() if key and version)
        return sorted(partition for name, partition in self._scope.outputs if name == asset and partition)


def said(error: Exception, lake: Lake, fix: bool = False) -> str:
    """What an error says, in one line; of ours the way out only with `fix`, since several claims trip over one file."""
    told = damage.explained(error, lake) or error
    if isinstance(told, GristmillError) and told.where:
        told = GristmillError(told.what, where=told.where, fix=told.fix if fix else None)
    return " ".join(str(told).split()) or type(error).__name__


def lacking(ids: pl.Series, found: pl.Series, says: str) -> str:
    """That some of the documents `ids` are not among `found`, in words; "" when all are."""
    lost = ids.filter(~ids.is_in(found.implode()))
    return f"{len(lost):,} of {counted(len(ids), 'document')} {says}, e.g. {lost[0]}" if len(lost) else ""


def differing(stored: pl.DataFrame, again: pl.DataFrame, key: list[str]) -> str:
    """What differs between a stored table and its recomputation, in words; "" when nothing does."""
    if stored.columns != again.columns and set(stored.columns) == set(again.columns):
        again = again.select(stored.columns)
    if stored.columns != again.columns:
        return f"stored with other columns: {', '.join(sorted(set(stored.columns) ^ set(again.columns)))}"
    stored, again = stored.sort(key), again.sort(key)
    if stored.equals(again):
        return ""
    missing, extra = again.join(stored, on=key, how="anti"), stored.join(again, on=key, how="anti")
    both = stored.join(again, on=key, how="inner", suffix=" again")
    columns = [name for name in stored.columns if name not in key]
    moved = [name for name in columns if not both[name].equals(both[f"{name} again"], null_equal=True)]
    parts = []
    for frame, says in ((extra, "stored that do not come out again"), (missing, "that come out are not stored")):
        if frame.height:
            parts.append(f"{frame.height} rows {says}, e.g. {_row(frame.row(0, named=True), key)}")
    if moved:
        name = moved[0]
        first = both.filter(both[name].ne_missing(both[f"{name} again"])).row(0, named=True)
        others = f" (and in {', '.join(moved[1:4])}{', …' if len(moved) > 4 else ''})" if len(moved) > 1 else ""
        values = f"{_short(first[name])} is stored, {_short(first[f'{name} again'])} comes out"
        rows = both.filter(both[name].ne_missing(both[f"{name} again"])).height
        parts.append(f"{rows} rows differ in {name}{others}, e.g. {_row(first, key)}: {values}")
    return "; ".join(parts)


def _row(row: Mapping[str, Any], key: list[str]) -> str:
    return " ".join(str(row[name]) for name in key)


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:57]}…"


def rank(text: str) -> bytes:
    """By which something is chosen: no more than chance, and the same every time."""
    return hashlib.blake2b(f"audit {text}".encode(), digest_size=16).digest()


def grouped(frame: pl.DataFrame, by: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """(value, rows) of each value of a column, in order."""
    for (value,), rows in frame.sort(by).group_by(by, maintain_order=True):
        yield str(value), rows
