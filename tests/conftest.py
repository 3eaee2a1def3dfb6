"""Workspaces over lakes of their own, and an S3 server (moto, on loopback)."""

import os
import socket
from pathlib import Path

import boto3
import pytest
from dagster_aws.s3 import S3Resource
from moto.server import ThreadedMotoServer

from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.recipe import Recipe

KEY, SECRET, BUCKET = "test-key", "test-secret", "mill"

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("HF_HUB_OFFLINE", "1")

SHARED = ("jobs", "faults")
"""Folders whose tests share a graph that takes minutes to build. Each is one worker's, from the start."""


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Which tests stay together in one worker: those of a folder of SHARED, else those of a file."""

    def group(item: pytest.Item) -> str:
        file = item.path.relative_to(Path(__file__).parent)
        return file.parts[0] if file.parts[0] in SHARED else str(file)

    items.sort(key=lambda item: SHARED.index(group(item)) if group(item) in SHARED else len(SHARED))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def workspace(lake: Lake) -> Workspace:
    return Workspace(lake, Recipe())


@pytest.fixture(scope="session")
def s3():
    """An S3Resource that reaches an empty bucket `mill`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port)
    server.start()
    endpoint = f"http://127.0.0.1:{port}"
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET).create_bucket(
        Bucket=BUCKET
    )
    yield S3Resource(endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=KEY, aws_secret_access_key=SECRET)
    server.stop()
