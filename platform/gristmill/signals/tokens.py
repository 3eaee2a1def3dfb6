"""Tokens: words with the punctuation marks apart, after spaCy's blank English tokenizer (version 3), which datatrove counts with.

A run between white space (Python's `str.isspace`) is cut like this:

1. A run that is in the list of exceptions is cut as the list says: contractions with and without their apostrophe
   (do|n't, can|not, I|'m, it|'s, they|'ll|'ve), clock times (10|a.m.); abbreviations (e.g., Mr., U.S. states, single
   letters) and emoticons stay whole.
2. One mark after the other is taken off both ends, until an exception is left or nothing more comes off. In front:
   quotes, brackets, `, : ; ! ? _ # * & < > § % =`, dashes, `+` before no digit, currency signs, runs of two full stops or
   more, symbols (Unicode's So: emoji, box drawing). Behind: the same quotes, brackets and marks, `'s`, a full stop after a
   small letter, a digit, a mark or two capitals, and after a digit `+`, `%`, currencies and units (10|km). A hyphen, a
   slash, an at sign, a backslash, a bar and a caret come off neither end.
3. What is left is one token if it is an address (`https://a.org/x?y`, `a.org`, `me@a.org`); otherwise it is cut around
   two full stops or more, symbols, `+ - * ^` between digits, a full stop between a small letter and a capital, and,
   beside letters, commas, hyphens, dashes, `~` and `: < > = /`. Numbers stay whole (1,000.5), and so do a/1 and x_y.
4. Neighbouring pieces that together make an exception are one token again: `):` in `f(x):`.

Where this parts from spaCy: letters are Unicode's letters and marks in every script, symbols Unicode's So (spaCy has lists
of Latin, Cyrillic, Greek and a dozen others, so that it leaves the full stop on a Georgian or Thai word); pieces are
joined again from the left, not the longest first; and datatrove takes "IS_ALPHA" out of a text, at which spaCy breaks.
Scripts without spaces are not cut further: spaCy's English tokenizer does not either. No token is empty or white space.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gristmill.signals.segment import KNOWN

VERSION = f"1.{unicodedata.unidata_version}"

SPACE, ALPHA, LOWER, UPPER, DIGIT, PREFIX, SUFFIX, QUOTE, BEFORE_STOP, ICON = (1 << bit for bit in range(10))
CUT_ONCE, CUT_TWICE, MERGED, UNIT = 1, 2, 4, 8  # what an entry of the list of exceptions is
LONGEST = 12  # code points of an exception


class TokenTables(NamedTuple):
    """`flags` per code point below KNOWN; an open-addressing table of exceptions and units by key.

    `kinds`: see the constants (0: one token). `cuts`: bytes up to the first cut, and to the second shifted by 8.
    `lengths`: which lengths (bits) the exceptions have whose ends are this pair, see `pair_of`.
    """

    flags: npt.NDArray[np.uint16]
    keys: npt.NDArray[np.uint64]
    kinds: npt.NDArray[np.uint8]
    cuts: npt.NDArray[np.uint16]
    lengths: npt.NDArray[np.int64]


_QUOTES = "'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉〈〉⟦⟧"
_MARKS = "…,:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪"
_CURRENCIES = "$£€¥฿₽﷼₴₠₡₢₣₤₥₦₧₨₩₪₫₭₮₯₰₱₲₳₵₶₷₸₹₺₻₼₾₿"
_UNITS = """
    km km² km³ m m² m³ dm dm² dm³ cm cm² cm³ mm mm² mm³ ha µm nm yd in ft kg g mg µg t lb oz m/s km/h kmh mph hPa Pa mbar mb MB kb KB gb GB
    tb TB T G M K % км км² км³ м м² м³ дм дм² дм³ см см² см³ мм мм² мм³ нм кг г мг м/с км/ч кПа Па мбар Кб КБ кб Мб МБ мб Гб ГБ гб Тб ТБ тб
    كم كم² كم³ م م² م³ سم سم² سم³ مم مم² مم³ غرام جرام جم كغ ملغ كوب US$ C$ A$
"""
_UNCUT = """
    and/or w/o 're 'd 's 'S ‘s ‘S 'cause 'cos 'coz 'cuz 'Cause 'Cos 'Coz 'Cuz 'bout em 'em ll 'll nuff 'nuff ma'am Ma'am o'clock O'clock
    Mt. Ak. Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun. Kan. Kans. Ky. La. Mar.
    Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla. Ore. Pa. S.C. Sep. Sept. Tenn. Va. Wash. Wis.
    a.m. p.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov. i.e. I.e. I.E. Inc. Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. Ms.
    Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s. C++ ' '' \\") \\t \\n <space> — ä. ö. ü.
