"""Looking after a table of vectors: small files put together, indexes, old versions let go, texts taken out for good.

LanceDB advises to optimize after some 20 modifications, which `embed` asks after every commit. The B-tree over text hashes
serves every look-up (2,000 keys among 20,000 vectors: 26 ms with it, 185 ms without); the approximate index, which a
table gets once it is large, serves `VectorTable.nearest`, which people ask; deduplication never uses it (see `semantic`).

After a takedown no file may hold the text's vector or key. LanceDB's delete only marks rows; its compaction leaves a file alone of
which less than a tenth is deleted, indexes keep keys and codes of deleted rows, and old versions keep everything. So
`forget` first writes the other rows of the files concerned into new files, then deletes the rows, which leaves nothing
of those files in the table, builds the indexes anew, and purges every version before that.
"""

from __future__ import annotations

import datetime
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gristmill.errors import LakeError

if TYPE_CHECKING:
    from gristmill.dedup.vectors import VectorTable

SMALL_FRAGMENTS = 20  # more files below LanceDB's target size than this are put together
KEPT = datetime.timedelta(days=7)  # how long an old version of a table can still be read; `forget` does not wait
APPROXIMATE_FROM = 100_000  # vectors; up to so many it takes milliseconds to look at all of them
MOVED_AT_ONCE = 20_000  # rows in a commit: 30 MB at 384 dimensions
FILE = 32  # bits of a row's address that are its place in a data file; those above number the file

CONFLICT = re.compile("conflict|concurrent|retry|too many", re.IGNORECASE)
"""What LanceDB says of a commit that another one overtook."""


def untidy(table: VectorTable) -> bool:
    """Whether so many small commits have piled up that `settle` is worth its time."""
    return bool(table.rows.stats()["fragment_stats"]["num_small_fragments"] > SMALL_FRAGMENTS)


def settle(table: VectorTable) -> None:
    """Puts small files together, brings the indexes up to date, lets versions older than KEPT go. Content does not change. Where
    another machine's commit comes in between, what is left is done the next time. LakeError for anything else that goes wrong."""
    with table.alone():
        try:
            _build_indexes(table)
            table.rows.optimize(cleanup_older_than=KEPT)
        except Exception as error:  # LanceDB raises plain RuntimeError and OSError; the text tells them apart
            if not CONFLICT.search(str(error)):
                raise LakeError(f"cannot be compacted: {error}", where=table.where, fix="Nothing is lost; run it again.") from error


def forget(table: VectorTable, text_hashes: Sequence[str]) -> int:
    """Deletes the vectors of `text_hashes` and every trace of them; how many there were. All old versions go with them. Killed at any
    moment it leaves all other vectors in the table, and running it again finishes. On an object store, where nothing
    locks other machines out, no build may run meanwhile: files of commits in flight are taken for left-overs."""
    unwanted = set(text_hashes)
    with table.alone():
        files = Counter(address >> FILE for address in table.addresses(text_hashes))
        for file in sorted(files):
            others = [key for key in _keys_in(table, file) if key not in unwanted]
            for start in range(0, len(others), MOVED_AT_ONCE):
                table.move(others[start : start + MOVED_AT_ONCE])
        table.delete(text_hashes)
        for index in table.rows.list_indices():
            table.rows.drop_index(index.name)
        _build_indexes(table)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that no other process can read an old version: none may
            clean = table.rows.version
            table.rows.optimize(cleanup_older_than=datetime.timedelta(0), delete_unverified=True)
        if old := [each["timestamp"] for each in table.rows.list_versions() if each["version"] < clean]:  # LanceDB goes by the clock
            raise LakeError(
                f"keeps {len(old)} old versions, and what was forgotten with them: the last was written at {max(old):%Y-%m-%d %H:%M:%S}, "
                f"and this machine's clock says {datetime.datetime.now():%Y-%m-%d %H:%M:%S}",
                where=table.where,
                fix="Set the clock right, or wait until it has passed that time, and run the same again.",
            )
    return files.total()


def _build_indexes(table: VectorTable) -> None:
    """The indexes that the table should have by its size and lacks."""
    from lancedb.index import BTree, IvfPq

    has, count = {index.columns[0] for index in table.rows.list_indices()}, table.rows.count_rows()
    if count and "text_hash" not in has:
        table.rows.create_index("text_hash", config=BTree())
    if count >= APPROXIMATE_FROM and "vector" not in has:
        table.rows.create_index("vector", config=IvfPq(distance_type="cosine"))


def _keys_in(table: VectorTable, file: int) -> list[str]:
    """The text hashes in a data file, sorted."""
    span = f"_rowid >= {file << FILE} AND _rowid < {(file + 1) << FILE}"
    found = table.rows.search().where(span).select(["text_hash"]).limit(table.rows.count_rows()).to_arrow()
    return sorted(found["text_hash"].to_pylist())
