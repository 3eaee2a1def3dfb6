"""A lease: one process at a time makes an asset of a namespace, whoever started it and from wherever.

`leases/<namespace>/<asset>/<generation>.json`: the highest generation is who holds, or held, the lease. One takes it by
creating the next generation, which only one can (put-if-absent, on a disk as in an object store). No clocks are compared:
a holder that can be seen from here is alive if its process is (`lake.processes`); one elsewhere, on another host, in another container or
from before the machine was restarted, is given up when the beat that it writes has not moved for PATIENCE seconds of the waiter's own time.

A holder that was given up though it lives (a machine that slept) does no harm: what it writes is named by its content. The
lease saves work; it is not what keeps the lake whole.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from gristmill.errors import LakeError
from gristmill.lake.processes import Process
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Partition

BEAT = 10.0  # seconds between two beats
PATIENCE = 60.0  # seconds without a beat after which a holder elsewhere is given up
POLL = 0.5

_left: set[tuple[str, str]] = set()  # leases that this process could not write off: it must not wait for itself


@dataclass(frozen=True)
class Holder:
    """Who holds a lease, and what for: `claims` is the caller's (run, code version, partitions and their inputs)."""

    process: Process
    beat: int
    claims: Mapping[str, Any]

    def __str__(self) -> str:
        run = self.claims.get("run", "")
        return f"process {self.process.pid} on {self.process.host}" + (f" (run {run[:8]})" if run else "")


class Tenure:
    """A lease while it is held. Who publishes heads under it says when the event log tells of all of them (`settled`)."""

    def __init__(self, claims: Mapping[str, Any], carried: Sequence[Partition]):
        self.claims, self.carried, self.settled = claims, list(carried), False

    @property
    def unsettled(self) -> list[Partition]:
        """Partitions whose heads and events may differ when it ends now: this one's, and those that earlier ones left."""
        own = self.claims.get("partitions", [])
        return [each for each in self.carried if each not in own] if self.settled else list(dict.fromkeys([*self.carried, *own]))


