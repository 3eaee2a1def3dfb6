"""Treebank tokens: by hand, after NLTK's conventions, and what holds of any text."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals.chunk import Chunk
from gristmill.signals.chunk import given as pieces
from gristmill.signals.treebank import ABBREVIATIONS, SENTENCE_STARTERS, treebank_tables

OPEN, CLOSE = pieces([["``", "''"]]).keys


def tokens(text: str) -> list[str]:
    spans = Chunk(pl.DataFrame({"text": [text]})).treebank
    written = []
    for start, end, chars, key in zip(spans.starts, spans.ends, spans.chars, spans.keys, strict=True):
        token = spans.data[start:end].tobytes().decode()
        token = {int(OPEN): "``", int(CLOSE): "''"}.get(int(key), token) if token == '"' else token
        assert len(token) == chars
        assert pieces([[token]]).keys[0] == key
        written.append(token)
    return written


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", ""), (" \n\t", ""), ("Hello world.", "Hello world ."), ("One. Two", "One . Two"), ("e.g. this is", "e.g . this is"),
        ("the U.S. law of Mr. Smith", "the U.S. law of Mr. Smith"), ("the U.S. However, no", "the U.S . However , no"),
        ("J. Smith met I. Newton", "J. Smith met I. Newton"), ("point 3. next", "point 3. next"), ("point 3. Next", "point 3 . Next"),
        ("in 3.14 of 1,000,000 at 12:30", "in 3.14 of 1,000,000 at 12:30"), ("a,b c: d,", "a , b c : d ,"),
        ("What?! (No; really) [1] 5% #x $9 a@b", "What ? ! ( No ; really ) [ 1 ] 5 % # x $ 9 a @ b"),
        ("wait... what.. a ....", "wait ... what .. a ...."), ("a--b ---", "a -- b -- -"),
        ("well-known and/or x_y", "well-known and/or x_y"),
        ('"Yes," he "said"', "`` Yes , '' he `` said ''"), ('say ("it")', "say ( `` it '' )"), ("``it''", "`` it ''"), ("“it”", "“ it ”"),
        ("don't can't it's I'm we'd they'll you've John's", "do n't ca n't it 's I 'm we 'd they 'll you 've John 's"),
        ("DON'T We'LL You'Ll", "DO N'T We 'LL You'Ll"), ("dogs' bones", "dogs ' bones"),
        ("it's\nfine", "it's fine"), ("'a' cannot", "' a ' can not"),
        ("gonna Gotta wanna more'n d'ye 'tis", "gon na Got ta wan na more 'n d 'ye 't is"), ("gonnas scannot", "gonnas scannot"),
        ("f(x).y", "f ( x ) .y"), ("(So it ends.)", "( So it ends . )"), ("So (it goes.) And", "So ( it goes . ) And"),
        ("नमस्ते दुनिया। 你好，世界。", "नमस्ते दुनिया। 你好，世界。"), ("a\u00a0b\u2028c", "a b c"),
    ],
)  # fmt: skip
def test_tokens(text: str, expected: str) -> None:
    assert tokens(text) == expected.split()


def test_tables() -> None:
    tables = treebank_tables()
    assert len(set(tables.abbreviations.tolist())) == len(ABBREVIATIONS.split())
    assert len(set(tables.starters.tolist())) == len(SENTENCE_STARTERS.split())


PIECES = st.sampled_from(
    ["'", '"', "`", "``", "''", ".", "..", ",", ":", "-", "--", "(", ")", "!", "?", "*", "“", "”", "’", " ", "\n", "\u00a0", "a", "I",
     "can", "not", "n't", "'s",
     "Mr", "U.S",
     "The", "3", "é", "漢", "\u0301", "\x00", "gonna", "'tis"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=25).map("".join)), max_size=4))
def test_tokens_are_the_text_without_its_white_space(texts: list[str]) -> None:
    spans = Chunk(pl.DataFrame({"text": texts}, schema={"text": pl.String})).treebank
    for i, text in enumerate(texts):
        found = [spans.data[spans.starts[j] : spans.ends[j]].tobytes().decode() for j in range(spans.bounds[i], spans.bounds[i + 1])]
        assert "".join(found) == "".join(text.split())
        assert all(found) and not any(char.isspace() for token in found for char in token)
    alone = [Chunk(pl.DataFrame({"text": [text]})).treebank.keys.tolist() for text in texts]
    assert spans.keys.tolist() == [key for keys in alone for key in keys]


def test_a_run_of_any_length() -> None:
    assert len(tokens("x" * 100_000)) == 1
    assert len(tokens("." * 100_001)) == 1
    assert len(tokens("(" * 50_000)) == 50_000
    assert tokens("a'" * 3 + "s") == ["a", "'", "a", "'", "a", "'s"]


def test_looking_ahead_is_bounded() -> None:
    """Every abbreviation of a run asks for the word behind it, however far that is."""
    assert len(tokens("mr.(" * 50_000 + " " * 1_000_000 + "Smith")) == 100_001
