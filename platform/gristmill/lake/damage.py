"""What to tell of a stored table that is gone or cannot be read: libraries say what is wrong with the bytes, and not in which file.

Polars reads a table long after it was opened, many at once, so the tables that this process opened are remembered, and after an error
of theirs they are looked at until the damaged one is found. Nothing is paid for it while all goes well.
"""

from __future__ import annotations

import io
import os
import re
import shlex
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import polars as pl

from gristmill.counting import counted
from gristmill.errors import GristmillError, LakeError, chain
from gristmill.naming import named

if TYPE_CHECKING:
    from gristmill.lake.store import Lake

REMEMBERED = 20_000  # tables opened last
READ_BYTES = 4 << 30  # of them, the last opened first, that are read in search of the damaged one
NAMED = 3  # partitions named in an error
MARK, LEAST = b"PAR1", 12  # with which a Parquet file ends; bytes of the smallest
SAID_OF_ITS_END = re.compile(r"end with PAR1|at least 12 bytes|magic bytes|file size is", re.I)

_opened: dict[tuple[str, str], None] = {}  # (root of a lake, key), the last one last


def remember(lake: Lake, key: str) -> None:
    """That this process is about to read a table."""
    _opened.pop((lake.root, key), None)
    _opened[lake.root, key] = None
    while len(_opened) > REMEMBERED:
        with suppress(RuntimeError):  # another thread was here
            _opened.pop(next(iter(_opened)), None)


def explained(error: BaseException, lake: Lake) -> LakeError | None:
    """What to tell of an error that comes from a damaged or vanished table of the lake; None when that is not what it is, or when it is
    told already."""
    if isinstance(error, GristmillError):
        return None
    opened = [key for root, key in reversed(list(_opened)) if root == lake.root]
    vanished = " ".join(str(each) for each in chain(error) if isinstance(each, FileNotFoundError))
    for key in opened if vanished else ():
        if key in vanished and not lake.exists(key):
            return gone(lake, key)
    if not any(_says_damaged(each) for each in chain(error)):
        return None
    left = READ_BYTES
    of_its_end = any(SAID_OF_ITS_END.search(str(each)) for each in chain(error))
    for whole in (False, True) if of_its_end else (True,):  # an end is cheap to look at
        for key in opened:
            size = lake.size(key)
            if size is None:
                continue
            left -= size if whole else 0
            if left < 0:
                return None
            if problem := _problem(lake, key, size, whole):
                return damaged(lake, key, problem)
    return None


def gone(lake: Lake, key: str) -> LakeError:
    made = holders(lake, key)
    return LakeError(f"is gone{_of(key, made)}", where=f"{lake.root}/{key}", fix=_way_out(lake, key, made, ""))


def damaged(lake: Lake, key: str, problem: str) -> LakeError:
    where, made = f"{lake.root}/{key}", holders(lake, key)
    remove = "Delete that object" if lake.remote else f"`rm {shlex.quote(where)}`"
    return LakeError(f"is damaged: {problem}{_of(key, made)}", where=where, fix=_way_out(lake, key, made, remove))


def holders(lake: Lake, key: str) -> list[tuple[str, str, str]]:
    """(namespace, asset, partition or "") of everything that stands on the table or file under `key` now: what is equal is stored once."""
    name, found = key.split("/")[1], []
    folders: dict[tuple[str, str], list[str]] = {}
    for each in sorted(lake.names("heads/")):
        _, namespace, asset, partition = each.split("/", 3)
        folders.setdefault((namespace, asset), []).append(partition.removesuffix(".json"))
    for (namespace, asset), partitions in folders.items():
        for n, partition in enumerate(partitions):
            head = lake.get_json(f"heads/{namespace}/{asset}/{partition}.json") or {"tables": {}, "files": {}}
            held: dict[str, Any] = head["tables"] | head["files"]
            if n == 0 and name not in held:  # all partitions of an asset hold tables of the same names
                break
            if any(key == stored["key"] or key.startswith(f"{stored['key']}/") for stored in held.values()):
                found.append((namespace, asset, "" if partition == "@" else partition))
    return found


def _says_damaged(error: BaseException) -> bool:
    """Whether a library may say so of a damaged table: none has a kind of error of its own for it, and Arrow's name no format."""
    if isinstance(error, pl.exceptions.PolarsError):
        return "parquet:" in str(error)
    return type(error).__module__.startswith("pyarrow") or (isinstance(error, OSError) and error.errno is None)


def _problem(lake: Lake, key: str, size: int, whole: bool) -> str:
    """What is wrong with a table, by its size and end or by all of it; "" where nothing is."""
    if size < LEAST:
        return f"it holds {counted(size, 'byte')}" if size else "it is empty"
    if lake.remote and not whole:
        return ""
    if whole:
        data = lake.get(key) or b""
        end = data[-len(MARK) :]
    else:
        with open(f"{lake.root}/{key}", "rb") as file:
            file.seek(-len(MARK), os.SEEK_END)
            end = file.read()
    if end != MARK:
        return f"its {size:,} bytes do not end as those of a Parquet file: it was cut short or overwritten"
    if whole:
        try:
            pl.read_parquet(io.BytesIO(data))
        except pl.exceptions.PolarsError as error:
            return f"a part of it does not decode ({str(error).removeprefix('parquet: ').removeprefix('File out of specification: ')})"
    return ""


def _of(key: str, made: list[tuple[str, str, str]]) -> str:
    if not made:
        return ""
    first = ", ".join(named(asset, partition) for _, asset, partition in made[:NAMED])
    more = f" and {len(made) - NAMED:,} more" if len(made) > NAMED else ""
    return f" (the {'table' if key.startswith('tables/') else 'file'} {key.split('/')[1]} of {first}{more})"


def rebuild_command(namespace: str, assets: Iterable[str]) -> str:
    """What makes these assets anew."""
    until = "".join(f" --until {asset}" for asset in assets)
    return f"gristmill rebuild{until}{f' --namespace {namespace}' if namespace != 'default' else ''}"


def _way_out(lake: Lake, key: str, made: list[tuple[str, str, str]], remove: str) -> str:
    audit = "`gristmill audit` reads the others and names all that is broken."
    if not made:
        first = remove or "Restore it from a copy"
        return f"{first}: no partition stands on it now. A step makes it again, an earlier build has lost it. {audit}"
    command, assets = "gristmill rebuild", list(dict.fromkeys(asset for _, asset, _ in made))
    if len({namespace for namespace, _, _ in made}) == 1 and len(assets) <= NAMED:
        command = rebuild_command(made[0][0], assets)
    return f"{f'{remove}, then ' if remove else ''}`{command}` makes it anew. {audit}"
