"""Periodic runs of words: golden values, and a plain reference over few words."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals.compute import compute_families
from gristmill.signals.registry import FAMILIES

NAMES = list(FAMILIES["periodicity"])


def rows(*texts: str) -> list[list[float]]:
    frame = pl.DataFrame({"doc_id": [str(n) for n in range(len(texts))], "text": texts}, schema={"doc_id": pl.String, "text": pl.String})
    table = compute_families(["periodicity"], frame)["periodicity"]
    return [list(row) for row in table.drop("doc_id").rows()]


GOLDEN = {
    # words and characters of the longest run, most repeats, share of words in runs
    "": [0, 0, 0, 0],
    "ha ha": [0, 0, 0, 0],
    "ha ha ha": [3, 8, 3, 1],
    "Ha ha ha ha stop": [3, 8, 3, 0.6],                        # as written: Ha is another word
    "x a b a b a b y": [6, 11, 3, 0.75],
    "x a b a b a y": [0, 0, 0, 0],                             # two and a half times
    "a b a b a b a": [7, 13, 3, 1],                            # a part of the period counts to the run
    "é  é\né z z z z": [4, 7, 4, 1],                           # characters, white space as it is written
    " ".join("abcdefghijklm" * 3): [39, 77, 3, 1],             # period 13
    " ".join("abcdefghijklmn" * 3): [0, 0, 0, 0],              # period 14
    "哈哈哈": [3, 3, 3, 1],
}  # fmt: skip


@pytest.mark.parametrize("text", GOLDEN, ids=ascii)
def test_golden(text: str) -> None:
    assert rows(text) == [GOLDEN[text]]


def reference(words: list[str]) -> list[float]:
    """Every stretch of words is tried with every period."""
    longest = chars = repeats = 0
    inside: set[int] = set()
    for period in range(1, 14):
        for begin in range(len(words)):
            for end in range(begin + 3 * period, len(words) + 1):
                if all(words[at] == words[at - period] for at in range(begin + period, end)):
                    longest, repeats = max(longest, end - begin), max(repeats, (end - begin) // period)
                    chars = max(chars, len(" ".join(words[begin:end])))
                    inside |= set(range(begin, end))
    return [longest, chars, repeats, round(len(inside) / max(len(words), 1), 6)]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "bb", "c"]), max_size=20), min_size=1, max_size=5))
def test_as_a_plain_reference_says(texts: list[list[str]]) -> None:
    assert rows(*(" ".join(words) for words in texts)) == [reference(words) for words in texts]


def test_a_long_run_of_each_kind() -> None:
    n = 300_000
    assert rows("a " * n, "to be or not " * n, "a " * 50 + "b " * 50) == [[n, 2 * n - 1, n, 1], [4 * n, 13 * n - 1, n, 1], [50, 99, 50, 1]]
