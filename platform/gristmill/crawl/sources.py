"""Which files a crawl is made of, and which shard holds what: the manifest `crawls/<crawl>.json` in the lake.

A WARC or WET file is cut at record offsets into shards of about `sources.shard_bytes` (as stored, so compressed); a
folder's text files are grouped in the order of their paths. The manifest only grows: a record stays in its shard for
ever. A new file gets new shards; a file that was replaced keeps its shard numbers, and further ones are appended;
nobody else's records move. A shard's source digest is the hash of exactly the bytes it covers.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from gristmill.crawl.archive import SUFFIXES, record_starts
from gristmill.crawl.folders import text_files
from gristmill.crawl.remote import is_remote, listing, local_copy, normal_uri, state_of
from gristmill.errors import SourceError
from gristmill.lake.hashing import mapping_hash
from gristmill.lake.store import Lake
from gristmill.recipe import Recipe

log = logging.getLogger("gristmill")

Manifest = dict[str, Any]
Entry = dict[str, Any]


@dataclass(frozen=True)
class Slice:
    """A part of a shard: bytes [start, end) of an archive, or one file of a folder (then `relative` is its path there)."""

    uri: str  # of the archive, or of the file
    start: int
    end: int
    sha256: str  # of those bytes
    state: str  # of the whole file when it was registered; see `remote.state_of`
    relative: str | None = None
    per_record: bool = True  # whether each record can be read from its own offset


def register(lake: Lake, recipe: Recipe, crawl: str, uris: list[str]) -> list[str]:
    """Registers archives, or folders, under a crawl's name; the shards that are new or whose content changed, sorted."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", crawl):
        raise SourceError(f"{crawl!r} is no name for a crawl", fix="Use letters, digits, dots, dashes and underscores.")
    manifest = _manifest(lake, crawl)
    before = json.dumps(manifest, sort_keys=True)
    moved: set[int] = set()
    for uri in dict.fromkeys(normal_uri(each) for each in uris):
        moved |= _register_one(lake, manifest, uri, recipe.sources.shard_bytes)
    if json.dumps(manifest, sort_keys=True) != before:
        lake.put_json(_key(crawl), manifest)
    return [_shard(crawl, number) for number in sorted(moved)]


def scan_watched(lake: Lake, recipe: Recipe) -> list[str]:
    """Registers what is new or was replaced in the recipe's watched locations; the shards that are new or changed.

    A file that cannot be registered is logged and left for the next scan: it may still be being written.
    """
    moved: list[str] = []
    for crawl, location in sorted(recipe.sources.watch.items()):
        try:
            uris = _archives_in(lake, normal_uri(location)) or [location]
        except SourceError as error:
            log.warning("the watched location of %s: %s", crawl, error)
            continue
        for uri in uris:
            try:
                moved += register(lake, recipe, crawl, [uri])
            except SourceError as error:
                log.warning("the watched location of %s: %s", crawl, error)
    return sorted(set(moved))


def crawls(lake: Lake) -> list[str]:
    """The names of the registered crawls, sorted."""
    return [key.removeprefix("crawls/").removesuffix(".json") for key in lake.keys("crawls/") if key.endswith(".json")]


def shards(lake: Lake, crawl: str | None = None) -> list[str]:
    """The shard keys of one crawl, or of all."""
    return [_shard(name, number) for name in ([crawl] if crawl else crawls(lake)) for number in range(_manifest(lake, name)["shards"])]


def shard_source(lake: Lake, shard: str) -> list[Slice]:
    """What a shard is read from; empty when its file has shrunk and nothing is left for it."""
    crawl, _, number = shard.partition("/")
    data = lake.get(_key(crawl))
    parts = _by_shard(data) if data is not None else {}
    if not number.isdigit() or int(number) not in parts:
        known = crawls(lake)
        raise SourceError(
            f"no shard {shard!r} is registered",
            where=lake.root,
            fix=f"Registered crawls: {', '.join(known) or 'none'}. See `gristmill crawl add`.",
        )
    return list(parts[int(number)])


def source_digest(lake: Lake, shard: str) -> str:
    """32 hex digits over what the shard covers: files, offsets and the hashes of their bytes."""
    return _digest(shard_source(lake, shard))


