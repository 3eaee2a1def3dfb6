"""Samples are a function of the weights and the prompt."""

import polars as pl
import torch

from gristmill.corpus import tokenizer
from gristmill.evaluation.samples import continuations, samples
from gristmill.model.config import Config
from gristmill.model.decoder import Decoder

TRAINED = tokenizer.train(pl.DataFrame({"doc_id": ["a", "b"], "text": ["the cat sat on the mat " * 9, "a dog in the fog " * 9]}), 300)
CONFIG = Config(vocab_size=TRAINED.vocab_size, hidden=16, head_size=8, heads=(2,), kv_heads=(1,), ffn=(32,), context=12)
MODEL = Decoder(CONFIG, seed=1).eval()


class Ends(torch.nn.Module):
    """Wants to end, and, failing that, to pad."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(*tokens.shape, 50)
        logits[..., 0], logits[..., 1] = 90, 99
        return logits


def test_the_same_each_time_and_longer_than_the_context():
    first, again = (samples(MODEL, TRAINED, ["the cat", "a dog", "the cat"], 20, CONFIG.context) for _ in range(2))
    assert first.equals(again)
    assert first["prompt"].to_list() == ["a dog", "the cat"]
    assert all(first["text"].str.len_bytes() > 0)


def test_a_prompt_longer_than_the_context():
    written = continuations(MODEL, [TRAINED.encode("the cat sat on " * 10), TRAINED.encode("a")], 3, CONFIG.context, 0, 1, seeds=[5, 6])
    assert all(len(ids) <= 3 for ids in written)


def test_ends_where_the_model_ends_and_never_pads():
    assert continuations(Ends(), [[5], [5, 6]], 10, 4, 0, 1, seeds=[1, 2]) == [[], []]
