import socket

import pytest

from gristmill.crawl.language import identify

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
    from gristmill.crawl import language

    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setenv("FTLANG_CACHE", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    language._detector.cache_clear()
    assert identify(TEXTS["fr"])[0] == "fr"
    assert list(tmp_path.iterdir()) == []
