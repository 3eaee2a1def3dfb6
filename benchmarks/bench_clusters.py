"""Clusters of ten million documents' signatures, from nothing and after a shard came: documents a second, and peak memory.

The documents are made up: 14 bands and a sketch of 24 to 48 shingles of 32 bits each, in forty shards of Parquet. A twentieth are
in two shards, a tenth copy another's text, three tenths are near another (in families of 2 to 40 whose members
replaced up to a sixth of the shingles), one in two hundred stands in one of a few large bands of boilerplate, and there are
semantic pairs. A document's bands are true MinHash bands of its sketch. Clustering runs in a process of its own, whose
peak memory is printed; `GRISTMILL_BENCH_DOCUMENTS` sets another number of documents.
"""

import json
import multiprocessing
import os
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.run import report
from gristmill.dedup.clusters import duplicate_clusters
from gristmill.dedup.keys import hexes
from gristmill.dedup.members import MEMBERS, Shard
from gristmill.dedup.state import SCHEMAS
from gristmill.recipe.dedup import Dedup, MinHash

DOCUMENTS = int(os.environ.get("GRISTMILL_BENCH_DOCUMENTS", 10_000_000))
SHARDS = 40
BANDS, ROWS = MinHash().bands, MinHash().rows
LOW, HIGH = 24, 49  # shingles
START = 1_767_225_600_000_000  # 2026-01-01, in microseconds


