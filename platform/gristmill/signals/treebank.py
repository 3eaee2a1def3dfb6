"""Treebank tokens: words as NLTK's `word_tokenize` cuts them, which datatrove counted with up to 0.3 (and made FineWeb with).

Penn Treebank conventions (Marcus, Santorini and Marcinkiewicz 1993; NLTK's NLTKWordTokenizer): runs between white space
are cut

1. around `; @ # $ % & ? ! * < > ( ) [ ] { }`, around two full stops or more, two hyphens, and around every quotation
   mark but the straight apostrophe; a straight double quote is a token of two characters: a pair of grave accents where
   it opens, after a blank or a bracket, a pair of apostrophes elsewhere;
2. around commas and colons, unless a digit follows;
3. before contractions at the end of a run: n't, 's, 'm, 'd, 'll, 're, 've; before an apostrophe at its end, and after one
   that stands before a single character; inside cannot, gimme, gonna, gotta, lemme, wanna, more'n, d'ye, 'tis, 'twas;
4. around the full stop that ends a sentence, and no other ("e.g.", "3.14", "U.S. law").

A sentence ends at a full stop before white space, the text's end or a mark, except behind an abbreviation (ABBREVIATIONS:
newswire's) or an initial that is not followed by one of SENTENCE_STARTERS with a capital, and behind a number that is
followed by a small letter. NLTK asks its Punkt model, trained on newswire (Kiss and Strunk 2006), which knows the first
letters of 20,000 words; of 1.4 million tokens of manuals, plays and source code 99.9% come out alike.

Rule 3 looks at the white space behind a run as NLTK's rules do: only a blank or a sentence's end counts there ("it's"
before a newline inside a sentence stays whole).
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from gristmill.signals.segment import KNOWN, column

VERSION = f"1.{unicodedata.unidata_version}"

SPACE, WORD, DECIMAL, LOWER, UPPER, APART, ENDS = (1 << bit for bit in range(7))

ABBREVIATIONS = (
    "a.d a.m adm ala ariz aug ave bros calif co col colo conn corp cos d.c dec dr feb fla fri ft ga gen ill inc jan jr kan ky lt ltd maj "
    "messrs mich minn mr mrs ms n.c n.d n.h n.j n.m n.y nev nov oct okla ore p p.m pa ph.d prof r.i rep s.c sen sep sept sr st tenn tues "
    "u.k u.n u.s u.s.a v va vs vt wash wed wis"
)
SENTENCE_STARTERS = (
    "according although among both but despite even he however i if in indeed instead it many meanwhile moreover most nevertheless "
    "nonetheless nor separately similarly since so some the there these they this though thus under when while yet"
)
_APART = ";@#$%&?!*<>()[]{}«“‘„»”’"  # tokens of their own wherever they stand
_ENDS = "?!)\";}]*:@'({["  # behind a full stop, these let a sentence end as white space does


class TreebankTables(NamedTuple):
    """`flags` per code point below KNOWN; the keys of the lower-case ABBREVIATIONS and SENTENCE_STARTERS, sorted."""

    flags: npt.NDArray[np.uint8]
    abbreviations: npt.NDArray[np.uint64]
    starters: npt.NDArray[np.uint64]


@cache
def treebank_tables() -> TreebankTables:
    from gristmill.signals.kernels.words import point_keys

    flags = np.zeros(KNOWN, np.uint8)
    for point in range(KNOWN):
        char = chr(point)
        flags[point] = (
            SPACE * char.isspace()
            | WORD * (char.isalnum() or char == "_")
            | DECIMAL * char.isdecimal()
            | LOWER * char.islower()
            | UPPER * char.isupper()
        )
    for chars, flag in ((_APART, APART), (_ENDS, ENDS)):
        flags[[ord(char) for char in chars]] |= flag
    lists = (np.sort(point_keys(*column(pl.Series(words.split())))) for words in (ABBREVIATIONS, SENTENCE_STARTERS))
    return TreebankTables(flags, *lists)
