"""A chunk of documents as the families read it: texts as bytes, and the segmentations that families share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gristmill.signals import characters
from gristmill.signals.segment import CHUNK_BYTES, Column, column, tables

if TYPE_CHECKING:
    from gristmill.signals.lines import Lines


Values = dict[str, npt.NDArray[Any]]
"""What a family computes of a chunk: signal name -> one number per document, finite."""


@dataclass(frozen=True)
class References:
    """What families read beside the documents: held models and the user's lists.

    `distribution`: token and probability of the documents' source. `lists`: the entries of the recipe's lists by
    name, lower-cased; a list that the recipe does not name is empty. `edits`: the documents' rows of `edits`.
    """

    distribution: pl.DataFrame | None = None
    lists: Mapping[str, frozenset[str]] = field(default_factory=dict)
    edits: pl.DataFrame | None = None


class Spans(NamedTuple):
    """Pieces of many texts: words, tokens. Piece j is data[starts[j] : ends[j]]; text i has the pieces bounds[i] to bounds[i + 1].

    `chars` counts a piece's code points, `keys` hashes them (64 bits). `data` is the texts' own bytes, or other bytes
    where the pieces were given (a peer's words).
    """

    data: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    chars: npt.NDArray[np.int32]
    keys: npt.NDArray[np.uint64]
    bounds: npt.NDArray[np.int64]

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Pieces per text."""
        return np.diff(self.bounds)


class Chunk:
    """Some documents and one view of their texts.

    `frame`: doc_id, text, and whatever columns of `documents` a family reads (url, host, language, language_score).
    Segmentations are made when first asked for and shared by the families; `words`, `tokens` and `treebank` can be set
    to a peer's own, which is how conformance with the peer is checked.
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame

    @property
    def texts(self) -> pl.Series:
        return self.frame["text"]

    @cached_property
    def bytes(self) -> Column:
        """UTF-8 bytes of all texts and their offsets."""
        return column(self.texts)

    @cached_property
    def n_chars(self) -> npt.NDArray[np.int64]:
        """Code points per text."""
        return self.texts.str.len_chars().cast(pl.Int64).to_numpy()

    @cached_property
    def words(self) -> Spans:
        """Words between white space: see `segment`."""
        from gristmill.signals.kernels.words import word_spans

        data, offsets = self.bytes
        return Spans(data, *word_spans(data, offsets, _room(len(data) // 2 + len(offsets)), tables().classes))

    @cached_property
    def tokens(self) -> Spans:
        """Words with punctuation marks apart: see `signals.tokens`."""
        from gristmill.signals.kernels.tokens import token_spans
        from gristmill.signals.tokens import token_tables

        data, offsets = self.bytes
        return Spans(data, *token_spans(data, offsets, _room(len(data)), *token_tables()))

    @cached_property
    def token_counts(self) -> npt.NDArray[np.int64]:
        """Tokens per text; where nobody has asked for the tokens themselves they are only counted."""
        if "tokens" in self.__dict__:
            return self.tokens.counts
        from gristmill.signals.kernels.tokens import token_counts
        from gristmill.signals.tokens import token_tables

        return token_counts(*self.bytes, *token_tables())  # type: ignore[no-any-return]

    @cached_property
    def treebank(self) -> Spans:
        """Words as NLTK cuts them: see `signals.treebank`."""
        from gristmill.signals.kernels.treebank import treebank_spans
        from gristmill.signals.treebank import treebank_tables

        data, offsets = self.bytes
        return Spans(data, *treebank_spans(data, offsets, _room(len(data)), *treebank_tables()))

    @cached_property
    def lines(self) -> Spans:
        """Lines as `str.splitlines` cuts them, without the white space around each. Blank ones are kept between others."""
        from gristmill.signals.kernels.fineweb import line_spans

        data, offsets = self.bytes
        return Spans(data, *line_spans(data, offsets, characters.flags()))

    @cached_property
    def line_table(self) -> Lines:
        """Every line and what the rules about lines ask of it."""
        from gristmill.signals.lines import lines_of

        return lines_of(*self.bytes)

    @cached_property
    def line_sentences(self) -> npt.NDArray[np.int64]:
        """Sentences of each line of `line_table`; at least one, 0 for blank lines."""
        from gristmill.signals.kernels.sentences import sentence_counts

        return sentence_counts(self.bytes.data, self.line_table.spans, characters.flags())  # type: ignore[no-any-return]


def _room(most: int) -> tuple[npt.NDArray[Any], ...]:
    """Where a kernel writes `most` pieces. What is not written to costs no memory; NumPy's arrays, unlike Numba's, lie in huge
    pages where the system has them, which are had in a fifth of the time."""
    return np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int32), np.empty(most, np.uint64)


def chunks(frame: pl.DataFrame, size: int = CHUNK_BYTES) -> Iterator[Chunk]:
    """The documents in chunks of about `size` bytes of text (one text is never cut), in order; one empty chunk if there are none."""
    if frame.is_empty():
        yield Chunk(frame)
        return
    ends = frame["text"].str.len_bytes().cast(pl.Int64).cum_sum().to_numpy()
    start = 0
    while start < frame.height:
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + size, side="right")))
        yield Chunk(frame.slice(start, stop - start))
        start = stop


def given(pieces: Sequence[Sequence[str]]) -> Spans:
    """Pieces that somebody else cut, text by text, as Spans with bytes of their own."""
    from gristmill.signals.kernels.words import keys_of

    flat = pl.Series([piece for text in pieces for piece in text], dtype=pl.String)
    data, offsets = column(flat)
    chars = flat.str.len_chars().cast(pl.Int32).to_numpy()
    bounds = np.concatenate([[0], np.cumsum([len(text) for text in pieces])]).astype(np.int64)
    return Spans(data, offsets[:-1], offsets[1:], chars, keys_of(data, offsets), bounds)
