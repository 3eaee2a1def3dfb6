"""Contamination against a plain reading of the definition, word by word."""

import random
import unicodedata

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gristmill.dedup.contamination import MAX_TEXTS, MOST_NGRAMS, SHORTEST, References, contamination, reference_ngrams
from gristmill.errors import ContractError
from gristmill.lake.contracts import conform

# `fi` ligature, dotted I, combining accents, full-width digit, soft hyphen, Han, Thai with a vowel sign, Devanagari
LETTERS = "ab1" * 6 + "Aé2" * 2 + "e\u0301\ufb01\u0130ß\uff11\u00ad字กิदि"
SEPARATORS = [" ", " ", " ", "\n\n", ", ", "-", " «", "\u200b ", "_", "…", "'", "\x00"]
UNSPACED = "字ก"


def words_of(text: str) -> list[tuple[str, int, int]]:
    """word, first character, character after."""
    found, word, start, alone = [], "", 0, False
    for at, char in enumerate([*text, " "]):
        category = unicodedata.category(char)
        if category[0] == "M" or (category == "Cf" and char != "\u200b"):
            continue
        if word and (alone or category[0] not in "LN" or char in UNSPACED):
            found.append((word, start, at))
            word = ""
        if category[0] in "LN":
            if not word:
                start, alone = at, char in UNSPACED
            base = [c for c in unicodedata.normalize("NFKD", char).lower() if unicodedata.category(c)[0] != "M"]
            word += base[0] if len(base) == 1 else char.lower() if len(char.lower()) == 1 else char
    return found


def grams(text: str, n: int) -> list[tuple[tuple[str, ...], int, int]]:
    words = words_of(text)
    return [(tuple(w for w, _, _ in words[i : i + n]), words[i][1], words[i + n - 1][2]) for i in range(len(words) - n + 1)]


def naive(texts: dict[str, str], items: dict[str, str], n: int) -> set[tuple]:
    """doc_id, item, ngrams, overlap and the first hit."""
    size = {name: n if len(words_of(text)) >= n else len(words_of(text)) for name, text in items.items()}
    held = {
        name: {gram for gram, _, _ in grams(text, size[name])} if size[name] >= min(n, SHORTEST) else set() for name, text in items.items()
    }
    by_text = {}
    for keys in {frozenset(keys) for keys in held.values()}:
        for key in keys:
            by_text[key] = by_text.get(key, 0) + 1
    held = {name: {key for key in keys if by_text[key] <= MAX_TEXTS} for name, keys in held.items()}
    rows = set()
    for doc_id, text in texts.items():
        for name, keys in held.items():
            hit = [each for each in grams(text, size[name]) if each[0] in keys] if keys else []
            if hit and name != f"held_out/{doc_id}":
                shared = len({each[0] for each in hit})
                rows.add((doc_id, name, shared, round(shared / len(keys), 6), hit[0][1], hit[0][2]))
    return rows


def frame(name: str, texts: dict[str, str]) -> pl.DataFrame:
    return pl.DataFrame({name: list(texts), "text": list(texts.values())}, schema={name: pl.String, "text": pl.String})


def found(texts: dict[str, str], items: dict[str, str], n: int) -> set[tuple]:
    table = conform("reference_ngrams", reference_ngrams([frame("item", items)], n).ngrams)
    return set(conform("contamination", contamination(frame("doc_id", texts), References.load(table.lazy(), n))).iter_rows())


word = st.text(st.sampled_from(LETTERS), min_size=1, max_size=2)
sentence = st.lists(st.tuples(word, st.sampled_from(SEPARATORS)), max_size=40).map(lambda parts: "".join(w + s for w, s in parts))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), n=st.integers(3, 10))
def test_as_the_definition_says(data, n):
    items = {f"{kind}/{i}": data.draw(sentence) for i, kind in enumerate(["held_out", "exam", "exam", "quiz"])}
    texts = {}
    for i in range(4):
        pieces = data.draw(st.lists(st.one_of(sentence, st.sampled_from(sorted(items.values()))), max_size=3))
        texts[str(i)] = " ".join(pieces).upper() if data.draw(st.booleans()) else " ".join(pieces)
    assert found(texts, items, n) == naive(texts, items, n)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.sampled_from([3, 8, 9, 13]))
