"""One declared order of survival, over frames and over numbers."""

import datetime as dt
import tempfile
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.dedup.election import order_of_survival
from gristmill.dedup.members import MEMBERS, Documents, Shard
from gristmill.dedup.survival import ORDER, ranked
from gristmill.recipe.dedup import Dedup

DOCUMENT = st.fixed_dictionaries(
    {
        "doc_id": st.integers(0, 2**128 - 1).map(lambda number: f"{number:032x}"),
        "n_chars": st.integers(0, 3),
        "fetched_at": st.none() | st.integers(-2, 2).map(lambda day: dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=day)),
        "priority": st.integers(-1, 1),
    }
)
REST = {"url": None, "payload": None, "normal_hash": "1" * 32, "text_hash": "1" * 32, "n_shingles": 1}


@settings(deadline=None)
@given(
    st.lists(DOCUMENT, min_size=1, max_size=12, unique_by=lambda document: document["doc_id"]),
    st.permutations(sorted(ORDER)).flatmap(lambda names: st.integers(1, len(names)).map(lambda n: names[:n])),
)
def test_frames_and_numbers_are_ordered_alike(documents, survivor):
    members = pl.DataFrame([{**document, **REST} for document in documents], schema=MEMBERS)
    expected = ranked(members.lazy().with_columns(shard=pl.lit("crawl/0")), survivor).sort("rank").collect()["doc_id"].to_list()
    with tempfile.TemporaryDirectory() as folder:
        rows = Documents(Path(folder) / "rows", [Shard("crawl/0", members.lazy(), pl.LazyFrame())], Dedup())
        order = order_of_survival(rows.table, survivor)
        assert rows.hexes(order, 0, "doc_id").to_list() == expected
