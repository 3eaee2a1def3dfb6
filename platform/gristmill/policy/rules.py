"""A rule: a predicate over one signal and what follows from it, as data. A profile: a named set of rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Comparison = Literal["<", "<=", ">", ">="]
Action = Literal["drop", "edit", "down_weight"]


class Rule(BaseModel):
    """When `signal <comparison> threshold` holds, act: `drop` the document, `edit` (remove the line; the signal is then a
    line's, `line.…`), or `down_weight` (the document stays and counts `weight` times as much in the mix).

    Signals are defined and finite for every input (the contract of `signals` refuses null), so no rule
    is passed or failed by an accident of arithmetic.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

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

    @model_validator(mode="after")
    def _acts(self) -> Rule:
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
