"""The identity and the variety of synthetic documents."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable


def document_id(set_name: str, text: str) -> str:
    """32 hex digits: blake2b-128 of the set's name and the text."""
    return hashlib.blake2b(f"{set_name}\n{text}".encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def distinct_n(texts: Iterable[str], n: int) -> float:
    """Distinct n-grams of words over all n-grams (Li et al. 2016): 1 where nothing repeats, 0 where there is nothing."""
    seen: set[tuple[str, ...]] = set()
    total = 0
    for text in texts:
        words = re.findall(r"\w+|[^\w\s]", text.lower())
        for i in range(len(words) - n + 1):
            seen.add(tuple(words[i : i + n]))
            total += 1
    return len(seen) / total if total else 0.0
