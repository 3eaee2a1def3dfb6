"""A deployment built once, and what an edit of its recipe comes to when nothing disturbs the rebuild."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults.deployment import UNTIL, Deployment
from tests.faults.watch import Watch
from tests.jobs.conftest import sources  # noqa: F401 (a fixture)


class Undisturbed(NamedTuple):
    """versions: asset[partition] -> content hash; events: how many of each kind the rebuild caused."""

    versions: dict[str, str]
    events: Counter[str]


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory, sources: dict[str, list[Path]]) -> Deployment:  # noqa: F811
    made = Deployment(tmp_path_factory.mktemp("deployment") / "home")
    made.register(sources)
    with made.driver() as driver:
        outcome = driver.drive([UNTIL])
    assert not outcome.failed, outcome.errors
    return made


@pytest.fixture(scope="session")
def undisturbed(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    edited = deployment.copy(tmp_path_factory.mktemp("undisturbed") / "home")
    edited.write_recipe(edited=True)
    with Watch(edited.lake_folder, edited.log_folder) as watch:
        process = edited.rebuild(workers=1)
        watch.until_end(process.pid)
    process.wait()
    with edited.driver() as driver:
        assert not [row for row in driver.plan().rows() if row["asset"] in driver.select([UNTIL]).assets], edited.output
    return Undisturbed(edited.versions(), watch.seen)
