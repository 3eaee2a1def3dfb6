"""Sixty-four bytes at once: the numbers against plain Python, and that no signal can tell where the blocks lie."""

from __future__ import annotations

import numba
import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gristmill.signals.chunk import Chunk
from gristmill.signals.compute import compute_families
from gristmill.signals.kernels import sixtyfours as k
from gristmill.signals.lines import line_signals

FAMILIES = ["c4", "datatrove", "dolma", "fineweb", "gopher", "repetition"]
BEHIND = "Other words stand behind a text. " * 8  # so that every block of the text before lies within the column
PIECES = [
    *" .,!?\"'()[]{}#-*/:\n\t\r\x00\x1c\x7f_", "\n\n", "    ", "...", "…", "\r\n", "\u2028", "\u00a0", "\u200b", "\u00ad", "\u212a",
    "a", "B", "7", "é", "日本", "ก", "ſ", "“", "•", "- ", "e\u0301", "\U000e0041",
    "the ", "to", "(that)",
    "have.", "javascript", "java[1]script", "li", "ke", "3 likes", "use of cookies", "terms of", " use",
    "lorem ipsum", "[12]", "[edit]", "e.g.", "Dr. ", "don't", "cannot", "10am", "5km", "f(x):", "a.org", "me@a.org", "1,000.5", "and/or",
    ":)", "?!",
    "read more", "w" * 9, "x" * 63, "y" * 64, "z" * 130, "sentence. ", "Is it? ", "ab cd ef gh ij ", "A line of some words, as most are.\n",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)


@numba.njit
def _each(data, at):  # type: ignore[no-untyped-def]
    return k.among(data, at, 0x61, 0x7A), k.among(data, at, 0x20, 0x20), k.among(data, at, 0x80, 0xFF)


_begins = k.beginnings((b"ab", b"b", b"cab "))


@numba.njit
def _beginnings(data):  # type: ignore[no-untyped-def]
    return _begins(data, 0)


@numba.njit
def _counts(bits, n):  # type: ignore[no-untyped-def]
    return k.ones(bits), k.first_of(bits), k.last_of(bits), k.below(n), k.longer_run(bits, n)


@settings(deadline=None)
@given(st.binary(min_size=80, max_size=200), st.integers(0, 16))
def test_among_tells_which_bytes_are_in_a_range(data, at):
    block = data[at : at + 64]
    found = _each(np.frombuffer(data, np.uint8), at)
    for bits, (low, high) in zip(found, ((0x61, 0x7A), (0x20, 0x20), (0x80, 0xFF)), strict=True):
        assert [bits >> j & 1 for j in range(64)] == [low <= byte <= high for byte in block]


@settings(deadline=None)
@given(st.text("abcABC _", min_size=72, max_size=72))
def test_beginnings_are_found_in_either_case_and_past_the_block(text):
    bits = _beginnings(np.frombuffer(text.encode(), np.uint8))
    small = text.lower()
    assert [bits >> j & 1 for j in range(64)] == [small.startswith(("ab", "b", "cab "), j) for j in range(64)]


@settings(deadline=None)
@given(st.integers(0, (1 << 64) - 1) | st.sampled_from([0, 1, (1 << 64) - 1, 1 << 63]), st.integers(0, 64))
def test_bits_are_counted(bits, n):
    digits = f"{bits:064b}"[::-1]
    longest = max(len(run) for run in digits.split("0"))
    first = digits.index("1") if bits else 64
    assert _counts(np.uint64(bits), n) == (digits.count("1"), first, digits.rfind("1"), (1 << n) - 1, max(longest, n))


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_no_signal_can_tell_what_stands_behind_a_text(texts):
    """Alone, a text ends at the column's end and its last sixty-three bytes are read one by one; before others it is read in blocks."""
    together = _signals([*texts, BEHIND])
    for row, text in enumerate(texts):
        for name, alone in _signals([text]).items():
            assert_frame_equal(alone, together[name].filter(pl.col("row") == row).with_columns(row=pl.lit(0, pl.Int64)))


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(1, 70))
def test_no_signal_can_tell_where_the_blocks_of_a_line_begin(text, shift):
    """A paragraph before it moves every block, and the counts of the rest stay what they are."""
    before, behind = Chunk(_frame([text, BEHIND])), Chunk(_frame(["x" * shift, text, BEHIND]))
    for name in ("words", "tokens", "lines"):
        one, other = getattr(before, name), getattr(behind, name)
        a, b = one.bounds[1], other.bounds[1:3]
        assert np.array_equal(one.starts[:a] + shift, other.starts[b[0] : b[1]]) and np.array_equal(
            one.ends[:a] + shift, other.ends[b[0] : b[1]]
        )
        assert np.array_equal(one.chars[:a], other.chars[b[0] : b[1]]) and np.array_equal(one.keys[:a], other.keys[b[0] : b[1]])
    assert before.token_counts[0] == Chunk(_frame(["x" * shift, text, BEHIND])).token_counts[1]


def _frame(texts):
    return pl.DataFrame({"doc_id": [str(row) for row in range(len(texts))], "text": texts}, schema={"doc_id": pl.String, "text": pl.String})


def _signals(texts):
    frame = _frame(texts)
    tables = {
        family: table.with_columns(row=pl.col("doc_id").cast(pl.Int64)).drop("doc_id")
        for family, table in compute_families(FAMILIES, frame).items()
    }
    tables["lines"] = line_signals(Chunk(frame)).with_columns(pl.col("row").cast(pl.Int64))
    tables["token_counts"] = pl.DataFrame({"row": pl.Series(range(len(texts)), dtype=pl.Int64), "tokens": Chunk(frame).token_counts})
    return tables
