"""Runs small Python programs that nobody has read, many in one process, and says of each how it ended.

Two ways, chosen by what the machine has and named in every outcome:

- `bubblewrap`: the programs see a read-only /usr and interpreter, an empty /tmp, no network, no other process.
- `rlimits`: an ordinary process group, for machines without a working `bwrap`.

In both, each program runs in a forked child of an isolated interpreter (`python -I`) under limits of CPU time,
memory, open files, written files (none) and processes (none), without privileges where it had any, with an audit
hook that refuses files opened for writing, deletions, sockets, processes and ctypes.

What is not covered. An audit hook is a fence, not a wall: a program that reaches native code through a bug of the
interpreter passes it, and under `rlimits` it can then read and delete what the user can. A program can forge its own
verdict (it shares its process with its tests), though not another's. Neither way guards against a kernel bug.
The network is cut off under `rlimits` only where the kernel allows the user a network namespace.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gristmill.errors import GristmillError

VERSION = "1"

RUNNER = Path(__file__).with_name("sandbox_runner.py")
STARTUP_SECONDS = 10.0  # for the interpreter, on a busy machine
ROOT_KEEPS = ("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_KILL")
ANSWER_BYTES = 600  # of the runner's answer, per program


class SandboxError(GristmillError):
    """The sandbox itself failed, as opposed to a program in it."""


@dataclass(frozen=True)
class Limits:
    """What one program may use. `seconds` bounds CPU time; wall time may be twice that."""

    seconds: float = 2.0
    memory_bytes: int = 256 << 20  # address space beyond the interpreter's own
    output_bytes: int = 64 << 10  # of stdout and stderr together
    open_files: int = 32


@dataclass(frozen=True)
class Program:
    """Source code, and assertions that are executed after it in the same namespace."""

    code: str
    tests: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a program ended: `passed`, `failed` (its last line of traceback is in `detail`), `time`, `memory`, `output` or `died`."""

    verdict: str
    detail: str
    isolation: str

    @property
    def passed(self) -> bool:
        return self.verdict == "passed"


def run_programs(programs: Sequence[Program], limits: Limits = Limits(), isolation: str | None = None) -> list[Outcome]:
    """One outcome per program, in order. `isolation` forces a way; by default the stronger one that works here.

    A program that takes the whole sandbox down (it cannot, short of a hole) costs its own verdict: the rest run again.
    """
    isolation = isolation or available_isolation()
    outcomes: list[Outcome] = []
    while len(outcomes) < len(programs):
        before = len(outcomes)
        outcomes += _run_batch(programs[before:], limits, isolation)
        if len(outcomes) < len(programs):
            outcomes.append(Outcome("died", "the sandbox ended while the program ran", isolation))
    return outcomes


@functools.cache
def available_isolation() -> str:
    """`bubblewrap` where `bwrap` is installed and the kernel lets it work, else `rlimits`."""
    if shutil.which("bwrap") is None:
        return "rlimits"
    try:
        probe = _run_batch([Program("value = 1", "assert value == 1")], Limits(), "bubblewrap")
    except SandboxError:
        return "rlimits"
    return "bubblewrap" if [outcome.verdict for outcome in probe] == ["passed"] else "rlimits"


def _run_batch(programs: Sequence[Program], limits: Limits, isolation: str) -> list[Outcome]:
    """The outcomes up to the program at which the sandbox ended, if it did."""
    request = json.dumps(
        {
            "seconds": limits.seconds,
            "memory_bytes": limits.memory_bytes,
            "output_bytes": limits.output_bytes,
            "open_files": limits.open_files,
            "programs": [[program.code, program.tests] for program in programs],
        }
    )
    timeout = STARTUP_SECONDS + len(programs) * 2 * (limits.seconds + 1)
    with tempfile.TemporaryDirectory(prefix="gristmill-sandbox-") as folder:
        process = subprocess.Popen(
            _command(isolation),
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            answer, complaint = process.communicate(request.encode("utf-8", "surrogatepass"), timeout=timeout)
        except subprocess.TimeoutExpired:
            _kill_group(process)
            answer, complaint = process.communicate()
    lines = answer.decode("utf-8", "replace").splitlines()
    if lines[:1] != ["ready"]:
        raise SandboxError(
            f"did not start (exit {process.returncode}): {complaint.decode('utf-8', 'replace').strip()[-500:]}",
            where=f"sandbox {isolation}",
            fix="Is the interpreter's folder readable? Without `bwrap` programs run under rlimits.",
        )
    parsed = [json.loads(line) for line in lines[1:]]
    return [Outcome(str(verdict), str(detail)[:ANSWER_BYTES], isolation) for verdict, detail in parsed[: len(programs)]]


def _command(isolation: str) -> list[str]:
    python = [os.path.realpath(sys.executable), "-I", "-S", "-B"]
    if isolation == "rlimits":
        return [*python, str(RUNNER)]
    if isolation != "bubblewrap":
        raise SandboxError(f"knows no isolation {isolation!r}", fix="Known: bubblewrap, rlimits.")
    command = ["bwrap", "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    # Root, even inside a user namespace, is exempt from the process limit: the runner keeps just the rights to make its
    # children nobody and to end them.
    command += ["--cap-drop", "ALL", *ROOT_KEEPS] if os.getuid() == 0 else ["--unshare-user"]
    for path in ("/usr", "/lib", "/lib64", "/bin"):
        if os.path.islink(path):
            command += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            command += ["--ro-bind", path, path]
    base = os.path.realpath(sys.base_prefix)
    if not base.startswith("/usr/") and base != "/usr":
        command += ["--ro-bind", base, base]
    command += ["--ro-bind", str(RUNNER), "/runner.py", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/tmp"]
    return [*command, "--", *python, "/runner.py"]


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, 9)
    except ProcessLookupError:
        process.kill()
