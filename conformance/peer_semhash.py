"""Run by semhash's own interpreter: semantic deduplication of vectors that are made already.

    python peer_semhash.py vectors.npy threshold found.json

Builds the index and deduplicates, with semhash's defaults (usearch's HNSW); `found.json` holds the seconds that took, the
records that were filtered, and all pairs that its index finds, as rows of the vectors.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from semhash import SemHash


class Ready:
    """An encoder, which semhash asks for and, given the vectors, never calls."""

    def encode(self, inputs, **kwargs):
        raise NotImplementedError


def main() -> None:
    path, threshold, found = sys.argv[1:]
    vectors = np.load(path)
    records = [str(i) for i in range(len(vectors))]
    start = time.perf_counter()
    index = SemHash.from_embeddings(vectors, records, model=Ready())
    result = index.self_deduplicate(threshold=float(threshold))
    seconds = time.perf_counter() - start
    neighbours = index.index.query_threshold(vectors, threshold=float(threshold))
    pairs = sorted({(min(i, int(j)), max(i, int(j))) for i, (others, _) in enumerate(neighbours) for j in others if int(j) != i})
    with open(found, "w") as stream:
        json.dump({"seconds": seconds, "filtered": [int(each.record) for each in result.filtered], "pairs": pairs}, stream)


if __name__ == "__main__":
    main()
