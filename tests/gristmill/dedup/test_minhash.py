"""Signatures: golden vectors, words by a plain reference, and the promise of banding against theory."""

import hashlib
import random
import unicodedata

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gristmill.dedup import minhash, words
from gristmill.dedup.minhash_kernels import bands_of, sorted_distinct
from gristmill.dedup.normal_kernels import all_word_keys
from gristmill.recipe.dedup import MinHash
from gristmill.signals import segment

U64, U32 = 2**64 - 1, 2**32 - 1
MIX, ODD = 0xBF58476D1CE4E5B9, 0x9E3779B97F4A7C15


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


def reference_kind(char: str) -> str:
    """word, mark, alone, skipped or other, from the interpreter's Unicode data and `segment`'s scripts."""
    if ord(char) >= segment.KNOWN:
        return "alone" if ord(char) < 0x40000 else "skipped"
    flags = int(segment.tables().classes[ord(char)])
    if flags & segment.UNSPACED:
        return "alone"
    category = unicodedata.category(char)
    if char == "_" or category[0] in "LN":
        return "word"
    if char in "\u200b\ufeff":
        return "other"
    return {"M": "mark"}.get(category[0], "skipped" if category == "Cf" else "other")


def reference_lower(char: str) -> str:
    return "σ" if char == "ς" else "i" if char == "İ" else char.lower()


def reference_words(text: str) -> list[str]:
    """The docstring of `dedup.words`, character by character."""
    found, word, alone = [], "", False
    for char in [*unicodedata.normalize("NFKC", text), " "]:
        kind = reference_kind(char)
        if kind == "skipped":
            continue
        if word and (kind in ("other", "alone") or (alone and kind == "word")):
            found.append(word)
            word = ""
        if kind != "other":
            alone = kind == "alone" if not word else alone
            word += reference_lower(char)
    return found


def reference_key(word: str) -> int:
    data, key = word.encode(), 0
    for at in range(0, len(data), 8):
        key = (key ^ int.from_bytes(data[at : at + 8], "little")) * MIX & U64
        key ^= key >> 32
    return key


def reference_mix(x: int) -> int:
    x = (x ^ x >> 30) * MIX & U64
    x = (x ^ x >> 27) * 0x94D049BB133111EB & U64
    return x ^ x >> 31


def reference_shingles(keys: list[int], n: int) -> list[int]:
    found = set()
    for start in range(len(keys) - n + 1):
        h = 0
        for key in keys[start : start + n]:
            h = (h * ODD + key) & U64
        found.add(reference_mix(h) >> 32)
    return sorted(found)


def top(values: list[int]) -> int:
    return U32 - max(values)


def reference_bands(shingles: list[int], settings: MinHash) -> list[int]:
    values = [[x * int(a) & U32 for x in shingles] for a in minhash.permutations(settings)]
    turned = [[value ^ 1 << 31 for value in each] for each in values]
    least = [f(each) for f, all_ in ((min, values), (top, values), (min, turned), (top, turned)) for each in all_]
    keys = []
    for band in range(settings.bands):
        key = band
        for row in range(settings.rows):
            key = reference_mix(key ^ least[band * settings.rows + row])
        keys.append(key)
    return keys


def keys_of(*texts: str) -> list[list[int]]:
    column = words.normal_column(pl.Series(texts, dtype=pl.String))
    keys, bounds = all_word_keys(column.data, column.offsets, words.table())
    return [keys[bounds[i] : bounds[i + 1]].tolist() for i in range(len(texts))]


# What normalisation, segmentation and the kernel's eight-byte steps trip over, between characters of any kind.
PIECES = [
    "a", "Z", "_", "^", "`", "@", "[", "{", "0", " ", ".", "word", "Underscores_", "exactly8", "ninechars", "é", "e\u0301",
    "\u0301", "\u0327\u0301", "\u0301\u0327", "ς", "Σ", "İ", "ß", "ﬁ", "Ｗ", "№", "½", "…", "™", "\xa0", "\xad", "\u200b",
    "\u200d", "\ufeff", "ﾊ\uff9e", "が", "か\u3099", "語", "。", "你好", "สวัสดี", "นี่", "한국어", "\u1112\u1161\u11ab", "हिन्दी",
    "क\u093c", "\u0bc6\u0bbe", "\U0002f800", "\U00020000", "\U0001d400", "😀", "\U000e0100", "\x00", "\n", "\U00010400", "Ⅳ",
    "\u1e9b\u0323", "\u0344", "≠", "=\u0338",
]  # fmt: skip
ANY_TEXT = st.lists(st.one_of(st.sampled_from(PIECES), st.characters(codec="utf-8")), max_size=30).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.lists(ANY_TEXT, min_size=1, max_size=4))
@example(["a_^b", "_^", "abcdefgh", "abcdefghi", "a" * 16, "İI", ""])
@example(["é" * 4, "é" * 5, "aé" * 7, "\U00010400" * 3, "x\U00010400" * 4])
def test_words_are_those_of_a_plain_reference(texts: list[str]) -> None:
    assert keys_of(*texts) == [[reference_key(word) for word in reference_words(text)] for text in texts]