"""
_EMOTICONS = """
    :) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-) (; (-; :( :-( :(( :-(( :((( :-((( ): )-:
    =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O :o :-o :0 :-0 :() >:o :* :-* :3 :-3 =3 :> :-> :X :-X :x :-x
    :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^ >.< >.> <.< ._. ;_; -_- -__- v.v V.V v_v V_V o_o o_O O_o O_O 0_o o_0 0_0 o.O O.o
    O.O o.o 0.0 o.0 0.o @_@ <3 <33 <333 </3 (^_^) (-_-) (._.) (>_<) (*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ (ಠ_ಠ) ¯\\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*>
"""
_WORDS_THEMSELVES = "ill its hell shell shed were well whore"  # words, and not he|ll without its apostrophe


_PAIRS = 1 << 11


def pair_of(first: int, last: int) -> int:
    """The place of two code points among _PAIRS. Few share one: a word in fourteen has the ends and the length of an exception."""
    return 296 * first + last & _PAIRS - 1


@cache
def token_tables() -> TokenTables:
    """Made once; the keys are those of `Spans.keys`."""
    flags = np.zeros(KNOWN, np.uint16)
    for point in range(KNOWN):
        if 0xD800 <= point < 0xE000:
            continue
        char, category = chr(point), unicodedata.category(chr(point))
        if char.isspace():
            flags[point] = SPACE
        elif category in ("Lu", "Lt"):
            flags[point] = ALPHA | UPPER
        elif category == "Ll":
            flags[point] = ALPHA | LOWER | BEFORE_STOP
        elif category[0] in "LM":
            flags[point] = ALPHA | LOWER | UPPER | BEFORE_STOP
        elif category == "So":
            flags[point] = ICON | PREFIX | SUFFIX
    for chars, flag in (
        (_QUOTES, QUOTE | PREFIX | SUFFIX | BEFORE_STOP),
        (_MARKS, PREFIX | SUFFIX | BEFORE_STOP),
        ("—–", PREFIX | SUFFIX),
        ("§%=" + _CURRENCIES, PREFIX),
        ("%²-+|", BEFORE_STOP),
        ("0123456789", DIGIT | BEFORE_STOP),
    ):
        for char in chars:
            flags[ord(char)] |= flag
    exceptions = dict(_exceptions())
    lengths = np.zeros(_PAIRS, np.int64)
    for run in exceptions:
        lengths[pair_of(ord(run[0]), ord(run[-1]))] |= 1 << len(run)
    return TokenTables(flags, *_table({**{unit: ((unit,), UNIT) for unit in (*_UNITS.split(), *_CURRENCIES)}, **exceptions}), lengths)


def _exceptions() -> Iterator[tuple[str, tuple[tuple[str, ...], int]]]:
    """Run -> the tokens it is cut into, and its kind."""
    for pieces in _contractions():
        for apostrophe in ("'", "’"):
            cut = tuple(piece.replace("'", apostrophe) for piece in pieces)
            run = "".join(cut)
            if run.lower() not in _WORDS_THEMSELVES.split():
                yield run, (cut, {1: 0, 2: CUT_ONCE, 3: CUT_TWICE}[len(cut)])
    for hour in range(1, 13):
        for period in ("a.m.", "am", "p.m.", "pm"):
            yield f"{hour}{period}", ((f"{hour}", period), CUT_ONCE)
    for letter in "cfkCFK":
        yield f"°{letter}.", (("°", letter, "."), CUT_TWICE)
    for run in (*_UNCUT.split(), *_EMOTICONS.split(), *(f"{letter}." for letter in "abcdefghijklmnopqrstuvwxyz")):
        for spelt in {run, run.replace("'", "’")}:
            yield spelt, ((spelt,), 0 if spelt.isalnum() else MERGED)


def _contractions() -> Iterator[tuple[str, ...]]:
    """Contractions in pieces, as written and with a capital; each also without apostrophes."""
    small: list[tuple[str, ...]] = [("i", "'m"), ("i", "'m", "a")]
    for pronoun in ("i", "you", "he", "she", "it", "we", "they"):
        small += [(pronoun, "'ll"), (pronoun, "'ll", "'ve"), (pronoun, "'d"), (pronoun, "'d", "'ve")]
        small += [(pronoun, "'ve")] * (pronoun in ("i", "you", "we", "they"))
        small += [(pronoun, "'re")] * (pronoun in ("you", "we", "they"))
        small += [(pronoun, "'s")] * (pronoun in ("he", "she", "it"))
    for word in ("who", "what", "when", "where", "why", "how", "there", "that", "this", "these", "those"):
        small += [(word, "'ll"), (word, "'ll", "'ve"), (word, "'d"), (word, "'d", "'ve")]
        small += [(word, "'s")] * (word not in ("these", "those"))
        small += [(word, "'re"), (word, "'ve")] * (word not in ("that", "this"))
    for verb in ("ca", "could", "do", "does", "did", "had", "may", "might", "must", "need", "ought", "sha", "should", "wo", "would"):
        small += [(verb, "n't"), (verb, "n't", "'ve")]
    for verb in ("could", "might", "must", "should", "would", "not"):
        small.append((verb, "'ve"))
    for verb in ("ai", "are", "is", "was", "were", "have", "has", "dare"):
        small.append((verb, "n't"))
    for pieces in small:
        for cut in (pieces, (pieces[0].title(), *pieces[1:])):
            yield cut
            bare = tuple(piece.replace("'", "") for piece in cut)
            yield bare
    for pieces in (("can", "not"), ("gon", "na"), ("got", "ta"), ("let", "'s"), ("c'm", "on")):
        yield pieces
        yield pieces[0].title().replace("'M", "'m"), pieces[1]
    yield from (("y'", "all"), ("y", "all"), ("how", "'d", "'y"), ("How", "'d", "'y"))
    for word in ("doin", "goin", "nothin", "nuthin", "ol", "somethin", "lovin", "havin"):
        yield from ((word,), (word.title(),), (word + "'",), (word.title() + "'",))


def _table(entries: dict[str, tuple[tuple[str, ...], int]]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint8], npt.NDArray[np.uint16]]:
    from gristmill.signals.chunk import given

    size = 1 << (4 * len(entries)).bit_length()
    keys, kinds, cuts = np.zeros(size, np.uint64), np.zeros(size, np.uint8), np.zeros(size, np.uint16)
    for key, (pieces, kind) in zip(given([list(entries)]).keys, entries.values(), strict=True):
        at = int(key) & size - 1
        while keys[at]:
            at = at + 1 & size - 1
        ends = np.cumsum([len(piece.encode()) for piece in pieces])
        keys[at], kinds[at] = key, kind
        cuts[at] = int(ends[0]) | (int(ends[1]) << 8 if len(pieces) == 3 else 0)
    return keys, kinds, cuts
