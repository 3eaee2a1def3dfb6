"""Near-duplicate pairs: ours, datatrove's and datasketch's at the same parameters, with true Jaccard by brute force as the referee.

Every system has its own words, so each pair has a true similarity by each system's shingles; the referee computes them all.
What a system finds are the pairs with a band in common: ours are then proven, datatrove's are not, and datasketch's are
by whoever uses it. `python -m conformance.duplicates` writes the section of docs/conformance.md anew, and nothing else of it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from conformance import peers
from conformance.copies import copies
from conformance.pages import crawled_pages
from gristmill.dedup import minhash, words
from gristmill.dedup.normal_kernels import all_word_keys
from gristmill.recipe.dedup import MinHash

SETTINGS = MinHash()
OURS = "gristmill"
MIX = np.uint64(0x9FB21C651E98DF25)

Texts = list[tuple[str, str]]
Square = NDArray[np.float64]


@dataclass(frozen=True)
class Sketches:
    """What a system makes of n texts: `jaccard` (n, n) by its own shingles, `shared` (n, n) whether a pair has a band in common."""

    system: str
    jaccard: Square
    shared: NDArray[np.bool_]

    @property
    def found(self) -> NDArray[np.bool_]:
        """What it calls duplicates: only we look at a pair again."""
        return self.shared & (self.jaccard >= SETTINGS.threshold) if self.system == OURS else self.shared


@dataclass(frozen=True)
class Compared:
    """One set of texts, ours first; `rounding`: how far 32-bit shingles move the similarities (of pairs that have 0.5 or more)."""

    name: str
    texts: Texts
    systems: list[Sketches]
    rounding: NDArray[np.float64]


def compared() -> list[Compared]:
    pages = list(crawled_pages().select("url", "text").iter_rows())
    return [_compare("pages", pages), _compare("copies", copies())]


def theory(jaccard: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability that a pair of that similarity has a band in common."""
    return 1 - (1 - jaccard**SETTINGS.rows) ** SETTINGS.bands


def near_without(texts: Texts, rewritten: Callable[[str], str]) -> NDArray[np.bool_]:
    """Which pairs (n, n) are near by our words once the texts are rewritten."""
    return _jaccard(*_exact_shingles(pl.Series([rewritten(text) for _, text in texts]))) >= SETTINGS.threshold


def _compare(name: str, texts: Texts) -> Compared:
    column = pl.Series([text for _, text in texts])
    frame = pl.DataFrame({"doc_id": [f"{i:032x}" for i in range(len(texts))], "text": column}).with_columns(text_hash="doc_id")
    signed = minhash.sign(frame, SETTINGS)
    ours = Sketches(OURS, _jaccard(*_exact_shingles(column)), _shared(_band_numbers(signed["bands"])))
    compact = _jaccard(signed["shingles"].explode().drop_nulls().to_numpy(), _ends(signed["n_shingles"].to_numpy()))
    systems = [ours, *(_of_peer(peer, system, texts) for peer, system in PEERS.items())]
    return Compared(name, texts, systems, np.abs(compact - ours.jaccard)[np.triu(ours.jaccard >= 0.5)])


PEERS = {
    peers.DATATROVE_MINHASH: f"datatrove {peers.DATATROVE_MINHASH.version}",
    peers.DATASKETCH: f"datasketch {peers.DATASKETCH.version}",
}


def _exact_shingles(texts: pl.Series) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Every text's distinct shingles as 64-bit hashes made in another way than the engine's: two of them are never taken for one."""
    column = words.normal_column(texts)
    keys, bounds = all_word_keys(column.data, column.offsets, words.table())
    n = SETTINGS.shingle_words
    sets = []
    for first, last in itertools.pairwise(bounds):
        hashed = np.zeros(max(last - first - n + 1, 0), np.uint64)
        for k in range(n):
            hashed = (hashed ^ keys[first + k : first + k + len(hashed)]) * MIX
            hashed ^= hashed >> np.uint64(29)
        sets.append(np.unique(hashed))
    return np.concatenate(sets), _ends(np.array([len(some) for some in sets]))


def _of_peer(peer: peers.Peer, system: str, texts: Texts) -> Sketches:
    """Asked once: the sketches are kept under `.peers/decisions`."""
    asked = "".join(json.dumps({"text": text}) + "\n" for _, text in texts).encode()
    script = (Path(__file__).parent / peer.script).read_bytes()
    key = hashlib.sha256(b"\0".join([asked, script, peer.stamp.encode()])).hexdigest()[:16]
    kept = peers.PEERS / "decisions" / f"{peer.name}-{peer.version}-sketches-{key}.npz"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        questions, partial = kept.with_suffix(".texts"), kept.with_name(f"part-{kept.name}")
        questions.write_bytes(asked)
        print(f"{system} signs {len(texts):,} texts ...", file=sys.stderr, flush=True)
        peers.run(peer, *(["sketch"] if peer is peers.DATATROVE_MINHASH else []), str(questions), str(partial))
        questions.unlink()
        partial.rename(kept)
    with np.load(kept) as made:
        return Sketches(system, _jaccard(made["shingles"], made["ends"]), _shared(made["bands"]))


def _jaccard(shingles: NDArray[np.unsignedinteger], ends: NDArray[np.int64]) -> Square:
    """|A n B| / |A u B| of all pairs, by brute force; 0 on the diagonal and of empty sets."""
    _, columns = np.unique(shingles, return_inverse=True)
    member = csr_array((np.ones(len(shingles), np.int32), columns, ends), shape=(len(ends) - 1, int(columns.max()) + 1))
    both = (member @ member.T).toarray().astype(np.float64)
    sizes = np.diff(ends)
    either = sizes[:, None] + sizes[None, :] - both
    np.fill_diagonal(both, 0)
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def _shared(bands: NDArray[np.int64]) -> NDArray[np.bool_]:
    shared = np.zeros((len(bands), len(bands)), np.bool_)
    for band in bands.T:
        shared |= (band[:, None] == band[None, :]) & (band >= 0)
    np.fill_diagonal(shared, False)
    return shared


def _band_numbers(bands: pl.Series) -> NDArray[np.int64]:
    """Per text and band a number that equal keys share; -1 without bands."""
    out = np.full((len(bands), SETTINGS.bands), -1, np.int64)
    signed = (bands.list.len() > 0).to_numpy()
    out[signed] = np.unique(bands.explode().drop_nulls().to_numpy(), return_inverse=True)[1].reshape(-1, SETTINGS.bands)
    return out


def _ends(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), lengths.cumsum()])


def main() -> int:
    from conformance.duplicates_report import replaced, section
    from conformance.run import REPORT

    text, failures = section(compared())
    REPORT.write_text(replaced(REPORT.read_text(), text))
    print(text)
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