@example(seed=1, n=13)
def test_of_few_words_and_much_boilerplate(seed, n):
    draw = random.Random(seed)
    phrases = [" ".join(draw.choices("abcdefgh", k=draw.randint(2, n + 2))) for _ in range(6)]
    items = {f"exam/{i}": " ".join(draw.choices(phrases, k=draw.randint(0, 4))) for i in range(40)}
    texts = {f"{i}": ". ".join(draw.choices(phrases, k=draw.randint(0, 8))) for i in range(20)}
    assert found(texts, items, n) == naive(texts, items, n)


def exam(n_words: int, seed: int = 1) -> str:
    draw = random.Random(seed)
    return " ".join("".join(draw.choices("abcdefghijkl", k=6)) for _ in range(n_words))


def test_a_document_that_quotes_a_question_names_it():
    question, other = exam(40), exam(40, 2)
    words = question.split()
    quoted = f"My homework:\n\n> {' '.join(words[:30]).title()}!\n\n{other[:50]}"
    (row,) = found({"d": quoted}, {"arc/7": question, "arc/8": exam(30, 3)}, 13)
    assert row[:4] == ("d", "arc/7", 18, round(18 / 28, 6))
    assert quoted[row[4] : row[5]] == " ".join(words[:13]).title()


def test_neither_order_nor_company_matters():
    items = {f"exam/{i}": exam(20 + i, i) for i in range(30)} | {"exam/short": exam(9, 99), "exam/none": exam(7, 98)}
    texts = {f"{i}": f"{exam(15, 1000 + i)} {exam(20 + i, i)}" for i in range(30)} | {"short": f"see: {exam(9, 99)}"}
    frames = frame("item", items)
    whole = reference_ngrams([frames], 13)
    parts = reference_ngrams([frames[17:].reverse(), frames[:0], frames[:17]], 13)
    assert whole.ngrams.equals(parts.ngrams) and whole.items.equals(parts.items)
    references = References.load(whole.ngrams.lazy(), 13)
    documents = frame("doc_id", texts)
    together = contamination(documents, references)
    alone = pl.concat([contamination(documents[i : i + 1], references) for i in range(documents.height)])
    assert together.equals(alone.sort("doc_id", "item")) and together.height == 31


def test_boilerplate_contaminates_nothing_but_copies_of_an_item_do():
    licence = exam(60)
    items = {f"exam/{i}": f"{licence} {exam(20, i)}" for i in range(2, 2 + MAX_TEXTS + 1)}
    made = reference_ngrams([frame("item", items)], 13)
    assert made.items["distinctive"].to_list() == [20] * len(items)  # n-grams that reach into the item's own words
    assert found({"d": licence}, items, 13) == set()
    copies = {f"exam/{i}": licence for i in range(MAX_TEXTS * 3)}
    assert {row[3] for row in found({"d": licence}, copies, 13)} == {1.0}


def test_items_too_short_are_reported():
    made = reference_ngrams([frame("item", {"exam/none": exam(7), "exam/one": exam(8), "exam/empty": ""})], 13)
    assert made.items.rows() == [("exam/empty", 0, 0, 0), ("exam/none", 7, 0, 0), ("exam/one", 8, 1, 1)]
    assert reference_ngrams([], 13).ngrams.is_empty()
    assert contamination(frame("doc_id", {"d": exam(20)}), References.load(made.ngrams.clear().lazy(), 13)).is_empty()


def test_a_long_item_is_sampled_and_its_share_estimated():
    book = exam(6000)
    made = reference_ngrams([frame("item", {"held_out/book": book})], 13)
    assert made.items.row(0)[2:] == (6000 - 12, MOST_NGRAMS) and made.ngrams.height == MOST_NGRAMS
    half = " ".join(book.split()[:3000])
    (row,) = contamination(frame("doc_id", {"d": half, "book": book}), References.load(made.ngrams.lazy(), 13)).iter_rows()
    assert row[0] == "d" and abs(row[3] - 0.5) < 0.1


def test_two_items_of_one_name_are_refused():
    with pytest.raises(ContractError, match="two items are called 'exam/1'"):
        reference_ngrams([frame("item", {"exam/1": exam(20)}), frame("item", {"exam/1": exam(20, 2)})], 13)
