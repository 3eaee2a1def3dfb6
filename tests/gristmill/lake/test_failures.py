"""What failed is counted once a run, for the code and inputs with which it failed."""

import pytest

from gristmill.lake.failures import ATTEMPTS, Failures
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.recipe import Recipe

INPUTS = {"documents": "d1"}


@pytest.fixture
def failures(tmp_path) -> Failures:
    return Failures(Workspace(Lake(tmp_path), Recipe()))


def test_a_run_counts_once_whoever_tells_of_it(failures):
    runs = [f"run {n}" for n in range(ATTEMPTS)]
    for run in runs:
        for _ in range(2):
            failure = failures.add("edits", "web/0", f"died in {run}", "1", INPUTS, run)
        assert failure.left_alone is (run == runs[-1])
    assert failures.of("edits")["web/0"] == failure and failure.times == ATTEMPTS and failure.run == runs[-1]


def test_the_count_begins_anew_with_other_code_or_inputs_and_ends_when_it_is_made(failures):
    for run in ("a", "b"):
        failures.add("edits", None, "no", "1", INPUTS, run)
    assert failures.add("edits", None, "no", "1", {"documents": "d2"}, "c").times == 1
    assert failures.add("edits", None, "no", "2", {"documents": "d2"}, "d").times == 1
    assert failures.all().keys() == {"edits"}
    failures.clear("edits", None)
    assert failures.all() == {}
