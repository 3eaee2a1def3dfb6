"""Every family of signals: the module that computes it, and what its signals mean. Light: the recipe checks against it.

A family is a module with VERSION, READS (what its values depend on: `text`, `documents`, `distribution`, `edits`,
`lists.<name>`), SIGNALS (name -> meaning) and `compute(chunk, references)`; LIST_OF where it reads lists; VIEW where it
does not read the clean one (FIXED_VIEW where it can read no other). It has a column `<family>.<signal>` per signal.
"""

from __future__ import annotations

from types import ModuleType

from gristmill.signals import (
    c4,
    code,
    compression,
    datatrove,
    datatrove_0_3,
    dirty_words,
    dolma,
    fineweb,
    gopher,
    kl,
    language,
    markdown,
    paragraph_language,
    periodicity,
    personal,
    reasoning,
    redpajama,
    removed,
    repetition,
    toxicity,
    url,
)

MODULES: dict[str, ModuleType] = {
    "c4": c4,
    "code": code,
    "compression": compression,
    "datatrove": datatrove,
    "datatrove_0_3": datatrove_0_3,
    "dirty_words": dirty_words,
    "dolma": dolma,
    "fineweb": fineweb,
    "gopher": gopher,
    "kl": kl,
    "language": language,
    "markdown": markdown,
    "paragraph_language": paragraph_language,
    "periodicity": periodicity,
    "personal": personal,
    "reasoning": reasoning,
    "redpajama": redpajama,
    "removed": removed,
    "repetition": repetition,
    "toxicity": toxicity,
    "url": url,
}

FAMILIES: dict[str, dict[str, str]] = {family: module.SIGNALS for family, module in MODULES.items()}

VERSIONS: dict[str, str] = {family: module.VERSION for family, module in MODULES.items()}
"""What a family's columns depend on besides what it READS. Another version recomputes that family and no other."""

SIGNALS: dict[str, str] = {f"{family}.{name}": meaning for family, signals in FAMILIES.items() for name, meaning in signals.items()}

LIST_OF: dict[str, str] = {
    f"{family}.{name}": words for family, module in MODULES.items() for name, words in getattr(module, "LIST_OF", {}).items()
}
"""Signal -> the list of the user's that it is about."""

VIEWS: dict[str, str] = {family: getattr(module, "VIEW", "clean") for family, module in MODULES.items()}
"""The view that a family reads unless the policy's profiles or the recipe say otherwise."""

FIXED_VIEWS = frozenset(family for family, module in MODULES.items() if getattr(module, "FIXED_VIEW", False))
"""Families that make sense in their own view alone."""
