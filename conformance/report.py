"""docs/conformance.md: how often profiles and peers agree, on what they part, and why."""

from __future__ import annotations

import difflib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from conformance.causes import other_sentences
from conformance.compare import Conformance, Row, agreement
from gristmill.policy.profiles import PROFILES
from gristmill.signals.chunk import Chunk

ENOUGH = 0.98
SHOWN = 60  # characters of an example

HEAD = """# Conformance

What gristmill's profiles decide beside the peers they are named after. This page is written by `make conformance`, which
installs each peer's wheel in an environment of its own under `.peers/` and asks it about the same texts; the ordinary
tests hold our decisions to the golden ones recorded by the same command (`tests/gristmill/policy/golden/`). The last section
compares near-duplicate pairs.

*Pages* are those of the demo: {pages}. *Adversarial* are {adversarial}
(`conformance/texts.py`): repetitions, marks, sentences and line ends at every rate around the thresholds, and whatever
segmenters cut in different ways. `kept` is agreement on what is kept and what is dropped, `reason` on the first reason
too. *Given* means that our rules are handed the peer's own words, lines and sentences; *own* is our segmentation, as a
build has it. Filters stand alone, on every text, whatever the others say; the FineWeb filter on the text that C4's
line rules leave. Documents on which a peer raises an exception are not counted. Rules that a row is `without` are not asked:
those on language and on lists of URLs on both sides, Dolma's on repeated sequences, which its tagger `gopher_v1` has not,
on ours.
"""


@dataclass(frozen=True)
class Disagreement:
    """One document on which a filter and our rules part; `cause`: the kinds of pieces that it hangs on, or `rules`."""

    texts: str
    cut: str
    row: Row
    cause: str
    text: str
    answer: Mapping[str, Any]


@dataclass(frozen=True)
class Outcome:
    """A profile's comparison: rows by (texts, cut), and every row that differs."""

    of: Conformance
    rows: Mapping[tuple[str, str], Sequence[Row]]
    disagreements: Sequence[Disagreement]


def write_report(outcomes: Sequence[Outcome], texts: Mapping[str, Sequence[tuple[str, str]]]) -> tuple[str, list[str]]:
    """The page, and what is wrong with it: agreement below what is asked, disagreements that nothing explains."""
    megabytes = {name: sum(len(text.encode()) for _, text in some) / 1e6 for name, some in texts.items()}
    sizes = {name: f"{len(some):,} texts, {megabytes[name]:.1f} MB" for name, some in texts.items()}
    parts = [HEAD.format(**sizes), "\n".join(_summary(outcomes))]
    failures: list[str] = []
    for outcome in outcomes:
        parts.append("\n".join(_section(outcome)))
        failures += _failures(outcome)
    return "\n\n".join(parts) + "\n", failures


def _summary(outcomes: Iterable[Outcome]) -> list[str]:
    lines = ["| profile | peer | texts | own: kept | own: reason | given: kept | given: reason |", "|---|---|---|---|---|---|---|"]
    for outcome in outcomes:
        without = f" without {', '.join(outcome.of.left_out)}" if outcome.of.left_out else ""
        for name in ("pages", "adversarial"):
            cells = [cell for cut in ("own", "given") for cell in _cells(row for row in outcome.rows[name, cut] if row.part == "chain")]
            lines.append(f"| `{outcome.of.profile}`{without} | {_peer(outcome.of)} | {name} | {' | '.join(cells)} |")
    return lines


def _section(outcome: Outcome) -> list[str]:
    of = outcome.of
    lines = [f"## `{of.profile}` and {_peer(of)}", "", PROFILES[of.profile].differences, ""]
    lines += ["| filter | texts | documents | own: kept | own: reason | given: kept | given: reason |", "|---|---|---|---|---|---|---|"]
    for part in _parts(of):
        for name in ("pages", "adversarial"):
            own, handed = ([row for row in outcome.rows[name, cut] if row.part == part] for cut in ("own", "given"))
            lines.append(f"| {part} | {name} | {len(own):,} | {' | '.join([*_cells(own), *_cells(handed)])} |")
    lines += [
        "",
        "What dropped a document first, in the chain, on all texts with our own segmentation: theirs in rows, ours in columns.",
        "",
    ]
    lines += _matrix([row for name in ("pages", "adversarial") for row in outcome.rows[name, "own"] if row.part == "chain"])
    lines += ["", *_classes(outcome)]
    return lines


