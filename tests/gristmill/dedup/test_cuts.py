import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from gristmill.dedup.cuts import merged
from gristmill.lake.contracts import CONTRACTS, conform

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.integers(0, 30),
        st.integers(0, 12),
        st.sampled_from(["dedup.line", "dedup.paragraph", "dedup.substring"]),
        st.integers(2, 9),
        st.sampled_from([None, "a", "c"]),
    ),
    max_size=12,
)


def cuts(rows):
    return pl.DataFrame(
        [(doc_id, start, start + size, rule, documents, twin, None) for doc_id, start, size, rule, documents, twin in rows],
        schema=CONTRACTS["cuts"].schema,
        orient="row",
    )


def covered(frame):
    return {(doc_id, at) for doc_id, start, end in frame.select("doc_id", "start", "end").iter_rows() for at in range(start, end)}


@given(ROWS, st.randoms(use_true_random=False))
def test_what_is_covered_stays_so_once_in_any_order(rows, random):
    found = cuts(rows)
    one = merged(found)
    assert conform("cuts", one).equals(one)
    assert covered(one) == covered(found)
    assert sum(one["end"] - one["start"]) == len(covered(one))
    random.shuffle(rows)
    assert merged(cuts(rows)).equals(one)
    assert merged(one).equals(one)


def test_the_longest_names_the_reason():
    found = cuts(
        [
            ("a", 0, 10, "dedup.line", 9, None),
            ("a", 8, 30, "dedup.substring", 2, "b"),
            ("a", 38, 5, "dedup.paragraph", 7, None),  # touches
            ("b", 8, 4, "dedup.paragraph", 8, None),
            ("b", 8, 4, "dedup.line", 7, None),  # as long: by name
            ("b", 30, 0, "dedup.line", 7, None),  # nothing
        ]
    )
    assert merged(found).select("doc_id", "start", "end", "rule", "documents", "twin").rows() == [
        ("a", 0, 38, "dedup.substring", 2, "b"),
        ("a", 38, 43, "dedup.paragraph", 7, None),
        ("b", 8, 12, "dedup.line", 7, None),
    ]


def test_nothing_of_nothing():
    assert merged(cuts([])).equals(cuts([]))
