"""Looking after the vector table: compacted and indexed without a change of content, emptied for good, killed at any moment."""

import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from gristmill.dedup import upkeep
from gristmill.dedup.vectors import VectorTable, embed
from gristmill.errors import LakeError
from gristmill.lake.hashing import text_hash
from gristmill.lake.store import Lake
from gristmill.lake.table_hash import table_hash

D = 16


class Hashing:
    """An embedder: a text's vector is spun from its hash. Says aloud when it is called."""

    name, dimension = "hashing-1", D

    def encode(self, texts: list[str]) -> np.ndarray:
        sys.stdout.write("encode\n")
        sys.stdout.flush()
        return unit([np.frombuffer(hashlib.blake2b(text.encode(), digest_size=D).digest(), np.uint8) - 127.5 for text in texts])


def unit(rows: object) -> np.ndarray:
    vectors = np.array(rows, dtype=np.float64).reshape(-1, D)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).round(4).astype(np.float32)


def texts(n: int) -> pl.DataFrame:
    contents = [f"text number {i}" for i in range(n)]
    return pl.DataFrame({"doc_id": [f"{i:032x}" for i in range(n)], "text": contents, "text_hash": [text_hash(t) for t in contents]})


def content(table: VectorTable) -> str:
    rows = pl.DataFrame(table.rows.to_arrow()).sort("text_hash")
    assert rows["text_hash"].is_unique().all()
    return hashlib.blake2b(("".join(rows["text_hash"]).encode()) + table.get(rows["text_hash"].to_list()).tobytes()).hexdigest()


def filled(tmp_path: Path, n: int, at_once: int = 50) -> tuple[VectorTable, pl.DataFrame]:
    table = VectorTable.open(Lake(tmp_path), Hashing.name, D)
    rows = texts(n)
    embed(rows, Hashing(), table, at_once)
    return table, rows


def files_with(folder: Path, needle: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and needle in path.read_bytes()]


def test_small_commits_are_put_together_and_indexed(tmp_path: Path) -> None:
    table, rows = filled(tmp_path, 300, 30)
    before, versions = content(table), len(table.rows.list_versions())
    upkeep.settle(table)
    assert table.rows.stats()["fragment_stats"]["num_fragments"] == 1 and not upkeep.untidy(table)
    assert [(index.columns, index.index_type) for index in table.rows.list_indices()] == [(["text_hash"], "BTree")]
    assert content(table) == before and table.missing([*rows["text_hash"], "ab"]) == ["ab"]
    assert len(table.rows.list_versions()) > versions  # old ones stay for their time


def test_embedding_settles_the_table_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "SMALL_FRAGMENTS", 3)
    table, rows = filled(tmp_path, 200, 10)
    assert table.rows.stats()["fragment_stats"]["num_fragments"] <= 4 and table.rows.list_indices()
    assert np.array_equal(table.get(rows["text_hash"].to_list()), Hashing().encode(rows["text"].to_list()))


def nearest_by_hand(rows: pl.DataFrame, query: np.ndarray, k: int) -> list[tuple[str, float]]:
    vectors = Hashing().encode(rows["text"].to_list()).astype(float)
    cosines = (vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)).round(6)
    return sorted(zip(rows["text_hash"], cosines.tolist(), strict=True), key=lambda row: (-row[1], row[0]))[:k]


def test_look_ups_in_a_small_table_are_exact(tmp_path: Path) -> None:
    table, rows = filled(tmp_path, 200)
    own = table.get(rows["text_hash"].to_list()[:1])[0]
    by_vector, by_hash = table.nearest(own, 5), table.nearest(rows["text_hash"][0], 5)
    expected = nearest_by_hand(rows, own.astype(float), 6)
    assert [row[0] for row in by_vector.rows()] == [key for key, _ in expected[:5]] and expected[0] == (rows["text_hash"][0], 1.0)
    assert by_vector["similarity"].to_list() == pytest.approx([value for _, value in expected[:5]], abs=2e-6)
    assert [row[0] for row in by_hash.rows()] == [key for key, _ in expected[1:]]
    assert table.nearest(own, 1_000).height == 200
    with pytest.raises(LakeError, match="lacks the vectors"):
        table.nearest("abcdef")


def test_a_large_table_gets_an_approximate_index_for_look_ups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "APPROXIMATE_FROM", 600)
    table, _ = filled(tmp_path, 599, 300)
    upkeep.settle(table)
    assert [index.columns for index in table.rows.list_indices()] == [["text_hash"]]
    more = texts(700)
    embed(more, Hashing(), table, 300)
    before = content(table)
    upkeep.settle(table)
    assert sorted(index.columns[0] for index in table.rows.list_indices()) == ["text_hash", "vector"] and content(table) == before
    query = unit(np.arange(D))[0]
    found, expected = table.nearest(query, 10), nearest_by_hand(more, query.astype(float), 10)
    assert len({key for key, _ in expected} & set(found["text_hash"])) >= 8


