"""The compression ratio: against zlib itself, and at its ends."""

import random
import zlib

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals.compression import LEVEL, MOST_BYTES
from gristmill.signals.compute import compute_families


def ratios(*texts: str) -> list[float]:
    frame = pl.DataFrame({"doc_id": [str(n) for n in range(len(texts))], "text": texts}, schema={"doc_id": pl.String, "text": pl.String})
    return compute_families(["compression"], frame)["compression"]["compression.ratio"].to_list()


def test_golden() -> None:
    assert ratios("", "a", "abcd") == [1, 1, 1]  # nothing to refer to
    assert ratios("a" * 100) == [0.06]  # two letters and a match of 98
    assert ratios("\0" * 1_000_000)[0] < 0.0015


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=300), max_size=4))
def test_it_is_deflate_without_header_and_at_most_one(texts: list[str]) -> None:
    expected = []
    for text in texts:
        data = text.encode()
        gzip = len(zlib.compress(data, LEVEL)) - 6  # zlib's header and checksum
        expected.append(round(min(1.0, gzip / len(data)), 6) if data else 1.0)
    assert ratios(*texts) == expected


def test_repeated_text_is_low_and_random_text_is_high() -> None:
    random.seed(0)
    noise = "".join(random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20_000))
    low, high = ratios("Click here to read more. " * 800, noise)
    assert low < 0.02 and high > 0.6


def test_what_follows_the_first_megabytes_is_not_read() -> None:
    head = "one two three " * (MOST_BYTES // 14 + 1)
    data = head.encode()[:MOST_BYTES].decode()
    assert ratios(data) == ratios(data + "something else entirely" * 1000)
