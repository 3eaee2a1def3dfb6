"""The content hash of a table: the same rows give the same hash, whatever their order, chunking or file layout."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc


def table_hash(table: str, frame: pl.DataFrame) -> str:
    """32 hex digits over names, types and values of a frame in contract order (`contracts.conform` sorts by key).

    The key is unique, so the sorted order is total and row order does not matter; values are hashed from
    Arrow buffers in a normal form (nulls as zero beside a validity bitmap, one NaN, no negative zero).
    """
    digest = hashlib.blake2b(table.encode(), digest_size=16)
    digest.update(frame.height.to_bytes(8, "little"))
    for name in frame.columns:
        digest.update(f"\0{name}\0{frame.schema[name]}\0".encode())
        array = frame[name].rechunk().to_arrow()
        _feed(digest, array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array)
    return digest.hexdigest()


def _feed(digest: hashlib.blake2b, array: pa.Array) -> None:
    digest.update(np.packbits(array.is_valid().to_numpy(zero_copy_only=False)).tobytes())
    kind = array.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        digest.update(pc.fill_null(pc.list_value_length(array), 0).cast(pa.int64()).to_numpy().tobytes())
        _feed(digest, array.flatten())
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        filled = pc.fill_null(array.cast(pa.large_string()), "")
        digest.update(pc.binary_length(filled).cast(pa.int64()).to_numpy().tobytes())
        _, offsets, data = filled.buffers()
        if data is not None and len(filled):
            bounds = np.frombuffer(offsets, dtype=np.int64)[filled.offset : filled.offset + len(filled) + 1]
            digest.update(memoryview(data)[bounds[0] : bounds[-1]])
    elif pa.types.is_boolean(kind):
        digest.update(np.packbits(pc.fill_null(array, False).to_numpy(zero_copy_only=False)).tobytes())
    elif pa.types.is_timestamp(kind):
        digest.update(pc.fill_null(array.cast(pa.int64()), 0).to_numpy().tobytes())
    else:
        values = pc.fill_null(array, 0).to_numpy(zero_copy_only=False)
        if values.dtype.kind == "f":
            values = np.where(np.isnan(values), np.nan, values) + 0.0  # one NaN, and -0.0 + 0.0 is 0.0
        digest.update(np.ascontiguousarray(values).tobytes())
