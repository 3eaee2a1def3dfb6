"""What was made of what stands no more is found from the lake alone."""

from pathlib import Path

import polars as pl

from gristmill.lake.store import Lake
from gristmill.lake.workspace import Inputs, Made, Workspace
from gristmill.lineage.overtaken import overtaken
from gristmill.recipe import Recipe


def table(word: str) -> Made:
    return Made({"splits": pl.DataFrame({"doc_id": [word], "cluster": [word], "split": ["train"]})})


def store(workspace: Workspace, asset: str, partition: str | None, word: str, *, held: bool = False, **read: str | None) -> None:
    versions = {name: {key or "": workspace.version(name, key)} for name, key in read.items()}
    workspace.store(asset, partition, table(word), "1", Inputs(versions), held=held)


def test_what_read_a_version_that_was_replaced(tmp_path: Path) -> None:
    workspace = Workspace(Lake(str(tmp_path)), Recipe())
    for shard in ("a/0000", "a/0001"):
        store(workspace, "documents", shard, f"text of {shard}")
        store(workspace, "filtered_shards", shard, f"verdicts of {shard}", documents=shard)
        store(workspace, "curated_shards", shard, f"last verdicts of {shard}", filtered_shards=shard)
    store(workspace, "tokenizer", None, "held", held=True, documents="a/0000")
    store(workspace, "lineage_audit", None, "audited", documents="a/0000")
    shown = ["curated_shards", "tokenizer"]
    assert overtaken(workspace, shown) == {}

    store(workspace, "documents", "a/0000", "another text")
    assert overtaken(workspace, shown) == {"filtered_shards": 1}  # the held one lags by intent, the audit was not asked for
    store(workspace, "filtered_shards", "a/0000", "other verdicts", documents="a/0000")
    assert overtaken(workspace, shown) == {"curated_shards": 1}
    assert overtaken(workspace, ["lineage_audit"]) == {"lineage_audit": 1}
    store(workspace, "documents", "a/0000", "text of a/0000")
    store(workspace, "filtered_shards", "a/0000", "verdicts of a/0000", documents="a/0000")
    assert overtaken(workspace, shown) == {}
