"""Gopher's quality signals, against the same sums over Python words: megabytes of text a second."""

import polars as pl

from benchmarks.pages import texts
from gristmill.lake.hashing import text_hash
from gristmill.signals.compute import compute_family

STOP_WORDS = {"the", "be", "to", "of", "and", "that", "have", "with"}


def python_signals(text: str) -> tuple[float, ...]:
    words = text.split()
    lines = text.splitlines()
    count = max(len(words), 1)
    return (
        len(words),
        sum(map(len, words)) / count,
        text.count("#") / count,
        (text.count("...") + text.count("\u2026")) / count,
        sum(line.lstrip().startswith(("\u2022", "-", "*")) for line in lines) / max(len(lines), 1),
        sum(line.rstrip().endswith(("...", "\u2026")) for line in lines) / max(len(lines), 1),
        sum(any(c.isalpha() for c in word) for word in words) / count,
        len(STOP_WORDS & set(words)),
    )


def run(measure):
    pages = texts()
    documents = pl.DataFrame(
        {"doc_id": [f"{i:08d}" for i in range(len(pages))], "text": pages, "text_hash": [text_hash(page) for page in pages]}
    )
    megabytes = sum(len(page.encode()) for page in pages) / 1e6
    measure(
        "signals",
        "MB/s",
        megabytes,
        lambda: compute_family("gopher", documents, documents),
        lambda: [python_signals(page) for page in pages],
        "the same sums in plain Python",
    )
