"""What moved between two states of the recipe's sections, key by key, as one would write it in the recipe.

Sections are compared as they were fingerprinted (`Recipe.values`). The policy is compared by its rules in force, so that
a shipped profile's own change is seen; a rule's threshold, language thresholds, exceptions and absence go by the keys
with which a recipe sets them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

ABSENT = "absent"
LONG = 60  # characters of a value that are shown


@dataclass(frozen=True)
class Change:
    """A dotted key of the recipe, its value then and now; ABSENT where there is none."""

    key: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.key} {shown(self.old)} -> {shown(self.new)}"


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """What differs between two mappings of section -> value, in the order of the keys. What the clean view is stripped of (`strips`)
    follows from `edits.strip` and the policy's profiles: it is told where the key of a recipe is not."""
    found = []
    for section in sorted({*old, *new}):
        before, after = old.get(section, ABSENT), new.get(section, ABSENT)
        if section == "policy" and _is_policy(before) and _is_policy(after):
            found += list(_policy(before, after))
        elif section == "policy.line_rules" and isinstance(before, list) and isinstance(after, list):
            found += list(_rules(before, after))
        else:
            found += list(_values(section, before, after))
    return [change for change in found if change.key != "strips" or all(each.key != "edits.strip" for each in found)]


def shown(value: Any) -> str:
    """A value as the recipe would have it, short; numbers without a needless fraction."""
    if value is ABSENT or value == ABSENT:
        return ABSENT
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONG else f"{text[: LONG - 1]}…"


def _values(key: str, old: Any, new: Any) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            yield from _values(f"{key}.{name}", old.get(name, ABSENT), new.get(name, ABSENT))
    elif old != new or type(old) is not type(new):
        yield Change(key, old, new)


def _is_policy(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"name", "version", "rules"}


def _policy(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in ("name", "version"):
        yield from _values(f"policy.{name}", old[name], new[name])
    yield from _rules(old["rules"], new["rules"])


def _rules(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Iterator[Change]:
    before, after = {rule["name"]: rule for rule in old}, {rule["name"]: rule for rule in new}
    for name in dict.fromkeys([*after, *before]):
        was, now = before.get(name), after.get(name)
        if was is None or now is None:
            yield Change(f"policy.rules.{name}", "off" if was is None else "in force", "in force" if now else "off")
            continue
        for field in sorted({*was, *now}):
            where = f"policy.{'thresholds' if field == 'threshold' else field}.{name}"
            own = where if field in ("threshold", "by_language", "except_sources") else f"policy.rules.{name}.{field}"
            yield from _values(own, was.get(field, ABSENT), now.get(field, ABSENT))
    shared = [name for name in after if name in before]
    if shared != [name for name in before if name in after]:  # the first rule that fires names the reason
        yield Change("policy, order of the rules", "as it was", "another")
