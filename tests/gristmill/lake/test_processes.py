"""Which process it is: ids that are used again, other hosts, boots and containers, and one that nobody waited for."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from gristmill.lake.lease import Lease
from gristmill.lake.processes import Process, is_alive, started
from gristmill.lake.store import Lake

HOLD = """
import sys
from gristmill.lake.lease import Lease
from gristmill.lake.store import Lake
with Lease(Lake(sys.argv[1]), "default", "kept").held({"run": "abc", "partitions": ["a"]}, print, print):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_lives_as_long_as_it_is_the_same():
    mine = Process.here()
    assert mine.is_visible and mine.is_alive
    ticks, _, boot = mine.started.partition("@")
    later = replace(mine, started=f"{int(ticks) + 1}@{boot}")
    assert later.is_visible and not later.is_alive, "the id was used again"


@pytest.mark.parametrize("elsewhere", [{"host": "elsewhere"}, {"started": "12@another-boot"}, {"namespace": "pid:[1]"}])
def test_nothing_is_said_of_one_that_cannot_be_seen(elsewhere):
    assert not replace(Process.here(), **elsewhere).is_visible


def test_it_is_read_as_it_was_written():
    mine = Process.here()
    assert Process.parse(str(mine)) == mine
    assert Process.parse("mill:12") == Process("mill", 12), "as it was written by an earlier version"
    assert Process(mine.host, mine.pid).is_visible
    with pytest.raises(ValueError, match="invalid literal"):
        Process.parse("mill")


def test_one_that_nobody_waited_for_is_dead():
    child = subprocess.Popen(["true"])
    while started(child.pid) != "zombie":
        pass
    assert not is_alive(child.pid)
    child.wait()


def test_a_container_of_the_same_host_name_is_judged_by_its_beat(tmp_path):
    """Its process ids mean nothing here: that of the holder is somebody else's, or nobody's."""
    apart = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    if subprocess.run([*apart, "true"], capture_output=True).returncode:
        pytest.skip("a namespace of its own needs the right to `unshare --pid`")
    other = subprocess.Popen([*apart, sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        holder = Lease(Lake(tmp_path), "default", "kept").holder().process
        assert holder.host == os.uname().nodename and holder.pid < 10
        assert not holder.is_visible
    finally:
        other.communicate("")
    assert Lease(Lake(tmp_path), "default", "kept").holder() is None