def mixed(x):
    """SplitMix64's finaliser."""
    x = np.atleast_1d(np.asarray(x, dtype=np.uint64))  # scalars would warn of what arrays are meant to do
    x = (x ^ x >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ x >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return x ^ x >> np.uint64(31)


def keys(of, salt):
    """128 bits of each number."""
    of = np.asarray(of, dtype=np.uint64)
    return np.column_stack([mixed(of + np.uint64(salt << 40)), mixed(mixed(of) + np.uint64(salt << 41))])


def sketch(family, variant):
    """Shingles (n, HIGH - 1) and how many of them count: a family's, of which the variant replaced some."""
    lengths = LOW + (mixed(family * np.uint64(7)) % np.uint64(HIGH - LOW)).astype(np.int64)
    at = np.arange(HIGH - 1, dtype=np.uint64)
    own = mixed(family[:, None] * np.uint64(1_000) + at)
    share = (mixed(variant + np.uint64(5)) % np.uint64(1_000)) / 6_000 * (variant > 0)
    replaced = mixed(variant[:, None] * np.uint64(1_009) + at) % np.uint64(1_000) < (share * 1_000)[:, None]
    values = np.where(replaced, mixed(mixed(family * np.uint64(31) + variant)[:, None] + at), own)
    return (values >> np.uint64(32)).astype(np.uint32), lengths


def bands(shingles, lengths):
    """Keys (n, BANDS) of the least permuted shingles, eight a band."""
    counted = np.arange(shingles.shape[1]) < lengths[:, None]
    out = np.empty((len(shingles), BANDS), dtype=np.uint64)
    for band in range(BANDS):
        key = np.full(len(shingles), band, dtype=np.uint64)
        for row in range(ROWS):
            factor = np.uint32(int(mixed(1 + band * ROWS + row)[0]) & 0xFFFFFFFF | 1)
            key = mixed(key ^ np.where(counted, shingles * factor, np.uint32(0xFFFFFFFF)).min(axis=1).astype(np.uint64))
        out[:, band] = key
    return out


def write_shard(folder, number, count):
    """Members and signatures of one shard."""
    draw = np.random.default_rng(number)
    first = number * count
    identity = first + np.arange(count, dtype=np.uint64)
    elsewhere = draw.random(count) < 0.05 * (number > 0)
    identity[elsewhere] = np.sort(draw.choice(max(first, 1), elsewhere.sum(), replace=False) if first else []).astype(np.uint64)
    fate = mixed(identity + np.uint64(11)) % np.uint64(1_000)
    kin = mixed(identity // np.uint64(40) + np.uint64(13)) % np.uint64(1_000) < 300
    size = np.uint64(2) + mixed(identity // np.uint64(40)) % np.uint64(39)
    family = np.where(kin, identity // np.uint64(40) * np.uint64(40) + identity % np.uint64(40) // size, identity + np.uint64(1 << 36))
    variant = np.where(kin, identity % np.uint64(997), np.uint64(0))
    copied = ~kin & (fate < 150)
    family = np.where(copied, (identity // np.uint64(3)) + np.uint64(1 << 37), family)
    shingles, lengths = sketch(family, variant)
    banded = bands(shingles, lengths)
    boiler = fate >= 995
    banded[boiler, 0] = mixed(identity[boiler] % np.uint64(20) + np.uint64(1 << 50))
    text = keys(family * np.uint64(1_009) + variant, 2)
    doc = keys(identity, 1)
    frame = pl.DataFrame(
        {
            "doc_id": hexes(doc),
            "url": pl.select(
                pl.format(
                    "https://host-{}.example/page/{}", pl.Series(identity // 50 % 5_000), pl.Series(identity - identity % 50 * (fate > 990))
                )
            ).to_series(),
            "payload": "sha256:" + hexes(keys(identity, 3)) + hexes(keys(identity, 4)),
            "normal_hash": hexes(text),
            "text_hash": hexes(text),
            "n_shingles": lengths,
            "n_chars": 200 + (mixed(variant) % np.uint64(50)).astype(np.int64) * 10,
            "fetched_at": pl.Series(START + draw.integers(0, 10**12, count)).cast(pl.Datetime("us", "UTC")),
            "priority": np.full(count, number % 2, dtype=np.int64),
        }
    ).cast(MEMBERS)
    counted = np.arange(shingles.shape[1]) < lengths[:, None]
    shingles = np.sort(np.where(counted, shingles, np.uint32(0xFFFFFFFF)), axis=1)
    held = pa.LargeListArray.from_arrays(np.concatenate([[0], lengths.cumsum()]), pa.array(shingles[counted]))
    lists = pa.LargeListArray.from_arrays(np.arange(0, BANDS * count + 1, BANDS), pa.array(banded.ravel()))
    signatures = frame.select("doc_id").with_columns(pl.from_arrow(lists).alias("bands"), pl.from_arrow(held).alias("shingles"))
    for name, table in (("members", frame), ("signatures", signatures)):
        chosen = table.unique("doc_id", keep="first", maintain_order=True).sort("doc_id")
        chosen.write_parquet(folder / f"{name}.{number:03}.parquet", compression="zstd", compression_level=1, row_group_size=50_000)


def shards(folder, count):
    return [
        Shard(f"bench/{i:03}", pl.scan_parquet(folder / f"members.{i:03}.parquet"), pl.scan_parquet(folder / f"signatures.{i:03}.parquet"))
        for i in range(count)
    ]


def cluster(folder, count, previous):
    """Seconds, seconds of processor time, peak MiB, counts; the tables stay in the folder."""
    with tempfile.TemporaryDirectory() as warm:  # compiles
        nothing = pl.LazyFrame(schema=SCHEMAS["semantic_edges"])
        few = [Shard(s.key, s.members.head(100), s.signatures.head(100)) for s in shards(folder, 2)]
        first = duplicate_clusters(few, nothing, Dedup(), Path(warm))
        duplicate_clusters(few[:1], nothing, Dedup(), Path(warm), first.tables)
    scratch = Path(tempfile.mkdtemp(dir=folder))
    earlier = {path.stem: pl.scan_parquet(path) for path in sorted((folder / "state").glob("*.parquet"))} if previous else None
    semantic = pl.scan_parquet(folder / "semantic.parquet")
    start, worked = time.perf_counter(), time.process_time()
    found = duplicate_clusters(shards(folder, count), semantic, Dedup(), scratch, earlier)
    used, worked = time.perf_counter() - start, time.process_time() - worked
    (folder / "state").mkdir(exist_ok=True)
    kinds = dict(found.clusters.group_by("kind").len().collect(engine="streaming").sort("kind").iter_rows())
    if not previous:
        for name, frame in found.tables.items():
            frame.sink_parquet(folder / "state" / f"{name}.parquet")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    written = sum(path.stat().st_size for path in scratch.rglob("*") if path.is_file()) / 2**20
    return used, worked, peak, found.counts | kinds | {"scratch MiB left": round(written)}


def run(measure):
    count = DOCUMENTS // SHARDS
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with ProcessPoolExecutor(2, spawn) as both:
            list(both.map(write_shard, [folder] * SHARDS, range(SHARDS), [count] * SHARDS))
        pairs = np.sort(mixed(np.arange(DOCUMENTS // 100, dtype=np.uint64)) % np.uint64(DOCUMENTS))
        ends = [hexes(keys((pairs + np.uint64(shift) + np.uint64(1 << 36)) * np.uint64(1_009), 2)) for shift in (0, 1)]
        semantic = pl.DataFrame({"left": ends[0], "right": ends[1], "similarity": 0.96}).filter(pl.col("left") < pl.col("right")).unique()
        semantic.write_parquet(folder / "semantic.parquet")
        size = sum(path.stat().st_size for path in folder.glob("*.parquet"))
        for what, shards_, previous in (("from nothing", SHARDS - 1, False), ("one shard more", SHARDS, True)):
            with ProcessPoolExecutor(1, spawn) as alone:
                used, worked, peak, counts = alone.submit(cluster, folder, shards_, previous).result()
            report(f"clusters, {what}", "documents/s", shards_ * count / used)
            line = {
                "name": f"clusters, {what}",
                "seconds": round(used, 1),
                "of processor time": round(worked, 1),
                "peak MiB": round(peak),
                "input MiB": round(size / 2**20),
            }
            print(json.dumps(line | {"counts": counts}), flush=True)
