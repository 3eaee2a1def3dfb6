"""Leases: one holder at a time, taken from the dead, whoever asks at once."""

import json
import os
import threading

import pytest

from gristmill.lake import lease as module
from gristmill.lake.lease import Lease, left
from gristmill.lake.processes import Process
from gristmill.lake.store import Lake


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(tmp_path)


def by_another(lake: Lake, generation: int, **who) -> None:
    """A lease that another process wrote."""
    value = {
        "host": os.uname().nodename,
        "pid": 1,
        "started": "",
        "beat": 0,
        "released": False,
        "claims": {"run": "r", "partitions": ["a"]},
    }
    lake.put(f"leases/default/kept/{generation:012d}.json", json.dumps(value | who).encode())


def test_it_is_held_for_a_block_and_free_afterwards(lake):
    lease = Lease(lake, "default", "kept")
    assert lease.holder() is None
    with lease.held({"run": "abc"}, print, print):
        assert lease.holder().process == Process.here() and lease.holder().claims == {"run": "abc"}
        assert Lease(lake, "other", "kept").holder() is None
    assert lease.holder() is None
    assert len(lake.keys("leases/")) == 1


def test_it_is_free_after_an_error(lake):
    with pytest.raises(ValueError, match="no"), Lease(lake, "default", "kept").held({}, print, print):
        raise ValueError("no")
    assert Lease(lake, "default", "kept").holder() is None


def test_many_at_once_take_turns(lake):
    inside, most, turns = [], [], []

    def work(number: int) -> None:
        for _ in range(3):
            with Lease(lake, "default", "kept").held({"run": str(number)}, lambda _: None, turns.append):
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 12 and turns == []


def test_one_whose_process_is_gone_is_taken_over_and_told(lake):
    by_another(lake, 7, pid=999_999_999)
    assert set(left(lake, "default").died) == {"kept"}
    dead = []
    with Lease(lake, "default", "kept").held({}, print, dead.append):
        assert [holder.claims["partitions"] for holder in dead] == [["a"]]
        assert left(lake, "default").died == {}


def test_what_was_published_and_perhaps_not_logged_is_remembered_until_somebody_settles_it(lake):
    lease, unsettled = Lease(lake, "default", "kept"), lambda: left(lake, "default").unsettled.get("kept", [])
    by_another(lake, 7, pid=999_999_999)
    assert unsettled() == ["a"]
    with lease.held({"partitions": ["b"]}, print, print) as tenure:
        assert unsettled() == [], "who is at work here knows"
        tenure.settled = True
    assert unsettled() == ["a"], "another partition's run settles nothing of it"
    with pytest.raises(KeyboardInterrupt), lease.held({"partitions": ["b", "c"]}, print, print):
        raise KeyboardInterrupt
    assert unsettled() == ["a", "b", "c"]
    with lease.held({"work": "nothing is published"}, print, print):
        pass
    with lease.held({"partitions": ["a", "c"]}, print, print) as tenure:
        tenure.settled = True
    assert unsettled() == ["b"]
    by_another(lake, 99, pid=1, host="elsewhere")
    assert unsettled() == ["a"], "it may have died"


def test_a_process_id_that_was_used_again_is_another_process(lake):
    ticks, _, boot = Process.here().started.partition("@")
    by_another(lake, 1, pid=os.getpid(), started=f"{int(ticks) - 1}@{boot}")
    with Lease(lake, "default", "kept").held({}, print, lambda holder: None):
        pass


def test_a_holder_elsewhere_is_given_up_when_its_beat_stands_still(lake, monkeypatch):
    """Without comparing clocks: by how long we saw the same beat."""
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    monkeypatch.setattr(module, "POLL", 0.01)
    by_another(lake, 3, host="elsewhere")
    assert left(lake, "default").died == {}  # nobody can tell at once
    said = []
    with Lease(lake, "default", "kept").held({}, said.append, said.append):
        pass
    assert said[0] == "waits for process 1 on elsewhere (run r)" and said[1].process.host == "elsewhere"


def test_what_is_there_is_not_created(lake):
    assert lake.create("a/b", b"1") and not lake.create("a/b", b"2")
    assert lake.get("a/b") == b"1"
    assert sorted(lake.names("a/")) == lake.keys("a/") == ["a/b"]
    assert list(lake.names("nothing/")) == []


def test_who_is_at_work_is_who_lives(lake, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    monkeypatch.setattr(module, "POLL", 0.01)
    lease = Lease(lake, "default", "kept")
    assert lease.at_work() is None
    with lease.held({"run": "abc"}, print, print):
        assert lease.at_work().process == Process.here()
    by_another(lake, 8, pid=999_999_999)
    assert lease.at_work() is None
    by_another(lake, 9, host="elsewhere")
    assert lease.at_work() is None, "its beat stands still"
