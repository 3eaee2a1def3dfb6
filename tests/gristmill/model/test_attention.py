"""Attention against a reference in plain loops: causal, inside documents, grouped heads."""

import itertools
import math

import pytest
import torch

from gristmill.model import attention
from gristmill.model.attention import Documents, attend, document_ids

IDS = torch.tensor([[1, 1, 1, 2, 2, 3, 3, 3, 3], [0, 0, 1, 1, 1, 1, 1, 1, 2]])


def reference(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, ids: torch.Tensor | None) -> torch.Tensor:
    batch, heads, time, size = query.shape
    group = heads // key.shape[1]
    out = torch.zeros_like(query)
    for b in range(batch):
        for h in range(heads):
            for t in range(time):
                seen = [s for s in range(t + 1) if ids is None or ids[b, s] == ids[b, t]]
                scores = torch.stack([query[b, h, t] @ key[b, h // group, s] for s in seen]) / math.sqrt(size)
                weights = torch.exp(scores - scores.max())
                out[b, h, t] = sum(w * value[b, h // group, s] for w, s in zip(weights / weights.sum(), seen, strict=True))
    return out


def random(heads: int, kv_heads: int, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(heads * 10 + kv_heads)
    return tuple(torch.randn(2, h, IDS.shape[1], 8, generator=generator, dtype=dtype) for h in (heads, kv_heads, kv_heads))


@pytest.mark.parametrize("ids", [IDS, None], ids=["documents", "one document"])
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (6, 1)])
def test_attend_equals_the_reference(heads: int, kv_heads: int, ids: torch.Tensor | None) -> None:
    query, key, value = random(heads, kv_heads)
    assert torch.allclose(attend(query, key, value, Documents(ids)), reference(query, key, value, ids), atol=1e-12)


def test_other_documents_and_later_tokens_change_nothing() -> None:
    query, key, value = random(4, 2)
    before = attend(query, key, value, Documents(IDS))
    key[0, :, [0, 1, 2, 5, 6, 7, 8]] = 100.0
    value[0, :, [0, 1, 2, 5, 6, 7, 8]] = 100.0
    assert torch.equal(attend(query, key, value, Documents(IDS))[0, :, 3:5], before[0, :, 3:5])


def test_documents_begin_at_end_of_text_or_with_the_sequence() -> None:
    tokens = torch.tensor([[0, 5, 6, 0, 7], [8, 9, 0, 0, 4]])
    assert document_ids(tokens, 0).tolist() == [[1, 1, 1, 2, 2], [0, 0, 1, 2, 2]]


def test_spans_are_the_documents_of_the_flattened_batch() -> None:
    """What flash-attn's variable-length kernel is told is what the mask says."""
    offsets, longest = Documents(IDS).spans(2, 9, torch.device("cpu"))
    assert offsets.tolist() == [0, 3, 5, 9, 11, 17, 18]
    assert longest == 6
    assert Documents(None).spans(2, 9, torch.device("cpu"))[0].tolist() == [0, 9, 18]
    assert offsets.dtype == torch.int32


def test_the_variable_length_layout_equals_the_mask() -> None:
    """The reshaping around flash-attn, with attention by span computed by PyTorch in its place (the kernel needs a GPU)."""

    def by_span(q, k, v, offsets, _, longest, __, causal):
        group = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        parts = [
            torch.nn.functional.scaled_dot_product_attention(*(x[a:b].transpose(0, 1) for x in (q, k, v)), is_causal=causal).transpose(0, 1)
            for a, b in itertools.pairwise(offsets)
        ]
        return torch.cat(parts)

    query, key, value = random(4, 2)
    out = attention._attend_flash(by_span, query, key, value, Documents(IDS))
    assert torch.allclose(out, attend(query, key, value, Documents(IDS)), atol=1e-12)


@pytest.mark.skipif(not torch.cuda.is_available() or attention._flash() is None, reason="needs a GPU and the gpu extra")
def test_flash_attn_equals_the_mask_on_a_gpu() -> None:
    query, key, value = (x.cuda().bfloat16() for x in random(4, 2))
    expected = reference(query.double(), key.double(), value.double(), IDS.cuda())
    assert torch.allclose(attend(query, key, value, Documents(IDS.cuda())).double(), expected, atol=3e-2)
