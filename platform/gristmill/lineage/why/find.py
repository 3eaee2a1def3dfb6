"""Look-ups by key in the lake's tables: of a Parquet file that is sorted by its key, only the row groups that may hold it are read.

Nothing here scans a column of text, or a whole table: what a look-up costs follows from the rows asked for. `Keyed.groups` counts the
row groups that were read, so that a test can hold it to that.
"""

from __future__ import annotations

import bisect
import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from gristmill.errors import LakeError
from gristmill.lake.store import Stored
from gristmill.lake.workspace import Output, Partition, Workspace
from gristmill.lineage.index import documents as index

INDEX = "document_index"
NEAR_GROUPS = 8  # row groups that a search for similar URLs may read
NEAR = 5
LAST = "\U0010ffff"  # sorts after every other character


@dataclass(frozen=True)
class Between:
    """Every key from `low` to `high`, both included."""

    low: Any
    high: Any

    @classmethod
    def starting_with(cls, prefix: str) -> Between:
        return cls(prefix, prefix + LAST)


Keys = Mapping[str, Collection[Any] | Between]


@dataclass
class Keyed:
    """Look-ups in what a workspace holds; heads and file footers are read once."""

    workspace: Workspace
    groups: int = 0  # row groups read so far
    _heads: dict[tuple[str, Partition], Output | None] = field(default_factory=dict)
    _files: dict[str, Any] = field(default_factory=dict)
    _about: dict[str, Any] | None = None

    def head(self, asset: str, partition: Partition = None) -> Output | None:
        if (asset, partition) not in self._heads:
            self._heads[asset, partition] = self.workspace.head(asset, partition)
        return self._heads[asset, partition]

    def rows(self, asset: str, partition: Partition, table: str, keys: Keys, columns: Sequence[str] | None = None) -> pl.DataFrame | None:
        """The rows of a table whose columns hold one of the `keys`; None where the partition, or the table in it, was not made."""
        head = self.head(asset, partition)
        if head is None or table not in head.tables:
            return None
        return self.of_file(head.tables[table].key, keys, columns)

    def of_file(self, key: str, keys: Keys, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """As `rows`, of the Parquet file under `key` of the lake."""
        if key not in self._files:
            self._files[key] = self.workspace.lake.parquet(key)
        file = self._files[key]
        wanted = None if columns is None else list(dict.fromkeys([*columns, *keys]))
        groups = row_groups(file.metadata, keys)
        self.groups += len(groups)
        found = pl.DataFrame(pl.from_arrow(file.read_row_groups(groups, columns=wanted)))
        for name, values in keys.items():
            is_wanted = (
                pl.col(name).is_between(pl.lit(values.low), pl.lit(values.high))
                if isinstance(values, Between)
                else pl.col(name).is_in(list(values))
            )
            found = found.filter(is_wanted)
        return found if columns is None else found.select(columns)

    # the index of documents

    def documents(self, doc_ids: Collection[str] | Between) -> pl.DataFrame:
        """`index.ROW` of the documents with these ids, or with ids between two: one row for each shard that holds one."""
        digits, stored = self._index()
        if isinstance(doc_ids, Between):
            buckets: dict[str, Any] = dict.fromkeys(self._buckets(stored, "doc", doc_ids.low[:digits]), doc_ids)
        else:
            buckets = {}
            for doc_id in sorted(set(doc_ids)):
                buckets.setdefault(index.bucket_of_doc(doc_id, digits), []).append(doc_id)
        return self._found(stored, "doc", {bucket: {"doc_id": ids} for bucket, ids in buckets.items()})

    def pages(self, urls: Collection[str]) -> pl.DataFrame:
        """`index.ROW` of the pages at these URLs, each version of each in each shard; refused ones too."""
        digits, stored = self._index()
        buckets: dict[str, list[str]] = {}
        for url in sorted(set(urls)):
            buckets.setdefault(index.bucket_of_url(url, digits), []).append(url)
        return self._found(stored, "url", {bucket: {"url": group} for bucket, group in buckets.items()})

    def similar_urls(self, url: str) -> list[str]:
        """Known URLs on the host of `url` that look like it, the likest first; those under its longest known folder are looked at."""
        digits, stored = self._index()
        name = f"url/{index.bucket_of_url(url, digits)}.parquet"
        if name not in stored.names:
            return []
        key, cut = f"{stored.key}/{name}", len(url)
        if key not in self._files:
            self._files[key] = self.workspace.lake.parquet(key)
        host_ends = url.find("/", url.find("://") + 3)
        while host_ends > 0 and cut > host_ends:
            cut = url.rfind("/", 0, cut)
            near = Between.starting_with(url[: cut + 1])
            groups = row_groups(self._files[key].metadata, {"url": near})[:NEAR_GROUPS]
            self.groups += len(groups)
            found = pl.DataFrame(pl.from_arrow(self._files[key].read_row_groups(groups, columns=["url"])))["url"].unique().sort()
            known = found.filter((found >= near.low) & (found <= near.high)).to_list()
            if known:
                at = bisect.bisect_left(known, url)
                likely = known[max(0, at - 500) : at + 500]
                return sorted(likely, key=lambda each: (-difflib.SequenceMatcher(None, url, each).ratio(), each))[:NEAR]
        return []

    def moved_since_index(self) -> list[str]:
        """Shards whose records are not those that the index was made of."""
        made = (self._output().read or {}).get("raw_crawl", {})
        now = {shard: self.head("raw_crawl", shard) for shard in self.workspace.partitions("raw_crawl")}
        return sorted(shard for shard, head in now.items() if head and made.get(shard) != head.data_version)

    def _output(self) -> Output:
        head = self.head(INDEX)
        if head is None:
            raise LakeError(
                f"{INDEX} has not been made yet",
                where=self.workspace.lake.root,
                fix=f"Run `gristmill rebuild --until {INDEX}`: pages are found through it.",
            )
        return head

    def _index(self) -> tuple[int, Stored]:
        stored = self._output().files["index"]
        if self._about is None:
            self._about = self.workspace.lake.get_json(f"{stored.key}/{index.ABOUT}")
        if self._about is None:
            raise LakeError("is gone", where=f"{self.workspace.lake.root}/{stored.key}", fix=f"Run `gristmill rebuild --until {INDEX}`.")
        return self._about["digits"], stored

    def _buckets(self, stored: Stored, order: str, prefix: str) -> list[str]:
        names = (name.removeprefix(f"{order}/").removesuffix(".parquet") for name in stored.names if name.startswith(f"{order}/"))
        return [name for name in names if name == "all" or name.startswith(prefix)]

    def _found(self, stored: Stored, order: str, keys: Mapping[str, Keys]) -> pl.DataFrame:
        parts = [pl.DataFrame(schema=index.ROW)]
        for bucket, wanted in keys.items():
            if f"{order}/{bucket}.parquet" in stored.names:
                parts.append(self.of_file(f"{stored.key}/{order}/{bucket}.parquet", wanted, list(index.ROW)))
        return pl.concat(parts)


def row_groups(metadata: Any, keys: Keys) -> list[int]:
    """The row groups of a Parquet file (its metadata) whose statistics allow a row with one of the values in every key column."""
    groups: Iterable[int] = range(metadata.num_row_groups)
    for name, values in keys.items():
        wanted = values if isinstance(values, Between) else sorted(set(values))
        groups = [group for group in groups if _may_hold(metadata.row_group(group), name, wanted)]
    return list(groups)


def _may_hold(group: Any, name: str, wanted: Between | list[Any]) -> bool:
    column = next(group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema == name)
    statistics = column.statistics
    if statistics is None or not statistics.has_min_max:
        return True
    if isinstance(wanted, Between):
        return bool(statistics.min <= wanted.high and wanted.low <= statistics.max)
    at = bisect.bisect_left(wanted, statistics.min)
    return at < len(wanted) and bool(wanted[at] <= statistics.max)
