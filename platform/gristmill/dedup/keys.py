"""128-bit keys of documents: hex ids as two numbers, other strings by MurmurHash3, and back to hex.

The halves are big-endian, so that numbers sort as their hex digits do. Key (0, 0) stands for none: no relation comes of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.dedup.spill import Numbers
from gristmill.errors import ContractError


def parse(column: pl.Series) -> Numbers:
    """32 hex digits each, as (n, 2); null is (0, 0)."""
    try:
        data, ends = _bytes(column.str.decode("hex"))
    except pl.exceptions.ComputeError:
        raise ContractError("must be hex digits", where=f"column {column.name}") from None
    lengths = np.diff(ends)
    present = column.is_not_null().to_numpy()
    if (lengths[present] != 16).any():
        example = column.filter(pl.Series(present & (lengths != 16)))[0]
        raise ContractError(f"must be 32 hex digits, is {example!r}", where=f"column {column.name}")
    out = np.zeros((len(column), 2), dtype=np.uint64)
    out[present] = data[ends[0] : ends[-1]].view(">u8").reshape(-1, 2)
    return out


def hashed(column: pl.Series) -> Numbers:
    """Any strings, as (n, 2); null and the empty string are (0, 0)."""
    from gristmill.dedup.cluster_kernels import murmur

    return np.asarray(murmur(*_bytes(column)))


def hexes(keys: Numbers, name: str = "") -> pl.Series:
    """(n, 2) as 32 hex digits each."""
    import pyarrow as pa

    data = pa.py_buffer(np.ascontiguousarray(keys).astype(">u8").tobytes())
    ends = pa.py_buffer(np.arange(0, 16 * len(keys) + 1, 16, dtype=np.int64))
    column: Any = pl.from_arrow(pa.Array.from_buffers(pa.large_binary(), len(keys), [None, ends, data]))
    return column.bin.encode("hex").alias(name)


def absent(keys: Numbers) -> NDArray[np.bool_]:
    return (keys[:, 0] | keys[:, 1]) == 0


def _bytes(column: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All the bytes of a string or binary column, and where each row ends; null is empty."""
    empty: Any = "" if column.dtype == pl.String else b""
    array = column.rechunk().fill_null(empty).to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1] if offsets else np.zeros(1, np.int64)
    return np.frombuffer(data, dtype=np.uint8) if data else np.zeros(0, np.uint8), ends
