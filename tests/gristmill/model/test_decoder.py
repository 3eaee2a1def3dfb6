"""The decoder: seeded, causal, closed to other documents."""

import math

import torch

from gristmill.model.attention import document_ids
from gristmill.model.config import Config
from gristmill.model.decoder import Decoder, RMSNorm, rotary_table, rotate
from gristmill.recipe import Model

CONFIG = Config.of(Model(hidden=32, layers=2, heads=4, kv_heads=2, ffn=64), vocab_size=50, context=16)


def tokens(batch: int = 2, time: int = 16) -> torch.Tensor:
    return torch.randint(2, 50, (batch, time), generator=torch.Generator().manual_seed(1))


def test_weights_follow_from_the_seed_alone() -> None:
    torch.manual_seed(7)
    first = Decoder(CONFIG, seed=1).state_dict()
    torch.manual_seed(8)
    again, other = Decoder(CONFIG, seed=1).state_dict(), Decoder(CONFIG, seed=2).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["embedding.weight"], other["embedding.weight"])


def test_a_fresh_decoder_knows_little() -> None:
    with torch.no_grad():
        loss = torch.nn.functional.cross_entropy(Decoder(CONFIG)(tokens()).flatten(0, 1), tokens().flatten())
    assert abs(loss.item() - math.log(50)) < 3


def test_later_tokens_change_nothing() -> None:
    decoder, first = Decoder(CONFIG), tokens()
    second = first.clone()
    second[:, 9:] = 3
    with torch.no_grad():
        assert torch.allclose(decoder(first)[:, :9], decoder(second)[:, :9], atol=1e-6)


def test_a_document_reads_the_same_wherever_it_lies() -> None:
    """Packed behind another document it gives the logits that it gives alone: positions are relative, attention is closed."""
    decoder, document = Decoder(CONFIG), torch.cat([torch.zeros(1, 1, dtype=torch.long), tokens(1, 7)], dim=1)
    packed = torch.cat([torch.zeros(1, 1, dtype=torch.long), tokens(1, 5) + 0, document], dim=1)
    with torch.no_grad():
        alone, within = decoder(document), decoder(packed, document_ids(packed, 0))[:, 6:]
        open_ = decoder(packed)[:, 6:]
    assert torch.allclose(alone, within, atol=1e-5)
    assert not torch.allclose(alone, open_, atol=1e-2)


def test_rotation_depends_on_distance_alone() -> None:
    cos, sin = rotary_table(8, 12, 10_000.0)
    generator = torch.Generator().manual_seed(1)
    query, key = (torch.randn(8, generator=generator).expand(1, 1, 12, 8) for _ in range(2))
    scores = rotate(query, cos, sin)[0, 0] @ rotate(key, cos, sin)[0, 0].T
    assert torch.allclose(scores[3, 1], scores[9, 7], atol=1e-5)
    assert not torch.allclose(scores[3, 1], scores[9, 6], atol=1e-2)


def test_rms_norm_by_hand() -> None:
    norm = RMSNorm(2, 0.0)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0]))
        assert torch.allclose(norm(torch.tensor([3.0, 4.0])), torch.tensor([3.0, 8.0]) / math.sqrt(12.5))
