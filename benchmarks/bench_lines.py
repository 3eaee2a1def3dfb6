"""The line, paragraph and substring levels on the demo's pages, in megabytes of text per second of processor time: one core.

- `lines.text_counts`: texts to the contract `text_counts`, against reading the same texts from Parquet (zstd), which is what the
  level should be limited by.
- `lines.text_counts_peer`: the same against the first step of datatrove's sentence deduplication, on single lines (it splits as we do,
  normalises and hashes; it writes what it found, we do not), run by datatrove's own interpreter.
- `lines.fingerprints`: texts to the contract `fingerprints`, against Parquet.
- `lines.cuts`: which lines and paragraphs of the texts are among the repeated, and their spans.
- `lines.substrings`: from fingerprints to the cuts of all documents, one shard, a share of which is copied (see `with_passages`).
"""

import json
import random
import statistics
import tempfile
import time
from pathlib import Path

import polars as pl

from benchmarks.run import ROUNDS, report
from conformance import peers
from conformance.pages import crawled_pages
from gristmill.dedup import lines, substrings
from gristmill.recipe.dedup import Lines, Substrings

PEER = peers.Peer(peers.DATATROVE.name, peers.DATATROVE.version, "peer_datatrove_lines.py")
SETTINGS, WORDS = Lines(), Substrings().words
COPIED = 0.1  # of the documents that a passage of another is put into


def run(measure):
    pages = crawled_pages().select("doc_id", "text")
    megabytes = pages["text"].str.len_bytes().sum() / 1e6
    with tempfile.TemporaryDirectory() as folder:
        parquet, asked, seconds = (Path(folder) / name for name in ("texts.parquet", "texts.jsonl", "seconds.json"))
        pages.write_parquet(parquet, compression="zstd")
        asked.write_text("".join(json.dumps({"text": text}) + "\n" for text in pages["text"]))
        peer = []
        for round_ in range(ROUNDS):
            peers.run(PEER, str(asked), f"{folder}/{round_}", str(seconds))
            peer.append(megabytes / json.loads(seconds.read_text())["seconds"])
        read = _rate(megabytes, lambda: pl.read_parquet(parquet))
        counted = _rate(megabytes, lambda: lines.text_counts(pages, SETTINGS))
        printed = _rate(megabytes, lambda: substrings.fingerprints(pages, WORDS))
        found = lines.repeated(lines.text_counts(pages, SETTINGS).lazy(), SETTINGS.max_documents)
        cut = _rate(megabytes, lambda: lines.line_cuts(pages, found, SETTINGS))
        copied = with_passages(pages).with_columns(shard=pl.lit("s"), rank=pl.int_range(pl.len()))
        prints = substrings.fingerprints(copied, WORDS).lazy()

        def substring_cuts() -> None:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                list(
                    substrings.substring_cuts(
                        copied, lambda _: prints, lambda _, ids: copied.join(ids.to_frame(), on="doc_id"), WORDS, Path(scratch)
                    )
                )

        joined = _rate(copied["text"].str.len_bytes().sum() / 1e6, substring_cuts)
    unit = "MB/s and core"
    report("lines.text_counts", unit, counted, read, "reading Parquet")
    report("lines.text_counts_peer", unit, counted, statistics.median(peer), f"datatrove {PEER.version}, SentenceDedupSignature")
    report("lines.fingerprints", unit, printed, read, "reading Parquet")
    report("lines.cuts", unit, cut)
    report("lines.substrings", unit, joined)


def with_passages(pages: pl.DataFrame) -> pl.DataFrame:
    """The pages, where one in ten gets a passage of 60 to 600 words of another put into it."""
    draw = random.Random(1)
    texts = [text.split(" ") for text in pages["text"]]
    for words in texts:
        if draw.random() < COPIED:
            other = texts[draw.randrange(len(texts))]
            start, at = draw.randrange(max(1, len(other) - 600)), draw.randrange(len(words))
            words[at:at] = other[start : start + draw.randint(60, 600)]
    return pages.with_columns(text=pl.Series([" ".join(words) for words in texts]))


def _rate(megabytes: float, work) -> float:
    """Megabytes per second of processor time, the median of some rounds of enough repetitions to be timed."""
    work()  # compiles
    rates = []
    for _ in range(ROUNDS):
        started, done = time.process_time(), 0.0
        while time.process_time() - started < 0.5:
            work()
            done += megabytes
        rates.append(done / (time.process_time() - started))
    return statistics.median(rates)