def _matrix(rows: Sequence[Row]) -> list[str]:
    counts = Counter((row.theirs or "kept", row.ours or "kept") for row in rows)
    names = [name for name, _ in Counter(name for pair, n in counts.items() for name in pair for _ in range(n)).most_common()]
    mixed = [name for name in names if any(a != b and name in (a, b) for a, b in counts)]
    plain = [(name, counts[name, name]) for name in names if name not in mixed]
    lines = []
    if mixed:
        lines += ["| theirs \\ ours | " + " | ".join(mixed) + " |", "|---|" + "--:|" * len(mixed)]
        lines += [f"| {theirs} | " + " | ".join(str(counts[theirs, ours] or "") for ours in mixed) + " |" for theirs in mixed]
        lines.append("")
    if plain:
        lines += ["Never taken for another: " + ", ".join(f"{name} ({count:,})" for name, count in plain) + "."]
    return lines


def _classes(outcome: Outcome) -> list[str]:
    """Every class of disagreement: what it hangs on, how often, why, and an example."""
    if not outcome.disagreements:
        return ["No document is decided otherwise, with our own segmentation or with theirs."]
    classes: dict[tuple[str, str, str, str], list[Disagreement]] = defaultdict(list)
    for each in (each for each in outcome.disagreements if each.row.part in _parts(outcome.of)):
        row = each.row
        classes[row.part, row.theirs or "kept", row.ours or "kept", each.cause].append(each)
    lines = ["| filter | theirs | ours | hangs on | pages | adversarial | example |", "|---|---|---|---|--:|--:|---|"]
    for (part, theirs, ours, cause), some in sorted(
        classes.items(), key=lambda item: (item[0][0] == "chain", item[0][0], -len(item[1]), item[0])
    ):
        counts = Counter(each.texts for each in some)
        lines.append(
            f"| {part} | {theirs} | {ours} | {cause} | {counts['pages']} | {counts['adversarial']} | {_example(outcome.of, some[0])} |"
        )
    lines.append("")
    kinds = {kind for each in outcome.disagreements for kind in each.cause.split(" and ")}
    return lines + [f"- *{kind}*: {outcome.of.causes.get(kind, 'not explained')}" for kind in sorted(kinds)]


def _example(of: Conformance, each: Disagreement) -> str:
    """Where the peer's pieces and ours part, or the text's beginning."""
    where = each.row.name if len(each.row.name) <= SHOWN else "…" + each.row.name[1 - SHOWN :]
    if each.cause.startswith("sentences"):
        line, theirs, ours = other_sentences(each.text, each.answer)
        at = max((match.start() for match in re.finditer(r"[^\w\s,-]", line[:-1])), default=0)
        return f"{where}: {_code(line[max(0, at - SHOWN // 2) :])} has {theirs} sentences, ours {ours}"
    if each.cause == "words":
        spans = getattr(Chunk(pl.DataFrame({"doc_id": ["-"], "text": [each.text]})), of.words)
        ours = [spans.data[start:end].tobytes().decode() for start, end in zip(spans.starts, spans.ends, strict=True)]
        theirs = ['"' if word in ("``", "''") else word for word in each.answer["words"]]  # NLTK's quotation marks
        for tag, i, to_i, j, to_j in difflib.SequenceMatcher(None, theirs[:5000], ours[:5000], autojunk=False).get_opcodes():
            if tag != "equal":
                return f"{where}: {_code(' '.join(theirs[i:to_i]))}, ours {_code(' '.join(ours[j:to_j]))}"
    return f"{where}: {_code(each.text)}"


def _code(text: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    shown = shown if len(shown) <= SHOWN else shown[: SHOWN - 1] + "…"
    return f"`` {shown.replace('|', '¦').replace('`', 'ˋ')} ``" if shown else "nothing"


def _parts(of: Conformance) -> tuple[str, ...]:
    """The filters and their chain; the filter alone where there is one."""
    return (*of.parts, "chain") if len(of.parts) > 1 else tuple(of.parts)


def _cells(rows: Iterable[Row]) -> list[str]:
    documents, kept, reason = agreement(rows)
    return [_percent(kept, documents), _percent(reason, documents)]


def _percent(part: int, whole: int) -> str:
    if part == whole:
        return "100%"
    return f"{100 * part / whole:.2f}%"


def _failures(outcome: Outcome) -> list[str]:
    failed = []
    for (name, cut), rows in outcome.rows.items():
        for part in _parts(outcome.of):
            documents, kept, reason = agreement(row for row in rows if row.part == part)
            if cut == "given" and reason < documents:
                failed.append(
                    f"{outcome.of.profile}, {part}, {name}: {documents - reason} of {documents} differ with the peer's own pieces"
                )
            elif part == _parts(outcome.of)[-1] and kept < ENOUGH * documents:
                failed.append(f"{outcome.of.profile}, {name}: {kept / documents:.2%} are decided alike")
    kinds = {kind for each in outcome.disagreements if each.cut == "own" for kind in each.cause.split(" and ")}
    failed += [f"{outcome.of.profile}: nothing explains what hangs on {kind}" for kind in sorted(kinds - set(outcome.of.causes))]
    return failed


def _peer(of: Conformance) -> str:
    return f"{of.peer.name} {of.peer.version}"
