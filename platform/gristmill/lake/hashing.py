"""Hashes of files, texts and names. That of a table is in `table_hash`, which loads pyarrow's compute: `gristmill why` does without."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path


def file_hash(path: Path) -> str:
    """32 hex digits of one file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()  # type: ignore[arg-type]


def mapping_hash(items: Mapping[str, str]) -> str:
    """32 hex digits over name -> hash pairs, in the order of the names."""
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(items):
        digest.update(f"{name}={items[name]}\n".encode())
    return digest.hexdigest()


def text_hash(text: str | bytes) -> str:
    """blake2b-128 hex of the UTF-8 text: the key of everything that is cached by text."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return hashlib.blake2b(data, digest_size=16).hexdigest()
