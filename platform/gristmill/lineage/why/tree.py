"""The facts about a document, or about a step's batch, as a tree in words: what the terminal and the page both show."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gristmill.counting import counted
from gristmill.lineage.why.document import Facts, asked_for
from gristmill.policy.terminal import number, share, size

Tone = Literal["", "good", "bad", "muted"]
SHOWN = 8  # sequences, steps and copies that are named
SHARED = 0.98  # of a source's documents: a signal's value that so many share says nothing of one of them


@dataclass(frozen=True)
class Sheet:
    """A table inside the tree: names of columns, rows of cells; `right`: the columns that hold numbers."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    right: frozenset[str] = frozenset()
    spans: list[tuple[float, float] | None] = field(default_factory=list)  # a bar for each row: from which share to which


@dataclass(frozen=True)
class Node:
    label: str
    text: str = ""
    tone: Tone = ""
    children: list[Node] = field(default_factory=list)
    sheet: Sheet | None = None


def document_tree(facts: Facts) -> list[Node]:
    """The branches of a document's life, in the order in which it was lived."""
    several = len(facts["shards"]) > 1
    nodes = [*map(_tombstone, facts["tombstones"]), *([_versions(facts)] if facts["other_versions"] else [])]
    if facts.get("synthetic"):
        nodes.append(_synthetic(facts["synthetic"]))
    for n, shard in enumerate(facts["shards"]):
        like = next((each for each in facts["shards"][:n] if shard["extraction"] and _what_text_says(each) == _what_text_says(shard)), None)
        inside = [
            *(_capture(row) for row in shard["captures"]),
            *(Node("refused", f"{row['stage']}, {row['error']}: {row['message']}", "bad") for row in shard["refused"]),
            *([Node("text, edits, signals", f"as in {like['shard']}", "muted")] if like else _of_text(shard)),
            *(node for verdict in shard["verdicts"] for node in _verdict(verdict, shard)),
            *_final(shard),
            *_split_and_score(shard),
        ]
        nodes += [Node("shard", f"{shard['shard']}, source {shard['source']}", children=inside)] if several else inside
    nodes += _corpus(facts["corpus"])
    return nodes + [_model(each) for each in facts["downstream"]]


def percentile(below: float | None, at_most: float | None) -> str:
    """`61%`: of the source's documents have a smaller value; `0 to 92%` where many share it."""
    if below is None or at_most is None:
        return ""
    if at_most - below <= 0.01:
        return f"{(below + at_most) / 2:.0%}"
    return f"{below:.0%} to {at_most:.0%}".replace("% to", " to")


def when(value: Any) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime.datetime) else "no date"


def batch_sheet(facts: Facts, order: tuple[str, ...]) -> Sheet:
    """The documents of a batch or a sequence, a row for each run of tokens."""
    rows = [
        (
            *(str(row[name]) for name in order),
            f"{row['start']:,}–{row['end']:,}",
            str(row["epoch"]),
            row["source"],
            row["topic"],
            row["url"] or row["origin"],
            row["doc_id"],
        )
        for row in facts["documents"]
    ]
    return Sheet((*order, "tokens", "epoch", "source", "topic", "document", "doc_id"), rows, frozenset({*order, "tokens", "epoch"}))


def likeness(kind: str, similarity: float | None) -> str:
    """`near, similarity 0.82`; of `url`, which has none, what it means."""
    return "same URL, another version of the page" if similarity is None else f"{kind}, similarity {similarity:.4g}"


def _tombstone(found: Facts) -> Node:
    said = asked_for(found)
    how = Node("", f"by {found['kind']} {found['pattern']}", "muted")
    if found["undone"]:
        undone = f"{found['undone']['when'][:10]} by {found['undone']['who']}: {found['undone']['why']}; it returns at the next rebuild"
        return Node("taken down", said, "bad", [how, Node("undone", undone)])
    return Node("taken down", said, "bad", [how])


def _versions(facts: Facts) -> Node:
    rows = [Node(row["doc_id"], f"fetched {when(row['fetched_at'])}, {row['shard']}", "muted") for row in facts["other_versions"]]
    return Node("other versions", f"{len(rows):,} at this URL", children=rows)


def _capture(row: Facts) -> Node:
    parts = [when(row["fetched_at"]), *([f"status {row['status']}"] if row["status"] else []), row["mime"] or "", row["kind"]]
    place = f"{row['warc']} at byte {row['offset']:,}, {size(row['length']) or '0 B'}"
    return Node("capture", ", ".join(part for part in parts if part), children=[Node("", place), Node("", row["payload_digest"], "muted")])


