"""Semantic deduplication of vectors that are made already, in vectors per second.

- `semantic.generated`: from vectors to the texts that go, each with its twin: learning centroids, blocks, exact search, election.
  Against semhash with its defaults (an HNSW index), run by its own interpreter on the same 20,000 vectors of 384 dimensions: topics
  on a common mean, as embeddings are, a fifth of them copies at cosines between 0.85 and 1. Learning is timed although it is done
  once and held; `semantic.generated_held` leaves it out. `.recall` is the share of the pairs that brute force finds.
- `semantic.demo`: the same on the vectors of the lake in GRISTMILL_HOME, where there is one.
- `semantic.search`: the search inside the blocks alone. `semantic.search_again`: after ten texts have come,
  given the search before.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.run import ROUNDS, report
from conformance import peers
from gristmill.dedup.centroids import learn_centroids
from gristmill.dedup.semantic import members, near_pairs, search
from gristmill.dedup.semantic_paragraphs import paragraph_cuts
from gristmill.lake.hashing import text_hash
from gristmill.recipe.dedup import Semantic

N, DIMENSION, TOPICS = 20_000, 384, 200
PEER_ROUNDS = 2  # it compiles nothing, and one takes half a minute
SETTINGS = Semantic()


def run(measure):
    _compare("generated", generated())
    if (vectors := _of_demo()) is not None:
        _compare("demo", vectors)


def generated() -> NDArray[np.float32]:
    """Unit vectors, in no order."""
    draw = np.random.default_rng(7)
    rows = 0.6 * draw.normal(size=DIMENSION) + draw.normal(size=(TOPICS, DIMENSION))[draw.integers(TOPICS, size=N)]
    rows = _unit(rows + 0.8 * draw.normal(size=(N, DIMENSION)))
    copies = draw.permutation(N)[: N // 5]
    cosines = draw.uniform(0.85, 1, (len(copies), 1))
    original = rows[draw.integers(N, size=len(copies))]
    aside = draw.normal(size=original.shape)
    aside = _unit(aside - (aside * original).sum(axis=1, keepdims=True) * original)
    rows[copies] = cosines * original + np.sqrt(1 - cosines**2) * aside
    return _unit(rows).round(4).astype(np.float32)


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _compare(name: str, vectors: NDArray[np.float32]) -> None:
    """Ours and the peer's in turns, the best round of each."""
    shelf = _Shelf(vectors)
    shelf.losers(shelf.found(shelf.learn()))  # compiles
    held, rounds = shelf.learn(), []
    for _ in range(PEER_ROUNDS):
        peer = _semhash(vectors)
        rounds.append(
            (peer["seconds"], _seconds(lambda: shelf.losers(shelf.found(shelf.learn()))), _seconds(lambda: shelf.losers(shelf.found(held))))
        )
    theirs, whole, later = (len(vectors) / min(seconds) for seconds in zip(*rounds, strict=True))
    against, pairs = f"semhash {peers.SEMHASH.version}", shelf.found(held)
    report(f"semantic.{name}", "vectors/s", whole, theirs, against)
    report(f"semantic.{name}_held", "vectors/s", later, theirs, against)
    expected = {(int(i), int(j)) for i, j in zip(*near_pairs(vectors, SETTINGS.threshold)[:2], strict=True)}
    ours = {tuple(sorted((shelf.row[left], shelf.row[right]))) for left, right, _ in pairs.rows()}
    recalls = [len(found & expected) / max(len(expected), 1) for found in (ours, {tuple(pair) for pair in peer["pairs"]})]
    report(f"semantic.{name}_recall", f"of {len(expected)} pairs", *recalls, against)
    report(f"semantic.{name}_losers", "texts", shelf.losers(pairs).height, len(peer["filtered"]), against)
    if name == "generated":
        everything = shelf.members(held)
        most = everything.filter(pl.col("text_hash").is_in(shelf.keys[: N - 10]))
        before = search(most, shelf.read, "bench", SETTINGS.threshold)
        for part, known in (("", None), ("_again", before)):
            seconds = min(
                _seconds(lambda known=known: search(everything, shelf.read, "bench", SETTINGS.threshold, known)) for _ in range(ROUNDS)
            )
            report(f"semantic.search{part}", "vectors/s", N / seconds)


class _Shelf:
    """Vectors by text hash, in memory."""

    def __init__(self, vectors: NDArray[np.float32]):
        self.keys = [text_hash(str(i)) for i in range(len(vectors))]
        self.vectors, self.row = vectors, {key: i for i, key in enumerate(self.keys)}

    def read(self, text_hashes):
        return self.vectors[[self.row[key] for key in text_hashes]]

    def learn(self) -> pl.DataFrame:
        return learn_centroids(self.read(sorted(self.keys)[: SETTINGS.sample]), len(self.keys), SETTINGS)

    def members(self, held: pl.DataFrame) -> pl.DataFrame:
        return members(self.keys, self.read, held, SETTINGS.probes)

    def found(self, held: pl.DataFrame) -> pl.DataFrame:
        return search(self.members(held), self.read, "bench", SETTINGS.threshold).distinct()

    def losers(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Each text as a document of one paragraph: what goes, and for which twin."""
        ranks = np.arange(len(self.keys))
        places = {"doc_id": self.keys, "rank": ranks, "start": np.zeros_like(ranks), "end": np.ones_like(ranks), "text_hash": self.keys}
        return paragraph_cuts(pl.DataFrame(places), pairs)


def _semhash(vectors: NDArray[np.float32]) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        path, found = Path(folder) / "vectors.npy", Path(folder) / "found.json"
        np.save(path, vectors)
        peers.run(peers.SEMHASH, str(path), str(SETTINGS.threshold), str(found))
        return json.loads(found.read_text())


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _of_demo() -> NDArray[np.float32] | None:
    """All vectors of the largest table of the lake in GRISTMILL_HOME; None where there is none."""
    folder = Path(os.environ.get("GRISTMILL_HOME", "demo")) / "lake" / "vectors"
    if not folder.is_dir():
        return None
    import lancedb

    database = lancedb.connect(str(folder))
    tables = [database.open_table(each.stem) for each in sorted(folder.glob("*.lance"))]
    rows = max((table.to_arrow() for table in tables), key=len, default=None)
    if rows is None or len(rows) < 2:
        return None
    return rows["vector"].combine_chunks().flatten().to_numpy().reshape(len(rows), -1)
