# ruff: noqa: T201 - its answer is its standard output
"""The inside of the sandbox: reads programs as JSON from stdin, runs each in a forked child, prints one verdict a line.

Started by `sandbox.py` with `python -I`; imports nothing of gristmill, and everything that it needs before a child
loses its rights. The modules that exercises may use are imported here too: a child without rights cannot always read
the interpreter's folder.
"""

import collections  # noqa: F401
import contextlib
import copy  # noqa: F401
import ctypes
import dataclasses  # noqa: F401
import datetime  # noqa: F401
import fractions  # noqa: F401
import functools  # noqa: F401
import heapq  # noqa: F401
import itertools  # noqa: F401
import json
import math
import os
import random  # noqa: F401
import re  # noqa: F401
import resource
import select
import signal
import statistics  # noqa: F401
import string  # noqa: F401
import sys
import time
import typing  # noqa: F401

NOBODY = 65534
CLONE_NEWNET = 0x40000000

REFUSED = (
    "socket.",
    "subprocess.",
    "ctypes.",
    "shutil.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.kill",
    "os.putenv",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
    "os.utime",
    "pty.",
    "signal.pthread_kill",
    "resource.setrlimit",
    "resource.prlimit",
    "mmap.",
    "syslog.",
    "sys._getframe",
    "gc.get_objects",
)


def fence(event, arguments):
    """Audit hook: raises on what an exercise has no business doing."""
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC)
        if writes or (isinstance(mode, str) and set(mode) & set("wax+")):
            raise PermissionError("the sandbox refuses to open a file for writing")
    elif event.startswith(REFUSED):
        raise PermissionError(f"the sandbox refuses {event}")


def confine(request):
    """Takes from this process what a program must not have. Never undone: the process belongs to one program."""
    os.setsid()
    with open("/proc/self/statm") as file:
        own = int(file.read().split()[0]) * resource.getpagesize()
    for kind, limit in (
        (resource.RLIMIT_CPU, math.ceil(request["seconds"]) + 1),
        (resource.RLIMIT_AS, own + request["memory_bytes"]),
        (resource.RLIMIT_NOFILE, request["open_files"]),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (limit, limit))
    if os.getuid() == 0:  # root is exempt from the process limit, and may write everywhere
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    signal.setitimer(signal.ITIMER_PROF, request["seconds"])  # finer than RLIMIT_CPU's whole seconds
    sys.addaudithook(fence)


def run(code, tests, request, verdict_pipe):
    """In the child: executes and reports through the pipe; never returns."""
    try:
        confine(request)
        space = {"__name__": "exercise", "__builtins__": __builtins__}
        exec(compile(code, "<program>", "exec"), space)
        exec(compile(tests, "<tests>", "exec"), space)
        answer = ["passed", ""]
    except MemoryError:
        answer = ["memory", "more memory than allowed"]
    except BaseException as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        answer = ["failed", text[:400]]
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
    os.write(verdict_pipe, json.dumps(answer).encode())
    os._exit(0)


def judge(code, tests, request):
    """Forks a child for one program and watches it: [verdict, detail]."""
    output_read, output_write = os.pipe()
    verdict_read, verdict_write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output_write, 1)
        os.dup2(output_write, 2)
        os.dup2(verdict_write, 3, inheritable=False)
        os.closerange(4, 256)
        run(code, tests, request, 3)
    os.close(output_write)
    os.close(verdict_write)
    deadline = time.monotonic() + 2 * request["seconds"] + 1
    seen, verdict, ended = 0, b"", ""
    waiting = {output_read, verdict_read}
    while waiting and not ended:
        ready = select.select(list(waiting), [], [], max(0.0, deadline - time.monotonic()))[0]
        if not ready:
            ended = "time"
        for pipe in ready:
            data = os.read(pipe, 1 << 16)
            if not data:
                waiting.discard(pipe)
            elif pipe == output_read:
                seen += len(data)
                if seen > request["output_bytes"]:
                    ended = "output"
            else:
                verdict += data[: 4096 - len(verdict)]
    if ended:
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    os.close(output_read)
    os.close(verdict_read)
    if ended == "output":
        return ["output", f"more than {request['output_bytes']} bytes"]
    if ended == "time" or (os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGXCPU, signal.SIGKILL)):
        return ["time", f"more than {request['seconds']:g} s"]
    try:
        return [str(part) for part in json.loads(verdict)][:2]
    except ValueError:
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.waitstatus_to_exitcode(status)}"
        return ["died", f"no verdict, {how}"]


def main():
    request = json.loads(sys.stdin.buffer.read())
    ctypes.CDLL(None).unshare(CLONE_NEWNET)  # where the kernel allows it; bubblewrap has done it already
    print("ready", flush=True)
    for code, tests in request["programs"]:
        print(json.dumps(judge(code, tests, request)), flush=True)


if __name__ == "__main__":
    main()
