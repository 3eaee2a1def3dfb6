"""The lake: content-addressed tables and files under one root, a local folder or an object-store URI.

Everything is written under the hash of what it holds and never overwritten; an object appears whole or
not at all (a local write is renamed into place, an object store's put is atomic). Only heads and crawl
manifests change, and a change replaces the whole small object.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import obstore
import polars as pl
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

from gristmill.errors import LakeError
from gristmill.lake import damage, disk
from gristmill.lake.contracts import conform
from gristmill.lake.hashing import file_hash, mapping_hash

GROUP_BYTES = 4 << 20  # of a row group before compression
MIN_GROUP, MAX_GROUP = 100, 50_000  # its rows


@dataclass(frozen=True)
class Stored:
    """Where a table, file or folder lies (a key under the root) and what it holds."""

    kind: str  # table, file or folder
    key: str
    hash: str
    rows: int
    bytes: int
    names: tuple[str, ...] = ()  # the files of a folder


class Lake:
    """Reads and writes under `root`: a path, or a URI such as s3://bucket/prefix with `storage_options` for the store."""

    def __init__(self, root: str | Path, storage_options: dict[str, str] | None = None, cache_folder: str | Path | None = None):
        self.remote = "://" in str(root)
        self.root = str(root).rstrip("/") if self.remote else str(Path(root).absolute())
        self.storage_options = dict(storage_options or {})
        local = Path(self.root) / "cache" if not self.remote else Path.home() / ".cache" / "gristmill" / mapping_hash({"root": self.root})
        self.cache_folder = Path(cache_folder or local)

    @cached_property
    def _store(self) -> Any:
        if self.remote:
            return open_store(self.root, self.storage_options)
        Path(self.root).mkdir(parents=True, exist_ok=True)
        return LocalStore(self.root)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_store"}

    @property
    def local_folders(self) -> list[Path]:
        """The folders on this machine's disks that making something writes to."""
        folders = [] if self.remote else [Path(self.root)]
        return [*folders, self.cache_folder, Path(tempfile.gettempdir())]

    @property
    def vectors_uri(self) -> str:
        return f"{self.root}/vectors"

    # objects

    def put(self, key: str, data: bytes) -> None:
        try:
            obstore.put(self._store, key, data)
        except (BaseError, OSError) as error:
            raise self._unwritten(key, len(data), error) from error

    def create(self, key: str, data: bytes) -> bool:
        """Puts an object that is not there yet; False when it is. Of several who try at once one succeeds."""
        try:
            obstore.put(self._store, key, data, mode="create")
            return True
        except AlreadyExistsError:
            return False
        except (BaseError, OSError) as error:
            raise self._unwritten(key, len(data), error) from error

    def get(self, key: str) -> bytes | None:
        """The object's bytes; None when there is none."""
        try:
            return bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise LakeError(f"cannot be read: {_first_paragraph(error)}", where=f"{self.root}/{key}") from error

    def exists(self, key: str) -> bool:
        if not self.remote:
            return os.path.exists(f"{self.root}/{key}")
        try:
            obstore.head(self._store, key)
            return True
        except FileNotFoundError:
            return False

    def size(self, key: str) -> int | None:
        """Bytes of an object; None when there is none."""
        try:
            return int(obstore.head(self._store, key)["size"])
        except FileNotFoundError:
            return None

    def delete(self, key: str) -> None:
        if not self.exists(key):
            return
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:  # another process was first
            return
        except (BaseError, OSError) as error:
            raise self._unwritten(key, 0, error) from error

    def check_writable(self) -> None:
        """LakeError when this user cannot write to a lake on a disk. A bucket says so with the first object."""
        if not self.remote:
            disk.check_writable(self.root)

    def _unwritten(self, key: str, size: int, error: Exception) -> LakeError:
        where = f"{self.root}/{key}"
        told = None if self.remote else disk.explained(error, [where], f"an object of {size:,} bytes" if size else "")
        return told or LakeError(
            f"cannot be written: {_first_paragraph(error)}", where=where, fix="Check access and permissions; nothing was half-written."
        )

    def keys(self, prefix: str) -> list[str]:
        """Every key under a folder-like prefix, sorted."""
        return sorted(meta["path"] for batch in obstore.list(self._store, prefix) for meta in batch)

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of every object under a folder-like prefix, by key."""
        return {meta["path"]: meta["size"] for batch in obstore.list(self._store, prefix) for meta in batch}

    def names(self, prefix: str) -> Iterator[str]:
        """Every key under a folder-like prefix (`tables/`), in no order. On a disk without asking for sizes and times, which
        takes a tenth of what `keys` takes."""
        if self.remote:
            yield from (meta["path"] for batch in obstore.list(self._store, prefix) for meta in batch)
            return
        folders = [prefix.rstrip("/")]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(f"{self.root}/{folder}") as entries:
                    for entry in entries:
                        if entry.is_dir():
                            folders.append(f"{folder}/{entry.name}")
                        else:
                            yield f"{folder}/{entry.name}"
            except FileNotFoundError:
                continue

    def put_json(self, key: str, value: Any) -> None:
        self.put(key, json.dumps(value, indent=1, ensure_ascii=False, default=_number).encode("utf-8", "surrogatepass"))

    def get_json(self, key: str) -> Any:
        """The parsed object; None when there is none."""
        data = self.get(key)
        if data is None:
            return None
        try:
            return json.loads(data)
        except ValueError as error:
            raise LakeError(
                f"is not JSON: {error}", where=f"{self.root}/{key}", fix="Delete it: it is rebuilt from what made it."
            ) from None

    # tables

    def write_table(self, table: str, frame: pl.DataFrame) -> Stored:
        """Checks the contract, hashes the content and publishes the table under its hash."""
        from gristmill.lake.table_hash import table_hash

        frame = conform(table, frame)
        content = table_hash(table, frame)
        key = f"tables/{table}/{content}.parquet"
        if not self.exists(key):
            buffer = io.BytesIO()
            frame.write_parquet(buffer, compression="zstd", row_group_size=rows_a_group(frame))
            self.put(key, buffer.getvalue())
        return Stored("table", key, content, frame.height, int(frame.estimated_size()))

    def scan(self, stored: Stored) -> pl.LazyFrame:
        """A table, lazily; LakeError when it is gone. What Polars says of a damaged one, `damage.explained` tells in full."""
        damage.remember(self, stored.key)
        if self.remote:
            return pl.scan_parquet(f"{self.root}/{stored.key}", storage_options=self.storage_options)
        if not self.exists(stored.key):
            raise damage.gone(self, stored.key)
        return pl.scan_parquet(f"{self.root}/{stored.key}")

    def parquet(self, key: str) -> Any:
        """A pyarrow ParquetFile on an object, of which only what is asked for is read; LakeError when it is gone."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        damage.remember(self, key)
        if not self.exists(key):
            raise damage.gone(self, key)
        if not self.remote:
            return pq.ParquetFile(f"{self.root}/{key}", memory_map=True)
        return pq.ParquetFile(pa.PythonFile(_Object(self._store, key), mode="r"), pre_buffer=True)

    # files

    def write_file(self, name: str, path: Path) -> Stored:
        """Publishes a file, or a folder with all files in it, under its content hash."""
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file())
            hashes = {p.relative_to(path).as_posix(): file_hash(p) for p in files}
            content, names = mapping_hash(hashes), tuple(hashes)
        else:
            files, content, names = [path], file_hash(path), ()
        key = f"files/{name}/{content}"
        for file in files:
            target = f"{key}/{file.relative_to(path).as_posix() if names else path.name}"
            if not self.exists(target):
                self.put(target, file.read_bytes())
        size = sum(file.stat().st_size for file in files)
        return Stored("folder" if names else "file", key if names else f"{key}/{path.name}", content, len(files), size, names)

    def local_path(self, stored: Stored) -> Path:
        """A path to read a stored file or folder from; remote ones are fetched to the cache folder once. LakeError when it is gone."""
        if not self.remote:
            if not self.exists(stored.key):
                raise damage.gone(self, stored.key)
            return Path(self.root) / stored.key
        local = self.cache_folder / "fetched" / stored.key
        for key in [f"{stored.key}/{name}" for name in stored.names] or [stored.key]:
            target = self.cache_folder / "fetched" / key
            if not target.exists():
                data = self.get(key)
                if data is None:
                    raise damage.gone(self, key)
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_name(f"{target.name}.{os.getpid()}.part")
                try:
                    partial.write_bytes(data)
                    partial.replace(target)
                finally:
                    partial.unlink(missing_ok=True)
        return local

    def is_whole(self, stored: Stored) -> bool:
        """Whether every object behind `stored` is there."""
        return all(self.exists(f"{stored.key}/{name}") for name in stored.names) if stored.names else self.exists(stored.key)


