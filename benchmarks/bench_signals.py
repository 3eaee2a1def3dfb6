"""Families of signals on the demo's pages, in megabytes of text per second of processor time: one core.

- `signals.classic`: the four classic families (Gopher quality, Gopher repetition, C4, FineWeb) in one pass, against
  datatrove's four filters of those names, run by datatrove's own interpreter on the same documents; texts are in memory,
  kernels compiled and the tokenizer loaded before its loop is timed. `every`: each filter asks of every document, as
  ours do; `chain`: datatrove stops at the first that drops a document.
- `signals.four_filters`: the same with our family `datatrove`, which counts what datatrove's two Gopher filters count, in
  the place of our own two.
- `signals.<family>`: each family alone, segmentation included.
- `signals.two_processes`: the classic families in two processes at once, added up, against twice what one does alone, in
  processor time too: what they take from each other's caches and memory shows in it, other people's load hardly.
"""

import json
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path

import polars as pl

from benchmarks.run import ROUNDS, report
from conformance import peers
from conformance.pages import crawled_pages
from gristmill.edits.clean import find_clean_edits
from gristmill.policy.profiles import PROFILES
from gristmill.signals import kl
from gristmill.signals.chunk import References
from gristmill.signals.compute import compute_families
from gristmill.signals.registry import MODULES

FOUR_FILTERS = ["c4", "datatrove", "fineweb"]
CLASSIC = ["c4", "fineweb", "gopher", "repetition"]
SAMPLE = 40  # pages that the peer sees, and ours beside it
SECONDS = 2.0  # that a process alone works for, at least
WORDS = frozenset(["damn", "hell", "crap", "idiot", "stupid", "hate", "kill", "porn", "sex", "nude"])


def run(measure):
    documents = crawled_pages().filter(pl.col("url").str.starts_with("http"))
    references = References(
        distribution=kl.distribution(kl.count(documents["text"])),
        lists=dict.fromkeys(("dirty_words", "adult_words", "toxic_words", "url_words", "domains"), WORDS),
        edits=find_clean_edits(documents.select("doc_id", "text"), [r for r in PROFILES["c4"].rules if r.action == "edit"], ["citations"]),
    )
    sample = documents.head(SAMPLE)
    peer = _datatrove(sample)
    four, classic = (_rate(families, sample, references) for families in (FOUR_FILTERS, CLASSIC))
    megabytes = _megabytes(sample)
    for name, ours in (("classic", classic), ("four_filters", four)):
        for how in ("every", "chain"):
            report(f"signals.{name}", "MB/s and core", ours, megabytes / peer[how], f"datatrove {peers.DATATROVE.version}, {how}")
    report("signals.classic_all_pages", "MB/s and core", _rate(CLASSIC, documents, references))
    for family in MODULES:
        report(f"signals.{family}", "MB/s and core", _rate([family], documents, references))
    _side_by_side(documents)


def _rate(families: list[str], documents: pl.DataFrame, references: References) -> float:
    """Megabytes per second of processor time, the median of some rounds of enough documents to be timed."""
    compute_families(families, documents, references)  # compiles
    copies = max(1, round(4 / max(_megabytes(documents), 0.1)))
    many = pl.concat([documents.with_columns(pl.col("doc_id") + str(copy)) for copy in range(copies)])
    edits = pl.concat([references.edits.with_columns(pl.col("doc_id") + str(copy)) for copy in range(copies)])
    references = References(references.distribution, references.lists, edits)
    rates = []
    for _ in range(ROUNDS):
        started = time.process_time()
        compute_families(families, many, references)
        rates.append(_megabytes(many) / (time.process_time() - started))
    return statistics.median(rates)


def _datatrove(documents: pl.DataFrame) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        texts, seconds = Path(folder) / "texts.jsonl", Path(folder) / "seconds.json"
        texts.write_text("".join(json.dumps({"text": text}) + "\n" for text in documents["text"]))
        peers.run(peers.DATATROVE, "time", str(texts), str(seconds))
        return json.loads(seconds.read_text())


def _side_by_side(documents: pl.DataFrame) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "documents.parquet"
        documents.select("doc_id", "text").write_parquet(path)
        alone = statistics.median(_together(path, 1) for _ in range(ROUNDS))
        both = statistics.median(_together(path, 2) for _ in range(ROUNDS))
    report("signals.two_processes", "MB/s and two cores", both, 2 * alone, "twice one process alone")


def _together(path: Path, processes: int) -> float:
    """Megabytes per second of processor time of that many processes at once, added up."""
    context = multiprocessing.get_context("spawn")
    barrier, rates = context.Barrier(processes), context.Queue()
    started = [context.Process(target=_work, args=(path, barrier, rates)) for _ in range(processes)]
    for each in started:
        each.start()
    total = sum(rates.get() for _ in started)
    for each in started:
        each.join()
    return total


def _work(path, barrier, rates):
    documents = pl.read_parquet(path)
    compute_families(CLASSIC, documents)
    barrier.wait()
    start, used, done = time.perf_counter(), time.process_time(), 0.0
    while time.perf_counter() - start < SECONDS:
        compute_families(CLASSIC, documents)
        done += _megabytes(documents)
    rates.put(done / (time.process_time() - used))


def _megabytes(documents: pl.DataFrame) -> float:
    return documents["text"].str.len_bytes().sum() / 1e6
