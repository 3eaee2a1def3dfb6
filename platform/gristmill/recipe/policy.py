"""`[policy]`: the rules in force."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import Any

from pydantic import field_validator, model_validator

from gristmill.policy.profiles import PROFILES
from gristmill.policy.rules import LANGUAGE, Rule, with_floats
from gristmill.recipe.section import Section, nearest
from gristmill.signals.lines import LINE_SIGNALS
from gristmill.signals.registry import SIGNALS


class Policy(Section):
    """A versioned set of rules: shipped profiles, thresholds changed by rule name, rules switched off, own rules."""

    name: str = "default"
    version: str = "1"
    profiles: list[str] = ["language", "gopher", "kl"]
    thresholds: dict[str, float] = {}
    by_language: dict[str, dict[str, float]] = {}  # rule name -> language -> threshold
    off: list[str] = []
    except_sources: dict[str, list[str]] = {}  # rule name, or a glob -> sources that it does not judge
    rules: list[Rule] = []

    @field_validator("thresholds", mode="before")
    @classmethod
    def _integers_are_numbers(cls, value: Any) -> Any:
        return with_floats(value)

    @field_validator("by_language", mode="before")
    @classmethod
    def _integers_are_numbers_too(cls, value: Any) -> Any:
        return {rule: with_floats(of) for rule, of in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _refer_to_what_exists(self) -> Policy:
        for name in self.profiles:
            if name not in PROFILES:
                raise ValueError(f"profiles: unknown profile {name!r}{nearest(name, PROFILES)}")
        known: dict[str, Rule] = {}
        for profile in self.profiles:
            for rule in PROFILES[profile].rules:
                if known.setdefault(rule.name, rule) != rule:
                    raise ValueError(
                        f"profiles: {profile} and another profile define {rule.name} differently; name one of the two profiles"
                    )
        for rule in self.rules:
            if rule.name in known:
                raise ValueError(f"rules: {rule.name} is defined twice; change a profile's rule with [policy.thresholds]")
            known[rule.name] = rule
        for where, used in (("thresholds", self.thresholds), ("by_language", self.by_language), ("off", self.off)):
            for name in used:
                if name not in known:
                    raise ValueError(f"{where}: no rule named {name!r}{nearest(name, known)}")
        for name, of in self.by_language.items():
            for code in of:
                if not LANGUAGE.fullmatch(code):
                    raise ValueError(f"by_language.{name}: {code!r} is no language code (de, en, code, und)")
            if known[name].action == "edit":
                raise ValueError(f"by_language: {name} removes lines, alike in every language")
        for pattern in self.except_sources:
            if not fnmatch.filter(known, pattern):
                raise ValueError(f"except_sources: no rule matches {pattern!r}{nearest(pattern, known)}")
        for rule in self.rules:
            signals = LINE_SIGNALS if rule.action == "edit" else SIGNALS
            if rule.signal not in signals:
                raise ValueError(f"rules: {rule.name} reads a signal {rule.signal!r} that nothing computes{nearest(rule.signal, signals)}")
        views: dict[str, str] = {}
        for profile in self.profiles:
            for family, view in PROFILES[profile].views.items():
                if views.setdefault(family, view) != view:
                    raise ValueError(f"profiles: {profile} and another profile read the family {family} in different views")
        return self

    def resolved(self) -> list[Rule]:
        """The rules in force, in order, with their thresholds and exceptions: those about documents and those about lines."""
        rules: dict[str, Rule] = {}
        for rule in (*(rule for name in self.profiles for rule in PROFILES[name].rules), *self.rules):
            if rule.name in self.off or rule.name in rules:
                continue
            exempt = sorted(
                {s for pattern, sources in self.except_sources.items() if fnmatch.fnmatchcase(rule.name, pattern) for s in sources}
            )
            rules[rule.name] = rule.model_copy(
                update={
                    "threshold": self.thresholds.get(rule.name, rule.threshold),
                    "by_language": {**rule.by_language, **self.by_language.get(rule.name, {})},
                    "except_sources": sorted({*rule.except_sources, *exempt}),
                }
            )
        return list(rules.values())

    def reads(self, signals: Iterable[str]) -> bool:
        """Whether a rule reads one of the signals, be it switched off."""
        rules = (*(rule for name in self.profiles for rule in PROFILES[name].rules), *self.rules)
        return not {rule.signal for rule in rules}.isdisjoint(signals)

    def document_rules(self) -> list[Rule]:
        return [rule for rule in self.resolved() if rule.action != "edit"]

    def line_rules(self) -> list[Rule]:
        return [rule for rule in self.resolved() if rule.action == "edit"]
