"""Run by rensa's own interpreter: processor seconds of its MinHash signatures, the fastest of its ways that is a MinHash of all shingles.

    python peer_rensa.py texts.jsonl shingles.npz permutations rounds seconds.json

- `r_text`, `c_text`: from texts (a line {"text"} each) to R-MinHash and C-MinHash signatures. Shingles of five words are
  made as fast as plain Python makes them: lower case, one regular expression, slices zipped and joined.
- `r_ready`, `c_ready`: from ready 64-bit hashes of the shingles, text i being shingles[ends[i] : ends[i + 1]].

The best of some rounds after one that warms up. Its rho sketches, which sample positions, are no MinHash of the set.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"

import numpy as np
from rensa import CMinHash, RMinHash

WORD = re.compile(r"\w+")


def shingles(text: str) -> list[str]:
    words = WORD.findall(text.lower())
    return [" ".join(five) for five in zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)]


def main(texts_file: str, shingles_file: str, permutations: int, rounds: int) -> dict[str, float]:
    with Path(texts_file).open(encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line in lines]
    ready = np.load(shingles_file)
    flat, ends = ready["shingles"], ready["ends"].astype(np.uint64)
    lists = [flat[a:b].tolist() for a, b in zip(ready["ends"], ready["ends"][1:], strict=False)]
    ways: dict[str, Callable[[], object]] = {
        "r_text": lambda: RMinHash.digest_matrix_from_token_sets([shingles(text) for text in texts], permutations, 1),
        "c_text": lambda: CMinHash.digests64_from_token_sets([shingles(text) for text in texts], permutations, 1),
        "r_ready": lambda: RMinHash.digest_matrix_from_flat_token_hashes(flat, ends, permutations, 1),
        "c_ready": lambda: CMinHash.digests64_from_token_hash_sets(lists, permutations, 1),
    }
    return {name: min(seconds(way) for _ in range(rounds + 1)) for name, way in ways.items()}


def seconds(way: Callable[[], object]) -> float:
    start = time.process_time()
    way()
    return time.process_time() - start


if __name__ == "__main__":
    Path(sys.argv[5]).write_text(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
