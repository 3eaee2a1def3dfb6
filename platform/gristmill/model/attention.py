"""Attention behind one function, `attend`: every token sees itself and what came before it in its own document.

Two backends. PyTorch's scaled_dot_product_attention with a boolean block-diagonal causal mask is the default; on a CPU
the mask costs nothing measurable. Where the `gpu` extra is installed and the tensors are half precision on a CUDA
device, flash-attn's variable-length kernel (Dao 2023) takes the documents' offsets and no mask at all.
"""

from __future__ import annotations

from functools import cache, cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class Documents:
    """Which tokens belong together. `ids` (batch, time): equal neighbours are one document; None: each row is one."""

    def __init__(self, ids: Tensor | None):
        self.ids = ids

    @cached_property
    def mask(self) -> Tensor | None:
        """(batch, 1, time, time), true where a query (third axis) may look at a key (fourth); None means plainly causal."""
        if self.ids is None:
            return None
        time = self.ids.shape[1]
        causal = torch.ones(time, time, dtype=torch.bool, device=self.ids.device).tril()
        return ((self.ids[:, :, None] == self.ids[:, None, :]) & causal)[:, None]

    def spans(self, batch: int, time: int, device: torch.device) -> tuple[Tensor, int]:
        """Offsets of the documents in the flattened batch, from 0 to batch*time (int32), and the longest one's length."""
        starts = torch.zeros(batch, time, dtype=torch.bool, device=device)
        starts[:, 0] = True
        if self.ids is not None:
            starts[:, 1:] = self.ids[:, 1:] != self.ids[:, :-1]
        offsets = torch.cat([starts.flatten().nonzero().flatten(), torch.tensor([batch * time], device=device)])
        return offsets.to(torch.int32), int(offsets.diff().max())


def document_ids(tokens: Tensor, end_of_text: int) -> Tensor:
    """(batch, time) ids from the tokens alone: a document begins with <|endoftext|> or at the start of its sequence."""
    return (tokens == end_of_text).cumsum(dim=1)


def attend(query: Tensor, key: Tensor, value: Tensor, documents: Documents) -> Tensor:
    """Causal attention within documents.

    query (batch, heads, time, size); key and value (batch, kv_heads, time, size), kv_heads dividing heads: head h
    reads key head h // (heads / kv_heads). Returns the shape of query.
    """
    flash = _flash() if query.is_cuda and query.dtype in (torch.float16, torch.bfloat16) else None
    if flash is not None:
        return _attend_flash(flash, query, key, value, documents)
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=documents.mask, is_causal=documents.mask is None)


def _attend_flash(flash: Any, query: Tensor, key: Tensor, value: Tensor, documents: Documents) -> Tensor:
    batch, heads, time, size = query.shape
    offsets, longest = documents.spans(batch, time, query.device)
    q, k, v = (x.transpose(1, 2).reshape(batch * time, x.shape[1], size) for x in (query, key, value))
    out = flash(q, k, v, offsets, offsets, longest, longest, causal=True)
    return out.view(batch, time, heads, size).transpose(1, 2)


@cache
def _flash() -> Any:
    """flash-attn's variable-length function, or None where the `gpu` extra is not installed."""
    try:
        from flash_attn import flash_attn_varlen_func
    except ImportError:
        return None
    return flash_attn_varlen_func
