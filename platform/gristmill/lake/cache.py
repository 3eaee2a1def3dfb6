"""A key-value cache in SQLite: extracted pages, teacher answers. Losing it costs time, never an answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

BATCH = 500  # keys a statement; SQLite's default limit of variables is 999 on old builds


class KeyedCache:
    """bytes by string key, shared by processes (write-ahead log, busy timeout of a minute)."""

    def __init__(self, path: Path):
        self.path = path

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=60)
        connection.execute("pragma journal_mode=wal")
        # with row numbers, in which pages of some kilobytes lie one behind the other: without, writing takes twice as long
        connection.execute("create table if not exists entries (key text primary key, value blob not null)")
        return connection

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The entries that exist among `keys`."""
        wanted = sorted(set(keys))
        found: dict[str, bytes] = {}
        if not self.path.exists():
            return {}
        with closing(self._connect()) as connection:
            for i in range(0, len(wanted), BATCH):
                batch = wanted[i : i + BATCH]
                rows = connection.execute(f"select key, value from entries where key in ({','.join('?' * len(batch))})", batch)
                found.update(rows.fetchall())
        return found

    def put_many(self, entries: Mapping[str, bytes]) -> None:
        """Stores all entries or none; an existing key keeps its first value."""
        if entries:
            with closing(self._connect()) as connection, connection:
                connection.executemany("insert or ignore into entries values (?, ?)", sorted(entries.items()))

    def items(self) -> Iterator[tuple[str, bytes]]:
        """Every entry, by key; read a batch at a time."""
        last = ""
        while self.path.exists():
            with closing(self._connect()) as connection:
                rows = connection.execute("select key, value from entries where key > ? order by key limit ?", (last, BATCH)).fetchall()
            yield from rows
            if len(rows) < BATCH:
                return
            last = rows[-1][0]

    def forget(self, keys: Iterable[str] = (), prefixes: Iterable[str] = ()) -> int:
        """Deletes entries by key, and by what their key begins with; how many. The file is written anew, so that no free page of
        it, and no log beside it, holds their bytes."""
        if not self.path.exists():
            return 0
        with closing(self._connect()) as connection:
            connection.execute("pragma secure_delete = on")
            with connection:
                gone = sum(connection.execute("delete from entries where key = ?", (key,)).rowcount for key in sorted(set(keys)))
                ranges = [(prefix, prefix + "\U0010ffff") for prefix in sorted(set(prefixes))]
                gone += sum(connection.execute("delete from entries where key >= ? and key < ?", each).rowcount for each in ranges)
            if gone:
                connection.execute("vacuum")
            connection.execute("pragma wal_checkpoint(truncate)")
        return gone