class _Object(io.RawIOBase):
    """An object in a store as a file, each read a request for its range."""

    def __init__(self, store: Any, key: str) -> None:
        self._store, self._key, self._at = store, key, 0
        self._size = int(obstore.head(store, key)["size"])

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._at + size, self._size)
        if self._at >= end:
            return b""
        data = bytes(obstore.get_range(self._store, self._key, start=self._at, end=end))
        self._at = end
        return data


def rows_a_group(frame: pl.DataFrame) -> int:
    """Rows of a Parquet row group: a few megabytes, since a look-up by key reads one whole."""
    return int(min(max(frame.height * GROUP_BYTES // max(int(frame.estimated_size()), 1), MIN_GROUP), MAX_GROUP))


def object_store_options(
    access_key_id: str | None, secret_access_key: str | None, session_token: str | None, region: str | None, endpoint: str | None
) -> dict[str, str]:
    """The settings of an object store in the names that object_store, Polars and LanceDB share; only those that are set."""
    given = {
        "aws_access_key_id": access_key_id,
        "aws_secret_access_key": secret_access_key,
        "aws_session_token": session_token,
        "aws_region": region or ("us-east-1" if endpoint else None),
        "aws_endpoint": endpoint,
        "aws_allow_http": "true" if endpoint and endpoint.startswith("http://") else None,
    }
    return {name: value for name, value in given.items() if value}


def _first_paragraph(error: Exception) -> str:
    """What a store says, without the structures of its library that it prints after it."""
    return str(error).partition("\n\nDebug source:")[0].strip()


def _number(value: Any) -> Any:
    """NumPy scalars as plain numbers."""
    return value.item()


def open_store(url: str, storage_options: dict[str, str]) -> Any:
    """An obstore store; of the options that Polars and LanceDB take too, obstore wants one under another name."""
    config = {name: value for name, value in storage_options.items() if name != "aws_allow_http"}
    allow_http = storage_options.get("aws_allow_http") == "true"
    return from_url(url, config=config, client_options={"allow_http": allow_http})  # type: ignore[call-overload]


def as_json(stored: Stored) -> dict[str, Any]:
    return asdict(stored) | {"names": list(stored.names)}


def from_json(value: dict[str, Any]) -> Stored:
    return Stored(**{**value, "names": tuple(value["names"])})
