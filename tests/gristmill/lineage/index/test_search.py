import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.lineage.index import search

TEXTS = {
    "a" * 32: "The old wheel turns slowly.\nThe miller — a quiet man — counts “his” sacks; naïve cafés stay open.",
    "b" * 32: "Sacks his counts. The wheel old turns.",
    "c" * 32: "水車は古い橋の下でゆっくりと回り、粉屋は袋を数えている。",
    "d" * 32: "",
}


@pytest.fixture(scope="module")
def indexed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    search.write_search_index(pl.DataFrame({"doc_id": list(TEXTS), "text": list(TEXTS.values())}), folder)
    return str(folder)


@pytest.mark.parametrize(
    ("phrase", "holders"),
    [
        ("old wheel turns", "a"),
        ("THE OLD   WHEEL", "a"),
        ('counts "his" sacks', "a"),
        ("naive cafes stay", "a"),
        ("the miller - a quiet man", "a"),
        ("ゆっくりと回り", "c"),
        ("wheel old", "b"),
        ("nowhere", ""),
    ],
)
def test_a_phrase_finds_its_documents(indexed, phrase, holders):
    found = search.candidates(indexed, None, phrase, 10)
    assert [doc_id for doc_id in found if search.places(TEXTS[doc_id], phrase)] == [each * 32 for each in holders]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_every_run_of_whole_words_is_found(indexed, data):
    doc_id = data.draw(st.sampled_from(["a" * 32, "b" * 32]))
    words = TEXTS[doc_id].split()
    start = data.draw(st.integers(0, len(words) - 1))
    phrase = " ".join(words[start : data.draw(st.integers(start + 1, len(words)))])
    if any(each.isalnum() for each in phrase):
        assert doc_id in search.candidates(indexed, None, phrase, 10)
        assert search.places(TEXTS[doc_id], phrase)


def test_places_are_characters_of_the_text_as_it_is():
    text = "Ein Stra\N{SOFT HYPHEN}ßen  ﬁlm, cafe\N{COMBINING ACUTE ACCENT}!"
    (place,) = search.places(text, "strassen FILM, café")
    assert text[slice(*place)].startswith("Stra") and text[slice(*place)].endswith(("e", "\N{COMBINING ACUTE ACCENT}"))
    assert search.places("abc", "  ") == [] and search.places("a-b", "a") == [(0, 1)]


def test_an_empty_shard_has_an_index_that_finds_nothing(tmp_path):
    search.write_search_index(pl.DataFrame(schema={"doc_id": pl.String, "text": pl.String}), tmp_path)
    assert search.candidates(str(tmp_path), None, "wheel", 5) == []
