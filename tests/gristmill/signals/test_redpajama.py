"""RedPajama's natural-language signals: golden values, a plain reference, and what any text must have."""

import math
import unicodedata
from collections import Counter
from statistics import median

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals.compute import compute_families
from gristmill.signals.redpajama import LONGEST
from gristmill.signals.registry import FAMILIES
from gristmill.signals.stop_words import STOP_WORDS

NAMES = list(FAMILIES["redpajama"])


def rows(*texts: str, language: str | None = "en") -> list[list[float]]:
    columns = {"doc_id": [str(n) for n in range(len(texts))], "text": list(texts)}
    frame = pl.DataFrame(columns, schema={"doc_id": pl.String, "text": pl.String})
    if language:
        frame = frame.with_columns(language=pl.lit(language))
    return [list(row) for row in compute_families(["redpajama"], frame)["redpajama"].drop("doc_id").rows()]


LN2 = round(math.log(2), 6)

GOLDEN = {
    # entropy, unique words, stop words, capitals, digits, symbols, mean and median length
    "": [0, 0, 0, 0, 0, 0, 0, 0],
    " -- !? ": [0, 0, 0, 0, 0, 1, 0, 0],
    "Hello": [0, 1, 0, 0, 0, 0, 5, 5],
    "the mill, The mill!": [LN2, 0.5, 0.5, 0, 0, round(2 / 16, 6), 3.5, 3.5],
    "NASA said I am X11.": [round(math.log(5), 6), 1, 0.4, 0.6, round(2 / 15, 6), round(1 / 15, 6), 2.8, 3],
    "Don't - 2nd": [LN2, 1, 0.5, 0, round(1 / 9, 6), round(2 / 9, 6), 3.5, 3.5],
    "你好你": [round(math.log(3) - 2 / 3 * math.log(2), 6), round(2 / 3, 6), 0, 0, 0, 0, 1, 1],
    "co\u00adop coop": [0, 0.5, 0, 0, 0, 0, 4, 4],                           # a soft hyphen is no character
    "1 ½ Ⅷ x²": [round(math.log(4), 6), 1, 0, 0, 0.8, 0, 1.25, 1],           # numerals; Ⅷ is no cased letter in `isupper` of X
    "ÉTÉ été": [0, 0.5, 0, 0.5, 0, 0, 3, 3],
}  # fmt: skip


@pytest.mark.parametrize("text", GOLDEN, ids=ascii)
def test_golden(text: str) -> None:
    expected = list(GOLDEN[text])
    if "Ⅷ" in text:
        expected[3] = 0.25 if "Ⅷ".isupper() else 0
    assert rows(text) == [expected]


def test_stop_words_are_those_of_the_language() -> None:
    share = NAMES.index("stop_word_share")
    text = "der Müller und die Mühle"
    assert rows(text, language="de")[0][share] == 0.6
    assert rows(text, language="en")[0][share] == 0 == rows(text, language="cs")[0][share]  # `die` is a verb in English
    assert rows("the mill", language="cs") == rows("the mill", language=None) == rows("the mill")
    assert rows("le moulin d'une ville", language="fr")[0][share] == 0.5
    assert rows("Più che il mulino, él", language="it")[0][share] == 0.6
    assert rows("El molino también", language="es")[0][share] == round(2 / 3, 6)


@pytest.mark.parametrize("language", STOP_WORDS)
def test_lists_hold_plain_forms(language: str) -> None:
    assert all(word == unicodedata.normalize("NFC", word.lower()) and word.isalpha() for word in STOP_WORDS[language])


SPACED = st.text(st.sampled_from("theTHEañX.,-'#1² \n\t\u00ad\u0301"), max_size=60)


def reference(text: str) -> list[float]:
    text = text.replace("\u00ad", "")
    words = text.split()
    plain = ["".join(c for c in word.lower() if unicodedata.category(c)[0] in "LNM") for word in words]
    plain = [word for word in plain if word]
    n, chars = max(len(plain), 1), [c for word in words for c in word]
    counts = Counter(plain)
    return [
        round(sum(-c / n * math.log(c / n) for c in counts.values()), 6) + 0.0,
        round(len(counts) / n, 6),
        round(sum(word in STOP_WORDS["en"] for word in plain) / n, 6),
        round(sum(word.isupper() for word in words) / max(len(words), 1), 6),
        round(sum(unicodedata.category(c)[0] == "N" for c in chars) / max(len(chars), 1), 6),
        round(sum(unicodedata.category(c)[0] not in "LNM" for c in chars) / max(len(chars), 1), 6),
        round(sum(map(len, plain)) / n, 6),
        float(median(map(len, plain))) if plain else 0.0,
    ]


@settings(max_examples=300, deadline=None)
@given(SPACED)
def test_as_a_plain_reference_says(text: str) -> None:
    assert rows(text)[0] == pytest.approx(reference(text), abs=1.1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=5))
def test_bounds_and_one_by_one_as_together(texts: list[str]) -> None:
    together = rows(*texts)
    assert together == [rows(text)[0] for text in texts]
    for row in together:
        assert all(math.isfinite(value) and value >= 0 for value in row)
        assert all(row[NAMES.index(name)] <= 1 for name in NAMES if name.endswith("share"))


def test_many_words() -> None:
    same, other, long = rows("a " * 500_000, " ".join(f"w{n}" for n in range(100_000)), "x" * 2_000_000)
    assert same[0] == 0 and same[1] == 0.000002 and same[7] == 1
    assert other[0] == round(math.log(100_000), 6) and other[1] == 1
    assert long[6] == 2_000_000 and long[7] == LONGEST
