"""Personal data, masked as edit rows: spans of the clean view and what replaces them in the final one.

After FineWeb (Penedo et al. 2024, section 3.5 and datatrove's PIIFormatter), which anonymises e-mail addresses and
public IP addresses, and Dolma (Soldaini et al. 2024), which masks e-mail addresses, IP addresses and phone numbers and
drops documents with six or more of them. There the replacements rotate by a counter of the process, or are words that
no text has (`|||EMAIL_ADDRESS|||`); here each comes from a range that is reserved, fictional or a published sample,
chosen by the hash of what it replaces: the same address becomes the same mask everywhere, whatever the order and the
sharding. What is searched and what is left alone: `addresses` (email, ip, phone), `identifiers` (card, national_id),
`credentials` (secret).

Two spans that overlap become one: all of it is gone. Masking a masked text finds nothing: a line with masks is searched
again, and what a mask and its neighbours form together is masked with them.

Documents and lines that cannot hold anything are set aside by Polars, and every search is bounded per starting position,
so a line of 50 MB is scanned in linear time. A private key spans lines: those from its first to its last are one.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence

import polars as pl

from gristmill.edits import addresses, credentials, identifiers
from gristmill.edits.overlaps import Span, merged, replaced
from gristmill.edits.spans import SCHEMA, in_order

VERSION = "4"

DOCUMENTS_AT_ONCE = 1_000  # whose lines are held beside the texts
ROUNDS = 8  # of searching a masked line again, before all of it goes
NOTHING = "***"  # stands where a mask would itself be found

Search = Callable[[str], Iterator[Span]]

SEARCHES: Mapping[str, tuple[str, Search]] = {
    "email": (addresses.MAY_HOLD_EMAIL, addresses.emails),
    "ip": (addresses.MAY_HOLD_IP, addresses.ips),
    "phone": (addresses.MAY_HOLD_PHONE, addresses.phones),
    "card": (identifiers.MAY_HOLD_CARD, identifiers.cards),
    "national_id": (identifiers.MAY_HOLD_ID, identifiers.national_ids),
    "secret": (credentials.MAY_HOLD_SECRET, credentials.secrets),
}
"""Kind -> what a line that may hold it matches (Rust's syntax), and the spans in a line."""

KINDS = tuple(SEARCHES)

_PEM_MARK = re.compile(credentials.PEM_MARK)


def find_masks(clean: pl.DataFrame, kinds: Sequence[str]) -> pl.DataFrame:
    """The contract `edits` for the documents of `clean` (doc_id, text): masks for the final view, rules `pii.<kind>`."""
    if unknown := [kind for kind in kinds if kind not in SEARCHES]:
        raise ValueError(f"no kind of personal data is called {unknown[0]!r}; known: {', '.join(KINDS)}")
    wanted = [SEARCHES[kind] for kind in KINDS if kind in kinds]
    rows: list[tuple[str, int, int, str, str]] = []
    if wanted:
        searches = [search for _, search in wanted]
        may_hold = pl.any_horizontal(pl.col("text").str.contains(pattern) for pattern, _ in wanted)
        for part in clean.select("doc_id", "text").iter_slices(DOCUMENTS_AT_ONCE):
            for doc_id, line, at in _lines(part.filter(may_hold), "secret" in kinds).filter(may_hold).iter_rows():
                rows += [(doc_id, at + start, at + end, replacement, rule) for start, end, replacement, rule in _masks(line, searches)]
    return in_order([pl.DataFrame(rows, schema=SCHEMA, orient="row")])


def _lines(documents: pl.DataFrame, keys: bool) -> pl.DataFrame:
    """doc_id, text, at: lines and where they start in their document; with `keys`, the lines of a private key are one."""
    armoured = pl.col("text").str.contains(credentials.PEM_MARK) & keys
    with_keys = documents.filter(armoured)
    pieces = pl.concat(
        [
            documents.filter(~armoured).with_columns(pl.col("text").str.split("\n")),
            with_keys.with_columns(pl.Series("text", [_keys_whole(text) for text in with_keys["text"]], dtype=pl.List(pl.String))),
        ]
    )
    size = pl.col("text").str.len_chars().cast(pl.Int64) + 1
    return pieces.explode("text").with_columns(at=(size.cum_sum() - size).over("doc_id"))


def _keys_whole(text: str) -> list[str]:
    """The lines of a text; those from a key's opening mark to its closing one are one piece."""
    groups: list[list[str]] = []
    opened = -1
    for line in text.split("\n"):
        groups.append([line])
        for mark in _PEM_MARK.finditer(line):
            if "BEGIN" in mark[0]:
                opened = len(groups) - 1
            elif opened >= 0:
                groups[opened] += [line for group in groups[opened + 1 :] for line in group]
                del groups[opened + 1 :]
                opened = -1
    return ["\n".join(group) for group in groups]


def _masks(line: str, searches: Sequence[Search]) -> list[Span]:
    """What is masked in a line: spans that do not overlap, and after which nothing more is found."""
    spans = merged(span for search in searches for span in search(line))
    for _ in range(ROUNDS if spans else 0):
        masked = replaced(line, spans)
        again = merged(span for search in searches for span in search(masked))
        if not again:
            return spans
        spans = _grown(spans, again)
    return [(0, len(line), NOTHING, spans[0][3])] if spans else []


def _grown(spans: list[Span], again: list[Span]) -> list[Span]:
    """`spans` together with what was found in the text that they made, all as spans of the text before."""
    starts: list[int] = []  # of the replacements, in the text that they made
    ends: list[int] = []
    moved = 0
    for start, end, replacement, _ in spans:
        starts.append(start + moved)
        moved += len(replacement) - (end - start)
        ends.append(end + moved)
    known = {(start, end) for start, end, _, _ in spans}
    found: dict[tuple[int, int], Span] = {}
    for start, end, replacement, rule in again:
        before = bisect_right(starts, start) - 1
        if before >= 0:
            start = spans[before][0] if start < ends[before] else start - ends[before] + spans[before][1]
        before = bisect_left(starts, end) - 1
        if before >= 0:
            end = spans[before][1] if end <= ends[before] else end - ends[before] + spans[before][1]
        found[start, end] = (start, end, NOTHING if (start, end) in known else replacement, rule)
    return merged([*(span for span in spans if span[:2] not in found), *found.values()])
