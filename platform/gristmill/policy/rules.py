"""A rule: a predicate over one signal and what follows from it, as data. A profile: a named set of rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Comparison = Literal["<", "<=", ">", ">="]
Action = Literal["drop", "edit", "down_weight"]
LANGUAGE = re.compile(r"[a-z]{2,3}|code|und")
KEPT_NAMES = ("pii.", "strip.")  # what edits of other kinds are called


def as_float(value: Any) -> Any:
    """An integer as the number that it is: strict fields take no integer for a float. Anything else as it was, `true` too."""
    return float(value) if type(value) is int else value


def with_floats(value: Any) -> Any:
    """A table whose integers are numbers like the others."""
    return {key: as_float(inner) for key, inner in value.items()} if isinstance(value, dict) else value


class Rule(BaseModel):
    """When `signal <comparison> threshold` holds, act: `drop` the document, `edit` (remove the line; the signal is then a
    line's, `line.…`), or `down_weight` (the document stays and counts `weight` times as much in the mix).

    Signals are defined and finite for every input (the contract of `signals` refuses null), so no rule
    is passed or failed by an accident of arithmetic.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    name: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")
    signal: str
    when: Comparison
    threshold: float
    action: Action = "drop"
    weight: float = Field(default=1.0, gt=0, le=1)  # of a document that the rule down-weights; rules multiply
    by_language: dict[str, float] = {}  # ISO 639 code -> threshold for documents in that language
    except_languages: list[str] = []
    except_sources: list[str] = []
    source: str = ""  # paper and table

    @field_validator("threshold", "weight", mode="before")
    @classmethod
    def _integers_are_numbers(cls, value: Any) -> Any:
        return as_float(value)

    @field_validator("by_language", mode="before")
    @classmethod
    def _integers_are_numbers_too(cls, value: Any) -> Any:
        return with_floats(value)

    @field_validator("by_language", "except_languages")
    @classmethod
    def _are_languages(cls, value: Any) -> Any:
        for code in value:
            if not LANGUAGE.fullmatch(code):
                raise ValueError(f"{code!r} is no language code: ISO 639 (de, en), `code` for source code, `und` for none")
        return value

    @model_validator(mode="after")
    def _acts(self) -> Rule:
        if self.name.startswith(KEPT_NAMES):
            raise ValueError(f"{self.name}: names that begin with {' or '.join(KEPT_NAMES)} are kept for masks and strips")
        if (self.action == "edit") != self.signal.startswith("line."):
            raise ValueError(f"{self.name}: an edit reads a line's signal (line.…), and only an edit does")
        if self.action == "edit" and (self.by_language or self.except_languages):
            raise ValueError(f"{self.name}: lines are removed alike in every language")
        if (self.action == "down_weight") != (self.weight < 1):
            raise ValueError(f"{self.name}: weight goes with action down_weight, and is below one there")
        return self


@dataclass(frozen=True)
class Profile:
    """A shipped set of rules, named after the system whose decisions it follows.

    `differences`: where its decisions part from its namesake's. `strips`: what the clean view loses beside lines
    (`citations`, `markdown`). `views`: families that read another view than the clean one.
    """

    rules: tuple[Rule, ...]
    differences: str
    strips: tuple[str, ...] = ()
    views: Mapping[str, Literal["extracted", "clean"]] = field(default_factory=dict)
