"""Near-duplicate pairs of texts: candidates by equal band keys, each proven by the true Jaccard similarity of its shingle sets.

Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4; unlike most (datatrove joins whatever shares a band)
a band is only a hint, as in that book. Band keys are cut by key range on disk, sorted and grouped range by range.

Long boilerplate makes bands that thousands of texts share. The pairs of a band of more than LARGE_BAND texts are not written
down: the election compares each of them with the band's survivors (`gristmill.dedup.election`). A pair that shares a small
band is proven, once, however many large ones it shares. Its key is the first of its small bands.

With an earlier run's tables only the bands of new texts are grouped, and those large ones that lost a text. Which bands are
large is known in full, so that an edge whose band grew finds its next small one, if it has one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.dedup.keys import parse
from gristmill.dedup.members import ROWS_AT_ONCE, TEXT, Documents, Lookup
from gristmill.dedup.sketches import Held, Sketches, band_keys, signed_rows
from gristmill.dedup.spill import Numbers, Spill, by_key, several
from gristmill.dedup.state import SCHEMAS, State
from gristmill.recipe.dedup import Dedup

VERSION = "3"

LARGE_BAND = 32  # texts; up to this many, all pairs of a band are compared
PAIRS_AT_ONCE = 1 << 20

PAIRS = pl.Schema({"left": pl.String, "right": pl.String, "similarity": pl.Float64})


class NearPairs:
    """`edges`: (row, row, key, millionths) of pairs at or above the threshold; `large`: (key, row) of the texts of large bands.

    Rows are representatives of normalised texts.
    """

    def __init__(self, documents: Documents, texts: Lookup, settings: Dedup, previous: State | None, scratch: Path, memory: int):
        self.documents, self._scratch, self._memory = documents, scratch, memory
        self.threshold = int(np.ceil(settings.minhash.threshold * 1e6 - 1e-6))
        self._on = documents.representative if "near" in settings.levels else np.zeros(documents.count, dtype=np.bool_)
        self.edges, self.large = Spill(scratch, "edges", 4), Spill(scratch, "large", 2)
        self.bands_touched = self.pairs_proposed = self.edges_new = 0
        old_large = self._old_large(texts, previous)
        was_large, lost = np.unique(old_large[:, 0]), np.unique(old_large[old_large[:, 2] == 0, 0])
        wanted = self._touched_keys(lost) if previous is not None else None
        pairs = Spill(scratch, "pairs", 2)
        candidate, eased = np.zeros(documents.count, dtype=np.bool_), np.zeros(documents.count, dtype=np.bool_)
        grown, settled = self._group(wanted, was_large, lost, pairs, candidate, eased)
        kept = old_large[~np.isin(old_large[:, 0], np.union1d(settled, lost))]
        self.large.add(kept[:, :2])
        if previous is not None:
            self._keep_edges(previous["near_edges"], texts, grown, eased, pairs, candidate)
        self._prove(pairs, Sketches(documents, candidate, scratch, "candidates", memory))

    def _old_large(self, texts: Lookup, previous: State | None) -> Numbers:
        """(key, row, whether the text is still there unchanged) of the large bands of the earlier run."""
        parts = [np.zeros((0, 3), np.uint64)]
        batches = previous["band_groups"].select(list(SCHEMAS["band_groups"])).collect_batches() if previous is not None else ()
        for batch in batches:
            rows, alive = self._still(texts, batch["normal_hash"])
            parts.append(np.column_stack([batch["key"].to_numpy(), np.where(alive, rows, 0).astype(np.uint64), alive.astype(np.uint64)]))
        return np.concatenate(parts)

    def _still(self, texts: Lookup, hashes: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Representatives of texts, and whether each was there before and still is."""
        rows = texts.rows(parse(hashes))
        alive = rows >= 0
        alive[alive] = ~self.documents.text_fresh[rows[alive]]
        return rows, alive

    def _touched_keys(self, lost: Numbers) -> Numbers | None:
        """Sorted keys of the bands to be grouped again; None where they are too many to be held."""
        new = self._on & self.documents.text_fresh
        parts = [lost]
        held = 0
        for _, keys in self._banded(new):
            parts.append(np.unique(keys))
            held += parts[-1].nbytes
            if held > self._memory // 8:
                return None
        return np.unique(np.concatenate(parts))

    def _banded(self, chosen: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.int64], Numbers]]:
        """Rows and their band keys (n, bands), shard by shard."""
        for rows, frame in signed_rows(self.documents, chosen, ["bands"]):
            signed = (frame["bands"].list.len() > 0).to_numpy()
            if signed.any():
                yield rows[signed], band_keys(frame["bands"].filter(pl.Series(signed)))

    def _group(
        self,
        wanted: Numbers | None,
        was_large: Numbers,
        lost: Numbers,
        pairs: Spill,
        candidate: NDArray[np.bool_],
        eased: NDArray[np.bool_],
    ) -> tuple[Numbers, Numbers]:
        """Candidate pairs and large bands; keys that became large, and keys of earlier large bands that were settled anew.

        Marks `eased` the texts of bands that are large no more.
        """
        from gristmill.dedup.cluster_kernels import pairs_within

        documents, bands = self.documents, 16
        everything = Spill.sized(self._scratch, "bands", 2, bands * int(self._on.sum()), self._memory)
        if wanted is None or len(wanted):
            for rows, keys in self._banded(self._on):
                part = np.column_stack([keys.ravel(), np.repeat(rows, keys.shape[1]).astype(np.uint64)])
                part = part if wanted is None else part[_among(part[:, 0], wanted)]
                everything.add(part, everything.range_of(part[:, 0]))
        grown, settled = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
        for i in range(everything.ranges):
            part = everything.read(i)
            part = part[several(part[:, 0])]
            order, begins = by_key(part[:, 0])
            part, starts = part[order], np.flatnonzero(begins)
            if not len(starts):
                continue
            ends = np.append(starts[1:], len(part))
            keys, rows = part[:, 0], part[:, 1].astype(np.int64)
            new = np.logical_or.reduceat(documents.text_fresh[rows], starts)
            before, shrunk = _among(keys[starts], was_large), _among(keys[starts], lost)
            chosen = new | shrunk
            settled.append(keys[starts[chosen & before]])
            chosen &= ends - starts > 1
            large = chosen & (ends - starts > LARGE_BAND)
            grown.append(keys[starts[large & ~before]])
            self.bands_touched += int(chosen.sum())
            inside = np.repeat(chosen, ends - starts)
            documents.touched[rows[inside & np.repeat(large, ends - starts)]] = True
            self.large.add(part[np.repeat(large, ends - starts)])
            eased[rows[np.repeat(chosen & before & ~large, ends - starts)]] = True
            small = np.flatnonzero(chosen & ~large)
            for at in range(0, len(small), PAIRS_AT_ONCE // 512):
                some = small[at : at + PAIRS_AT_ONCE // 512]
                found = pairs_within(starts[some], ends[some], rows, documents.text_fresh, before[some])
                candidate[found.ravel().astype(np.int64)] = True
                pairs.add(found)
        everything.close()
        return np.unique(np.concatenate(grown)), np.unique(np.concatenate(settled))

    def _keep_edges(
        self,
        near_edges: pl.LazyFrame,
        texts: Lookup,
        grown: Numbers,
        eased: NDArray[np.bool_],
        pairs: Spill,
        candidate: NDArray[np.bool_],
    ) -> None:
        """The earlier run's edges whose texts are both still there.

        Proposed again where their first small band may be another one: theirs grew large, or an earlier one is large no more.
        """
        for batch in near_edges.collect_batches(chunk_size=ROWS_AT_ONCE):
            (left, here), (right, there) = self._still(texts, batch["left"]), self._still(texts, batch["right"])
            keep = here & there
            again = keep & _among(batch["key"].to_numpy(), grown)
            again[keep] |= eased[left[keep]] & eased[right[keep]]
            keep &= ~again
            similarity = np.rint(batch["similarity"].to_numpy() * 1e6).astype(np.uint64)
            ends = np.sort(np.stack([left, right], axis=1), axis=1).astype(np.uint64)
            self.edges.add(np.column_stack([ends, batch["key"].to_numpy(), similarity])[keep])
            pairs.add(ends[again])
            candidate[ends[again].ravel().astype(np.int64)] = True

    def _prove(self, pairs: Spill, sketches: Sketches) -> None:
        """Adds the edges among the proposed pairs, each proven once, and touches their ends."""
        crowded = [np.zeros(0, np.uint64), *(np.unique(part[:, 0]) for part in self.large.chunks(ROWS_AT_ONCE))]
        large = np.unique(np.concatenate(crowded))
        blocks = Spill.sized(self._scratch, "blocks", 2, max(pairs.rows, 1) * 4, self._memory)
        count = max(self.documents.count, 1)
        for part in pairs.chunks(PAIRS_AT_ONCE):
            blocks.add(part, part[:, 0].astype(np.int64) * blocks.ranges // count)
        pairs.close()
        for block in blocks.each():
            every = np.unique(block[:, 0] * np.uint64(count) + block[:, 1])  # a pair is proposed by every small band that it shares
            for start in range(0, len(every), PAIRS_AT_ONCE):
                left, right = (part.astype(np.int64) for part in np.divmod(every[start : start + PAIRS_AT_ONCE], np.uint64(count)))
                for some, held in sketches.of_pairs(left, right):
                    self._prove_some(left[some], right[some], held, large)
        blocks.close()

    def _prove_some(self, left: NDArray[np.int64], right: NDArray[np.int64], held: Held, large: Numbers) -> None:
        from gristmill.dedup.cluster_kernels import verify

        a, b = np.searchsorted(held.rows, left), np.searchsorted(held.rows, right)
        similarity, keys = verify(a, b, large, held.bands, held.shingles, held.ends, self.threshold)
        found = similarity >= 0
        self.pairs_proposed += len(left)
        self.edges_new += int(found.sum())
        ends = np.column_stack([left, right])[found]
        self.edges.add(np.column_stack([ends.astype(np.uint64), keys[found], similarity[found].astype(np.uint64)]))
        self.documents.touched[ends.ravel()] = True

    def tables(self) -> Iterator[tuple[str, pl.DataFrame]]:
        """The tables `near_edges` and `band_groups` of `state.SCHEMAS`, in parts."""
        for part in self.edges.chunks(ROWS_AT_ONCE):
            left, right = (self.documents.hexes(part[:, i].astype(np.int64), TEXT, "") for i in (0, 1))
            swap = pl.select(left > right).to_series()
            frame = pl.DataFrame({"left": left, "right": right, "key": part[:, 2], "similarity": part[:, 3] / 1e6, "swap": swap})
            ordered = frame.with_columns(
                left=pl.when("swap").then("right").otherwise("left"), right=pl.when("swap").then("left").otherwise("right")
            )
            yield "near_edges", ordered.select(list(SCHEMAS["near_edges"]))
        for part in self.large.chunks(ROWS_AT_ONCE):
            yield (
                "band_groups",
                pl.DataFrame({"key": part[:, 0], "normal_hash": self.documents.hexes(part[:, 1].astype(np.int64), TEXT, "")}),
            )


def _among(values: Numbers, ordered: Numbers) -> NDArray[np.bool_]:
    """Whether each value is one of the sorted ones."""
    from gristmill.dedup.cluster_kernels import among

    return np.asarray(among(values, ordered, max(12, (8 * len(ordered)).bit_length())))