class Lease:
    """The lease of one asset."""

    def __init__(self, lake: Lake, namespace: str, asset: str):
        self.lake, self.prefix = lake, f"leases/{namespace}/{asset}/"

    def holder(self) -> Holder | None:
        """Who holds it, dead or alive; None when it is free."""
        return self._holder_of(*self._latest())

    @contextmanager
    def held(self, claims: Mapping[str, Any], say: Callable[[str], object], on_dead: Callable[[Holder], object]) -> Iterator[Tenure]:
        """Holds the lease for the block; waits for a holder that lives, and tells of one that died with it (`on_dead`)."""
        generation, tenure = self._take(claims, say, on_dead)
        stop = threading.Event()
        beating = threading.Thread(target=self._beat, args=(generation, tenure, stop), daemon=True)
        beating.start()
        try:
            yield tenure
        finally:
            stop.set()
            beating.join()
            self._release(generation, tenure)

    def wait(self, say: Callable[[str], object]) -> bool:
        """Waits until no living process holds it; whether there was one to wait for."""
        waited, watch = False, _Watch()
        while (holder := self.holder()) is not None and watch.is_alive(holder):
            if not waited:
                say(f"waits for {holder}")
            waited = True
            time.sleep(POLL)
        return waited

    def at_work(self) -> Holder | None:
        """Who holds it and lives. One that cannot be seen is watched for a beat, for PATIENCE seconds at most."""
        watch, first = _Watch(), self.holder()
        holder = first
        while holder is not None and watch.is_alive(holder):
            if holder.process.is_visible or holder != first:
                return holder
            time.sleep(POLL)
            holder = self.holder()
        return None

    def _take(self, claims: Mapping[str, Any], say: Callable[[str], object], on_dead: Callable[[Holder], object]) -> tuple[int, Tenure]:
        waited, watch = False, _Watch()
        while True:
            generation, value = self._latest()
            holder = self._holder_of(generation, value)
            if holder is not None and watch.is_alive(holder):
                if not waited:
                    say(f"waits for {holder}")
                waited = True
                time.sleep(POLL)
                continue
            tenure = Tenure(claims, _unsettled(value))
            if not self.lake.create(self._key(generation + 1), self._content(tenure, 0)):
                continue
            if self._latest()[0] != generation + 1:  # it had been taken and left meanwhile: ours is an old number
                self.lake.delete(self._key(generation + 1))
                continue
            if holder is not None:
                on_dead(holder)
            for old in self._generations():
                if old <= generation:
                    self.lake.delete(self._key(old))
            return generation + 1, tenure

    def _beat(self, generation: int, tenure: Tenure, stop: threading.Event) -> None:
        beat = 0
        while not stop.wait(BEAT):
            beat += 1
            with suppress(LakeError):  # a disk that is full for a while: the next beat tells that we live
                self._write(generation, tenure, beat)

    def _release(self, generation: int, tenure: Tenure) -> None:
        """Never an error: the work is done, or has failed for a reason of its own that is to be told."""
        try:
            self._write(generation, tenure, 0, released=True)
        except LakeError:
            try:
                if tenure.unsettled:  # to be remembered: others wait until this process is gone
                    raise
                self.lake.delete(self._key(generation))  # which takes no space
            except Exception:  # the disk, or the store, cannot be reached at all
                _left.add((self.lake.root, self._key(generation)))

    def _key(self, generation: int) -> str:
        return f"{self.prefix}{generation:012d}.json"

    def _generations(self) -> list[int]:
        return [int(key.removeprefix(self.prefix).removesuffix(".json")) for key in self.lake.keys(self.prefix)]

    def _latest(self) -> tuple[int, Mapping[str, Any] | None]:
        """The highest generation and its content."""
        generation = max(self._generations(), default=0)
        return generation, self.lake.get_json(self._key(generation)) if generation else None

    def _holder_of(self, generation: int, value: Mapping[str, Any] | None) -> Holder | None:
        """Who holds it, unless it was released."""
        if value is None or value["released"] or (self.lake.root, self._key(generation)) in _left:
            return None
        process = Process(value["host"], value["pid"], value["started"], value.get("namespace", ""))
        return Holder(process, value["beat"], value["claims"])

    def _write(self, generation: int, tenure: Tenure, beat: int, released: bool = False) -> None:
        self.lake.put(self._key(generation), self._content(tenure, beat, released))

    def _content(self, tenure: Tenure, beat: int, released: bool = False) -> bytes:
        value = {
            **asdict(Process.here()),
            "beat": beat,
            "released": released,
            "claims": {} if released else dict(tenure.claims),
            "unsettled": tenure.unsettled if released else tenure.carried,
        }
        return json.dumps(value).encode()


@dataclass
class Left:
    """What the leases of a namespace say of processes that did not end as they should. `died`: asset -> the holder of its lease, for those
    that can be seen to be gone; nothing is waited for. `unsettled`: asset -> partitions whose heads may be other than the event log
    says: what published them was interrupted, died, or may have died elsewhere. Of a process at work here nothing is said."""

    died: dict[str, Holder] = field(default_factory=dict)
    unsettled: dict[str, list[Partition]] = field(default_factory=dict)


def left(lake: Lake, namespace: str) -> Left:
    """Every asset's lease, read once."""
    found = Left()
    for asset in sorted({key.split("/")[2] for key in lake.keys(f"leases/{namespace}/")}):
        lease = Lease(lake, namespace, asset)
        generation, value = lease._latest()
        holder = lease._holder_of(generation, value)
        if holder is not None and holder.process.is_visible:
            if holder.process.is_alive:
                continue
            found.died[asset] = holder
        if partitions := _unsettled(value):
            found.unsettled[asset] = partitions
    return found


def _unsettled(value: Mapping[str, Any] | None) -> list[Partition]:
    """Of a lease's content; one that was not released leaves all that it claims."""
    if value is None:
        return []
    return list(dict.fromkeys([*value.get("unsettled", []), *value["claims"].get("partitions", [])]))


class _Watch:
    """Whether a holder lives; of one that cannot be seen, whether its beat has moved while we looked."""

    def __init__(self) -> None:
        self._seen: tuple[Holder, float] | None = None

    def is_alive(self, holder: Holder) -> bool:
        if holder.process.is_visible:
            return holder.process.is_alive
        now = time.monotonic()
        if self._seen is None or self._seen[0] != holder:
            self._seen = holder, now
        return now - self._seen[1] < PATIENCE
