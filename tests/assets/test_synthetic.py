"""The asset, through Dagster, with the embedded teacher at tiny lengths; and its checks, which can fail."""

import json
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from dagster_aws.s3 import S3Resource

from assets.synthetic import check_coverage, check_no_duplicates, check_verified, describe, synthetic_assets
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Workspace
from gristmill.recipe import Recipe
from gristmill.synthesis.exercises import make_exercises
from resources.lake import LakeResource
from resources.teacher import TeacherResource
from resources.workers import Workers

RECIPE = Recipe.model_validate(
    {
        "teacher": {"batch": 2},
        "synthesis": {"stories": 2, "story_tokens": 16, "exercises": 60, "seed": 1},
    }
)


def materialize(root: Path, partition: str) -> dg.ExecuteInProcessResult:
    lake = LakeResource(root=str(root), s3=S3Resource())
    resources = {"lake": lake, "workers": Workers(processes=1), "teacher": TeacherResource(threads=1)}
    return dg.materialize(synthetic_assets(RECIPE), partition_key=partition, resources=resources)


def test_exercises(tmp_path: Path) -> None:
    result = materialize(tmp_path, "exercises")
    assert result.success
    assert {check.check_name: check.passed for check in result.get_asset_check_evaluations()} == {
        "up_to_date": True,
        "verified": True,
        "no_duplicates": True,
        "coverage": True,
    }
    frame = Workspace(Lake(tmp_path), RECIPE).read("synthetic_sets", "exercises")
    assert frame.height == 60 and frame["verified"].all()
    metadata = Workspace(Lake(tmp_path), RECIPE).metadata("synthetic_sets", "exercises")
    assert metadata["verified share"] == 1 and 0 < metadata["distinct-3"] < 1 and len(metadata["examples"]) == 5


def test_stories_of_the_embedded_teacher(tmp_path: Path) -> None:
    """Sixteen tokens are too few for a story: all are kept, none is verified, and the check says so."""
    result = materialize(tmp_path, "stories")
    assert result.success
    assert {check.check_name: check.passed for check in result.get_asset_check_evaluations()} == {
        "up_to_date": True,
        "verified": False,
        "no_duplicates": True,
        "coverage": True,
    }
    frame = Workspace(Lake(tmp_path), RECIPE).read("synthetic_sets", "stories")
    assert frame.height == 2 and not frame["verified"].any()
    assert set(frame["teacher"]) == {"SmolLM2-135M-Instruct@0ba7c6f96872/1"}
    assert all("length" in json.loads(verification)["failed"] for verification in frame["verification"])


@pytest.fixture
def made(tmp_path: Path) -> pl.DataFrame:
    return make_exercises(60, seed=1)


def store(tmp_path: Path, frame: pl.DataFrame) -> Workspace:
    workspace = Workspace(Lake(tmp_path / "other"), RECIPE)
    workspace.store("synthetic_sets", "exercises", Made({"synthetic": frame}), "1", {}, 0)
    return workspace


def test_checks_can_fail(tmp_path: Path, made: pl.DataFrame) -> None:
    spoiled = made.with_columns(verified=pl.int_range(pl.len()) > 5)
    assert not check_verified(store(tmp_path / "a", spoiled)).passed
    twice = made.with_columns(text=pl.lit("the same"))
    assert not check_no_duplicates(store(tmp_path / "b", twice)).passed
    one_task = made.with_columns(plan=pl.lit(made["plan"][1]))
    assert not check_coverage(store(tmp_path / "c", one_task)).passed
    fine = store(tmp_path / "d", made)
    assert all(check(fine).passed for check in (check_verified, check_no_duplicates, check_coverage))


def test_an_empty_set_where_records_were_asked_for_fails(tmp_path: Path, made: pl.DataFrame) -> None:
    assert not check_verified(store(tmp_path, made.clear())).passed
    assert describe(made.clear())["verified share"] == 0
