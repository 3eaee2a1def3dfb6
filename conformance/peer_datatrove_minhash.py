"""Run by datatrove's own interpreter: its MinHash deduplication of texts, each stage by itself and timed.

    python peer_datatrove_minhash.py stage 1|2|3|4 texts.jsonl folder seconds.json
    python peer_datatrove_minhash.py sketch texts.jsonl sketches.npz

`stage`: processor seconds of that stage of `examples/minhash_deduplication.py` over the whole folder; imports, the tokenizer and
the reading of the texts (a line {"text"} each) are done before it is timed. Stage 4 also says how many documents are left.

`sketch`: of every text the shingles (`get_shingles`, as a set) and for each band a number that equal signatures share.
Parameters are its defaults, which are FineWeb's: 5-grams, 14 buckets of 8 hashes, 64 bits.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from datatrove.data import Document
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from loguru import logger

CONFIG = MinhashConfig()


def read(path: str) -> list[Document]:
    with Path(path).open(encoding="utf-8") as lines:
        return [Document(text=json.loads(line)["text"], id=str(i)) for i, line in enumerate(lines)]


def stage(number: str, texts: str, folder: str) -> dict[str, float]:
    signatures, buckets, clusters = (f"{folder}/{name}" for name in ("signatures", "buckets", "clusters"))
    documents = read(texts)
    left = 0
    if number == "1":
        step = MinhashDedupSignature(signatures, CONFIG)
        step.word_tokenizer.word_tokenize("loads the tokenizer")
        start = time.process_time()
        step.run(iter(documents), rank=0, world_size=1)
    elif number == "2":
        start = time.process_time()
        for rank in range(CONFIG.num_buckets):
            MinhashDedupBuckets(signatures, buckets, config=CONFIG).run(None, rank, CONFIG.num_buckets)
    elif number == "3":
        start = time.process_time()
        MinhashDedupCluster(buckets, clusters, config=CONFIG).run(None, 0, 1)
    else:
        start = time.process_time()
        left = sum(1 for _ in MinhashDedupFilter(clusters).run(iter(documents), 0, 1))
    return {"seconds": time.process_time() - start, "left": left}


def sketch(texts: str, out: str) -> None:
    step = MinhashDedupSignature("/nowhere", CONFIG)
    shingles = [step.get_shingles(document.text) for document in read(texts)]
    bands = np.full((len(shingles), CONFIG.num_buckets), -1, np.int64)
    signed = [i for i, some in enumerate(shingles) if some.size]
    signatures = np.array([step.get_signature(shingles[i]) for i in signed], np.uint64)
    for band in range(CONFIG.num_buckets):
        bands[signed, band] = np.unique(signatures[:, band], axis=0, return_inverse=True)[1].ravel()
    sets = [np.unique(some) for some in shingles]
    np.savez(out, shingles=np.concatenate(sets), ends=np.cumsum([0, *map(len, sets)]), bands=bands)


if __name__ == "__main__":
    logger.remove()
    if sys.argv[1] == "stage":
        Path(sys.argv[5]).write_text(json.dumps(stage(*sys.argv[2:5])))
    else:
        sketch(*sys.argv[2:4])
