"""Order: what is told without sorting is what sorting would tell."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from gristmill.lake.order import rises

ROWS = st.lists(st.tuples(st.sampled_from(["", "a", "ab", "é", "b", "\U0001f600"]), st.integers(-2, 2)), max_size=6)


def table(rows: list[tuple[str, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"name": pl.String, "number": pl.Int64}, orient="row")


@given(ROWS)
def test_rows_rise_where_sorting_leaves_them(rows: list[tuple[str, int]]) -> None:
    for some in (rows, sorted(rows), sorted(set(rows))):
        in_order = table(some).equals(table(some).sort("name", "number"))
        assert rises(table(some), ["name", "number"]) == in_order
        assert rises(table(some), ["name", "number"], strictly=True) == (in_order and len(set(some)) == len(some))


def test_a_null_has_no_place() -> None:
    frame = pl.DataFrame({"name": [None, "a"]})
    assert not rises(frame, ["name"]) and rises(frame.drop_nulls(), ["name"], strictly=True)
    assert rises(frame.head(0), ["name"], strictly=True)
