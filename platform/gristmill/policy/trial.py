"""A policy with some rules changed by hand: `RULE=VALUE`, `RULE=off`, `RULE=on`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from gristmill.errors import RecipeError
from gristmill.policy.profiles import PROFILES
from gristmill.policy.rules import Rule
from gristmill.policy.verdicts import columns_read
from gristmill.policy.wording import nearest
from gristmill.recipe import Recipe
from gristmill.signals.registry import MODULES

REBUILD = "Build up to `signals` under the edited recipe first, in a `namespace` of its own: `gristmill rebuild --until signals`."


def tried(recipe: Recipe, assignments: Sequence[str], stored: Recipe | None = None) -> list[Rule]:
    """The rules of the recipe's policy after the assignments: a number is a threshold, `off` and `on` switch.

    A rule that is off comes back with its value, or with the one it had (`on`). A rule of a shipped profile that the
    policy does not use joins at the end, with the exceptions that the policy's patterns make for it.
    `stored` is the recipe that the signals were made under, where it is another one.
    """
    policy = recipe.policy
    views = {family: view for family, view in {**(stored or recipe).views, **recipe.views}.items() if family not in recipe.signals.views}
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
            joined[name] = joined.get(name) or _shipped(name, list(known), views)
        off = [*(each for each in off if each != name), *([name] if value == "off" else [])]
        if value not in ("off", "on"):
            thresholds[name] = _number(value, assignment)
    update = {"rules": [*policy.rules, *joined.values()], "off": off, "thresholds": thresholds}
    return policy.model_copy(update=update).resolved()


def same_signals(stored: Recipe, edited: Recipe, rules: Sequence[Rule]) -> None:
    """RecipeError when the edited recipe's `rules` would judge other values, or other sources, than those stored under the other."""
    _same("sources.groups", "which sources the rules judge", _crawls(stored), _crawls(edited))
    _same("extraction", "the texts", stored.extraction, edited.extraction)
    if stored.strips != edited.strips:
        raise RecipeError(
            f"the clean view changes (stripped: {', '.join(edited.strips) or 'nothing'}, before {', '.join(stored.strips) or 'nothing'}), "
            "and the stored signals were computed from that",
            where="edits.strip",
            fix=REBUILD,
        )
    if edited.strips:
        spared = [sorted({*recipe.edits.except_sources}) for recipe in (stored, edited)]
        _same("edits.except_sources", "from which sources the clean view is stripped", *spared)
    for family in columns_read(rule for rule in rules if rule.action != "edit"):
        views = [stored.views.get(family), {**edited.views, **edited.signals.views}.get(family)]
        if None not in views and views[0] != views[1]:
            raise _other_view(family, views[0], f"the edited recipe has it read the {views[1]} view", REBUILD)
        reads, values = MODULES[family].READS, f"the values of the family {family}"
        for name in sorted({*stored.lists, *edited.lists}):
            if f"lists.{name}" in reads:
                _same(f"signals.lists.{name}", values, stored.lists.get(name), edited.lists.get(name))
        if "edits" in reads:
            _same("edits.mask", values, *(sorted({*recipe.edits.mask}) for recipe in (stored, edited)))
        if "distribution" in reads:
            sizes = [recipe.signals.distribution_documents for recipe in (stored, edited)]
            _same("signals.distribution_documents", values, *sizes)


def _same(where: str, decides: str, stored: object, edited: object) -> None:
    if stored != edited:
        raise RecipeError(
            f"differs between the two recipes and decides {decides}; what is stored cannot tell what the edited recipe would do",
            where=where,
            fix=REBUILD,
        )


def _crawls(recipe: Recipe) -> list[tuple[str, list[str]]]:
    """The source groups in order: the first that matches a crawl takes it. Priorities decide nothing here."""
    return [(name, source.crawls) for name, source in recipe.sources.groups.items()]


def _other_view(family: str, stored: str | None, other: str, fix: str) -> RecipeError:
    return RecipeError(f"the family {family} was computed from the {stored} view, and {other}", where="signals.views", fix=fix)


def _shipped(name: str, known: Sequence[str], views: Mapping[str, str]) -> Rule:
    """The rule of that name of a shipped profile; its family must be in the view that the profile has it read."""
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
    family = first.signal.split(".")[0]
    if view := views.get(family):
        said = [PROFILES[profile].views.get(family, view) for profile in found]
        if view not in said:
            profile = next(iter(found))
            other = f"{name} of the profile {profile} reads the {said[0]} view"
            raise _other_view(family, view, other, f"Name the profile {profile} in a copy of the recipe. {REBUILD}")
    return first


def _number(text: str, assignment: str) -> float:
    try:
        value = float(text.replace("_", ""))
    except ValueError:
        raise RecipeError(f"{assignment!r}: {text!r} is no number", fix="Write RULE=VALUE, RULE=off or RULE=on.") from None
    if not math.isfinite(value):
        raise RecipeError(f"{assignment!r}: {text!r} is no finite number", fix="To have a rule fire on nothing, write RULE=off.")
    return value
