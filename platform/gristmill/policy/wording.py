"""Says rules in words: for the terminal, the pages and error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from gristmill.policy.rules import Rule


def condition(rule: Rule) -> str:
    """`gopher.word_count < 50`, with the languages that have a threshold of their own."""
    own = ", ".join(f"{language} {threshold:,g}" for language, threshold in sorted(rule.by_language.items()))
    return f"{rule.signal} {rule.when} {rule.threshold:,g}{f' ({own})' if own else ''}"


def change(before: Rule | None, after: Rule | None) -> str:
    """What became of a rule: `gopher.word_count < 50, now < 60`."""
    if before is None:
        return f"new: {condition(after)}" if after else ""
    if after is None:
        return f"{condition(before)}, now off"
    old, new = condition(before), condition(after)
    if old == new:
        return f"{old}, now {_rest(after)} (was {_rest(before)})"
    return f"{old}, now {new.removeprefix(f'{before.signal} ')}"


def exceptions(rule: Rule) -> str:
    """Whom the rule does not judge."""
    return ", ".join([*rule.except_sources, *(f"language {language}" for language in rule.except_languages)])


def action(rule: Rule) -> str:
    return {"drop": "drop", "edit": "remove the line", "down_weight": f"weigh {rule.weight:g}"}[rule.action]


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a name that is not known."""
    known = list(known)
    close = difflib.get_close_matches(name, known, 3, 0.4) or [each for each in known if name in each][:3]
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Known: {', '.join(known)}."


def _rest(rule: Rule) -> str:
    return f"{action(rule)}{f', not for {exceptions(rule)}' if exceptions(rule) else ''}"