def _digest(parts: Iterable[Slice]) -> str:
    return mapping_hash({f"{part.uri}\0{part.start}\0{part.end}": part.sha256 for part in parts})


def source_digests(lake: Lake) -> dict[str, str]:
    """Every registered shard -> its `source_digest`; each manifest is read once."""
    found = {}
    for crawl in crawls(lake):
        for number, parts in _by_shard(lake.get(_key(crawl)) or b'{"shards": 0, "files": {}, "folders": {}}').items():
            found[_shard(crawl, number)] = _digest(parts)
    return found


def registered_state(lake: Lake, uri: str) -> str:
    """The state of a registered archive, so that a reader gets the content that its offsets belong to."""
    for crawl in crawls(lake):
        entry = _manifest(lake, crawl)["files"].get(uri)
        if entry:
            return str(entry["state"])
    raise SourceError("is not registered in any crawl", where=uri, fix="Register it with `gristmill crawl add`.")


def _key(crawl: str) -> str:
    return f"crawls/{crawl}.json"


def _shard(crawl: str, number: int) -> str:
    return f"{crawl}/{number:04d}"


def _manifest(lake: Lake, crawl: str) -> Manifest:
    return lake.get_json(_key(crawl)) or {"crawl": crawl, "shards": 0, "files": {}, "folders": {}}


@functools.lru_cache(maxsize=16)
def _by_shard(data: bytes) -> dict[int, tuple[Slice, ...]]:
    """The slices of every shard of a manifest, in the order of their files; cached by the manifest's bytes."""
    manifest = json.loads(data)
    parts: dict[int, list[Slice]] = {number: [] for number in range(manifest["shards"])}
    for uri, entry in sorted(manifest["files"].items()):
        for part in entry["shards"]:
            parts[part["shard"]].append(
                Slice(uri, part["start"], part["end"], part["sha256"], entry["state"], per_record=entry["per_record"])
            )
    for folder, entry in sorted(manifest["folders"].items()):
        for relative, file in sorted(entry["files"].items()):
            parts[file["shard"]].append(Slice(f"{folder}/{relative}", 0, file["bytes"], file["sha256"], file["state"], relative))
    return {number: tuple(slices) for number, slices in parts.items()}


def _register_one(lake: Lake, manifest: Manifest, uri: str, shard_bytes: int) -> set[int]:
    """Brings the manifest up to date with one URI; the numbers of the shards that are new or changed."""
    archives = _archives_in(lake, uri)
    if archives:
        return set().union(*(_register_archive(lake, manifest, each, shard_bytes) for each in archives))
    if uri.startswith("s3://") and uri.endswith("/"):
        raise SourceError("holds no WARC or WET file", where=uri, fix=f"Their names end in {', '.join(SUFFIXES)}.")
    if not is_remote(uri) and Path(uri).is_dir():
        return _register_folder(manifest, uri, shard_bytes)
    return _register_archive(lake, manifest, uri, shard_bytes)


def _archives_in(lake: Lake, uri: str) -> list[str]:
    """The archives in a folder or under an s3 prefix (it ends in /), by their names. A folder that has any is no text source."""
    if uri.startswith("s3://"):
        return [each for each in listing(lake, uri) if each.lower().endswith(SUFFIXES)] if uri.endswith("/") else []
    if is_remote(uri) or not Path(uri).is_dir():
        return []
    return sorted(str(path) for path in Path(uri).rglob("*") if path.name.lower().endswith(SUFFIXES) and path.is_file())


