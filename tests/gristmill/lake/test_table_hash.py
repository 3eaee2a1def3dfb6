"""Content hashes see content alone."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.lake.contracts import CONTRACTS, conform
from gristmill.lake.table_hash import table_hash

ROW = st.tuples(st.text(max_size=8), st.integers(0, 9), st.text(max_size=5))


def edits(rows: list[tuple[str, int, str]]) -> pl.DataFrame:
    return pl.DataFrame(
        [{"doc_id": d, "start": s, "end": s + 1, "replacement": r, "rule": "x"} for d, s, r in rows],
        schema=CONTRACTS["edits"].schema,
    )


def hashed(frame: pl.DataFrame) -> str:
    return table_hash("edits", conform("edits", frame))


@settings(deadline=None)
@given(st.lists(ROW, unique_by=lambda row: row[:2], max_size=20), st.randoms(use_true_random=False))
def test_row_order_and_chunks_do_not_matter(rows, random):
    shuffled = rows.copy()
    random.shuffle(shuffled)
    cut = random.randint(0, len(rows))
    chunked = pl.concat([edits(shuffled[:cut]), edits(shuffled[cut:])], rechunk=False)
    assert hashed(edits(rows)) == hashed(chunked)


@settings(deadline=None)
@given(st.lists(ROW, unique_by=lambda row: row[:2], min_size=1, max_size=10), st.data())
def test_any_changed_cell_changes_the_hash(rows, data):
    index = data.draw(st.integers(0, len(rows) - 1))
    changed = rows.copy()
    changed[index] = (rows[index][0], rows[index][1], rows[index][2] + "x")
    assert hashed(edits(rows)) != hashed(edits(changed))


def test_nothing_runs_together():
    schema = {"doc_id": pl.String, "a.x": pl.Float64}
    assert table_hash("t", pl.DataFrame({"a": ["ab", "c"]})) != table_hash("t", pl.DataFrame({"a": ["a", "bc"]}))
    assert table_hash("t", pl.DataFrame({"a": [[1], [2, 3]]})) != table_hash("t", pl.DataFrame({"a": [[1, 2], [3]]}))
    assert table_hash("t", pl.DataFrame({"a": [None, ""]})) != table_hash("t", pl.DataFrame({"a": ["", None]}))
    assert table_hash("t", pl.DataFrame({"doc_id": ["d"], "a.x": [0.0]}, schema)) == table_hash(
        "t", pl.DataFrame({"doc_id": ["d"], "a.x": [-0.0]}, schema)
    )


def test_golden_vector():
    """A hash is the address of what is stored: it may not change between releases."""
    assert hashed(edits([("b", 1, "x"), ("a", 2, "")])) == "47435844ff710d65a7b66fe604c062ea"
