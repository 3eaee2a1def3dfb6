"""The KL signal: by hand on a small crawl, and properties on any text."""

import math
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.lake.contracts import conform
from gristmill.signals import kl
from gristmill.signals.chunk import References
from gristmill.signals.compute import compute_families


def texts(*values: str) -> pl.DataFrame:
    rows = [(f"{n:03}", value) for n, value in enumerate(values)]
    return pl.DataFrame(rows, schema={"doc_id": pl.String, "text": pl.String}, orient="row")


def counts(*values: str) -> dict[str, int]:
    return dict(kl.count(texts(*values)["text"]).iter_rows())


def distribution(*values: str) -> pl.DataFrame:
    return kl.distribution(kl.count(texts(*values)["text"]))


def kl_of(frame: pl.DataFrame, reference: pl.DataFrame) -> pl.DataFrame:
    return compute_families(["kl"], frame, References(reference))["kl"]


def divergence(reference: pl.DataFrame, *values: str) -> list[float]:
    return kl_of(texts(*values), reference)["kl.divergence"].to_list()


@pytest.mark.parametrize(("text", "terms"), [
    ("Don't run v1.42!", {"don": 1, "t": 1, "run": 1, "v0": 1, "00": 1}),
    ("RUN run ÉTÉ été", {"run": 2, "été": 2}),
    ("你好 你", {"你": 2, "好": 1}),
    ("a\u00adb_c\x00d", {"ab": 1, "c": 1, "d": 1}),
    ("٣٤ x²", {"00": 1, "x²": 1}),
    ("x" * 64 + " " + "y" * 65, {"x" * 64: 1}),
    (" \n!", {}),
])  # fmt: skip
def test_terms(text: str, terms: dict[str, int]) -> None:
    assert counts(text) == terms


def test_by_hand() -> None:
    reference = distribution("a a a b")
    assert dict(reference.select("token", "probability").iter_rows()) == {
        "a": round(0.95 * 0.75 + 5e-8, 12), "b": round(0.95 * 0.25 + 5e-8, 12),
    }  # fmt: skip
    document = "a " * 30 + "b " * 20 + "new " * 10
    expected = sum(p * math.log(p / q) for p, q in ((1 / 2, 0.95 * 0.75 + 5e-8), (1 / 3, 0.95 * 0.25 + 5e-8), (1 / 6, 5e-8)))
    assert divergence(reference, document) == [pytest.approx(expected, abs=1e-6)]


def test_short_and_empty_documents_do_not_diverge() -> None:
    reference = distribution("a b c")
    assert divergence(reference, "", "zzz " * 49, "zzz " * 50) == [0, 0, pytest.approx(math.log(1 / 5e-8), abs=1e-6)]
    assert divergence(distribution(""), "zzz " * 50) == [pytest.approx(math.log(1 / 5e-8), abs=1e-6)]


def test_garbage_diverges_more_than_prose() -> None:
    prose = "the cat sat on the mat and the dog saw it from the door of the house " * 20
    order = random.Random(1)
    garbage = " ".join("".join(order.choices("qxzkvj", k=7)) for _ in range(100))
    reference = distribution(prose, "a dog and a cat live in the house on the hill " * 5)
    near, far = divergence(reference, prose, garbage)
    assert near < 1 < 10 < far


WORDS = st.lists(st.sampled_from(["the", "The", "cat", "été", "你好", "x1", "-", "…"]), min_size=50, max_size=80)


@settings(max_examples=50, deadline=None)
@given(WORDS, st.randoms(use_true_random=False))
def test_word_order_changes_no_bit(words: list[str], random: random.Random) -> None:
    reference = distribution("the cat", " ".join(words))
    shuffled = random.sample(words, len(words))
    assert divergence(reference, " ".join(words)) == divergence(reference, " ".join(shuffled))


@settings(deadline=None)
@given(st.lists(st.text(max_size=60), max_size=5))
def test_counts_add_up_in_any_order_and_every_token_is_one_term(values: list[str]) -> None:
    together = kl.count(texts(*values)["text"]).sort("token")
    apart = kl.add([kl.count(texts(value)["text"]) for value in reversed([*values, ""])]).sort("token")
    assert together.equals(apart)
    reference = kl.distribution(together)
    conform("token_distribution", reference.with_columns(source=pl.lit("web")))
    values = divergence(reference, *values, *(value * 60 for value in values))
    assert all(math.isfinite(value) and value >= 0 for value in values)


def test_the_sample_depends_on_neither_order_nor_sharding() -> None:
    ids = [f"{n:032x}" for n in range(1000)]
    chosen = kl.sample(ids, 100)
    assert chosen == kl.sample(reversed(ids + ids), 100)
    assert set(kl.sample([i for i in ids if int(i, 16) % 2], 1000)) | set(kl.sample(chosen, 50)) >= set(kl.sample(chosen, 50))
    assert set(kl.sample(chosen, 40)) == set(kl.sample(ids, 40))
    assert sorted(chosen) != ids[:100]


def test_the_vocabulary_is_capped_by_count_then_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kl, "VOCABULARY", 2)
    assert distribution("c b b a")["token"].to_list() == ["b", "a"]
