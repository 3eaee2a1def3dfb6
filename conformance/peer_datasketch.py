"""Run by datasketch's own interpreter: MinHash sketches of texts, as text-dedup and most scripts make them.

    python peer_datasketch.py texts.jsonl sketches.npz

Of every text (a line {"text"} each) the set of its shingles, as 64-bit hashes, and for each band a number that texts which
`MinHashLSH` puts into one bucket share: 112 permutations, 14 bands of 8. Words are what `\\W` separates in the lower-cased text, as
in text-dedup; shingles are five of them.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path

import numpy as np
from datasketch import MinHash

BANDS, ROWS = 14, 8
NO_WORD = re.compile(r"\W")


def shingles(text: str) -> set[bytes]:
    words = [word for word in NO_WORD.split(text.lower()) if word]
    return {" ".join(five).encode() for five in zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)}


def main(texts_file: str, out: str) -> None:
    with Path(texts_file).open(encoding="utf-8") as lines:
        sets = [sorted(shingles(json.loads(line)["text"])) for line in lines]
    bands = np.full((len(sets), BANDS), -1, np.int64)
    signed = [i for i, some in enumerate(sets) if some]
    values = np.array([sketch.hashvalues for sketch in MinHash.generator([sets[i] for i in signed], num_perm=BANDS * ROWS, seed=1)])
    for band in range(BANDS):
        bands[signed, band] = np.unique(values[:, band * ROWS : (band + 1) * ROWS], axis=0, return_inverse=True)[1].ravel()
    hashed = [
        np.array([int.from_bytes(hashlib.blake2b(each, digest_size=8).digest(), "little") for each in some], np.uint64) for some in sets
    ]
    np.savez(out, shingles=np.concatenate(hashed), ends=np.cumsum([0, *map(len, hashed)]), bands=bands)


if __name__ == "__main__":
    main(*sys.argv[1:3])