def _register_archive(lake: Lake, manifest: Manifest, uri: str, shard_bytes: int) -> set[int]:
    known: Entry | None = manifest["files"].get(uri)
    state = state_of(lake, uri)
    if known and known["state"] == state:
        return set()
    path = local_copy(lake, uri, state)
    size = path.stat().st_size
    try:
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        if known and known["sha256"] == sha256:  # touched, not changed
            known["state"] = state
            return set()
        starts, addressable = record_starts(path)
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}", where=uri, fix="Check its permissions.") from None
    if not starts:
        raise SourceError(
            "is empty" if size == 0 else "is not a WARC or WET file: no record can be read",
            where=uri,
            fix="ARC files: convert them with `warcio recompress`. Text or source code: give the folder that holds it.",
        )
    if not addressable and size > shard_bytes:
        log.warning("%s is not compressed record by record, so it stays one shard; `warcio recompress` makes it one that can be cut.", uri)
    width = known["shard_bytes"] if known else shard_bytes  # a file that grows keeps the cuts that it has
    cuts = _cuts(starts, size, width) if addressable else [0, size]
    numbers = [part["shard"] for part in known["shards"]] + known["idle"] if known else []
    while len(numbers) < len(cuts) - 1:
        numbers.append(manifest["shards"])
        manifest["shards"] += 1
    old = {part["shard"]: part for part in known["shards"]} if known else {}
    digests: Iterable[str] = _digests(path, cuts) if len(cuts) > 2 else [sha256]
    parts = [
        {"shard": number, "start": start, "end": end, "sha256": digest}
        for number, (start, end), digest in zip(numbers, pairwise(cuts), digests, strict=False)
    ]
    manifest["files"][uri] = {
        "state": state,
        "sha256": sha256,
        "bytes": size,
        "shard_bytes": width,
        "per_record": addressable,
        "shards": parts,
        "idle": numbers[len(parts) :],  # numbers of this file that are empty since it shrank
    }
    new = {part["shard"]: part for part in parts}
    return {number for number in old.keys() | new.keys() if old.get(number) != new.get(number)}


def _cuts(starts: list[int], size: int, shard_bytes: int) -> list[int]:
    """Where shards begin, and the end of the file: a new one at the first record after `shard_bytes`. What lies before the
    first readable record belongs to the first shard."""
    cuts = [0]
    for start in starts:
        if start - cuts[-1] >= shard_bytes:
            cuts.append(start)
    return [*cuts, size]


def _digests(path: Path, cuts: list[int]) -> Iterator[str]:
    with path.open("rb") as stream:
        for start, end in pairwise(cuts):
            yield _digest_of(stream, end - start)


def _digest_of(stream: Any, length: int) -> str:
    digest = hashlib.sha256()
    while length > 0 and (chunk := stream.read(min(length, 1 << 20))):
        digest.update(chunk)
        length -= len(chunk)
    return digest.hexdigest()


def slice_sha256(path: Path, start: int, end: int) -> str:
    """What a slice's bytes hash to now."""
    with path.open("rb") as stream:
        stream.seek(start)
        return _digest_of(stream, end - start)


def _register_folder(manifest: Manifest, folder: str, shard_bytes: int) -> set[int]:
    known: dict[str, Any] = manifest["folders"].get(folder, {}).get("files", {})
    files: dict[str, Any] = {}
    fresh: list[str] = []
    moved: set[int] = set()
    left_out = 0
    for relative, path in text_files(Path(folder)):
        if path is None:
            left_out += 1
            continue
        stat = path.stat()
        state, old = f"{stat.st_size}-{stat.st_mtime_ns}", known.get(relative)
        if old and old["state"] == state:
            files[relative] = old
            continue
        try:
            with path.open("rb") as stream:
                sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror or error}", where=str(path), fix="Check its permissions.") from None
        if old is None:
            fresh.append(relative)
        elif old["sha256"] != sha256:
            moved.add(old["shard"])
        files[relative] = {"shard": old["shard"] if old else -1, "bytes": stat.st_size, "sha256": sha256, "state": state}
    if not files:
        raise SourceError(
            "holds no file of source code or text" + (f" ({left_out} files with other names)" if left_out else ""),
            where=folder,
            fix="Known: suffixes of source code, .txt, .md, .rst, .html, README and the like; WARC files end in .warc or .warc.gz.",
        )
    filled: int | None = None
    for relative in fresh:  # sorted
        if filled is None or filled + files[relative]["bytes"] > shard_bytes:
            manifest["shards"] += 1
            filled = 0
        files[relative]["shard"] = manifest["shards"] - 1
        filled += files[relative]["bytes"]
        moved.add(manifest["shards"] - 1)
    moved |= {old["shard"] for relative, old in known.items() if relative not in files}
    manifest["folders"][folder] = {"left_out": left_out, "files": files}
    return moved
