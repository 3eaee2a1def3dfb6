"""Scoring: every token once, the definition, determinism, intervals."""

import math

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gristmill.errors import GristmillError
from gristmill.evaluation import bits_per_byte as bpb
from gristmill.evaluation.documents import choose, cut
from gristmill.model.config import Config
from gristmill.model.decoder import Decoder

CONFIG = Config(vocab_size=50, hidden=16, head_size=8, heads=(2,), kv_heads=(1,), ffn=(32,), context=8)


def encode(text: str) -> list[int]:
    return [2 + ord(letter) % 40 for letter in text]


class Uniform(torch.nn.Module):
    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*tokens.shape, 50)


class Repeats(torch.nn.Module):
    """Gives the token that it has just seen nearly all of the probability."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return 20.0 * torch.nn.functional.one_hot(tokens, 50).float()


@given(n=st.integers(0, 60), context=st.integers(1, 12))
def test_every_token_is_scored_once_with_half_a_context_before_it(n: int, context: int):
    scored = []
    for at, (start, first) in enumerate(bpb.windows(n, context)):
        positions = range(first, min(start + context, n) + 1)
        scored += positions
        if at:
            assert first - start > context // 2
    assert scored == list(range(1, n + 1))


def test_the_drawing_in_the_docstring():
    assert bpb.windows(6, 4) == [(0, 1), (2, 5)]


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 40])
def test_a_uniform_model_costs_the_logarithm_of_its_vocabulary(n: int):
    assert bpb.score(Uniform(), encode, ["x" * n], 8, 0, 1)[0] == pytest.approx(n * math.log(50), rel=1e-6)


def test_a_document_begins_with_its_mark():
    nats = bpb.score(Repeats(), encode, ["aaaa", "abab"], 8, 0, 1)
    assert nats[0] == pytest.approx(20, abs=0.01)  # only the first letter follows something else
    assert nats[1] == pytest.approx(80, abs=0.01)


def test_a_short_document_is_scored_as_in_one_pass():
    model, text = Decoder(CONFIG, seed=1).eval(), "abcdef"
    ids = torch.tensor([[0, *encode(text)]])
    with torch.inference_mode():
        expected = torch.nn.functional.cross_entropy(model(ids[:, :-1])[0], ids[0, 1:], reduction="sum").item()
    assert bpb.score(model, encode, [text], 8, 0, 1)[0] == pytest.approx(expected, rel=1e-5)


def test_scores_do_not_hang_on_the_company():
    model = Decoder(CONFIG, seed=1).eval()
    texts = ["".join(chr(97 + (i * k) % 26) for i in range(3 + 5 * k)) for k in range(1, 9)]
    with bpb.fixed_threads(1):
        together = bpb.score(model, encode, texts, 8, 0, 1)
        reversed_ = bpb.score(model, encode, texts[::-1], 8, 0, 1)[::-1]
        alone = [bpb.score(model, encode, [text], 8, 0, 1)[0] for text in texts]
    assert together.tolist() == reversed_.tolist() == alone


def test_a_broken_model_is_an_error():
    model = Decoder(CONFIG, seed=1)
    torch.nn.init.constant_(model.norm.weight, math.nan)
    with pytest.raises(GristmillError, match="no finite number"):
        bpb.score(model, encode, ["abc"], 8, 0, 1)


def scores(nats: list[float], n_bytes: list[int], domains: str) -> pl.DataFrame:
    return pl.DataFrame({"doc_id": [str(n) for n in range(len(nats))], "domain": list(domains), "nats": nats, "n_bytes": n_bytes})


def test_bits_per_byte_by_domain():
    frame = scores([math.log(2) * 10, math.log(2) * 30, math.log(2) * 8], [10, 10, 4], "aab")
    found = {row["domain"]: row for row in bpb.bits_per_byte(frame).iter_rows(named=True)}
    assert {domain: row["value"] for domain, row in found.items()} == {"a": 2.0, "b": 2.0, "all": 2.0}
    assert found["all"]["documents"] == 3 and found["all"]["n_bytes"] == 24
    assert found["a"]["low"] == 1.0 and found["a"]["high"] == 3.0
    assert found["b"]["low"] is None  # one document has no interval


def test_order_changes_nothing():
    draw = np.random.default_rng(0)
    frame = scores(draw.uniform(50, 90, 20).round(6).tolist(), draw.integers(20, 40, 20).tolist(), "ab" * 10)
    assert bpb.bits_per_byte(frame).equals(bpb.bits_per_byte(frame.sample(fraction=1, shuffle=True, seed=3)))


def test_an_interval_covers_the_mean_about_as_often_as_it_says():
    draw, hits = np.random.default_rng(1), 0
    for _ in range(60):
        row = bpb.bits_per_byte(scores((math.log(2) * draw.normal(20, 4, 30)).tolist(), [10] * 30, "a" * 30)).row(0, named=True)
        hits += row["low"] <= 2.0 <= row["high"]
    assert hits >= 50


def test_the_increase_is_paired():
    before = scores([10.0, 100.0, 20.0], [5, 50, 10], "aab")
    after = before.with_columns(pl.col("nats") * 1.1).sort("doc_id", descending=True)
    found = bpb.relative_increase(after, before)
    assert found["value"].to_list() == pytest.approx([0.1] * 3)
    assert found.filter(pl.col("documents") > 1)["low"].to_list() == pytest.approx([0.1] * 2)


def test_documents_are_chosen_by_hash():
    ids = [f"{n:032x}" for n in range(50)]
    assert choose(ids, 5) == choose(ids[::-1] * 2, 5)
    assert set(choose(ids, 5)) < set(choose(ids, 6)) and choose(ids, 99) == ids


@given(text=st.text(max_size=30), n_bytes=st.integers(0, 60))
def test_a_cut_ends_between_characters(text: str, n_bytes: int):
    short = cut(text, n_bytes)
    assert text.startswith(short) and len(short.encode()) <= n_bytes
    assert len(short) == len(text) or len(text[: len(short) + 1].encode()) > n_bytes
