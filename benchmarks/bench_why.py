"""Look-ups of `why` over ten million generated documents in 200 shards against a scan of the same rows: look-ups a second.

Ours opens its files anew for every look-up, as a command does. The scan is Polars' own, over the shards' tables (sorted by doc_id, with
statistics): by doc_id it may skip row groups, by URL and by sentence it may not. The sentence's texts are fewer, and the figure is
per shard of 5,000 pages: a phrase is asked of every shard's index.
"""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from gristmill.lake.contracts import TIME
from gristmill.lake.store import Lake
from gristmill.lake.workspace import Inputs, Made, Workspace
from gristmill.lineage.index import documents as index
from gristmill.lineage.index import rekeyed, search
from gristmill.lineage.why.find import INDEX, Keyed
from gristmill.recipe import Recipe

DOCUMENTS, SHARDS = 10_000_000, 200
PAGES, PAGE_WORDS = 5_000, 300
LOOK_UPS = 20


def shard_rows(n: int) -> pl.DataFrame:
    """`index.ROW` of one shard, sorted by doc_id."""
    generator, count = np.random.default_rng(n), DOCUMENTS // SHARDS
    digits = generator.bytes(16 * count).hex()
    number = pl.int_range(n * count, (n + 1) * count, eager=True)
    return (
        pl.DataFrame({"doc_id": [digits[32 * i : 32 * i + 32] for i in range(count)], "number": number})
        .select(
            "doc_id",
            url=pl.format(
                "https://host{}.example/section/{}/page-{}.html", pl.col("number") * 7919 % 50_000, pl.col("number") % 13, "number"
            ),
            shard=pl.lit(f"crawl/{n:04}"),
            capture=pl.lit(""),
            fetched_at=pl.lit(None, TIME),
        )
        .sort("doc_id")
    )


def run(measure):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shards = folder / "shards"
        shards.mkdir()
        for n in range(SHARDS):
            shard_rows(n).write_parquet(shards / f"{n:04}.parquet", row_group_size=10_000)
        paths = sorted(shards.iterdir())
        workspace = Workspace(Lake(folder / "lake"), Recipe())
        index.write_index((pl.read_parquet(path) for path in paths), DOCUMENTS, folder / "index")
        workspace.store(INDEX, None, Made(files={"index": folder / "index"}), "1", Inputs())
        some = pl.concat([pl.read_parquet(path).sample(1, seed=1) for path in paths[:: SHARDS // LOOK_UPS]]).head(LOOK_UPS)
        scan = pl.scan_parquet(paths)

        def by(column, look_up):
            def ours():
                for value in some[column]:
                    assert look_up(Keyed(workspace), value).height == 1

            def theirs():
                assert scan.filter(pl.col(column) == some[column][0]).collect().height == 1

            measure(f"why by {column}", "look-ups/s", LOOK_UPS, ours, theirs, "a scan of the shards", 1)

        by("doc_id", lambda keyed, value: keyed.documents([value]))
        by("url", lambda keyed, value: keyed.pages([value]))
        _placements(measure, workspace)
        _sentence(measure, folder)


def _placements(measure, workspace):
    """Where a document lies in ten million runs of tokens; the scan is of the provenance, which is in the order of the corpus."""
    generator = np.random.default_rng(1)
    sequence = pl.Series("sequence", np.sort(generator.integers(0, DOCUMENTS // 3, DOCUMENTS)))
    doc = pl.Series("doc_id", generator.permutation(DOCUMENTS)).cast(pl.String).str.zfill(32)
    told = {"phase": "general", "origin": "crawl", "source": "web", "topic": "crafts"}
    provenance = pl.DataFrame({"doc_id": doc, "sequence": sequence}).with_columns(
        position=pl.int_range(pl.len()).cast(pl.Int64),
        start=pl.lit(0, pl.Int64),
        end=pl.lit(90, pl.Int64),
        epoch=pl.lit(0, pl.Int64),
        **{k: pl.lit(v) for k, v in told.items()},
    )
    stored = workspace.lake.write_table(
        "provenance", provenance.select("phase", "sequence", "position", "doc_id", "origin", "source", "topic", "start", "end", "epoch")
    )
    workspace.store("corpus_placements", "general", Made({"placements": rekeyed.placements(provenance)}), "1")
    wanted = doc.head(LOOK_UPS).to_list()

    def ours():
        for doc_id in wanted:
            found = Keyed(workspace).rows("corpus_placements", "general", "placements", {"doc_id": [doc_id]})
            assert found.height == 1

    def theirs():
        assert workspace.lake.scan(stored).filter(pl.col("doc_id") == wanted[0]).collect().height == 1

    measure("why in the corpus", "look-ups/s", LOOK_UPS, ours, theirs, "a scan of the provenance", 1)


def _sentence(measure, folder):
    generator = np.random.default_rng(2)
    words = np.array([hashlib.blake2b(str(n).encode(), digest_size=4).hexdigest() for n in range(20_000)])
    chosen = (20_000 * generator.random((PAGES, PAGE_WORDS)) ** 3).astype(int)  # some words are common, most are rare
    texts = pl.DataFrame({"doc_id": [f"{n:032x}" for n in range(PAGES)], "text": [" ".join(row) for row in words[chosen]]})
    search.write_search_index(texts, folder / "search")
    texts.write_parquet(folder / "texts.parquet", row_group_size=1_000)
    phrase = " ".join(texts["text"][PAGES // 2].split()[40:52])

    def ours():
        assert len(search.candidates(str(folder / "search"), None, phrase, 50)) == 1

    def theirs():
        assert pl.scan_parquet(folder / "texts.parquet").filter(pl.col("text").str.contains(phrase, literal=True)).collect().height == 1

    measure("why by sentence", "shards of 5,000 pages/s", 1, ours, theirs, "a scan of their text")