@pytest.mark.parametrize("large", [False, True])
def test_what_is_forgotten_is_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    if large:
        monkeypatch.setattr(upkeep, "APPROXIMATE_FROM", 300)
    table, _ = filled(tmp_path, 320, 64)
    upkeep.settle(table)
    embed(texts(340), Hashing(), table, 5)  # some files of their own, not in the indexes yet
    gone, kept = texts(340)[[3, 70, 330]], texts(340).filter(~pl.int_range(pl.len()).is_in([3, 70, 330]))
    traces = [
        (key.encode(), vector.tobytes()) for key, vector in zip(gone["text_hash"], table.get(gone["text_hash"].to_list()), strict=True)
    ]
    folder = Path(f"{table.where}.lance")
    assert all(files_with(folder, key) and files_with(folder, vector) for key, vector in traces)
    assert upkeep.forget(table, [*gone["text_hash"], "abcdef"]) == 3
    assert not any(files_with(folder, key) or files_with(folder, vector) for key, vector in traces)
    assert len(table.rows.list_versions()) == 1
    assert table.missing(texts(340)["text_hash"].to_list()) == sorted(gone["text_hash"])
    assert np.array_equal(table.get(kept["text_hash"].to_list()), Hashing().encode(kept["text"].to_list()))
    assert set(table.nearest(kept["text_hash"][0], 400)["text_hash"]) <= set(kept["text_hash"])
    assert upkeep.forget(table, gone["text_hash"].to_list()) == 0
    embed(texts(340), Hashing(), table, 100)
    assert table.missing(texts(340)["text_hash"].to_list()) == []


def test_all_can_be_forgotten(tmp_path: Path) -> None:
    table, rows = filled(tmp_path, 40)
    upkeep.settle(table)
    assert upkeep.forget(table, rows["text_hash"].to_list()) == 40
    assert table.rows.count_rows() == 0 and table.missing(rows["text_hash"].to_list()) == sorted(rows["text_hash"])
    assert table.nearest(unit(np.ones(D))[0]).is_empty()


CHILD = """
import sys
sys.path[:0] = [{tests!r}]
import test_upkeep
from gristmill.dedup import upkeep
upkeep.SMALL_FRAGMENTS, upkeep.MOVED_AT_ONCE = 3, 25
test_upkeep.{call}
"""


def killed(call: str, after: int) -> int:
    """Runs the call in a process of its own and kills it -9 after so many lines of its output; how many lines it came to."""
    source = str(Path(upkeep.__file__).parents[2])
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(tests=str(Path(__file__).parent), call=call)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])},
    )
    assert child.stdout is not None
    lines = 0
    for _ in child.stdout:
        lines += 1
        if lines == after:
            child.send_signal(signal.SIGKILL)
    child.stdout.close()
    assert child.wait() == (-signal.SIGKILL if lines >= after else 0)
    return lines


def write(root: str) -> None:
    embed(texts(240), Hashing(), VectorTable.open(Lake(root), Hashing.name), 8)


def remove(root: str) -> None:
    """As `write`, for taking out; says aloud before every commit."""
    table = VectorTable.open(Lake(root), Hashing.name)
    move = table.move

    def aloud(keys: list[str]) -> None:
        sys.stdout.write("move\n")
        sys.stdout.flush()
        move(keys)

    table.move = aloud  # type: ignore[method-assign]
    upkeep.forget(table, texts(240)["text_hash"].to_list()[:5])


def test_killed_while_it_embeds_it_finishes_with_the_same_content(tmp_path: Path) -> None:
    whole, rows = filled(tmp_path / "whole", 240)
    expected = table_hash("embeddings", embed(rows, Hashing(), whole, 50))
    table = VectorTable.open(Lake(tmp_path / "killed"), Hashing.name, D)
    draw, stored = random.Random(4), 0
    for _ in range(2):
        killed(f"write({str(tmp_path / 'killed')!r})", draw.randint(2, 9))
        now = table.rows.count_rows()
        assert now >= stored and now % 8 == 0  # whole commits, and none is lost
        stored = now
    assert 0 < stored < 240
    assert table_hash("embeddings", embed(rows, Hashing(), table, 50)) == expected and content(table) == content(whole)


def test_killed_while_it_forgets_it_loses_nothing_else_and_finishes(tmp_path: Path) -> None:
    table, rows = filled(tmp_path, 240)
    upkeep.settle(table)
    gone, kept = rows.head(5), rows.tail(235)
    traces = [vector.tobytes() for vector in table.get(gone["text_hash"].to_list())]
    assert killed(f"remove({str(tmp_path)!r})", 4) >= 4
    assert table.missing(kept["text_hash"].to_list()) == []
    upkeep.forget(table, gone["text_hash"].to_list())
    assert not any(files_with(Path(f"{table.where}.lance"), trace) for trace in traces)
    assert np.array_equal(table.get(kept["text_hash"].to_list()), Hashing().encode(kept["text"].to_list()))
