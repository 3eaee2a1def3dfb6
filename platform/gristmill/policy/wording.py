"""Says rules in words: for the terminal, the pages and error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from gristmill.policy.rules import Rule

PLAIN = range(-10, 16)  # decimal exponents written out


def exact(value: float) -> str:
    """The shortest decimal that is this float, with thousands separators: `0.6500001`, `1,234,567`."""
    digits = Decimal(repr(float(value) or 0.0))
    return f"{digits:,f}".removesuffix(".0") if digits.adjusted() in PLAIN else repr(float(value))


def condition(rule: Rule) -> str:
    """`gopher.word_count < 50`, with the languages that have a threshold of their own."""
    own = ", ".join(f"{language} {exact(threshold)}" for language, threshold in sorted(rule.by_language.items()))
    return f"{rule.signal} {rule.when} {exact(rule.threshold)}{f' ({own})' if own else ''}"


def change(before: Rule | None, after: Rule | None) -> str:
    """What became of a rule: `gopher.word_count < 50, now < 60`; `new: gopher.word_count < 60, drop, not for code`."""
    if before is None:
        return f"new: {condition(after)}, {action(after)}{_spared(after)}" if after else ""
    if after is None:
        return f"{condition(before)}, now off"
    old, new = condition(before), condition(after)
    parts = [f"now {new.removeprefix(f'{before.signal} ')}"] if old != new else []
    if action(before) != action(after):
        parts.append(f"now {action(after)} (was {action(before)})")
    was, now = _whom(before), _whom(after)
    for says, names in (("not for", [each for each in now if each not in was]), ("also for", [each for each in was if each not in now])):
        if names:
            parts.append(f"now {says} {', '.join(names)}")
    return ", ".join([old, *parts])


def fires(moved: Mapping[str, Any], counts: Mapping[str, Any]) -> str:
    """On what a changed rule begins and ceases to fire: a row of `WhatIf.changed` and the rule's row of `WhatIf.rules`."""

    def part(verb: str, what: str) -> str:
        anyway = f" ({moved[f'{what}_elsewhere']:,} of them dropped by other rules anyway)" if moved[f"{what}_elsewhere"] else ""
        return f"{verb} {documents(moved[what])}{anyway}"

    parts = [part(verb, what) for verb, what in (("starts to fire on", "starts"), ("no longer fires on", "stops")) if moved[what]]
    if parts:
        return "; ".join(parts)
    before, after = counts["fired_before"], counts["fired_after"]
    if before or after:
        return f"fires on the same {documents(after or before)}"
    return "fires on nothing" if before is None else "fired on nothing" if after is None else "fires on nothing, before and after"


def documents(count: int) -> str:
    return f"{count:,} document{'' if count == 1 else 's'}"


def exceptions(rule: Rule) -> str:
    """Whom the rule does not judge."""
    return ", ".join(_whom(rule))


def action(rule: Rule) -> str:
    return {"drop": "drop", "edit": "remove the line", "down_weight": f"down-weight {exact(rule.weight)}"}[rule.action]


def verdict(kept: bool, weight: float) -> str:
    """`dropped`, `kept`, or how much of it counts."""
    return ("kept" if weight == 1 else f"weight {exact(round(weight, 6))}") if kept else "dropped"


def moved_verdict(row: Mapping[str, Any]) -> str:
    """The verdicts on a document before and after, of a row of `WhatIf.nearest`: `kept → weight 0.5`; once where they are the same."""
    before, after = (verdict(row[f"kept_{when}"], row[f"weight_{when}"]) for when in ("before", "after"))
    return after if before == after else f"{before} → {after}"


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a name that is not known."""
    known = list(known)
    close = difflib.get_close_matches(name, known, 3, 0.4) or [each for each in known if name in each][:3]
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Known: {', '.join(known)}."


def _whom(rule: Rule) -> list[str]:
    return [*rule.except_sources, *(f"language {language}" for language in rule.except_languages)]


def _spared(rule: Rule) -> str:
    return f", not for {exceptions(rule)}" if exceptions(rule) else ""
