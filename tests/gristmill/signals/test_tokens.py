"""Tokens: what spaCy 3.8's blank English tokenizer cuts, written down; and what holds of any text."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals.chunk import Chunk, Spans
from gristmill.signals.chunk import given as pieces

SPACY = """
    The end|.  -|>  (|see below|)|,  okay|?|!  “|Quoted,”said‘she|’|.  well|-|known  word|:x  x:1
    do|n't  Do|n’t  can|not  ca|n't  I|'m  it|'s  its  they|'ll|'ve  he|'d  dog|'s  dogs|'  'cause  y'|all  o'clock  wo|nt  ill
    we|'re  were
    Mr.  e.g.  i.e.  U.S.  Ph.D.  Inc.  a.m.  10|a.m.  10|am  etc|.  USA|.  A.  a.  Fig.3  No.1
    3.14  1,000  1,000.5  10|km  10|km|.  5|%  $|5  US$|20  £|7.50  20|€  C++  3|+  +3  +|x  C|#  2|-|3  2|+|2  2020|-|11|-|21  4x4  1/2
    and/or  either|/|or  w/o  a|=|b  a|,|b  1,a  self|-|made  x|--|y  x|—|y  mid-  -dash  --flag  snake_case  a_b|_  _|a
    lower|.|Upper  Upper.lower
    http://a.org/x?y=1#z  https://a.org  a.org  (|a.org|)  me@a.org  mailto:me@a.org  www.example.com/path|,|.  a.org:8080/x  //a.org
    wait|...|what  ...  ..|x  x|…|y  …|…  end|..|"  :)  ):  f(x|):  f():x  8)  :-(  <|br|>  *|bold|*  #|tag  @user  a@b  50/50
    §|3  ©|2020
    ☃|snow  snow|☃|man  naïve  Straße|.  ДОМ|.  дом|.  漢字  漢字|。  नमस्ते|।  한국어|,  café|'s
"""  # fmt: skip


def tokens(*texts: str) -> list[list[str]]:
    spans = Chunk(pl.DataFrame({"text": texts}, schema={"text": pl.String})).tokens
    cut = [spans.data[a:b].tobytes().decode() for a, b in zip(spans.starts, spans.ends, strict=True)]
    return [cut[a:b] for a, b in zip(spans.bounds, spans.bounds[1:], strict=False)]


@pytest.mark.parametrize("cut", SPACY.split())
def test_cuts(cut: str) -> None:
    assert tokens(cut.replace("|", "")) == [cut.split("|")]


@pytest.mark.parametrize(
    "run, cut",
    [
        ("|", ["|"]),
        ("a|b", ["a|b"]),
        ("127.0.0.1/a", ["127.0.0.1", "/", "a"]),  # no address: it is private
        ("8.8.8.8/a", ["8.8.8.8/a"]),
        ("a.org/'s", ["a.org/", "'s"]),
        ("°C.", ["°", "C", "."]),
        ("can't've", ["ca", "n't", "'ve"]),
        ("\u200b", ["\u200b"]),
        ("a\x00b\x00", ["a\x00b\x00"]),
    ],
)
def test_further_cuts(run: str, cut: list[str]) -> None:
    assert tokens(run) == [cut]


def test_white_space_is_pythons_and_makes_no_token() -> None:
    assert tokens("", " \n\t\x1c\x85\u2003\u3000", "a\xa0b\u2028c \r\n d") == [[], [], ["a", "b", "c", "d"]]


ALPHABET = "aZ1é漢☃.,-'’\"()…:/@#&$€%+*^=~_ \n\tsStTnN\u0301"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.text(ALPHABET, max_size=40), st.text(max_size=20)), max_size=4))
def test_tokens_are_all_that_is_no_white_space_in_order(texts: list[str]) -> None:
    for text, cut in zip(texts, tokens(*texts), strict=True):
        assert "".join(cut) == "".join(text.split())
        assert all(token and not any(char.isspace() for char in token) for token in cut)


@settings(max_examples=200, deadline=None)
@given(st.text(ALPHABET, max_size=40), st.text(ALPHABET, max_size=40))
def test_what_stands_beside_changes_nothing(one: str, other: str) -> None:
    alone = tokens(one)[0] + tokens(other)[0]
    assert tokens(f"{one} {other}") == [alone]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(ALPHABET, max_size=40), max_size=4))
def test_spans_are_those_of_the_pieces_given(texts: list[str]) -> None:
    ours: Spans = Chunk(pl.DataFrame({"text": texts}, schema={"text": pl.String})).tokens
    theirs = pieces(tokens(*texts))
    assert ours.chars.tolist() == theirs.chars.tolist()
    assert ours.keys.tolist() == theirs.keys.tolist()
    assert ours.bounds.tolist() == theirs.bounds.tolist()


@pytest.mark.parametrize(
    "unit", ["a", ".", "!", "…", "a.", ".a", "a@", "a@a.", "'", "-", "a-", "1+", "):", "e.g.", "☃", "漢", "1km", "://", "a/b."]
)
def test_a_long_run_is_cut_in_linear_time(unit: str) -> None:
    text = unit * (400_000 // len(unit))
    assert "".join(tokens(text)[0]) == text
