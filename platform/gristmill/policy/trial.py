"""A policy with some rules changed by hand: `RULE=VALUE`, `RULE[de]=VALUE`, `RULE=off`, `RULE=on`, `gopher.*=off`."""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Mapping, Sequence

from gristmill.errors import RecipeError
from gristmill.policy.profiles import PROFILES
from gristmill.policy.rules import LANGUAGE, Rule
from gristmill.policy.verdicts import columns_read
from gristmill.policy.wording import nearest
from gristmill.recipe import Recipe
from gristmill.signals.registry import MODULES, SIGNALS

CHANGE = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<language>[^\[\]]*)\])?")
WRITE = "Write RULE=VALUE, RULE[LANGUAGE]=VALUE, RULE=off or RULE=on, such as gopher.word_count_min=60."
SWITCHES = ("off", "on")
REBUILD = "Build up to `signals` under the edited recipe first, in a `namespace` of its own: `gristmill rebuild --until signals`."


def tried(recipe: Recipe, assignments: Sequence[str], stored: Recipe | None = None) -> list[Rule]:
    """The rules of the recipe's policy after the assignments: a number is a threshold, `off` and `on` switch.

    A rule that is off comes back with its value, or with the one it had (`on`). A pattern (`gopher.*`) takes switches alone;
    what is said of a rule by its own name goes before what a pattern says. A rule of a shipped profile that the policy does
    not use joins at the end, with the exceptions that the policy's patterns make for it.
    `stored` is the recipe that the signals were made under, where it is another one.
    """
    policy = recipe.policy
    views = {family: view for family, view in {**(stored or recipe).views, **recipe.views}.items() if family not in recipe.signals.views}
    known = {rule.name: rule for rule in policy.model_copy(update={"off": []}).resolved()}
    off, thresholds, by_language = set(policy.off), dict(policy.thresholds), {**policy.by_language}
    joined: dict[str, Rule] = {}
    for (name, language), value in _assigned(assignments, list(known)).items():
        if name not in known and name not in joined:
            joined[name] = _shipped(name, list(known), views)
        off = off | {name} if value == "off" else off - {name}
        if language and isinstance(value, float):
            if language in (known.get(name) or joined[name]).except_languages:
                raise RecipeError(
                    f"{name} does not judge documents in {language}", where="policy", fix=f"Change {name} in a copy of the recipe."
                )
            by_language[name] = {**by_language.get(name, {}), language: value}
        elif isinstance(value, float):
            thresholds[name] = value
    update = {
        "rules": [*policy.rules, *joined.values()],
        "off": [*(name for name in policy.off if name in off), *sorted(off - {*policy.off})],
        "thresholds": thresholds,
        "by_language": by_language,
    }
    return policy.model_copy(update=update).resolved()


def _assigned(assignments: Sequence[str], known: Sequence[str]) -> dict[tuple[str, str], float | str]:
    """(rule, language or "") -> its threshold, `off` or `on`; RecipeError where two assignments speak of the same."""
    patterns: dict[str, tuple[str, str]] = {}
    named: dict[tuple[str, str], tuple[float | str, str]] = {}
    for assignment in assignments:
        target, equals, text = (part.strip() for part in assignment.partition("="))
        read = CHANGE.fullmatch(target)
        if not equals or read is None:
            raise RecipeError(f"{assignment!r} is no change", fix=WRITE)
        name, language = read["name"], read["language"]
        if language is not None and not LANGUAGE.fullmatch(language):
            raise RecipeError(f"{assignment!r}: {language!r} is no language code: ISO 639 (de, en), `code` or `und`", fix=WRITE)
        if "*" in name or "?" in name:
            if language is not None or text not in SWITCHES:
                raise RecipeError(f"{assignment!r}: a pattern is switched off or on", fix="Give a threshold to one rule by its name.")
            for each in _matching(name, text, known):
                if patterns.setdefault(each, (text, assignment))[0] != text:
                    raise _twice(each, patterns[each][1], assignment)
            continue
        if language is not None and text in SWITCHES:
            raise RecipeError(
                f"{assignment!r}: a rule is switched in all languages", fix=f"Write {name}={text}, or a number for {language}."
            )
        value = text if text in SWITCHES else _number(text, assignment)
        for (other, of), (said, earlier) in named.items():
            if other == name and (of == (language or "") or "off" in (said, value)):
                raise _twice(name, earlier, assignment)
        named[name, language or ""] = value, assignment
    spoken = {name for name, _ in named}
    return {
        **{(name, ""): value for name, (value, _) in patterns.items() if name not in spoken},
        **{key: value for key, (value, _) in named.items()},
    }


def _matching(pattern: str, switch: str, known: Sequence[str]) -> list[str]:
    """The policy's rules of that pattern; with `on` those of shipped profiles, where the policy has none."""
    shipped = list(dict.fromkeys(rule.name for profile in PROFILES.values() for rule in profile.rules))
    if found := fnmatch.filter(known, pattern) or (fnmatch.filter(shipped, pattern) if switch == "on" else []):
        return found
    raise RecipeError(f"no rule of the policy matches {pattern!r}", where="policy", fix=nearest(pattern, known))


def _twice(name: str, first: str, second: str) -> RecipeError:
    return RecipeError(f"{name} is changed twice: {first} and {second}", where="policy", fix="Leave one of them out.")


def same_signals(stored: Recipe, edited: Recipe, rules: Sequence[Rule], signal: str = "") -> None:
    """RecipeError when the edited recipe's `rules` would judge other values, or other sources, than those stored under the other,
    or when `signal` would have other values."""
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
    families = {*columns_read(rule for rule in rules if rule.action != "edit"), *([signal.split(".")[0]] if signal in SIGNALS else [])}
    for family in sorted(families):
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
        raise RecipeError(f"{assignment!r}: {text!r} is no number", fix=WRITE) from None
    if not math.isfinite(value):
        raise RecipeError(f"{assignment!r}: {text!r} is no finite number", fix="To have a rule fire on nothing, write RULE=off.")
    return value
