"""A page with a near twin is taken down, twin and all, through the command line: the graph is rebuilt, a receipt proves it, a purge
leaves no byte of it in the lake; it is caught when it returns, and an undo brings it back."""

import gzip
import io
import json
import shutil
import sqlite3
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gristmill.crawl.sources import register
from gristmill.lake.workspace import Workspace
from gristmill.lineage.builds.builds import all_builds, pin
from jobs.cli import main


@pytest.fixture(scope="module")
def copied(built, tmp_path_factory):
    """A copy of the built deployment, which may be changed; without the recipe that another test puts beside it, since a purge
    and a receipt are about one namespace and another one's tables are its own to rebuild."""
    original, _, _ = built
    folder = tmp_path_factory.mktemp("takedown") / "mill"
    shutil.copytree(original.folder, folder)
    for kind in ("heads", "builds"):
        shutil.rmtree(folder / "lake" / kind / "trial", ignore_errors=True)
    with pytest.MonkeyPatch.context() as patch:
        yield type(original)(folder, patch)


@pytest.fixture(scope="module")
def recipe(copied):
    return copied.recipe()


def run(*args: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["takedown", *args], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


def workspace_of(mill, recipe) -> Workspace:
    return mill.driver(recipe).workspace


def page_with_twin(workspace: Workspace) -> tuple[dict, dict]:
    """A document that a model was trained on, and the near copy that it outlived; url, doc_id, shard, text of both."""
    trained = workspace.read("mixed_corpus", "general", "provenance", ["doc_id"])
    clusters = workspace.read("duplicate_clusters", None, "clusters").filter(pl.col("kind") == "near")
    near = clusters.join(trained, left_on="survivor", right_on="doc_id", how="semi").sort("doc_id").row(0, named=True)

    def about(doc_id: str, shard: str) -> dict:
        rows = workspace.scan("documents", shard, "documents").filter(pl.col("doc_id") == doc_id).select("doc_id", "url", "text").collect()
        return {"shard": shard, **rows.row(0, named=True)}

    return about(near["survivor"], near["survivor_shard"]), about(near["doc_id"], near["shard"])


def documents(workspace: Workspace) -> dict[str, str]:
    """URL -> doc_id of every document."""
    tables = [workspace.read("documents", shard, "documents", ["url", "doc_id"]) for shard in workspace.partitions("documents")]
    return dict(pl.concat(tables).iter_rows())


def kept(workspace: Workspace, shard: str) -> set[str]:
    return set(workspace.scan("deduplicated_shards", shard, "verdicts").filter("kept").collect()["doc_id"])


def readings(path: Path) -> bytes:
    """A file's bytes, and what is compressed in it."""
    data = path.read_bytes()
    if path.suffix == ".parquet":
        strings = pl.read_parquet(path).select(pl.selectors.by_dtype(pl.String, pl.List(pl.String)))
        data += b"\n".join(str(value).encode("utf-8", "replace") for row in strings.iter_rows() for value in row)
    elif path.suffix == ".sqlite":
        with sqlite3.connect(path) as connection:
            values = [value for (value,) in connection.execute("select value from entries")]
        data += b"".join(unpacked(value) for value in values)
    elif path.suffix == ".gz":
        data += gzip.GzipFile(fileobj=io.BytesIO(data)).read()
    return data


def unpacked(value: bytes) -> bytes:
    """What the caches hold, compressed by Zstandard behind its size, or plain."""
    try:
        return pa.decompress(value[4:], int.from_bytes(value[:4], "big"), "zstd", asbytes=True)
    except (OSError, ValueError):
        return value


def holding(folder: Path, phrases: list[str]) -> list[str]:
    wanted = [phrase.encode() for phrase in phrases] + [json.dumps(phrase)[1:-1].encode() for phrase in phrases]
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [str(path.relative_to(folder)) for path in files if any(each in data for data in [readings(path)] for each in wanted)]


def lines_of_its_own(text: str, others: list[str]) -> list[str]:
    """Long lines that no other document holds."""
    return [line for line in text.split("\n") if len(line) > 40 and not any(line in other for other in others)][:6]


def test_a_takedown_from_list_to_purge(copied, recipe, tmp_path, pages_written):
    mill = copied
    workspace = workspace_of(mill, recipe)
    page, twin = page_with_twin(workspace)
    texts = {
        doc_id: text
        for shard in workspace.partitions("documents")
        for doc_id, text in workspace.read("documents", shard, "documents", ["doc_id", "text"]).iter_rows()
    }
    phrases = lines_of_its_own(page["text"], [text for doc_id, text in texts.items() if doc_id not in (page["doc_id"], twin["doc_id"])])
    assert phrases and holding(mill.folder / "lake", phrases)
    who = ("--who", "Ann", "--why", "the author asked")

    # what it would touch, its twin among it
    answer = json.loads(run("--url", page["url"], *who, "--dry-run", "--json"))
    (told,) = answer["takedowns"]
    assert answer["rebuild"] is None  # of what has not happened
    assert [each["doc_id"] for each in told["documents"]] == [page["doc_id"]]
    assert twin["doc_id"] in {row["doc_id"] for row in told["rising"]}
    assert told["seen_by"] and all(seen["model"] == "tiny" and seen["tokens"] > 0 for seen in told["seen_by"])  # older builds' too
    levels = {row["level"] for row in told["levels"]}
    assert {"captures", "documents", "vectors", "sentence index", "extraction cache", "stored vectors", "tables of text"} | {
        "corpus, general",
        "checkpoint tiny",
        "variants",
        "reports",
    } <= levels
    pages = {name: tmp_path / "pages" / f"{name}.html" for name in ("proposal", "listed", "receipt")}
    assert "Nothing was taken down" in run("--url", page["url"], "--dry-run", "--html", str(pages["proposal"]))
    misspelt = run("--url", page["url"].removesuffix(".html") + "s.html", "--dry-run")
    assert "Did you mean" in misspelt and page["url"] in misspelt
    proposal = pages["proposal"].read_text()
    assert page["url"] in proposal and twin["doc_id"][:12] in proposal and "nothing was taken down" in proposal
    assert not any(phrase in proposal for phrase in phrases) and json.loads(run("list", "--json")) == []

    # by URL alone the twin takes its place
    assert "On the list as t1" in run("--url", page["url"], *who, "--html", str(pages["listed"]))
    assert "input tombstones changed" in pages["listed"].read_text()
    outcome = mill.drive(recipe, "deduplicated_shards")
    assert not outcome.failed, outcome.failed
    touched = {page["shard"]}
    assert set(outcome.made["documents"]) == touched
    workspace = workspace_of(mill, recipe)
    assert page["url"] not in documents(workspace) and twin["doc_id"] in kept(workspace, twin["shard"])
    gone = workspace.read("documents", page["shard"], "quarantine").filter(pl.col("stage") == "takedown")
    assert gone["url"].to_list() == [page["url"]] and gone["message"].to_list() == ["t1 (url)"]
    refused = CliRunner().invoke(main, ["takedown", "purge"])
    assert refused.exit_code == 1 and "what stands still holds it; the receipt's claim" in refused.output

    # with --near it goes too
    rebuild = json.loads(run("--near", twin["url"], "--threshold", "0.6", *who, "--json"))["rebuild"]
    assert rebuild["stale_beside"] > 0  # the drive above ended early
    assert {"documents", "filtered_shards"} <= {step["asset"] for step in rebuild["steps"]}
    assert json.loads(run("receipt", "--json", "--html", str(pages["receipt"]), code=1))["status"] == "present"
    assert ">present</span>" in pages["receipt"].read_text() and not any(phrase in pages["receipt"].read_text() for phrase in phrases)
    outcome = mill.drive(recipe)
    assert not outcome.failed, outcome.failed
    assert outcome.left.is_fresh, outcome.left.rows()
    before = json.loads(run("receipt", "t2", "--json"))
    assert before["status"].startswith("absent from what stands"), before
    assert set(before["documents"]) >= {page["doc_id"], twin["doc_id"]}
    assert len(before["older_checkpoints"]) >= len(told["seen_by"]) and not any(each["stands"] for each in before["older_checkpoints"])
    assert holding(mill.folder / "lake", phrases)

    # the purge, and a signed receipt
    private, out = tmp_path / "key.pem", tmp_path / "receipt.json"
    encoding = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private.write_bytes(Ed25519PrivateKey.generate().private_bytes(*encoding))
    would = json.loads(run("purge", "t2", "--dry-run", "--json"))
    assert would["objects"]["tables"] and would["vectors"] and would["entries"]
    lake = workspace.lake
    old = next(build for build in all_builds(lake) if build.name in would["builds"])
    pin(lake, old, "Bob", "published")
    assert json.loads(run("purge", "t2", "--json", code=1))["kept"] == [old.name]
    assert json.loads(run("receipt", "t2", "--json"))["status"] == before["status"]
    assert old.name in json.loads(run("purge", "t2", "--pinned", "--json"))["builds"]
    run("purge", "t1")
    assert holding(mill.folder / "lake", phrases) == []
    after = json.loads(run("receipt", "t2", "--key", str(private), "--out", str(out), "--json"))
    assert after["status"] == "absent", after
    assert "signed by the key" in run("verify", str(out))
    out.write_text(out.read_text().replace('"Ann"', '"Bob"'))
    changed = CliRunner().invoke(main, ["takedown", "verify", str(out)])
    assert changed.exit_code == 1 and "was changed" in changed.output
    assert mill.driver(recipe).plan().is_fresh

    # it returns, word for word, at another address
    pages = {"http://copies.example/1": page_source(page["url"]), "http://copies.example/2": "New."}
    path = pages_written(tmp_path / "later.warc.gz", pages)
    shards = register(workspace.lake, recipe, "docs-2", [str(path)])
    outcome = mill.drive(recipe, "documents")
    assert not outcome.failed, outcome.failed
    workspace = workspace_of(mill, recipe)
    assert "http://copies.example/1" not in documents(workspace)
    caught = pl.concat([workspace.read("tombstones", shard) for shard in shards])
    assert set(caught["by"]) <= {"text", "near"} and caught.height
    assert holding(mill.folder / "lake", phrases) == []

    # undone, all of it comes back
    for tombstone in ("t1", "t2"):
        run("undo", tombstone, "--who", "Ann", "--why", "they agreed after all")
    outcome = mill.drive(recipe, "documents")
    assert not outcome.failed, outcome.failed
    back = documents(workspace_of(mill, recipe))
    assert {page["url"], twin["url"], "http://copies.example/1"} <= back.keys()
    assert [each["undone"]["who"] for each in json.loads(run("list", "--json"))] == ["Ann", "Ann"]
    assert "they agreed" not in run("list")


def page_source(url: str) -> str:
    """What the page said when it was written."""
    from pydoc_data.topics import topics

    return topics[url.rpartition("/")[2].removesuffix(".html")][:4000]


def test_what_makes_no_sense_is_refused(copied):
    for args, said in (
        ((), "Name what is to be taken down"),
        (("--url", "http://a.example/", "--threshold", "0.5"), "--threshold belongs to --near"),
        (("--doc", "0" * 32, "--who", "a", "--why", "b"), "no document"),
        (("--url", "http://a.example/"), "A takedown says who asked for it"),
        (("receipt", "t99"), "no tombstone 't99'"),
    ):
        result = CliRunner().invoke(main, ["takedown", *args])
        assert result.exit_code and said in result.output, result.output
