"""What `make conformance` records can be read back, and its texts are the same on every machine."""

from pathlib import Path

import pytest

from conformance import golden
from conformance.texts import KINDS, adversarial


def test_adversarial_texts_come_from_the_seed_alone() -> None:
    texts = adversarial()
    assert texts == adversarial()
    assert adversarial(1) != texts
    names = [name for name, _ in texts]
    assert len(set(names)) == len(names) > 1_500
    assert {name.split("/")[0] for name in names} == set(KINDS)


def test_decisions_are_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'One "two" three don\'t [1]\nshort\n  four five six. [12] \n{}\nseven eight\x1cnine ten'
    monkeypatch.setattr(golden, "texts", lambda: {"a": text, "b": "other"})
    decided = {
        "words": ["One", "``", "two", "''", "three", "do", "n't", "[", "1", "]", "short", "four", "whole"],
        "sentences": [1, 1, 2, 0, 1, 1],
        "clean": 'One "two" three don\'t \nfour five six.',
        "clean_words": ["One", "``", "two", "''", "three", "do", "n't", "four", "five", "six", "."],
        "filters": {"c4": None},
        "chain": None,
        "fineweb_after_c4": None,
    }
    dropped = {**decided, "words": ["other"], "sentences": [1], "clean": None, "clean_words": None, "chain": "too_short"}
    path = tmp_path / "golden.json.xz"
    golden.write(path, {"a": decided, "b": dropped})
    assert golden.read(path) == {"a": {"text": text, **decided}, "b": {"text": "other", **dropped}}
    monkeypatch.setattr(golden, "texts", lambda: {"a": text, "b": "another release's"})
    assert list(golden.read(path)) == ["a"]
