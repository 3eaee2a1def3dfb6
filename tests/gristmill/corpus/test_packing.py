"""Packing and provenance: every sequence can be rebuilt from its documents, and every token has one source."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.corpus import mixture, packing, provenance
from gristmill.errors import ContractError, RecipeError
from gristmill.lake.contracts import conform

LENGTHS = st.lists(st.integers(2, 60), min_size=1, max_size=30)


def corpus(lengths: list[int], length: int, vocab_size: int = 1_000, cut: int = 0) -> tuple:
    """Documents of these stream lengths, the last taken without its last `cut` tokens, packed: sequences, provenance, streams."""
    streams = {
        f"doc-{i}": packing.stream(np.random.default_rng(i).integers(2, vocab_size, n - 1).tolist(), 0) for i, n in enumerate(lengths)
    }
    taken = [*lengths[:-1], lengths[-1] - cut]
    pieces = pl.DataFrame(
        [
            {"doc_id": f"doc-{i}", "origin": "web-1/0", "source": "web", "topic": "Games", "key": "web", "epoch": 0, "length": n}
            for i, n in enumerate(taken)
        ],
        schema=mixture.PIECE,
    )
    return *packing.pack(pieces, "general", streams.__getitem__, length, vocab_size), streams


@given(LENGTHS, st.integers(1, 40), st.integers(0, 1))
@settings(max_examples=200, deadline=None)
def test_every_sequence_is_rebuilt_from_its_documents(lengths: list[int], length: int, cut: int) -> None:
    if sum(lengths) - cut < length + 1:
        return
    sequences, rows, streams = corpus(lengths, length, cut=cut)
    assert sequences.shape == ((sum(lengths) - cut) // (length + 1), length + 1)
    conform("provenance", rows)
    assert provenance.uncovered(rows, *sequences.shape) == 0
    for i, sequence in enumerate(sequences):
        assert np.array_equal(provenance.rebuild(rows, i, streams.__getitem__), sequence)
    whole = np.concatenate(list(streams.values()))
    assert np.array_equal(sequences.ravel(), whole[: sequences.size])


def test_a_small_corpus_by_hand() -> None:
    sequences, rows, _ = corpus([3, 5, 2], 3)
    assert sequences.tolist()[0][0] == sequences.tolist()[0][3] == 0  # both documents begin with <|endoftext|>
    assert rows.select("sequence", "position", "doc_id", "start", "end").rows() == [
        (0, 0, "doc-0", 0, 3),
        (0, 3, "doc-1", 0, 1),
        (1, 0, "doc-1", 1, 5),  # doc-2 does not fill a third sequence
    ]


def test_arrays_are_as_narrow_as_the_vocabulary_allows_and_hold_no_pickle(tmp_path) -> None:
    for vocab_size, dtype in ((65_536, np.uint16), (65_537, np.uint32)):
        sequences, _, _ = corpus([50, 60], 16, vocab_size)
        assert sequences.dtype == dtype
        packing.save(sequences, tmp_path / "tokens.npy")
        assert np.array_equal(packing.load(tmp_path / "tokens.npy"), sequences)
    np.save(tmp_path / "other.npy", np.zeros(3))
    with pytest.raises(ContractError, match="not sequences of tokens"):
        packing.load(tmp_path / "other.npy")


def test_too_little_for_one_sequence_is_an_error() -> None:
    with pytest.raises(RecipeError, match="do not fill one sequence of 17 tokens"):
        corpus([5, 5], 16)


def test_whole_sequences() -> None:
    assert packing.whole_sequences(1_000, 99) == 1_000
    assert packing.whole_sequences(1_099, 99) == 1_000
    assert packing.whole_sequences(5, 99) == 100


def test_a_gap_in_the_provenance_is_found() -> None:
    sequences, rows, streams = corpus([30, 30], 9)
    holed = rows.filter(~((pl.col("sequence") == 3) & (pl.col("position") == 0)))
    assert provenance.uncovered(holed, *sequences.shape) == len(sequences[3])
    with pytest.raises(ContractError, match="no provenance for sequence 3"):
        provenance.rebuild(holed, 3, streams.__getitem__)
    moved = rows.with_columns(position=pl.when(pl.col("sequence") == 3).then(2).otherwise(pl.col("position")))
    with pytest.raises(ContractError, match="from token 0 to 2"):
        provenance.rebuild(moved, 3, streams.__getitem__)
    assert provenance.uncovered(pl.concat([rows, rows[:1]]), *sequences.shape) == int(rows["end"][0])


def test_documents_that_may_not_be_trained_on_are_found() -> None:
    rows = pl.DataFrame({"doc_id": ["a", "b", "c", "s"], "origin": ["w/0", "w/0", "w/1", "synthetic/stories"]})
    splits = pl.DataFrame({"doc_id": ["a", "b"], "split": ["train", "test"]})
    assert provenance.not_for_training(rows, splits)["doc_id"].to_list() == ["b", "c"]
