"""A policy with some rules changed by hand: `RULE=VALUE`, `RULE=off`, `RULE=on`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gristmill.errors import RecipeError
from gristmill.policy.profiles import PROFILES
from gristmill.policy.rules import Rule
from gristmill.policy.verdicts import columns_read
from gristmill.policy.wording import nearest
from gristmill.recipe import Policy, Recipe


def tried(policy: Policy, assignments: Sequence[str]) -> list[Rule]:
    """The policy's rules after the assignments: a number is a threshold, `off` and `on` switch.

    A rule that is off comes back with its value, or with the one it had (`on`). A rule of a shipped profile that the
    policy does not use joins at the end.
    """
    known = {rule.name: rule for rule in policy.model_copy(update={"off": []}).resolved()}
    off, thresholds = list(policy.off), dict(policy.thresholds)
    joined: dict[str, Rule] = {}
    for assignment in assignments:
        name, equals, value = (part.strip() for part in assignment.partition("="))
        if not equals:
            raise RecipeError(
                f"{assignment!r} is no change", fix="Write RULE=VALUE, RULE=off or RULE=on, such as gopher.word_count_min=60."
            )
        if name not in known:
            joined[name] = joined.get(name) or _shipped(name, list(known))
        off = [*(each for each in off if each != name), *([name] if value == "off" else [])]
        if value not in ("off", "on"):
            thresholds[name] = _number(value, assignment)
    rules = policy.model_copy(update={"off": off, "thresholds": thresholds}).resolved()
    return [*rules, *(_moved(rule, thresholds) for name, rule in joined.items() if name not in off)]


def _moved(rule: Rule, thresholds: Mapping[str, float]) -> Rule:
    return rule.model_copy(update={"threshold": thresholds.get(rule.name, rule.threshold)})


def same_signals(stored: Recipe, edited: Recipe) -> None:
    """RecipeError when the edited recipe's rules would read other values than those stored under the other recipe."""
    if stored.strips != edited.strips:
        raise RecipeError(
            f"the clean view changes (stripped: {', '.join(edited.strips) or 'nothing'}, before {', '.join(stored.strips) or 'nothing'}), "
            "and the stored signals were computed from that",
            where="edits.strip",
            fix="Rebuild `edits` of a sample in a recipe that has a `namespace` of its own.",
        )
    for family in columns_read(edited.policy.document_rules()):
        views = [recipe.views.get(family) for recipe in (stored, edited)]
        if None not in views and views[0] != views[1]:
            raise RecipeError(
                f"the family {family} was computed from the {views[0]} view, and the edited recipe has it read the {views[1]} view",
                where="signals.views",
                fix="Rebuild `signals` under the edited recipe, in a `namespace` of its own.",
            )


def _shipped(name: str, known: Sequence[str]) -> Rule:
    found = {profile: rule for profile, of in PROFILES.items() for rule in of.rules if rule.name == name}
    if not found:
        every = dict.fromkeys([*known, *(rule.name for profile in PROFILES.values() for rule in profile.rules)])
        raise RecipeError(f"no rule named {name!r}", where="policy", fix=nearest(name, every))
    first, *others = found.values()
    if any(other != first for other in others):
        raise RecipeError(
            f"{name} is another rule in each of {', '.join(found)}",
            where="policy",
            fix="Name one of the profiles in a copy of the recipe and try that with --recipe.",
        )
    return first


def _number(text: str, assignment: str) -> float:
    try:
        value = float(text.replace("_", ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise RecipeError(f"{assignment!r}: {text!r} is no number", fix="Write RULE=VALUE, RULE=off or RULE=on.")
    return value
