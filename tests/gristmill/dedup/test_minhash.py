"""Signatures: golden vectors, normalisation, and the promise of banding against theory."""

import hashlib
import random

import numpy as np
import polars as pl
import pytest

from gristmill.dedup import minhash
from gristmill.recipe import MinHash


def sign(*texts: str, settings: MinHash | None = None) -> pl.DataFrame:
    frame = pl.DataFrame(
        {
            "doc_id": [f"d{i}" for i in range(len(texts))],
            "text": list(texts),
            "text_hash": [hashlib.blake2b(t.encode(), digest_size=16).hexdigest() for t in texts],
        },
        schema=pl.Schema({"doc_id": pl.String, "text": pl.String, "text_hash": pl.String}),
    )
    return minhash.sign(frame, settings or MinHash())


def reference_mix(x: int) -> int:
    mask = 2**64 - 1
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & mask
    x = (x ^ x >> 27) * 0x94D049BB133111EB & mask
    return x ^ x >> 31


def reference_shingles(words: list[str], n: int) -> list[int]:
    """The module docstring's definition, in plain Python."""
    mask, hashes = 2**64 - 1, []
    for word in words:
        h = 0xCBF29CE484222325
        for byte in word.encode():
            h = (h ^ byte) * 0x100000001B3 & mask
        hashes.append(reference_mix(h))
    found = set()
    for start in range(len(words) - n + 1):
        h = 0x9E3779B97F4A7C15
        for w in hashes[start : start + n]:
            h = reference_mix(h ^ w)
        found.add(h)
    return sorted(found)


def reference_bands(shingles: list[int], settings: MinHash) -> list[int]:
    a, b = minhash.permutations(settings)
    least = [min((x * int(m) + int(k)) % 2**64 for x in shingles) for m, k in zip(a, b, strict=True)]
    keys = []
    for band in range(settings.bands):
        key = band
        for row in range(settings.rows):
            key = reference_mix(key ^ least[band * settings.rows + row])
        keys.append(key)
    return keys


def test_equals_the_definition_in_plain_python() -> None:
    settings = MinHash(bands=3, rows=2, seed=7)
    row = sign("The quick brown fox jumps over the lazy dog. The quick brown fox jumps!", settings=settings).row(0, named=True)
    once = ["the", "quick", "brown", "fox", "jumps"]
    shingles = reference_shingles([*once, "over", "the", "lazy", "dog", *once], 5)
    assert row["shingles"] == shingles and row["n_shingles"] == len(shingles)
    assert row["bands"] == reference_bands(shingles, settings)


GOLDEN_SHINGLES = [5934168353025238718, 7097558849920248870]
GOLDEN_BANDS = [4473935699020451345, 17030273902421769210]


def test_golden_vector() -> None:
    """Pinned: another value means other signatures for everything that was ever signed (raise VERSION)."""
    row = sign("To connect to a database, create an engine first.").row(0, named=True)
    assert row["shingles"][:2] == GOLDEN_SHINGLES
    assert row["bands"][:2] == GOLDEN_BANDS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, World! don't 3.14 snake_case", ["hello", "world", "don", "t", "3", "14", "snake_case"]),
        ("ﬁne Ｗｉｄｅ №5", ["fine", "wide", "no5"]),  # NFKC
        ("日本語 テスト a中b", ["日", "本", "語", "テ", "ス", "ト", "a", "中", "b"]),  # no spaces: each character
        ("Ελληνικά ΚΕΊΜΕΝΟ", ["ελληνικά", "κείμενο"]),
        ("**bold** | table |\n---", ["bold", "table"]),
        ("", []),
        ("…!?", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert minhash.words(pl.Series([text])).to_list() == [words]


def test_a_text_too_short_for_a_shingle_has_no_bands() -> None:
    frame = sign("one two three four", "", "one two three four five", "...")
    assert frame["n_shingles"].to_list() == [0, 0, 1, 0]
    assert [len(bands) for bands in frame["bands"]] == [0, 0, 14, 0]
    assert frame["shingles"].list.len().to_list() == [0, 0, 1, 0]


def test_no_documents() -> None:
    assert sign().schema == pl.Schema(minhash.SIGNATURES)


def test_company_and_order_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(1)
    texts = [" ".join(draw.choices("abcdefghij", k=draw.randrange(40))) for _ in range(60)]
    whole = sign(*texts)
    monkeypatch.setattr(minhash, "DOCUMENTS_AT_ONCE", 7)
    assert sign(*texts).equals(whole)
    alone = pl.concat([sign(text).with_columns(pl.lit(f"d{i}").alias("doc_id")) for i, text in enumerate(texts)])
    assert alone.equals(whole)


def test_layout_does_not_matter_and_numbers_do() -> None:
    a, b, c = (
        sign(t).row(0, named=True)["shingles"] for t in ("A table of 1 2 3 rows", "a  TABLE, of *1*\n2 3 (rows)", "a table of 1 2 4 rows")
    )
    assert a == b != c


@pytest.mark.parametrize("similarity", [0.6, 0.75, 0.9])
def test_shared_bands_follow_the_theory(similarity: float) -> None:
    """1 - (1 - s^8)^14 within four standard errors, over 400 pairs of known Jaccard similarity."""
    a, b = minhash.permutations(MinHash())
    draw, pairs, size = np.random.default_rng(5), 400, 200
    both = round(2 * size * similarity / (1 + similarity))
    sets = []
    for _ in range(pairs):
        values = draw.integers(0, 2**64, 2 * size - both, dtype=np.uint64)
        sets += [np.sort(values[:size]), np.sort(values[size - both :])]
    keys = minhash._bands(np.concatenate(sets), np.full(2 * pairs, size), a, b, 14, 8).reshape(pairs, 2, 14)
    found = (keys[:, 0] == keys[:, 1]).any(axis=1).mean()
    true = both / (2 * size - both)
    expected = 1 - (1 - true**8) ** 14
    assert abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / pairs) + 1e-9


def test_a_band_key_names_its_band() -> None:
    keys = sign("one two three four five six")["bands"].explode()
    assert keys.n_unique() == 14
