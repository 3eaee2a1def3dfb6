"""The graph with its lake, its vectors and its crawl in an object store comes to the same corpus as in a folder."""

import os
import subprocess
import sys
from pathlib import Path

from gristmill.lake.workspace import Workspace
from resources.lake import LakeResource, open_lake

ROOT = Path(__file__).parents[2]


def test_the_corpus_in_a_bucket_is_the_corpus_in_a_folder(built, sources, s3, tmp_path, corpus_hash_of):
    mill, recipe, _ = built
    bucket = open_lake(LakeResource(root="s3://mill", s3=s3))
    for path in sources["docs-1"]:
        bucket.put(f"incoming/{path.name}", path.read_bytes())
    recipe_file = tmp_path / "recipe.toml"
    recipe_file.write_text((mill.folder / "recipe.toml").read_text())
    environment = os.environ | {
        "HOME": str(tmp_path),  # what is fetched is kept under it
        "GRISTMILL_HOME": str(tmp_path),
        "DAGSTER_HOME": str(tmp_path / "dagster"),
        "GRISTMILL_RECIPE": str(recipe_file),
        "GRISTMILL_LAKE": "s3://mill/lake",
        "GRISTMILL_CACHE": os.environ.get("GRISTMILL_CACHE", str(Path.home() / ".cache" / "gristmill")),
        "AWS_ACCESS_KEY_ID": s3.aws_access_key_id,
        "AWS_SECRET_ACCESS_KEY": s3.aws_secret_access_key,
        "AWS_REGION": s3.region_name,
        "AWS_ENDPOINT_URL": s3.endpoint_url,
    }

    def gristmill(*arguments: str, status: tuple[int, ...] = (0,)) -> str:
        done = subprocess.run([sys.executable, "-m", "jobs.cli", *arguments], cwd=ROOT, env=environment, text=True, capture_output=True)
        assert done.returncode in status, done.stdout + done.stderr
        return done.stdout + done.stderr

    gristmill("crawl", "add", "docs-1", *[f"s3://mill/incoming/{path.name}" for path in sources["docs-1"]])
    gristmill("crawl", "add", "code", *[str(path) for path in sources["code"]])
    # the one story of sixteen tokens fails its check, which stops nothing and is told by the exit status
    log = gristmill("rebuild", "--until", "mixed_corpus", status=(0, 1))
    assert "FAILED" not in log
    assert s3.aws_secret_access_key not in log
    workspace = Workspace(open_lake(LakeResource(root="s3://mill/lake", s3=s3)), recipe)
    assert corpus_hash_of(workspace) == corpus_hash_of(mill.driver(recipe).workspace)
    assert "fresh" in gristmill("rebuild", "--until", "mixed_corpus")
    assert not (tmp_path / "lake").exists()
