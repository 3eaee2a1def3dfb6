"""MinHash signatures of 112 values, megabytes of text per second of processor time, against rensa's R-MinHash and C-MinHash: one core.

- `rensa.signatures.<texts>`: from text to signatures. Ours are whole rows of the contract: normalised hash, sorted shingles and
  band keys too; rensa is handed five-word shingles made as fast as plain Python makes them.
- `rensa.ready.<texts>`: from ready hashes of the shingles, in one flat array on both sides, to ours' band keys and rensa's signatures.

`pages` are those of the demo's crawl, long ones; `passages` the same text in pieces of 3,000 characters, which is what a web page has.
Both sides run on their own, in turns; the median of some rounds is printed, each the best of three. The peer is the faster of its
two. R-MinHash is no permutation per value: each shingle picks one of the values, in up to three rounds, and of long texts
most shingles are passed over early.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.run import ROUNDS, report
from conformance import peers
from conformance.pages import crawled_pages
from gristmill.dedup import minhash
from gristmill.dedup.minhash_kernels import bands_of
from gristmill.recipe.dedup import MinHash

SETTINGS = MinHash()
PERMUTATIONS = SETTINGS.bands * SETTINGS.rows
PASSAGE = 3000  # characters
SPREAD = np.uint64(0x9E3779B97F4A7C15)  # makes 64-bit hashes of 32-bit ones, as distinct


def run(measure):
    pages = crawled_pages().filter(pl.col("url").str.starts_with("http")).select("doc_id", "text", "text_hash")
    for name, texts in (("pages", pages), ("passages", passages(pages))):
        _compare(name, texts)


def passages(pages: pl.DataFrame) -> pl.DataFrame:
    """The pages' texts in pieces of PASSAGE characters, shorter rests left out."""
    pieces = [text[at : at + PASSAGE] for text in pages["text"] for at in range(0, len(text) - PASSAGE + 1, PASSAGE)]
    ids = [f"{i:032x}" for i in range(len(pieces))]
    return pl.DataFrame({"doc_id": ids, "text": pieces, "text_hash": ids})


def _compare(name: str, texts: pl.DataFrame) -> None:
    signed = minhash.sign(texts, SETTINGS).filter(pl.col("n_shingles") > 0)
    shingles = signed["shingles"].explode().to_numpy()
    ends = np.concatenate([[0], signed["n_shingles"].to_numpy().cumsum()])
    multipliers = minhash.permutations(SETTINGS)
    megabytes = texts["text"].str.len_bytes().sum() / 1e6
    rates: dict[str, list[float]] = {"text": [], "ready": [], "r_text": [], "c_text": [], "r_ready": [], "c_ready": []}
    with tempfile.TemporaryDirectory() as folder:
        asked, ready, seconds = (Path(folder) / each for each in ("texts.jsonl", "shingles.npz", "seconds.json"))
        asked.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts["text"]))
        np.savez(ready, shingles=shingles.astype(np.uint64) * SPREAD, ends=ends)
        for _ in range(ROUNDS):
            rates["text"].append(megabytes / _best(lambda: minhash.sign(texts, SETTINGS)))
            rates["ready"].append(megabytes / _best(lambda: bands_of(shingles, ends, multipliers, SETTINGS.bands, SETTINGS.rows)))
            peers.run(peers.RENSA, str(asked), str(ready), str(PERMUTATIONS), "2", str(seconds))
            for way, taken in json.loads(seconds.read_text()).items():
                rates[way].append(megabytes / taken)
    middle = {way: statistics.median(some) for way, some in rates.items()}
    for ours, title in (("text", "signatures"), ("ready", "ready")):
        theirs = max(("r", "c"), key=lambda each: middle[f"{each}_{ours}"])
        report(
            f"rensa.{title}.{name}",
            "MB/s and core",
            middle[ours],
            middle[f"{theirs}_{ours}"],
            f"rensa {peers.RENSA.version}, {theirs.upper()}-MinHash",
        )


def _best(work) -> float:
    """The least processor seconds of three times."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)
