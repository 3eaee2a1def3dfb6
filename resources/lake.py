"""The lake as a Dagster resource: a folder, or an object store reached with `S3Resource`'s credentials and endpoint."""

import dagster as dg
from dagster_aws.s3 import S3Resource

from gristmill.lake.store import Lake, object_store_options
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
    return object_store_options(s3.aws_access_key_id, s3.aws_secret_access_key, s3.aws_session_token, s3.region_name, s3.endpoint_url)


def open_lake(resource: LakeResource) -> Lake:
    """The lake of a resource outside a run (command line, plan): environment references are resolved here."""
    with resource.process_config_and_initialize_cm() as ready:
        return ready.open()