def _extraction(shard: Facts) -> list[Node]:
    found = shard["extraction"]
    if found is None:
        return []
    language = f"language {found['language']} ({found['language_score']:.2f})"
    text = f"{found['extractor']}, {language}, {counted(found['n_chars'], 'character')}, {size(found['n_bytes'])}"
    return [Node("text", text, children=[Node("", shard["excerpt"], "muted")] if shard["excerpt"] else [])]


def _edits(edits: list[Facts] | None) -> list[Node]:
    if not edits:
        return [Node("edits", "none", "muted")] if edits is not None else []
    total = sum(row["characters"] for row in edits)
    rows = [
        Node(
            row["rule"],
            f"{counted(row['edits'], 'edit')}, {counted(row['characters'], 'character')} "
            f"of the {'clean' if row['view'] == 'final' else 'extracted'} view",
        )
        for row in edits
    ]
    return [Node("edits", f"{sum(row['edits'] for row in edits):,}, {counted(total, 'character')}", children=rows)]


def _what_text_says(shard: Facts) -> list[Any]:
    """What follows from the text alone, and is said once where shards agree. A recrawl has another `fetched_at`."""
    extraction = {name: value for name, value in (shard["extraction"] or {}).items() if name != "fetched_at"}
    return [extraction, shard["source"], shard["edits"], shard["signals"]]


def _of_text(shard: Facts) -> list[Node]:
    if shard["extraction"] is None:
        return []
    return [*_extraction(shard), *_edits(shard["edits"]), *_signals(shard)]


def _signals(shard: Facts) -> list[Node]:
    found = shard["signals"]
    if not found:
        return []
    fired = {each["signal"] for verdict in shard["verdicts"] for each in verdict["fired"] if each["signal"]}
    plain = [row for row in found if row["below"] is not None and row["at_most"] - row["below"] >= SHARED and row["signal"] not in fired]
    telling = [row for row in found if row not in plain]
    rows = [
        ("▸ " * (row["signal"] in fired) + row["signal"], number(row["value"]), percentile(row["below"], row["at_most"])) for row in telling
    ]
    spans = [None if row["below"] is None else (row["below"], row["at_most"]) for row in telling]
    among = next((row["among"] for row in found if row["among"]), None)
    says = f"{len(found)}" + (f", with their percentile among {counted(among, 'different document')} of {shard['source']}" if among else "")
    notes = [Node("", "▸ a rule on it fired", "muted")] if fired else []
    if plain:
        notes.append(Node("as nearly everywhere", ", ".join(f"{row['signal']} {number(row['value'])}" for row in plain), "muted"))
    return [
        Node("signals", says, "bad" if fired else "", notes, Sheet(("signal", "value", "percentile"), rows, frozenset({"value"}), spans))
    ]


def _verdict(verdict: Facts, shard: Facts) -> list[Node]:
    if not verdict["kept"] and not verdict["dropped_here"]:
        return []
    by_twin = verdict["stage"] == "deduplication" and not verdict["kept"]
    children = [] if by_twin else [_fired(each, verdict) for each in verdict["fired"]]
    children += _duplicates(shard["duplicates"]) if verdict["stage"] == "deduplication" else []
    if verdict["kept"]:
        weighs = f", weight {verdict['weight']:g}" if verdict["weight"] != 1 else ""
        return [Node(verdict["stage"], f"kept{weighs}", "good", children)]
    return [Node(verdict["stage"], f"dropped by {verdict['first_rule']}", "bad", children)]


def _fired(each: Facts, verdict: Facts) -> Node:
    tone: Tone = "bad" if each["rule"] == verdict["first_rule"] else ""
    if each["value"] is None or each["threshold"] is None:
        return Node(each["rule"], "fired", tone)
    said = f"{each['signal']} {each['when']} {number(each['threshold'])}" if each["signal"] else f"threshold {number(each['threshold'])}"
    relative = f" ({share(each['margin'] / abs(each['threshold']))} of it)" if each["threshold"] else ""
    then = "" if each["action"] in (None, "drop") else ", weighs down"
    return Node(each["rule"], f"{number(each['value'])}; {said}, margin {number(each['margin'])}{relative}{then}", tone)


def _duplicates(found: Facts | None) -> list[Node]:
    if found is None or found["kind"] == "unique":
        return [Node("no copy", "", "muted")] if found else []
    if found["kind"] != "survivor":
        alike = f"{likeness(found['kind'], found['similarity'])}, in {found['survivor_shard']}"
        return [Node("outlived by", found["survivor_url"] or found["survivor"], "bad", [Node("", f"{found['survivor']}; {alike}")])]
    copies = [
        Node("", f"{row['url'] or row['doc_id']} ({row['shard']}): {likeness(row['kind'], row['similarity'])}", "muted")
        for row in found["outlived"][:SHOWN]
    ]
    if found["copies"] is None:
        return [Node("survivor", "of its cluster")]
    rest = found["copies"] - len(copies)
    return [
        Node(
            "outlived",
            counted(found["copies"], "copy", "copies"),
            children=[*copies, *([Node("", f"and {rest:,} more", "muted")] if rest > 0 else [])],
        )
    ]


