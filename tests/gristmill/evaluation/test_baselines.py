"""Baselines against what they come to by hand."""

import math

import numpy as np
import polars as pl
import pytest

from gristmill.evaluation.baselines import baseline_scores, count_tokens, unigram_nats


def encode(text: str) -> list[int]:
    return [ord(letter) - 97 for letter in text]


def test_counts_over_several_arrays():
    arrays = [np.array([[0, 1], [1, 3]], np.uint16), np.array([[3, 3]], np.uint32)]
    assert count_tokens(arrays, 5).tolist() == [1, 2, 0, 3, 0]


def test_unigram_by_hand():
    counts = np.array([3, 1, 0])  # (3 + 1) / 7, (1 + 1) / 7, (0 + 1) / 7
    expected = -2 * math.log(4 / 7) - math.log(1 / 7)
    assert unigram_nats(counts, encode, ["aac", ""]).tolist() == pytest.approx([expected, 0.0], abs=1e-6)


def test_all_baselines_in_bits_per_byte():
    documents = pl.DataFrame({"doc_id": ["x", "y"], "domain": ["d", "d"], "text": ["aab", "bb"], "n_bytes": [3, 2]})
    found = baseline_scores(documents, np.array([10, 10, 10, 10]), encode).filter(pl.col("domain") == "d")
    values = dict(found.select("metric", "value").iter_rows())
    assert values == pytest.approx({"uniform_bytes": 8.0, "uniform_tokens": 2.0, "unigram": 2.0})
