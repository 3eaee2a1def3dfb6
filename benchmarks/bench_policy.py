"""A threshold change over ten million stored rows in twenty shards: documents a second, against a loop over the rows.

Ours answers what `gristmill policy try` answers: both policies judged, flips by rule, source, host and language, the
documents nearest the threshold. It runs in a process of its own, whose peak memory is printed. The peer decides as ours
does, row by row in Python over Arrow columns, on the first documents of one shard.
"""

import json
import multiprocessing
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from gristmill.lake.store import Lake
from gristmill.lake.workspace import Made, Workspace
from gristmill.policy.what_if import what_if
from gristmill.recipe import Recipe

SHARDS, ROWS, HOSTS = 20, 500_000, 20_000
SAMPLE = 100_000  # rows that the peer judges
CHANGED = {"gopher.word_count_min": 60.0}


def signals(seed: int) -> dict[str, pl.DataFrame]:
    """A shard's tables: values distributed roughly as web pages' are, most of them distinct."""
    draw = np.random.default_rng(seed)
    doc_id = pl.select(pl.format("{}{}", pl.lit(f"{seed:08x}"), pl.int_range(ROWS).cast(pl.String).str.zfill(24))).to_series()

    def some(share: float, values: np.ndarray) -> np.ndarray:
        return np.where(draw.random(ROWS) < share, values, 0.0)

    values = {
        "gopher.word_count": np.floor(draw.lognormal(5.5, 1.3, ROWS)),
        "gopher.mean_word_length": draw.normal(4.8, 0.9, ROWS),
        "gopher.hash_to_word": some(0.2, draw.exponential(0.03, ROWS)),
        "gopher.ellipsis_to_word": some(0.3, draw.exponential(0.03, ROWS)),
        "gopher.bullet_line_share": some(0.4, draw.random(ROWS)),
        "gopher.ellipsis_line_share": some(0.3, draw.beta(1, 8, ROWS)),
        "gopher.alphabetic_word_share": draw.beta(18, 2, ROWS),
        "gopher.stop_word_count": draw.integers(0, 9, ROWS).astype(float),
        "kl.divergence": draw.gamma(8, 0.35, ROWS),
        "language.score": draw.beta(12, 1.5, ROWS),
    }
    for rule in Recipe().policy.document_rules():  # repetition and what else the default policy reads: mostly little
        values.setdefault(rule.signal, some(0.6, draw.beta(1, 14, ROWS)))
    size = pl.Series(values["gopher.word_count"] * 6).cast(pl.Int64)
    host = pl.Series(draw.zipf(1.3, ROWS) % HOSTS).cast(pl.String) + ".example"
    pages = pl.DataFrame({"doc_id": doc_id, "host": host, "n_bytes": size, "n_chars": size}).with_columns(
        url=pl.format("http://{}/{}", "host", pl.int_range(pl.len())),
        language=pl.Series(np.array(["en", "de", "ja", "ru", "es"])[draw.integers(0, 5, ROWS)]),
    )
    tables = {"pages": pages}
    for family in Recipe().families:
        columns = {name: np.round(column, 6) + 0.0 for name, column in values.items() if name.startswith(f"{family}.")}
        tables[f"signals.{family}"] = pl.DataFrame({"doc_id": doc_id, **columns})
    return tables


def policies(recipe: Recipe):
    old = recipe.policy.document_rules()
    return old, [rule.model_copy(update={"threshold": CHANGED.get(rule.name, rule.threshold)}) for rule in old]


def answer(folder: str):
    recipe = Recipe()
    return what_if(Workspace(Lake(folder), recipe), *policies(recipe))


def peak(folder: str | None) -> float:
    """Peak MiB of this process, after an answer where a lake is given."""
    if folder:
        answer(folder)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def row_by_row(paths: list[str]) -> int:
    """Flips among the first rows, rule by rule over Python floats."""
    holds = {"<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__}
    columns: dict[str, list[float]] = {}
    for path in paths:
        table = next(pq.ParquetFile(path).iter_batches(SAMPLE))
        columns |= {name: table.column(name).to_pylist() for name in table.schema.names if name != "doc_id"}
    flips = 0
    old, new = policies(Recipe())
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        kept = [not any(holds[rule.when](row[rule.signal], rule.threshold) for rule in rules) for rules in (old, new)]
        flips += kept[0] != kept[1]
    return flips


def run(measure):
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        before = alone.submit(peak, None).result()  # started while this process is small: a child inherits the peak so far
        workspace = Workspace(Lake(folder), Recipe())
        start = time.perf_counter()
        for n in range(SHARDS):
            workspace.store("signals", f"bench/{n:04d}", Made(signals(n)), "1")
        made = time.perf_counter() - start
        tables = workspace.output("signals", "bench/0000").tables
        paths = [os.path.join(folder, stored.key) for name, stored in tables.items() if name != "pages"]
        after = alone.submit(peak, folder).result()
        print(
            json.dumps(
                {
                    "name": "policy memory",
                    "documents": SHARDS * ROWS,
                    "generated in s": round(made),
                    "peak MiB": round(after),
                    "of which before the first shard": round(before),
                }
            ),
            flush=True,
        )
        peer = "the same decisions, row by row in Python"
        measure("policy", "documents/s", SHARDS * ROWS, lambda: answer(folder), lambda: row_by_row(paths), peer, SAMPLE)
