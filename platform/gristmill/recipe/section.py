"""What every section of the recipe is made of: strict, frozen, known by a fingerprint; and errors that name the nearest valid key."""

from __future__ import annotations

import difflib
import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from gristmill.errors import RecipeError


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def content_digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def fingerprint(value: Any) -> str:
    """12 hex digits of blake2b over canonical JSON; a value that JSON cannot hold exactly is refused."""
    try:
        canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RecipeError(
            f"cannot be fingerprinted exactly: {error}", fix="Use strings, finite numbers, booleans, lists and tables."
        ) from None
    return hashlib.blake2b(canonical.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def nearest(name: str, known: Any) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, 1, 0.4)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; known: {', '.join(known)}" if known else ""