def test_every_code_point_between_others() -> None:
    points = [chr(point) for point in range(0x30000) if not 0xD800 <= point < 0xE000]
    for before, after in (("a", "b"), ("か", "\u0301\u0327")):
        texts = [before + char + after for char in points]
        keys = keys_of(*texts)
        wrong = [text for text, found in zip(texts, keys, strict=True) if found != [reference_key(word) for word in reference_words(text)]]
        assert not wrong


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, World! don't 3.14 snake_case", ["hello", "world", "don", "t", "3", "14", "snake_case"]),
        ("ﬁne Ｗｉｄｅ №5", ["fine", "wide", "no5"]),  # NFKC
        ("日本語 テスト a中b", ["日", "本", "語", "テ", "ス", "ト", "a", "中", "b"]),  # no spaces: each letter
        ("ΟΔΥΣΣΕΥΣ οδυσσευς", ["οδυσσευσ", "οδυσσευσ"]),
        ("soft\xadhyphen", ["softhyphen"]),
        ("**bold** | table |\n---", ["bold", "table"]),
        ("", []),
        ("…!?", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert reference_words(text) == expected
    assert keys_of(text) == [[reference_key(word) for word in expected]]


def test_few_texts_are_normalised() -> None:
    """Typographic marks and spaces, composed letters and most scripts need no NFKC: it would cost more than all the rest."""
    from gristmill.dedup.normal_kernels import abnormal

    texts = [
        "plain",
        "“curly” – dash … nbsp\xa0",
        "é naïve",
        "Привет",
        "日本語。（全角）",
        "한국어",
        "हिन्दी",
        "ﬁ",
        "e\u0301",
        "™",
        "Ｗ",
        "क\u093c",
    ]
    column = segment.column(pl.Series(texts))
    assert abnormal(column.data, column.offsets, words.table()).tolist() == [False] * 7 + [True] * 5


@pytest.mark.parametrize(("bands", "rows", "n"), [(3, 2, 5), (14, 8, 5), (1, 1, 1), (3, 5, 2), (1, 3, 1)])
def test_equals_the_definition_in_plain_python(bands: int, rows: int, n: int) -> None:
    settings = MinHash(bands=bands, rows=rows, seed=7, shingle_words=n)
    text = "The quick brown fox jumps over the lazy dog. The quick brown fox jumps! Extraordinarily, l'été 日本 3.14"
    row = sign(text, settings=settings).row(0, named=True)
    shingles = reference_shingles([reference_key(word) for word in reference_words(text)], n)
    assert row["shingles"] == shingles and row["n_shingles"] == len(shingles)
    assert row["bands"] == reference_bands(shingles, settings)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=300), st.integers(1, 8))
def test_shingles_of_repetitive_texts(numbers: list[int], n: int) -> None:
    text = " ".join(f"w{i}" for i in numbers)
    found = sign(text, settings=MinHash(shingle_words=n))["shingles"].to_list()
    assert found == [reference_shingles([reference_key(f"w{i}") for i in numbers], n)]


def test_sorting_keeps_each_value_once() -> None:
    draw = np.random.default_rng(3)
    for size, most in ((1, 2), (5, 3), (1000, 2**32), (1000, 300), (70_000, 2**32), (70_000, 65_536)):
        values = draw.integers(0, most, size, dtype=np.uint32)
        values[0] = U32
        out = np.empty(size, np.uint32)
        kept = sorted_distinct(values.copy(), np.empty(size, np.uint32), size, np.empty(1024, np.int64), out)
        assert out[:kept].tolist() == np.unique(values).tolist()


GOLDEN = {
    "normal_hash": "b92b7d4801384a4f5774bd31c39f1632",
    "shingles": [14322113, 685994565],
    "bands": [2541176822251559693, 15727025708639439453],
}


def test_golden_vector() -> None:
    """Pinned: another value means other signatures for everything that was ever signed (raise VERSION)."""
    row = sign("To connect to a database, create an engine first.").row(0, named=True)
    assert {name: row[name] if name == "normal_hash" else row[name][:2] for name in GOLDEN} == GOLDEN


