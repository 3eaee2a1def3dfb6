"""Hostile programs, under each isolation that works on this machine."""

import os
import time
from pathlib import Path

import pytest

from gristmill.synthesis.sandbox import Limits, Program, available_isolation, run_programs

NO_BWRAP = pytest.mark.skipif(available_isolation() != "bubblewrap", reason="bwrap does not work here")
ISOLATIONS = ["rlimits", pytest.param("bubblewrap", marks=NO_BWRAP)]
LIMITS = Limits(seconds=0.5, memory_bytes=64 << 20)

GOOD = Program("def double(x):\n    return 2 * x", "assert double(2) == 4")

HOSTILE = {
    "a wrong answer": (Program("def double(x):\n    return x", "assert double(2) == 4, 'double(2)'"), "failed", "double(2)"),
    "a syntax error": (Program("def double(x:"), "failed", "SyntaxError"),
    "an endless loop": (Program("while True: pass"), "time", "0.5 s"),
    "a loop that ignores the timer": (
        Program("import signal\nsignal.signal(signal.SIGPROF, signal.SIG_IGN)\nwhile True: pass"),
        "time",
        "",
    ),
    "much memory": (Program("block = bytearray(10**10)"), "memory", ""),
    "ever more memory": (Program("blocks = []\nwhile True: blocks.append(str(len(blocks)) * 10**5)"), "memory", ""),
    "much output": (Program("print('x' * 10**6)"), "output", "bytes"),
    "an exit that claims success": (Program("raise SystemExit(0)", "assert False"), "failed", "SystemExit"),
    "an exit without a word": (Program("import os\nos._exit(0)"), "died", "exit 0"),
    "a fork": (Program("import os\nos.fork()"), "failed", "os.fork"),
    "threads": (Program("import _thread\nwhile True: _thread.start_new_thread(print, ())"), "failed", "thread"),
    "a process": (Program("import os\nos.system('true')"), "failed", "os.system"),
    "a signal to its parent": (Program("import os\nos.kill(os.getppid(), 9)"), "failed", "os.kill"),
    "a deletion": (Program("import os\nos.remove('/etc/hostname')"), "failed", "os.remove"),
    "a file": (Program("open('left.txt', 'w').write('x')"), "failed", "writing"),
    "deep recursion": (Program("def f(): f()\nf()"), "failed", "RecursionError"),
}


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_each_hostile_program_gets_its_verdict_and_harms_no_other(isolation: str) -> None:
    programs = [program for hostile, _, _ in HOSTILE.values() for program in (hostile, GOOD)]
    outcomes = run_programs(programs, LIMITS, isolation)
    assert [outcome.verdict for outcome in outcomes[1::2]] == ["passed"] * len(HOSTILE)
    found = {name: outcome.verdict for name, outcome in zip(HOSTILE, outcomes[::2], strict=True)}
    assert found == {name: verdict for name, (_, verdict, _) in HOSTILE.items()}
    for outcome, (_, _, detail) in zip(outcomes[::2], HOSTILE.values(), strict=True):
        assert detail in outcome.detail
    assert {outcome.isolation for outcome in outcomes} == {isolation}


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_no_network_and_no_file_of_ours_even_past_the_fence(isolation: str, tmp_path: Path) -> None:
    """The modules behind `socket` and `open`, which the audit hook does not see by name."""
    secret = tmp_path / "secret.txt"
    secret.write_text("ours")
    secret.chmod(0o600)
    reads, connects = run_programs(
        [
            Program(f"import os\ndescriptor = os.open({str(secret)!r}, os.O_RDONLY)\nos.read(descriptor, 4)"),
            Program("import _socket\n_socket.socket().connect(('127.0.0.1', 9))"),
        ],
        LIMITS,
        isolation,
    )
    assert not connects.passed
    if isolation == "bubblewrap" or os.getuid() == 0:  # under rlimits a user's own files stay readable
        assert not reads.passed


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_program_sees_nothing_of_the_one_before(isolation: str) -> None:
    first = Program("import builtins, math\nmath.pi = 3\nbuiltins.len = None\nleft = 1")
    second = Program("import math", "assert math.pi > 3 and len([]) == 0 and 'left' not in globals()")
    assert [outcome.verdict for outcome in run_programs([first, second], LIMITS, isolation)] == ["passed", "passed"]


def test_sleeping_is_bounded_too() -> None:
    start = time.monotonic()
    assert run_programs([Program("import time\ntime.sleep(1000)")], Limits(seconds=0.2))[0].verdict == "time"
    assert time.monotonic() - start < 100  # far less than it asked for


def test_nothing_to_run() -> None:
    assert run_programs([]) == []
