"""Our decisions by a profile beside its peer's, document by document and reason by reason.

Pieces of text can be cut by us, as a build has them, or given as the peer cut them: its words of the text and of what
its line rules leave of it, its lines there, and its sentences per line. With everything given, what is left to disagree
about are the rules themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from conformance.peers import Peer
from gristmill import views
from gristmill.edits.clean import find_clean_edits
from gristmill.lake.hashing import text_hash
from gristmill.policy.profiles import PROFILES
from gristmill.policy.rules import Rule
from gristmill.policy.verdicts import judge
from gristmill.signals.chunk import Chunk, References, given
from gristmill.signals.compute import compute_chunk

Decision = Mapping[str, Any]  # what a peer's script writes per document
Given = frozenset[str]
OWN: Given = frozenset()
ALL: Given = frozenset({"words", "lines", "sentences"})
UNDEFINED = "raises"  # a peer's reason begins so where its filter raised: no decision


@dataclass(frozen=True)
class Part:
    """One filter of a peer. `reasons`: our rule -> its reason; `after_lines`: it sees the text that the line rules leave."""

    reasons: Mapping[str, str]
    after_lines: bool = False


@dataclass(frozen=True)
class Conformance:
    """A profile and the peer it is named after.

    `parts`: the peer's filters. `left_out`: what the names of our rules begin with that the peer's chain has no part in
    (language, lists of URLs). `causes`: kinds of pieces -> why ours are cut otherwise. `whole`: what decides as the whole profile does,
    the peer's chain or one filter of it; `words`: which of a chunk's segmentations stands for the peer's words.
    """

    profile: str
    peer: Peer
    parts: Mapping[str, Part]
    causes: Mapping[str, str]
    left_out: tuple[str, ...] = ()
    whole: str = "chain"
    words: str = "tokens"

    @property
    def rules(self) -> list[Rule]:
        return [rule for rule in PROFILES[self.profile].rules if rule.name.split(".")[0] not in self.left_out]


@dataclass(frozen=True)
class Row:
    """One document under one filter: their reason and ours, None where it is kept."""

    name: str
    part: str
    theirs: str | None
    ours: str | None


def compare(of: Conformance, texts: Sequence[tuple[str, str]], decisions: Sequence[Decision], handed: Given) -> list[Row]:
    """Every document (name, text) under every filter alone and under the chain, but those for which the peer has no answer."""
    documents = pl.DataFrame(texts, schema={"doc_id": pl.String, "text": pl.String}, orient="row")
    documents = documents.with_columns(
        url=pl.lit(""),
        text_hash=pl.Series([text_hash(text) for _, text in texts], dtype=pl.String),
        language=pl.lit("en"),
        language_score=pl.lit(1.0),
    )
    drops = [rule for rule in of.rules if rule.action == "drop"]
    signals = _signals(of, documents, decisions, handed)
    rows = []
    for part, which in of.parts.items():
        rules = [rule for rule in drops if rule.name in which.reasons]
        theirs = [each["fineweb_after_c4"] if which.after_lines else each["filters"][part] for each in decisions]
        asked = [not which.after_lines or each["clean"] is not None for each in decisions]
        rows += _rows(of, part, signals, rules, theirs, asked)
    whole = [each["chain"] if of.whole == "chain" else each["filters"][of.whole] for each in decisions]
    return rows + _rows(of, "chain", signals, drops, whole, [True] * len(decisions))


def agreement(rows: Iterable[Row]) -> tuple[int, int, int]:
    """Documents, those kept or dropped alike, those with the same first reason."""
    rows = list(rows)
    return len(rows), sum((row.theirs is None) == (row.ours is None) for row in rows), sum(row.theirs == row.ours for row in rows)


def _signals(of: Conformance, documents: pl.DataFrame, decisions: Sequence[Decision], handed: Given) -> pl.DataFrame:
    profile = PROFILES[of.profile]
    edits = find_clean_edits(documents.select("doc_id", "text"), [rule for rule in of.rules if rule.action == "edit"], profile.strips)
    clean = views.clean(documents, edits).select("doc_id", "text")
    chunks = {
        "extracted": Chunk(documents),
        "clean": Chunk(documents.drop("text").join(clean, on="doc_id", how="left", maintain_order="left")),
    }
    _give(chunks, decisions, handed)
    signals = documents.select("doc_id")
    for family in sorted({rule.signal.split(".")[0] for rule in of.rules if rule.action != "edit"}):
        computed = compute_chunk(family, chunks[profile.views.get(family, "clean")], References(edits=edits))
        signals = signals.hstack(computed.drop("doc_id"))
    return signals


def _give(chunks: Mapping[str, Chunk], decisions: Sequence[Decision], handed: Given) -> None:
    """Puts the peer's pieces in the place of ours."""
    extracted, clean = chunks["extracted"], chunks["clean"]
    if "words" in handed:
        extracted.words = extracted.tokens = extracted.treebank = given([each["words"] for each in decisions])
    if not decisions or "clean" not in decisions[0]:
        return
    if "words" in handed:
        clean.tokens = given([each["clean_words"] or [] for each in decisions])
    if "lines" in handed:
        clean.lines = given([(each["clean"] or "").split("\n") for each in decisions])
    if "sentences" in handed:
        extracted.line_sentences = np.array([count for each in decisions for count in each["sentences"]], np.int64)


def _rows(
    of: Conformance, part: str, signals: pl.DataFrame, rules: Sequence[Rule], theirs: Sequence[str | None], asked: Sequence[bool]
) -> list[Row]:
    reasons = {rule: reason for part in of.parts.values() for rule, reason in part.reasons.items()}
    if unknown := [rule.name for rule in rules if rule.name not in reasons]:
        raise ValueError(f"{of.profile}: which reason of {of.peer.name} is {', '.join(unknown)}?")
    verdicts = judge(signals.with_columns(language=pl.lit("en")), rules, source="", policy_name=of.profile)
    return [
        Row(name, part, reason, None if first is None else reasons[first])
        for name, first, reason, wanted in zip(verdicts["doc_id"], verdicts["first_rule"], theirs, asked, strict=True)
        if wanted and not (reason or "").startswith(UNDEFINED)
    ]
