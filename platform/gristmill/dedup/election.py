"""Who survives: one greedy election in each component of related documents, in declared order.

The first document left survives and takes every document left that is itself related to it; the first of the rest survives
next. So no chain of small steps merges documents that differ (transitive closure wiped out whole sources elsewhere:
marin-community/marin issue 6854), each loser names a survivor that it measurably resembles, and no two survivors are known
duplicates. It is the first maximal independent set in order of survival (Blelloch, Fineman and Shun 2012, "Greedy sequential
maximal independent set and matching are parallel on average"), so one pass in that order finds it: a document
is lost to the first survivor that it is related to, and survives if there is none.

A key has one survivor at most, so url, payload and text take one look each. The pairs of a large band are not written down:
a document is compared with the band's survivors so far, LEADERS of them at most. What comes after that many
unlike survivors is compared under the other bands that it shares: a small one has all its pairs written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gristmill.dedup.keys import hexes
from gristmill.dedup.members import CHARS, DOC, KEYS, NO_TIME, PRIORITY, SHARD, TEXT, TIME_, WIDTH, Documents
from gristmill.dedup.sketches import Held, Sketches
from gristmill.dedup.spill import Numbers, by_key

VERSION = "2"

LEADERS = 128  # survivors that a large band remembers

KINDS = ("same", "url", "payload", "exact", "near", "semantic", "survivor")  # as numbered in `cluster_kernels`, strongest first


@dataclass(frozen=True)
class Batch:
    """Whole components: everything in them that decides. Rows are as in Documents, all columns are numbers."""

    documents: Numbers  # (n, WIDTH + 2): the document, its row, its root
    near: Numbers  # (row, row, key, millionths)
    semantic: Numbers  # (row, row, millionths)
    large: Numbers  # (key, row)
    extras: Numbers  # (owner's row, row)


@dataclass(frozen=True)
class Elected:
    clusters: pl.DataFrame  # the contract `clusters`
    clustered: Numbers  # (n, 3): row, and the component's name in two
    components: int


def order_of_survival(rows: Numbers, survivor: Sequence[str]) -> NDArray[np.int64]:
    """The rows of documents, the first to survive first; of one document's copies in several shards that of the first shard."""
    time = rows[:, TIME_].view(np.int64)
    unknown = time == NO_TIME
    keys: list[NDArray[np.int64]] = []
    for preference in survivor:
        if preference == "priority":
            keys.append(-rows[:, PRIORITY].view(np.int64))
        elif preference == "longest":
            keys.append(-rows[:, CHARS].view(np.int64))
        else:
            keys += [unknown.astype(np.int64), np.where(unknown, 0, time if preference == "earliest" else -time)]
    return np.lexsort((rows[:, SHARD], rows[:, DOC + 1], rows[:, DOC], *reversed(keys)))


def elect(batch: Batch, documents: Documents, sketches: Sketches, survivor: Sequence[str], text_kind: str, threshold: int) -> Elected:
    """Elects in the batch's components. `text_kind` is how documents of one normalised text are related: exact or near."""
    from gristmill.dedup import cluster_kernels

    ranked = batch.documents[order_of_survival(batch.documents, survivor)]
    rows, roots = ranked[:, WIDTH].astype(np.int64), ranked[:, WIDTH + 1]
    groups = np.column_stack([_numbered(ranked[:, key : key + 2]) for key in KEYS])
    place = _Places(rows)
    texts, exact_texts = groups[:, KEYS.index(TEXT)], groups[:, -1]
    n_texts, n_exact = int(texts.max(initial=-1)) + 1, int(exact_texts.max(initial=-1)) + 1
    left, right = (texts[place.of(batch.near[:, i])] for i in (0, 1))
    near = _neighbours(left, right, batch.near[:, 3].astype(np.int64), n_texts)
    left, right = (exact_texts[place.of(batch.semantic[:, i])] for i in (0, 1))
    semantic = _neighbours(left, right, batch.semantic[:, 2].astype(np.int64), n_exact)
    large = _lists(texts[place.of(batch.large[:, 1])], np.unique(batch.large[:, 0], return_inverse=True)[1].astype(np.int64), n_texts)
    held = sketches.of(np.unique(batch.large[:, 1].astype(np.int64)))
    sets = _sets(held, texts[place.of(held.rows)], n_texts)
    winner, kind, similarity = cluster_kernels.elect(groups, KINDS.index(text_kind), near, semantic, large, sets, threshold, LEADERS)
    names, found = _names(roots, ranked[:, DOC : DOC + 2])
    copies = np.column_stack([batch.extras[:, 1], names[place.of(batch.extras[:, 0])]])
    clustered = np.concatenate([np.column_stack([rows.astype(np.uint64), names]), copies])
    return Elected(_clusters(ranked, batch.extras, documents, place, winner, kind, similarity), clustered, found)


