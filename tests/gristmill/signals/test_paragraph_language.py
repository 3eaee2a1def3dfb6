"""Language by paragraph: shares of what the identifier is sure of."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals import paragraph_language
from gristmill.signals.compute import compute_families

ENGLISH = (
    "The extraction of text from a page is the first step, and whatever is lost in it cannot be found again by any "
    "later one, however clever it is."
)
GERMAN = (
    "Die Gewinnung des Textes aus einer Seite ist der erste Schritt, und was dabei verloren geht, findet kein "
    "späterer wieder, so klug er auch sei."
)
SPANISH = (
    "La extracción del texto de una página es el primer paso, y lo que se pierde en él no lo encuentra ninguno de los que vienen después."
)


def values(text: str, language: str = "en") -> dict[str, float]:
    documents = pl.DataFrame({"doc_id": ["a"], "text": [text], "language": [language]})
    return compute_families(["paragraph_language"], documents)["paragraph_language"].drop("doc_id").row(0, named=True)


def share(text: str, language: str = "en") -> float:
    return values(text, language)["paragraph_language.other_language_share"]


def test_share_is_of_characters_of_judged_paragraphs() -> None:
    mixed = f"{ENGLISH}\n\n{GERMAN}\n \n{SPANISH}\n\nzu kurz"
    total = len(ENGLISH) + len(GERMAN) + len(SPANISH)
    assert share(mixed) == pytest.approx((len(GERMAN) + len(SPANISH)) / total, abs=1e-6)
    assert share(mixed, "de") == pytest.approx((len(ENGLISH) + len(SPANISH)) / total, abs=1e-6)
    assert values(mixed)["paragraph_language.languages"] == 3
    assert 0.5 < values(mixed)["paragraph_language.least_score"] <= 1


def test_lines_of_one_paragraph_are_judged_together() -> None:
    assert share(ENGLISH.replace(", ", ",\n")) == 0
    assert values(ENGLISH.replace(", ", ",\n"))["paragraph_language.languages"] == 1


@pytest.mark.parametrize("text", ["", "\0", "short", "1234567890 " * 40, "\n\n" * 1_000, "你好", "= " * 300])
def test_what_cannot_be_judged_has_defined_values(text: str) -> None:
    assert list(values(text).values()) == [0.0, 1.0, 0.0]


def test_source_code_is_not_judged() -> None:
    assert list(values(GERMAN, "code").values()) == [0.0, 1.0, 0.0]


def test_an_unsure_answer_is_no_other_language() -> None:
    names = "alpha_beta gamma_delta, " * 20
    found = values(names)
    assert found["paragraph_language.least_score"] < paragraph_language.SURE
    assert found["paragraph_language.other_language_share"] == 0
    assert found["paragraph_language.languages"] == 0


def test_a_long_document_is_sampled_evenly() -> None:
    half = "\n\n".join([ENGLISH] * 5_000 + [GERMAN] * 5_000)
    assert share(half) == pytest.approx(0.5, abs=0.05)
    assert paragraph_language._spread("\n\n".join(f"{n:03}" * 40 for n in range(100)))[-1] == "099" * 40


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([ENGLISH, GERMAN, SPANISH, "\n\n", "\n", " ", "你好", "\0", "a\u0301", "1 = 2;"]), max_size=12).map("".join)
)
def test_values_are_bounded_and_repeatable(text: str) -> None:
    found = list(values(text).values())
    assert found == list(values(text).values())
    assert 0 <= found[0] <= 1
    assert 0 <= found[1] <= 1
    assert 0 <= found[2] <= paragraph_language.PARAGRAPHS
