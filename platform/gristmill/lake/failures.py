"""What failed when it was last made: beside the heads, one small file per partition, gone when it has been made.

A failure counts against the code and the inputs with which it happened; when either moves, the count starts anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from gristmill.lake.workspace import Partition, Workspace

ATTEMPTS = 3  # how often a partition is tried unattended with the same code and inputs
SHOWN = 2_000  # characters of an error that are kept, from its end


@dataclass(frozen=True)
class Failure:
    """`error` is the end of a traceback, or says that the process died."""

    times: int
    error: str
    code_version: str
    inputs: Mapping[str, str]
    run: str = ""

    def is_of(self, code_version: str, inputs: Mapping[str, str]) -> bool:
        return self.code_version == code_version and dict(self.inputs) == dict(inputs)

    @property
    def left_alone(self) -> bool:
        return self.times >= ATTEMPTS

    @property
    def last_line(self) -> str:
        """The exception's own line: an error of ours tells the way out in indented lines after it."""
        lines = self.error.strip().splitlines()
        return next((line.strip() for line in reversed(lines) if line and not line[0].isspace()), "failed")

    def __str__(self) -> str:
        times = "once" if self.times == 1 else f"{self.times} times"
        return f"failed {times}{', left alone' if self.left_alone else ''}: {self.last_line}"

    def as_json(self) -> dict[str, Any]:
        return {"times": self.times, "left_alone": self.left_alone, "error": self.error, "run": self.run}


class Failures:
    """The failures of one workspace's assets."""

    def __init__(self, workspace: Workspace):
        self.lake, self.prefix = workspace.lake, f"failures/{workspace.namespace}/"

    def _key(self, asset: str, partition: Partition) -> str:
        return f"{self.prefix}{asset}/{partition or '@'}.json"

    def add(self, asset: str, partition: Partition, error: str, code_version: str, inputs: Mapping[str, str], run: str = "") -> Failure:
        """Counts one more failure, or the first of this code and these inputs. A run fails a partition once, whoever tells of it."""
        failure = Failure(1, error.strip()[-SHOWN:], code_version, dict(inputs), run)
        before = self._get(self._key(asset, partition))
        if before and before.is_of(code_version, inputs):
            if run and run == before.run:
                return before
            failure = replace(failure, times=before.times + 1)
        self.lake.put_json(self._key(asset, partition), asdict(failure))
        return failure

    def clear(self, asset: str, partition: Partition) -> None:
        """It has been made."""
        self.lake.delete(self._key(asset, partition))

    def of(self, asset: str) -> dict[Partition, Failure]:
        return self._under(f"{self.prefix}{asset}/").get(asset, {})

    def all(self) -> dict[str, dict[Partition, Failure]]:
        """Asset -> partition -> failure."""
        return self._under(self.prefix)

    def _under(self, prefix: str) -> dict[str, dict[Partition, Failure]]:
        found: dict[str, dict[Partition, Failure]] = {}
        for key in self.lake.keys(prefix):
            asset, _, partition = key.removeprefix(self.prefix).removesuffix(".json").partition("/")
            if failure := self._get(key):
                found.setdefault(asset, {})[None if partition == "@" else partition] = failure
        return found

    def _get(self, key: str) -> Failure | None:
        value = self.lake.get_json(key)
        return None if value is None else Failure(**value)
