"""Golden decisions: what a peer decided of texts that any machine can make again, small enough to be committed.

A golden file (JSON, xz) holds the peer's reasons, and its words by exception: `cuts` says how the peer cuts a run between
white space wherever it first met it, `odd` where a document's run is cut otherwise, `whole` the words themselves where
they are no pieces of the runs. The text that its C4 filter leaves is held as the lines that it keeps. Texts are those of
`texts.adversarial` and of the interpreter's own manual (`pydoc_data`); a text whose digest is another one than recorded
(another Python's manual) is passed over by `read`.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

from conformance.texts import adversarial

FOLDER = Path(__file__).parent.parent / "tests" / "gristmill" / "policy" / "golden"
LEFT_OUT = ("long",)  # kinds of adversarial text
MANUAL = 40  # pages, the longest ones
CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")  # what datatrove's C4 filter takes out of the lines it keeps


def texts() -> dict[str, str]:
    """Name -> text, of all that golden decisions are about."""
    chosen = {name: text for name, text in adversarial() if name.split("/")[0] not in LEFT_OUT}
    manual = sorted(topics, key=lambda name: (-len(topics[name]), name))[:MANUAL]
    return chosen | {f"manual/{name}": topics[name] for name in sorted(manual)}


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def write(path: Path, decisions: Mapping[str, Mapping[str, Any]]) -> None:
    """Records the peer's decisions (name -> what its script wrote) about `texts`."""
    known = texts()
    cuts: dict[str, str] = {}
    documents = {name: _packed(known[name], decision, cuts) for name, decision in decisions.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    cuts = {run: cut for run, cut in cuts.items() if cut != run}
    content = json.dumps({"cuts": cuts, "documents": documents}, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    path.write_bytes(lzma.compress(content.encode(), preset=9 | lzma.PRESET_EXTREME))
    read_back = read(path)
    for name, decision in decisions.items():
        for key in ("chain", "filters", "words", "sentences", "clean", "clean_words"):
            assert read_back[name].get(key) == decision.get(key), (name, key)


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Name -> decision as the peer's script wrote it, and `text`; of texts that are here what they were when recorded."""
    content = json.loads(lzma.decompress(path.read_bytes()))
    known = texts()
    found = {}
    for name, packed in content["documents"].items():
        text = known.get(name)
        if text is not None and digest(text) == packed["digest"]:
            found[name] = {"text": text, **_unpacked(text, packed, content["cuts"])}
    return found


def _packed(text: str, decision: Mapping[str, Any], cuts: dict[str, str]) -> dict[str, Any]:
    packed = {key: decision[key] for key in ("chain", "filters", "fineweb_after_c4") if key in decision}
    packed["digest"] = digest(text)
    packed["words"] = _exceptions(text, decision["words"], cuts)
    if "clean" in decision:
        packed["sentences"] = decision["sentences"]
        packed["kept"] = _kept(text, decision["clean"])
        packed["clean_words"] = None if decision["clean"] is None else _exceptions(decision["clean"], decision["clean_words"], cuts)
    return packed


def _unpacked(text: str, packed: Mapping[str, Any], cuts: Mapping[str, str]) -> dict[str, Any]:
    decision = {key: packed[key] for key in ("chain", "filters", "fineweb_after_c4") if key in packed}
    decision["words"] = _words(text, packed["words"], cuts)
    if "kept" in packed:
        decision["sentences"] = packed["sentences"]
        decision["clean"] = clean = _clean(text, packed["kept"])
        decision["clean_words"] = None if clean is None else _words(clean, packed["clean_words"], cuts)
    return decision


def _exceptions(text: str, words: Sequence[str], cuts: dict[str, str]) -> dict[str, Any]:
    odd: dict[str, str] = {}
    at = 0
    for number, run in enumerate(text.split()):
        begun, reached = at, 0
        while reached < len(run) and at < len(words):
            if run.startswith(words[at], reached):
                reached += len(words[at])
            elif words[at] in ("``", "''") and run[reached] == '"':  # as NLTK writes quotation marks
                reached += 1
            else:
                return {"whole": list(words)}
            at += 1
        cut = " ".join(words[begun:at])
        if cuts.setdefault(run, cut) != cut:
            odd[str(number)] = cut
    packed = {"odd": odd} if odd else {}
    return packed if at == len(words) and _words(text, packed, cuts) == list(words) else {"whole": list(words)}


def _words(text: str, packed: Mapping[str, Any], cuts: Mapping[str, str]) -> list[str]:
    if "whole" in packed:
        return list(packed["whole"])
    odd = packed.get("odd", {})
    return [word for number, run in enumerate(text.split()) for word in odd.get(str(number), cuts.get(run, run)).split(" ")]


def _kept(text: str, clean: str | None) -> str | None:
    """A digit per line of the text: 1 where it is a line of `clean`."""
    if clean is None:
        return None
    left = clean.split("\n")
    flags = []
    for line in text.splitlines():
        matches = bool(left) and len(line.split()) >= 3 and CITATION.sub("", line.strip()).strip() == left[0].strip()
        flags.append("01"[matches])
        if matches:
            left.pop(0)
    return "".join(flags)


def _clean(text: str, kept: str | None) -> str | None:
    if kept is None:
        return None
    lines = [CITATION.sub("", line.strip()) for line, flag in zip(text.splitlines(), kept, strict=True) if flag == "1"]
    return "\n".join(lines).strip()
