"""The last verdict: survivors of deduplication whose score lies under the cutoff are dropped.

The recipe says which share of the survivors to drop; the cutoff is the quantile of the scores of the graded sample,
each source counting by its documents. It is held with the classifier, so that a new shard moves no other shard's verdicts.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence

import polars as pl

from gristmill.errors import GristmillError

VERSION = "1"

RULE = "quality.score"


def cutoff(
    quantiles: Mapping[str, Sequence[float]], weights: Mapping[str, float], drop_lowest: float, except_sources: Collection[str]
) -> float | None:
    """The score under which the lowest `drop_lowest` of the judged sources' documents lie; None when nothing is to be dropped.

    quantiles: per source, evenly spaced from the lowest to the highest score of its sample. weights: its documents.
    """
    judged = sorted(source for source in quantiles if source not in except_sources)
    if not drop_lowest or not judged:
        return None
    # a document of the sample between two quantiles stands for an equal part of its source
    steps = sorted(
        ((low + high) / 2, weights[source] / (len(quantiles[source]) - 1))
        for source in judged
        for low, high in itertools.pairwise(quantiles[source])
    )
    wanted = drop_lowest * sum(weight for _, weight in steps)
    below = 0.0
    for score, weight in steps:
        below += weight
        if below > wanted:
            return round(score, 6)
    return round(steps[-1][0], 6)


def curate(verdicts: pl.DataFrame, scores: pl.DataFrame, threshold: float | None) -> pl.DataFrame:
    """Verdicts (contract `verdicts`) after the quality rule; earlier drops keep their reason. `threshold` None judges nothing.

    A document is dropped when its score is under the threshold: value is its score. A survivor without a score is an error.
    """
    joined = verdicts.join(scores.select("doc_id", "quality"), on="doc_id", how="left", maintain_order="left")
    unscored = joined.filter(pl.col("kept") & pl.col("quality").is_null())
    if unscored.height:
        raise GristmillError(
            f"{unscored.height} survivors have no score, for example {unscored['doc_id'][0]}",
            where="curated_shards",
            fix="Materialize quality_scores of this shard again.",
        )
    if threshold is None:
        return verdicts
    falls = pl.col("kept") & (pl.col("quality") < threshold)
    return joined.with_columns(
        kept=pl.col("kept") & ~falls,
        first_rule=pl.when(falls).then(pl.lit(RULE)).otherwise("first_rule"),
        value=pl.when(falls).then("quality").otherwise("value"),
        threshold=pl.when(falls).then(pl.lit(threshold, dtype=pl.Float64)).otherwise("threshold"),
        fired=pl.when(falls).then(pl.concat_list("fired", pl.lit([RULE]))).otherwise("fired"),
    ).select(verdicts.columns)
