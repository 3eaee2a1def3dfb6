"""Folder sources: which files of a folder are text, which are code, and what they are called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gristmill.crawl.urls import extension

VERSION = "1"

_CODE = (
    ".py .pyi .pyx .pxd .c .h .cc .cpp .cxx .hh .hpp .cu .rs .go .java .kt .kts .scala .js .mjs .cjs .jsx .ts .tsx .rb .php .pl .pm "
    ".lua .r .jl .swift .m .mm .cs .fs .hs .ml .mli .ex .exs .erl .clj .lisp .el .scm .sh .bash .zsh .ps1 .bat .sql .tcl .asm .s "
    ".f .f90 .zig .nim .dart .vim .awk .proto .cmake .css .scss .less"
)
CODE = frozenset(_CODE.split())
"""Suffixes of source code: its language is decided here, not by a model that reads prose."""

TEXT = frozenset({".txt", ".text", ".md", ".markdown", ".rst", ".adoc", ".tex", ".org"})
HTML = frozenset({".html", ".htm", ".xhtml"})
BARE = frozenset({"readme", "license", "licence", "copying", "authors", "changelog", "changes", "news", "install", "todo", "notice"})
"""Names without a suffix that are prose."""


def mime_of(path: str) -> str | None:
    """The media type of a file in a folder source by its name; None when it is left out."""
    suffix = extension(path)
    if suffix in HTML:
        return "text/html"
    if suffix in CODE:
        return "text/x-code"
    if suffix in TEXT or path.rsplit("/", 1)[-1].lower() in BARE:
        return "text/plain"
    return None


def text_files(folder: Path) -> Iterator[tuple[str, Path | None]]:
    """Relative POSIX path and path of every file, sorted; None for one that is left out.

    Left out: names that say nothing of text, hidden files and folders, byte-code folders, symbolic links.
    """
    found: list[tuple[str, Path | None]] = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        for name in names:
            path = Path(root, name)
            relative = path.relative_to(folder).as_posix()
            usable = not name.startswith(".") and mime_of(relative) and path.is_file() and not path.is_symlink()
            found.append((relative, path if usable else None))
    yield from sorted(found, key=lambda item: item[0])
