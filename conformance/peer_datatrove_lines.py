"""Run by datatrove's own interpreter: the first step of its sentence deduplication, on single lines.

    python peer_datatrove_lines.py texts.jsonl folder seconds.json

Processor seconds of SentenceDedupSignature over all texts (a line {"text"} each), which normalises, hashes, sorts and
writes; imports, the reading of the texts and the loading of the tokenizer (not used here) are not timed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import xxhash
from datatrove.data import Document
from datatrove.pipeline.dedup import SentDedupConfig, SentenceDedupSignature
from loguru import logger

if __name__ == "__main__":
    logger.remove()
    with Path(sys.argv[1]).open(encoding="utf-8") as lines:
        documents = [Document(text=json.loads(line)["text"], id=str(i)) for i, line in enumerate(lines)]
    step = SentenceDedupSignature(sys.argv[2], config=SentDedupConfig(n_sentences=1, split_sentences=False))
    step.hash_fc = lambda text: xxhash.xxh64_intdigest(text.encode())  # its own passes text, which xxhash 4 refuses
    start = time.process_time()
    step.run(iter(documents), rank=0, world_size=1)
    Path(sys.argv[3]).write_text(json.dumps({"seconds": time.process_time() - start}))
