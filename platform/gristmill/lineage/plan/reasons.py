"""Why a partition is stale, in a form that can be counted, printed and read by a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from gristmill.lineage.plan.components import difference, said
from gristmill.lineage.plan.recipe_diff import ABSENT, changes

Kind = Literal["missing", "algorithm", "recipe", "code", "input", "source", "gone", "interrupted"]
NAMED = 3  # partitions named in a sentence


@dataclass(frozen=True)
class Code:
    """What a code version is made of: the algorithm's version and the values of the recipe sections that the asset reads."""

    algorithm: str
    sections: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reason:
    """One reason. `key`, `old` and `new` belong to the kinds algorithm and recipe, `input` and `partitions` to input:
    the input's partitions whose content changed, came or went, as far as it is known which."""

    kind: Kind
    text: str
    key: str = ""
    old: Any = None
    new: Any = None
    input: str = ""
    partitions: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value not in ("", None, ())}


MISSING = Reason("missing", "missing")
INTERRUPTED = Reason("interrupted", "an interrupted run left other content than the event log tells of")
OUTSIDE = {"tombstones": "list of takedowns"}
"""What an asset reads outside the graph, where that is not the registered source files."""


class CodeReasons:
    """Why an asset's code version moved to the present one. What an earlier one was made of (`was`) is looked up once."""

    def __init__(self, version: str, code: Code | None, was: Callable[[str], Code | None], asset: str = "") -> None:
        self.version, self.code, self.was, self.asset = version, code, was, asset
        self._since: dict[str, tuple[Reason, ...]] = {version: ()}

    def since(self, version: str) -> tuple[Reason, ...]:
        if version not in self._since:
            self._since[version] = code_reasons(version, self.version, self.was(version), self.code, self.asset)
        return self._since[version]


def code_reasons(old_version: str, new_version: str, old: Code | None, new: Code | None, asset: str = "") -> tuple[Reason, ...]:
    """Why the code version of an asset moved; in general terms when what the old one was made of was not recorded."""
    if old is None and new is not None:
        algorithm, _, fingerprint = old_version.rpartition("-") if new.sections else (old_version, "", "")
        if fingerprint == (new_version.rpartition("-")[2] if new.sections else ""):
            return (_algorithm(asset, algorithm, new.algorithm),)
        if algorithm == new.algorithm:
            return (Reason("code", f"recipe changed in {', '.join(new.sections)}", old=old_version, new=new_version),)
    if old is None or new is None:
        return (Reason("code", f"code {old_version} -> {new_version}", old=old_version, new=new_version),)
    found = []
    if old.algorithm != new.algorithm:
        found.append(_algorithm(asset, old.algorithm, new.algorithm))
    both = old.sections.keys() & new.sections.keys()
    was = {name: old.sections[name] for name in both} | _parts(old.sections, new.sections.keys() - both)
    now = {name: new.sections[name] for name in both} | _parts(new.sections, old.sections.keys() - both)
    was |= {name: old.sections[name] for name in now.keys() - was.keys()}
    now |= {name: new.sections[name] for name in was.keys() - now.keys()}
    for change in changes(was, now):
        found.append(Reason("recipe", str(change), key=change.key, old=change.old, new=change.new))
    if other := _other_sections(old.sections.keys() - both, new.sections.keys() - both):
        found.append(Reason("code", other, old=old_version, new=new_version))
    return tuple(found) or (Reason("code", f"code {old_version} -> {new_version}", old=old_version, new=new_version),)


def _algorithm(asset: str, old: str, new: str) -> Reason:
    moves = difference(asset, old, new)
    of = "of " if moves[0].name and moves[0].old else ""
    return Reason("algorithm", f"algorithm {of}{said(moves)}", key="algorithm", old=old, new=new)


def _parts(sections: Mapping[str, Any], names: Set[str]) -> dict[str, Any]:
    """The values of keys that lie inside a section: what was read as a whole section may be read key by key now, or the other way."""
    found = {}
    for name in names:
        keys = name.split(".")
        for depth in range(1, len(keys)):
            value: Any = sections.get(".".join(keys[:depth]))
            for key in keys[depth:]:
                value = value.get(key, ABSENT) if isinstance(value, Mapping) else ABSENT
            if value is not ABSENT:
                found[name] = value
    return found


def _other_sections(gone: Set[str], new: Set[str]) -> str:
    """That the asset's code reads other keys of the recipe than before: no edit of the recipe, so no old and new value."""
    parts = [f"{says} {_few(sorted(names))}" for names, says in ((new, "now reads"), (gone, "no longer reads")) if names]
    return f"its code {', '.join(parts)}" if parts else ""


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more keys" if len(names) > NAMED else "")


def source_reason(asset: str) -> Reason:
    """That what the asset reads outside the graph changed."""
    return Reason("source", f"{OUTSIDE.get(asset, 'source files')} changed")


def new_input_reason(name: str) -> Reason:
    """That the asset reads an input now that it did not read when it was made."""
    return Reason("input", f"its code now reads {name}", input=name)


def input_reason(name: str, keys: Sequence[str | None], read: Mapping[str, str] | None, now: Mapping[str, str]) -> Reason:
    """That the content of the input `name` moved: in which of the partitions `keys` that are read now, by the versions that
    were read (partition -> data version; None when they are not known) and those that stand now."""
    if len(keys) == 1 and (read is None or set(read) <= {keys[0] or ""}):
        return Reason("input", f"input {name} changed", input=name, partitions=() if keys[0] is None else (keys[0],))
    if read is None:
        return Reason("input", f"input {name} changed", input=name)
    changed = [key for key in now if key in read and read[key] != now[key]]
    new, gone = [key for key in now if key not in read], [key for key in read if key not in now]
    parts = [
        f"{len(found)} {says}: {', '.join(found[:NAMED])}{', …' if len(found) > NAMED else ''}"
        for found, says in ((changed, "changed"), (new, "new"), (gone, "gone"))
        if found
    ]
    of = f" ({'; '.join(parts)}; of {len(keys)})" if parts else ""
    return Reason("input", f"input {name} changed{of}", input=name, partitions=(*changed, *new, *gone))


def gone_reason(keys: Sequence[str]) -> Reason:
    return Reason("gone", f"file gone: {keys[0]}" + (f" and {len(keys) - 1} more" if len(keys) > 1 else ""))
