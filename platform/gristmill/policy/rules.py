"""A rule: a predicate over one signal, as data."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Rule(BaseModel):
    """Drop a document when `signal <comparison> threshold` holds.

    Signals are defined and finite for every input (the contract of `signals` refuses null), so no rule
    is passed or failed by an accident of arithmetic.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$")
    signal: str
    drop_when: Literal["<", "<=", ">", ">="]
    threshold: float
    source: str = ""  # paper and table
    except_sources: list[str] = []
