"""Lists that the user supplies, known by the hash of what they hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import model_validator

from gristmill.errors import RecipeError
from gristmill.recipe.section import Section, content_digest


class WordList(Section):
    """Words, domains or substrings that the user names or points to: one per line of a file, in which `#` at its start or after a blank
    begins a comment."""

    path: str = ""
    entries: list[str] = []
    digest: str = ""  # of the file's content, filled in at load: another content is another list

    @model_validator(mode="before")
    @classmethod
    def _look(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        if not isinstance(path := value.get("path"), str) or not path:
            if value.get("digest"):
                raise ValueError("`digest` is computed from the file at `path`; leave it out")
            return value
        try:
            data = Path(path).read_bytes()
            data.decode("utf-8-sig")
        except OSError as error:
            raise ValueError(f"the list {path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ValueError(f"the list {path} is not UTF-8: byte {error.start:,} is {data[error.start]:#x}") from None
        return {**value, "digest": content_digest(data)}

    @model_validator(mode="after")
    def _is_somewhere(self) -> WordList:
        if bool(self.path) == bool(self.entries):
            raise ValueError("give either `path` or `entries`")
        return self

    def read(self) -> frozenset[str]:
        """The entries, lower-cased; comments and blank lines left out."""
        entries = self.entries
        if self.path:
            data = Path(self.path).read_bytes()
            if content_digest(data) != self.digest:
                raise RecipeError(
                    "changed after the recipe was loaded",
                    where=self.path,
                    fix="Reload the definitions: the list's content is part of versions.",
                )
            entries = [re.split(r"(?:^|\s)#", line)[0] for line in data.decode("utf-8-sig").splitlines()]
        return frozenset(stripped for entry in entries if (stripped := entry.strip().lower()))
