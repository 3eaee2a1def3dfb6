"""The vector table: written once, found again, whole or not at all, under two writers; also on an object store."""

import multiprocessing
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gristmill.dedup import vectors
from gristmill.dedup.vectors import VectorTable, embed, read_vectors, vector_hash
from gristmill.errors import LakeError
from gristmill.lake.contracts import conform
from gristmill.lake.store import Lake

D = 4


def keys(*numbers: int) -> list[str]:
    return [f"{n:032x}" for n in numbers]


def values(*numbers: int) -> np.ndarray:
    return np.array([[n, 1, 0, -0.5] for n in numbers], dtype=np.float32)


class Counting:
    """A small embedder: letter counts as a unit vector."""

    name, dimension = "letters-1", D

    def __init__(self) -> None:
        self.seen: list[str] = []

    def encode(self, texts: list[str]) -> np.ndarray:
        self.seen += texts
        counts = np.array([[1 + text.count(letter) for letter in "abcd"] for text in texts], dtype=np.float64).reshape(-1, D)
        return (counts / np.linalg.norm(counts, axis=1, keepdims=True)).round(4).astype(np.float32)


def texts(*contents: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"doc_id": [f"d{i}" for i in range(len(contents))], "text": contents, "text_hash": [t.encode().hex() for t in contents]},
        schema={"doc_id": pl.String, "text": pl.String, "text_hash": pl.String},
    )


def test_put_and_get_in_any_order_and_repeatedly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "KEYS_AT_ONCE", 3)
    table = VectorTable.open(Lake(tmp_path), "m", D)
    table.put(keys(*range(10)), values(*range(10)))
    again = VectorTable.open(Lake(tmp_path), "m", D)
    assert np.array_equal(again.get(keys(7, 2, 2, 9, 0)), values(7, 2, 2, 9, 0))
    assert again.missing(keys(3, 11, 4, 10, 11)) == keys(10, 11)
    assert again.get([]).shape == (0, D) and again.missing([]) == []


def test_the_first_vector_of_a_text_stays(tmp_path: Path) -> None:
    table = VectorTable.open(Lake(tmp_path), "m", D)
    table.put(keys(1, 1, 2), values(1, 8, 2))
    table.put(keys(2, 3), values(9, 3))
    assert np.array_equal(table.get(keys(1, 2, 3)), values(1, 2, 3))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    table = VectorTable.open(Lake(tmp_path), "m", D)
    table.put(keys(1), values(1))
    with pytest.raises(LakeError, match=f"1 of 2 texts, for example text_hash {keys(2)[0]}"):
        table.get(keys(1, 2))
    with pytest.raises(LakeError, match="no vectors of other"):
        VectorTable.open(Lake(tmp_path), "other")


@pytest.mark.parametrize(
    ("hashes", "rows"),
    [(keys(1), values(1, 2)), (keys(1), values(1)[:, :3]), (keys(1), np.full((1, D), np.nan)), (keys(1), np.full((1, D), np.inf))],
)
def test_what_is_not_a_vector_is_refused(tmp_path: Path, hashes: list[str], rows: np.ndarray) -> None:
    table = VectorTable.open(Lake(tmp_path), "m", D)
    with pytest.raises(LakeError):
        table.put(hashes, rows)
    assert table.missing(hashes) == hashes


def test_a_key_is_no_way_into_the_filter(tmp_path: Path) -> None:
    table = VectorTable.open(Lake(tmp_path), "m", D)
    with pytest.raises(LakeError, match="hex"):
        table.get(["' OR '1'='1"])


def test_another_dimension_is_another_model(tmp_path: Path) -> None:
    VectorTable.open(Lake(tmp_path), "m", D)
    with pytest.raises(LakeError, match="4 dimensions, m makes 5"):
        VectorTable.open(Lake(tmp_path), "m", 5)
    assert vectors.table_name("a/b") != vectors.table_name("a-b")


def write(root: str, start: int) -> None:
    """Twenty commits that overlap with the other writer's."""
    table = VectorTable.open(Lake(root), "m", D)
    for i in range(start, start + 200, 10):
        table.put(keys(*range(i, i + 30)), values(*range(i, i + 30)))


def test_two_processes_write_the_same_texts(tmp_path: Path) -> None:
    table = VectorTable.open(Lake(tmp_path), "m", D)
    context = multiprocessing.get_context("spawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(vectors.__file__).parents[2]), os.environ.get("PYTHONPATH", "")]))
        writers = [context.Process(target=write, args=(str(tmp_path), start)) for start in (0, 50)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert np.array_equal(table.get(keys(*range(270))), values(*range(270)))


def test_embedding_makes_only_what_is_missing(tmp_path: Path) -> None:
    lake, embedder = Lake(tmp_path), Counting()
    table = VectorTable.open(lake, embedder.name, D)
    first = embed(texts("abc", "dd", "abc"), embedder, table, 2)
    assert sorted(embedder.seen) == ["abc", "dd"]
    second = embed(texts("dd", "a"), embedder, table, 2)
    assert embedder.seen[2:] == ["a"]
    assert conform("embeddings", first)["vector_hash"].to_list() == [vector_hash(v) for v in embedder.encode(["abc", "dd", "abc"])]
    assert np.array_equal(read_vectors(lake, second), embedder.encode(["dd", "a"]))
    assert embed(texts(), embedder, table, 2).is_empty()


def test_a_crash_between_commits_leaves_whole_vectors(tmp_path: Path) -> None:
    class Dying(Counting):
        def encode(self, texts: list[str]) -> np.ndarray:
            if len(self.seen) >= 4:
                raise KeyboardInterrupt
            return super().encode(texts)

    table = VectorTable.open(Lake(tmp_path), "letters-1", D)
    rows = texts(*"abcdefgh")
    with pytest.raises(KeyboardInterrupt):
        embed(rows, Dying(), table, 2)
    assert len(table.missing(rows["text_hash"].to_list())) == 4
    retried = Counting()
    embed(rows, retried, table, 2)
    assert len(retried.seen) == 4


def test_vectors_of_two_models_are_not_mixed(tmp_path: Path) -> None:
    rows = pl.DataFrame({"text_hash": keys(1, 2), "model": ["a", "b"]})
    with pytest.raises(LakeError, match="several models"):
        read_vectors(Lake(tmp_path), rows)
    assert read_vectors(Lake(tmp_path), rows.clear()).shape == (0, 0)


def test_a_vector_hash_is_of_rounded_integers() -> None:
    vector = np.array([0.1234, -0.5, 0, 1], dtype=np.float32)
    assert vector_hash(vector) == vector_hash((vector.astype(np.float64) + 1e-6).astype(np.float32)) != vector_hash(vector[::-1])
    assert vectors.as_integers(vector).tolist() == [1234, -5000, 0, 10000]


def test_on_an_object_store(monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        endpoint = "http://{}:{}".format(*server.get_host_and_port())
        boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b").create_bucket(
            Bucket="lake"
        )
        options = {
            "aws_access_key_id": "a",
            "aws_secret_access_key": "b",
            "aws_region": "us-east-1",
            "aws_endpoint": endpoint,
            "aws_allow_http": "true",
        }
        lake = Lake("s3://lake/main", options)
        VectorTable.open(lake, "m", D).put(keys(1, 2), values(1, 2))
        assert np.array_equal(VectorTable.open(lake, "m").get(keys(2, 1)), values(2, 1))
    finally:
        server.stop()
