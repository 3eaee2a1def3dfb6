"""The KL outlier signal: how far a document's words are from the crawl's.

Llama 3 (Grattafiori et al. 2024, section 3.1.1) filters documents with "excessive numbers of outlier tokens compared
to the training corpus distribution" by their Kullback-Leibler divergence; it gives neither units, smoothing nor
threshold.

| term | threshold | source |
|---|---|---|
| divergence | drop above 5.0 nats | measured (`policy.profiles.kl`); Llama 3 publishes none |
| FEWEST_TERMS | 50 terms, below which the divergence is 0 | ours; as many as Gopher's fewest words |
| UNIFORM, TYPES | 0.05 over 1,000,000 terms | ours |
| VOCABULARY | 200,000 terms a source | ours |

Here, in nats over `segment`'s terms:

    KL(document || crawl) = sum over terms t of p(t) ln(p(t) / q(t)),   p(t) = occurrences of t / terms of the document
    q(t) = (1 - UNIFORM) * count(t) / total + UNIFORM / TYPES

q mixes the crawl's counts with a uniform distribution over a nominal million terms, so a term that the crawl never
had costs ln(TYPES / UNIFORM) = 16.8 nats whatever the size of the sample: thresholds carry over from crawl to crawl.
A document of few words diverges for want of words alone (KL >= cross-entropy - ln n), so one with fewer than
FEWEST_TERMS terms has divergence 0 and is left to the rules on length.

The distribution is kept **per source** (web, code, prose) and a document is compared with its own: against a crawl of
mostly prose every source file would be an outlier, and what an outlier among source files is would be lost.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Iterable

import numpy as np
import polars as pl

from gristmill.signals import segment
from gristmill.signals.chunk import Chunk, References, Values, chunks
from gristmill.signals.segment import column, fold, tables

VERSION = f"1-{segment.VERSION}"
DISTRIBUTION_VERSION = f"1-{segment.VERSION}"
READS = frozenset({"text", "distribution"})
SIGNALS = {"divergence": "KL divergence in nats of the document's word distribution from its source's"}

UNIFORM = 0.05
TYPES = 1_000_000
FEWEST_TERMS = 50
VOCABULARY = 200_000  # terms kept per source: the most frequent, then by code points
LONGEST_TERM = 64  # bytes; longer runs are no words and are left out of the counts

_COUNTS = {"token": pl.String, "count": pl.Int64}


def compute(chunk: Chunk, references: References) -> Values:
    """`references.distribution` (token, probability) is that of the documents' source."""
    from gristmill.signals.kernels import terms as kernels

    distribution = references.distribution
    if distribution is None:
        raise ValueError("the family kl needs the token distribution of the documents' source")
    classes, folded = tables()
    data, offsets = column(distribution["token"])
    known, starts, _ = kernels.term_spans(data, offsets, classes, folded)
    if len(known) != distribution.height or not np.array_equal(starts, offsets[:-1]):
        raise ValueError("a token of the distribution is not one term; it was made with another segmentation")
    order = np.argsort(known)
    log_known = np.log(distribution["probability"].to_numpy())[order]
    data, offsets = chunk.bytes
    values = kernels.divergences(data, offsets, classes, folded, known[order], log_known, math.log(UNIFORM / TYPES), FEWEST_TERMS)
    return {"divergence": np.maximum(values, 0.0)}


def sample(doc_ids: Iterable[str], size: int) -> list[str]:
    """The `size` distinct documents with the smallest salted hash: the same whatever their order and sharding."""
    return heapq.nsmallest(size, set(doc_ids), key=lambda doc_id: hashlib.blake2b(doc_id.encode(), digest_size=8, key=b"kl").digest())


def count(texts: pl.Series) -> pl.DataFrame:
    """token, count over all texts. Add up the counts of several calls with `add`."""
    from gristmill.signals.kernels import terms as kernels

    classes, folded = tables()
    counted = [pl.DataFrame(schema=_COUNTS)]
    for chunk in chunks(pl.DataFrame({"text": texts})):
        data, offsets = chunk.bytes
        hashes, starts, ends = kernels.term_spans(data, offsets, classes, folded)
        _, first, counts = np.unique(hashes, return_index=True, return_counts=True)
        kept = ends[first] - starts[first] <= LONGEST_TERM
        first, counts = first[kept], counts[kept]
        terms = [fold(data[a:b].tobytes().decode()) for a, b in zip(starts[first], ends[first], strict=True)]
        counted.append(pl.DataFrame({"token": terms, "count": counts}, schema=_COUNTS))
    return add(counted)


def add(counts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The sum of several counts."""
    return pl.concat(counts).group_by("token").agg(pl.col("count").sum())


def distribution(counts: pl.DataFrame) -> pl.DataFrame:
    """token, count, probability (q above) of the VOCABULARY most frequent terms; probabilities are rounded to 12 digits."""
    total = max(int(counts["count"].sum() or 0), 1)
    kept = counts.sort(["count", "token"], descending=[True, False]).head(VOCABULARY)
    return kept.with_columns(probability=((1 - UNIFORM) * pl.col("count") / total + UNIFORM / TYPES).round(12))
