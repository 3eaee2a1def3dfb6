"""Fitted scikit-learn models at rest: skops files that are the same bytes for the same model.

skops names its arrays after memory addresses and stamps the clock on its archive; a data version is a content
hash, so both are rewritten here. Only types that are listed may be loaded: a model file cannot run code.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from gristmill.errors import LakeError

TRUSTED = ("sklearn.tree._tree.Tree",)  # beyond what skops trusts by itself: the arrays of a decision tree
_EPOCH = (1980, 1, 1, 0, 0, 0)


def save_model(model: Any, path: Path) -> Path:
    """Writes `model` as a skops file; equal models give equal bytes."""
    import skops.io  # brings scikit-learn and, where it is installed, torch

    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as written:
        schema = json.loads(written.read("schema.json"))
        numbers: dict[str, int] = {}
        schema = _renumbered(schema, numbers)
        names = {name: _renamed(name, numbers) for name in written.namelist() if name != "schema.json"}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo("schema.json", _EPOCH), json.dumps(schema, indent=1))
            for name in sorted(names, key=lambda old: (len(names[old]), names[old])):
                archive.writestr(zipfile.ZipInfo(names[name], _EPOCH), written.read(name))
    return path


def load_model(path: Path) -> Any:
    """The model in a skops file; LakeError when it holds a type that is not trusted."""
    import skops.io

    try:
        unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED))
        if unknown:
            raise LakeError(
                f"holds types that are not trusted: {', '.join(unknown)}",
                where=str(path),
                fix="It was not written by gristmill; make it again.",
            )
        return skops.io.load(path, trusted=list(TRUSTED))
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as error:
        raise LakeError(f"is not a model file: {error}", where=str(path), fix="Materialize the classifier that made it again.") from error


def _renumbered(node: Any, numbers: dict[str, int]) -> Any:
    """The schema with every `__id__` replaced by the order in which it appears, and array names with it."""
    if isinstance(node, list):
        return [_renumbered(item, numbers) for item in node]
    if not isinstance(node, dict):
        return node
    if "__id__" in node:
        numbers.setdefault(str(node["__id__"]), len(numbers))
    out: dict[str, Any] = {}
    for key, value in node.items():
        if key == "__id__":
            out[key] = numbers[str(value)]
        elif key == "file" and isinstance(value, str):
            out[key] = _renamed(value, numbers)
        else:
            out[key] = _renumbered(value, numbers)
    return out


def _renamed(name: str, numbers: dict[str, int]) -> str:
    stem, dot, ending = name.partition(".")
    return f"{numbers.get(stem, stem)}{dot}{ending}"