def test_a_text_too_short_for_a_shingle_has_no_bands() -> None:
    frame = sign("one two three four", "", "one two three four five", "...")
    assert frame["n_shingles"].to_list() == [0, 0, 1, 0]
    assert [len(bands) for bands in frame["bands"]] == [0, 0, 14, 0]
    assert frame["shingles"].list.len().to_list() == [0, 0, 1, 0]
    assert frame["normal_hash"].n_unique() == 4
    assert [frame["normal_hash"][i] == frame["text_hash"][i] for i in range(4)] == [False, True, False, True]  # no word: the text itself


def test_no_documents() -> None:
    assert sign().schema == pl.Schema(minhash.SIGNATURES)
    assert sign("a").schema == pl.Schema(minhash.SIGNATURES)


def test_company_order_and_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(1)
    texts = [
        " ".join(draw.choices(["a", "b", "Ça", "ﬁn", "d", "語", "f", "longer_words", "h", "…"], k=draw.randrange(40))) for _ in range(60)
    ]
    whole = sign(*texts)
    monkeypatch.setattr(minhash, "CHUNK_BYTES", 100)
    assert sign(*texts).equals(whole)
    alone = pl.concat([sign(text).with_columns(pl.lit(f"d{i}").alias("doc_id")) for i, text in enumerate(texts)])
    assert alone.equals(whole)


def test_layout_does_not_matter_and_numbers_do() -> None:
    frame = sign("A table of 1 2 3 rows", "a  TABLE, of *1*\n2 3 (rows)", "a table of 1 2 4 rows", "a table of 1 3 2 rows")
    for name in ("shingles", "bands", "normal_hash"):
        a, b, c, d = frame[name].to_list()
        assert a == b and b != c and c != d and b != d


def test_a_band_key_names_its_band() -> None:
    keys = sign("one two three four five six")["bands"].explode()
    assert keys.n_unique() == 14


def pairs_of(similarity: float, pairs: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Sets of random hashes, two and two with that many members in common; where each ends; their Jaccard similarity."""
    draw = np.random.default_rng(seed)
    both = round(2 * size * similarity / (1 + similarity))
    sets = []
    for _ in range(pairs):
        values = draw.integers(0, 2**32, 2 * size - both, dtype=np.uint32)
        sets += [values[:size], values[size - both :]]
    return np.concatenate(sets), np.arange(2 * pairs + 1, dtype=np.int64) * size, both / (2 * size - both)


@pytest.mark.parametrize(
    ("similarity", "bands", "rows", "size", "pairs"),
    [
        (0.5, 14, 8, 100, 1500), (0.6, 14, 8, 5, 1500), (0.8, 14, 8, 10, 1500), (0.65, 14, 8, 300, 1000), (0.75, 14, 8, 100, 1000),
        (0.75, 14, 8, 5000, 500), (0.8, 14, 8, 20, 1500), (0.85, 14, 8, 200, 1000), (0.6, 20, 5, 100, 1000), (0.8, 9, 13, 200, 1000),
        (0.5, 1, 1, 50, 1500), (0.7, 2, 1, 50, 1500),
    ],
)  # fmt: skip
def test_shared_bands_follow_the_theory(
    similarity: float, bands: int, rows: int, size: int, pairs: int, capsys: pytest.CaptureFixture
) -> None:
    """1 - (1 - s^rows)^bands within four standard errors, over pairs of known Jaccard similarity."""
    shingles, ends, true = pairs_of(similarity, pairs, size, seed=5)
    keys = bands_of(shingles, ends, minhash.permutations(MinHash(bands=bands, rows=rows)), bands, rows).reshape(pairs, 2, bands)
    found = (keys[:, 0] == keys[:, 1]).any(axis=1).mean()
    expected = 1 - (1 - true**rows) ** bands
    error = np.sqrt(expected * (1 - expected) / pairs)
    with capsys.disabled():
        print(f"\n  Jaccard {true:.3f}, {bands} x {rows}, sets of {size}: found {found:.4f}, theory {expected:.4f} +- {error:.4f}", end="")  # noqa: T201
    assert abs(found - expected) < 4 * error + 1e-9


def test_the_estimate_is_unbiased_for_every_permutation() -> None:
    """Bands of one row: the share of equal ones is the Jaccard similarity, for each of 112 within five standard errors, and on average."""
    pairs, bands = 3000, 112
    shingles, ends, true = pairs_of(0.7, pairs, 60, seed=11)
    keys = bands_of(shingles, ends, minhash.permutations(MinHash(bands=bands, rows=1)), bands, 1).reshape(pairs, 2, bands)
    equal = (keys[:, 0] == keys[:, 1]).mean(axis=0)
    error = np.sqrt(true * (1 - true) / pairs)
    assert np.abs(equal - true).max() < 5 * error
    assert abs(equal.mean() - true) < 5 * error / np.sqrt(bands)