def _clusters(
    ranked: Numbers,
    extras: Numbers,
    documents: Documents,
    place: _Places,
    winner: NDArray[np.int64],
    kind: NDArray[np.int8],
    similarity: NDArray[np.int64],
) -> pl.DataFrame:
    """The contract `clusters`, of those that have company: their own rows, and those of other shards' copies."""
    doc = ranked[:, DOC : DOC + 2]
    copies, own = place.of(extras[:, 0]), np.arange(len(ranked))
    index = np.concatenate([own, copies])
    shard = np.concatenate([ranked[:, SHARD], np.asarray(documents.table[extras[:, 1].astype(np.int64), SHARD])]).astype(np.int64)
    kinds = np.concatenate([kind, kind[copies]])
    kinds[len(ranked) :][kinds[len(ranked) :] == KINDS.index("survivor")] = KINDS.index("same")
    alone = np.bincount(winner[index], minlength=len(ranked)) < 2
    chosen = ~alone[winner[index]]
    index, shard, kinds = index[chosen], shard[chosen], kinds[chosen]
    names, _ = _names(winner.astype(np.uint64), doc)  # the smallest doc_id of a survivor and its losers
    return pl.DataFrame(
        {
            "doc_id": hexes(doc[index]),
            "shard": documents.shard_names(shard),
            "kind": pl.Series(KINDS, dtype=pl.String).gather(kinds.astype(np.int64)),
            "cluster": hexes(names[index]),
            "survivor": hexes(doc[winner[index]]),
            "survivor_shard": documents.shard_names(ranked[winner[index], SHARD].astype(np.int64)),
            "similarity": similarity[index] / 1e6,
        }
    ).sort("doc_id", "shard")


def _names(roots: Numbers, doc: Numbers) -> tuple[Numbers, int]:
    """The smallest doc_id (n, 2) of each row's group, and how many groups there are."""
    order = np.lexsort((doc[:, 1], doc[:, 0], roots))
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = roots[order[1:]] != roots[order[:-1]]
    out = np.empty((len(order), 2), dtype=np.uint64)
    out[order] = doc[order[np.flatnonzero(begins)]][np.cumsum(begins) - 1]
    return out, int(begins.sum())


class _Places:
    """Where in an array each row number stands."""

    def __init__(self, rows: NDArray[np.int64]):
        self._order = np.argsort(rows)
        self._sorted = rows[self._order]

    def of(self, rows: Numbers | NDArray[np.int64]) -> NDArray[np.int64]:
        return self._order[np.searchsorted(self._sorted, rows.astype(np.int64))]


def _numbered(keys: Numbers) -> NDArray[np.int64]:
    """Equal keys as equal small numbers; none is -1."""
    order, begins = by_key(keys)
    out = np.empty(len(keys), dtype=np.int64)
    out[order] = np.cumsum(begins) - 1
    out[(keys[:, 0] | keys[:, 1]) == 0] = -1
    return out


Lists = tuple[NDArray[np.int64], NDArray[np.int64]]


def _lists(of: NDArray[np.int64], values: NDArray[np.int64], count: int) -> Lists:
    """Where each one's values end (count + 1), and all values, one's after the other's."""
    order = np.argsort(of, kind="stable")
    return np.searchsorted(of[order], np.arange(count + 1)), values[order]


def _neighbours(left: NDArray[np.int64], right: NDArray[np.int64], weight: NDArray[np.int64], count: int) -> tuple[Lists, ...]:
    of, other = np.concatenate([left, right]), np.concatenate([right, left])
    ends, others = _lists(of, other, count)
    return ends, others, _lists(of, np.concatenate([weight, weight]), count)[1]  # type: ignore[return-value]


def _sets(held: Held, texts: NDArray[np.int64], count: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The shingles of each text by its number; none of those that no large band holds."""
    from gristmill.dedup.cluster_kernels import gather

    lengths = np.zeros(count, dtype=np.int64)
    lengths[texts] = np.diff(held.ends)
    order = np.argsort(texts)
    ends = np.concatenate([np.zeros(1, np.int64), lengths[texts[order]].cumsum()])
    return gather(held.shingles, held.ends, order, ends), np.concatenate([np.zeros(1, np.int64), lengths.cumsum()])
