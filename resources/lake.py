"""The lake as a Dagster resource: a folder, or an object store reached with `S3Resource`'s credentials and endpoint."""

import dagster as dg
from dagster_aws.s3 import S3Resource

from gristmill.lake.store import Lake
from gristmill.lake.workspace import Workspace
from gristmill.recipe import Recipe


class LakeResource(dg.ConfigurableResource):
    """`root` is a folder or a URI (`s3://bucket/prefix`); `s3` is used for `s3://` lakes and sources; `unnamed` is what
    builds of the recipe without a namespace are called."""

    root: str
    s3: dg.ResourceDependency[S3Resource]
    unnamed: str = "default"

    def open(self) -> Lake:
        return Lake(self.root, storage_options(self.s3))

    def workspace(self, recipe: Recipe) -> Workspace:
        return Workspace(self.open(), recipe)

    def builds_named(self, recipe: Recipe) -> str:
        """What builds of the recipe are called before the slash."""
        return recipe.namespace or self.unnamed


def storage_options(s3: S3Resource) -> dict[str, str]:
    """S3Resource's settings in the names that object_store, Polars and LanceDB share; only those that are set."""
    endpoint = s3.endpoint_url
    given = {
        "aws_access_key_id": s3.aws_access_key_id,
        "aws_secret_access_key": s3.aws_secret_access_key,
        "aws_session_token": s3.aws_session_token,
        "aws_region": s3.region_name or ("us-east-1" if endpoint else None),
        "aws_endpoint": endpoint,
        "aws_allow_http": "true" if endpoint and endpoint.startswith("http://") else None,
    }
    return {name: value for name, value in given.items() if value}


def open_lake(resource: LakeResource) -> Lake:
    """The lake of a resource outside a run (command line, plan): environment references are resolved here."""
    with resource.process_config_and_initialize_cm() as ready:
        return ready.open()
