"""MinHash deduplication in documents per second of processor time, one core, against datatrove's four stages.

The documents are passages of the demo's pages (3,000 characters, as a web page has) and copies of a third of them, each with some
words replaced.

- `minhash.signatures`: from texts to the contract `signatures`, against datatrove's stage 1 (signatures, written and sorted).
- `minhash.to_verdicts`: signatures, clusters (pairs proven by true Jaccard) and verdicts, against stages 1 to 4, each run by
  datatrove's own interpreter in a process of its own; imports and the tokenizer's loading are not counted, nor our compiling.
- `minhash.pages`: signatures of the demo's whole pages, ours alone, in megabytes a second.
"""

import json
import random
import statistics
import tempfile
import time
from pathlib import Path

import polars as pl

from benchmarks.bench_rensa import passages
from benchmarks.run import ROUNDS, report
from conformance import peers
from conformance.pages import crawled_pages
from gristmill.dedup import minhash, semantic
from gristmill.dedup.clusters import duplicate_clusters
from gristmill.dedup.members import MEMBERS, Shard
from gristmill.dedup.verdicts import deduplicate
from gristmill.lake.contracts import CONTRACTS
from gristmill.recipe.dedup import Dedup

DOCUMENTS = 2000
SETTINGS = Dedup(levels=["exact", "near"])
STAGES = ("1", "2", "3", "4")


def run(measure):
    pages = crawled_pages().filter(pl.col("url").str.starts_with("http")).select("doc_id", "text", "text_hash")
    texts = with_copies(passages(pages).sample(DOCUMENTS * 3 // 4, seed=1))
    mine: dict[str, list[float]] = {"signatures": [], "verdicts": []}
    theirs = {stage: [] for stage in STAGES}
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "texts.jsonl"
        asked.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts["text"]))
        to_verdicts(texts, Path(folder))  # compiles
        for round_ in range(ROUNDS):
            mine["signatures"].append(_seconds(lambda: minhash.sign(texts, SETTINGS.minhash)))
            mine["verdicts"].append(_seconds(lambda: to_verdicts(texts, Path(folder))))
            for stage in STAGES:
                seconds = Path(folder) / "seconds.json"
                peers.run(peers.DATATROVE_MINHASH, "stage", stage, str(asked), f"{folder}/{round_}", str(seconds))
                theirs[stage].append(json.loads(seconds.read_text())["seconds"])
    peer = f"datatrove {peers.DATATROVE.version}"
    first, all_four = statistics.median(theirs["1"]), statistics.median(map(sum, zip(*theirs.values(), strict=True)))
    count = texts.height
    unit = "documents/s and core"
    report("minhash.signatures", unit, count / statistics.median(mine["signatures"]), count / first, f"{peer}, stage 1")
    report("minhash.to_verdicts", unit, count / statistics.median(mine["verdicts"]), count / all_four, f"{peer}, stages 1 to 4")
    taken = statistics.median(_seconds(lambda: minhash.sign(pages, SETTINGS.minhash)) for _ in range(ROUNDS))
    report("minhash.pages", "MB/s and core", pages["text"].str.len_bytes().sum() / 1e6 / taken)


def with_copies(texts: pl.DataFrame) -> pl.DataFrame:
    """The texts and a copy of every third, of whose words one in 0 to 100 is replaced."""
    draw = random.Random(1)
    rows = list(texts.rows())
    for i, (_, text, _) in enumerate(rows[::3]):
        share = draw.random() / 100
        copy = " ".join("replaced" if draw.random() < share else word for word in text.split(" "))
        rows.append((f"{2**64 + i:032x}", copy, f"{2**64 + i:032x}"))
    return pl.DataFrame(rows, schema=texts.schema, orient="row")


def to_verdicts(texts: pl.DataFrame, scratch: Path) -> pl.DataFrame:
    """The contract `verdicts` after deduplication."""
    signatures = minhash.sign(texts, SETTINGS.minhash)
    members = signatures.select(
        "doc_id", "normal_hash", "text_hash", "n_shingles", "n_chars", url="doc_id", payload="doc_id", fetched_at=pl.lit(None), priority=0
    ).cast(MEMBERS)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        shard = Shard("crawl/0", members.lazy(), signatures.lazy())
        found = duplicate_clusters([shard], pl.LazyFrame(schema=semantic.PAIRS), SETTINGS, Path(folder))
        clusters = found.clusters.collect()
    return deduplicate(kept(texts["doc_id"]), clusters, SETTINGS)


def kept(doc_ids: pl.Series) -> pl.DataFrame:
    """Verdicts of documents that all passed the filters."""
    schema = CONTRACTS["verdicts"].schema
    nothing = [pl.lit(None).cast(schema[name]).alias(name) for name in ("first_rule", "value", "threshold")]
    fired = pl.lit([], dtype=schema["fired"]).alias("fired")
    return pl.DataFrame({"doc_id": doc_ids}).select(
        "doc_id", pl.lit(True).alias("kept"), *nothing, fired, pl.lit(1.0).alias("weight"), pl.lit("none").alias("policy")
    )


def _seconds(work) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