def _final(shard: Facts) -> list[Node]:
    nodes = []
    if shard["cuts"]:
        rows = [
            Node(row["rule"], f"characters {row['start']:,} to {row['end']:,}, held by {counted(row['documents'], 'document')}{_twin(row)}")
            for row in shard["cuts"][:SHOWN]
        ]
        nodes.append(Node("cut from the final view", counted(len(shard["cuts"]), "span"), children=rows))
    if shard["contamination"]:
        rows = [
            Node(row["item"], f"{counted(row['ngrams'], 'n-gram')}, {row['overlap']:.1%} of the item", "bad")
            for row in shard["contamination"][:SHOWN]
        ]
        nodes.append(Node("contamination", counted(len(shard["contamination"]), "item"), "bad", rows))
    return nodes


def _twin(row: Facts) -> str:
    return (
        f", kept by {row['twin']}" + (f" ({row['similarity']:.2f} alike)" if row["similarity"] is not None else "") if row["twin"] else ""
    )


def _split_and_score(shard: Facts) -> list[Node]:
    nodes = [Node("split", shard["split"], "" if shard["split"] == "train" else "bad")] if shard["split"] else []
    if score := shard["score"]:
        judged = (
            f"; cutoff {number(score['cutoff'])}, margin {score['margin']:+.4g}"
            if score["cutoff"] is not None
            else "; no cutoff judges its source"
        )
        nodes.append(
            Node("quality", f"{score['quality']:.4g}{judged}", children=[Node("", f"classifier {score['quality_version']}", "muted")])
        )
        nodes.append(Node("topic", f"{score['topic']} ({score['topic_score']:.2f})"))
    return nodes


def _synthetic(found: Facts) -> Node:
    verified = Node(
        "verified" if found["verified"] else "not verified",
        f"by {found['verification']}, attempt {found['attempts']}",
        "good" if found["verified"] else "bad",
    )
    children = [
        Node("teacher", f"{found['teacher']}, seed {found['seed']}"),
        Node("plan", found["plan"], "muted"),
        verified,
        Node("text", found["excerpt"], "muted"),
    ]
    return Node("synthetic", f"set {found['set']}, {counted(found['n_chars'], 'character')}", children=children)


def _corpus(phases: list[Facts] | None) -> list[Node]:
    nodes = []
    for phase in phases or []:
        models = phase["models"]
        steps = {(seen["model"], row["sequence"]): row["step"] for seen in models for row in seen["at"]}
        rows = [
            (
                f"{row['sequence']:,}",
                f"{row['position']:,}",
                f"{row['start']:,}–{row['end']:,}",
                str(row["epoch"]),
                *(f"{steps[seen['model'], row['sequence']]:,}" if (seen["model"], row["sequence"]) in steps else "" for seen in models),
            )
            for row in phase["at"][:SHOWN]
        ]
        columns = ("sequence", "position", "its tokens", "epoch", *(f"step of {seen['model']}" for seen in models))
        rest = phase["sequences"] - len({row[0] for row in rows})
        more = [Node("", f"and {counted(rest, 'more sequence')}", "muted")] if rest > 0 else []
        topic = f", {phase['topic']}" if phase["topic"] else ""
        tokens, sequences, epochs = (counted(phase[f"{each}s"], each) for each in ("token", "sequence", "epoch"))
        says = f"{tokens} in {sequences}, {epochs}, as {phase['source']}{topic}"
        trained = [
            Node("seen by", f"{each['model']} in {counted(each['steps'], 'step')}, {each['first']:,} to {each['last']:,}", "good")
            for each in models
        ]
        sheet = Sheet(columns, rows, frozenset(columns))
        nodes.append(Node(f"phase {phase['phase']}", says, "good", [*trained, Node("places", "", sheet=sheet), *more]))
    return nodes


def _model(found: Facts) -> Node:
    variants = []
    for row in found["variants"]:
        bits = f", {row['bits_per_byte']:.3f} bits per byte" if row["bits_per_byte"] is not None else ""
        variants.append(Node(row["scheme"], f"evaluated{bits}" if row["report"] else "not evaluated"))
    about = [
        counted(found["parameters"], "parameter") if found["parameters"] else "",
        counted(found["steps"], "step") if found["steps"] else "",
    ]
    files = [Node("", key, "muted") for key in found["files"].values()]
    return Node(f"model {found['model']}", ", ".join(part for part in about if part), children=[*files, *variants])
