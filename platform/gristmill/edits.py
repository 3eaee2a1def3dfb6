"""E-mail and IP addresses, masked as edit rows: spans of the clean view and what replaces them in the final one.

After FineWeb (Penedo et al. 2024, section 3.5 and datatrove's PIIFormatter), which anonymises e-mail addresses and
public IP addresses. There the replacements rotate by a counter of the process, so the result depends on sharding and
order; here each is chosen by the hash of what it replaces: the same address becomes the same mask everywhere.

- E-mail: to `email@example.com` or `firstname.lastname@example.org` (FineWeb's; the domains are reserved by RFC 2606). Local part of
  letters, digits and `._%+'-`, at most 64 characters, and a domain name with a top level of letters. Addresses in the
  reserved domains (example.com, .example, .invalid, .test, .localhost) are no one's and stay.
- IPv4: to the documentation ranges 192.0.2.0/24, 198.51.100.0/24 and 203.0.113.0/24 (RFC 5737); IPv6: to
  2001:db8::/32 (RFC 3849). Only global addresses are masked; private, loopback and documentation ones stay.
- Four numbers below 100 are a section's or a version's at the start of a line ("4.8.1.4. From file") or after a word
  that says so ("Section 43.7.2.1", "version 3.8.10.1"), and stay: in manuals these outnumber addresses five to one. A
  version elsewhere ("from 1.2.3.4 to 1.2.3.5") is taken for an address.

Lines that cannot hold an address are set aside by Polars, and every search is bounded per starting position, so a line
of 50 MB is scanned in linear time. Masking a masked text finds nothing.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterator

import polars as pl

VERSION = "1"

EMAIL_MASKS = ("email@example.com", "firstname.lastname@example.org")
IPV4_RANGES = ("192.0.2", "198.51.100", "203.0.113")

_LOCAL = r"\w.%+'\-"
_LOCAL_TAIL = re.compile(rf"[{_LOCAL}]*")  # of the text before the @, backwards
_DOMAIN = re.compile(r"((?:[A-Za-z0-9][A-Za-z0-9\-]{0,62}\.){1,10}[A-Za-z]{2,24})(?![\w@])")
_LONGEST_LOCAL = 64  # RFC 5321, section 4.5.3.1.1
_RESERVED = re.compile(r"(?:^|\.)(?:example\.(?:com|net|org)|example|invalid|test|localhost)$", re.IGNORECASE)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?![\w]|\.[0-9])")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:]|\.[0-9])")

_NUMBERED = r"sections?|sec\.|chapters?|appendix|tables?|figures?|examples?|versions?|releases?|ver\.|v\."
_NUMBERING = re.compile(rf"(?:\A\W*|§\s*|\b(?:{_NUMBERED})\s*)\Z", re.IGNORECASE)
_MAY_HOLD_EMAIL = r"[\w.%+'\-]@[A-Za-z0-9]"
_MAY_HOLD_ADDRESS = r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|[0-9A-Fa-f]:[0-9A-Fa-f]{0,4}:"

_SCHEMA = {"doc_id": pl.String, "start": pl.Int64, "end": pl.Int64, "replacement": pl.String, "rule": pl.String}

DOCUMENTS_AT_ONCE = 1_000  # whose lines are held beside the texts

Span = tuple[int, int, str, str]  # start, end, replacement, rule


def find_edits(clean: pl.DataFrame, *, mask_email: bool, mask_ip: bool) -> pl.DataFrame:
    """The contract `edits` for the documents of `clean` (doc_id, text): masks for the final view."""
    searches: list[tuple[str, Callable[[str], Iterator[Span]]]] = []
    if mask_email:
        searches.append((_MAY_HOLD_EMAIL, _emails))
    if mask_ip:
        searches.append((_MAY_HOLD_ADDRESS, _addresses))
    if not searches:
        return pl.DataFrame(schema=_SCHEMA)
    may_hold = "|".join(pattern for pattern, _ in searches)
    rows = []
    for part in clean.select("doc_id", "text").filter(pl.col("text").str.contains(may_hold)).iter_slices(DOCUMENTS_AT_ONCE):
        lines = (
            part.with_columns(line=pl.col("text").str.split("\n"))
            .drop("text")
            .explode("line")
            .with_columns(size=pl.col("line").str.len_chars().cast(pl.Int64) + 1)
            .with_columns(at=pl.col("size").cum_sum().over("doc_id") - pl.col("size"))
            .filter(pl.col("line").str.contains(may_hold))
        )
        for doc_id, line, at in lines.select("doc_id", "line", "at").iter_rows():
            for start, end, replacement, rule in apart(span for _, search in searches for span in search(line)):
                rows.append((doc_id, at + start, at + end, replacement, rule))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row").sort("doc_id", "start")


def apart(spans: Iterator[Span]) -> list[Span]:
    """Spans that do not overlap: the earliest wins, then the longest, then the rule's name."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span[0], -span[1], span[3])):
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
    return kept


def _emails(line: str) -> Iterator[Span]:
    at, taken = line.find("@"), 0  # an address starts after the end of the one before it
    while at >= 0:
        if domain := _DOMAIN.match(line, at + 1):
            local = _LOCAL_TAIL.match(line[max(taken, at - _LONGEST_LOCAL - 1) : at][::-1])[0][::-1].lstrip(".%+'-")  # type: ignore[index]
            if 0 < len(local) <= _LONGEST_LOCAL:
                taken = domain.end()
                if not _RESERVED.search(domain[1]):
                    pick = _pick(f"{local}@{domain[1]}".lower())
                    yield at - len(local), taken, EMAIL_MASKS[pick % len(EMAIL_MASKS)], "pii.email"
        at = line.find("@", at + 1)


def _addresses(line: str) -> Iterator[Span]:
    for match in _IPV4.finditer(line):
        numbered = max(map(int, match[0].split("."))) < 100 and _NUMBERING.search(line, max(0, match.start() - 24), match.start())
        v4 = ipaddress.IPv4Address(match[0])
        if v4.is_global and not v4.is_multicast and not numbered:
            pick = _pick(match[0])
            yield *match.span(), f"{IPV4_RANGES[pick % 3]}.{1 + pick // 3 % 254}", "pii.ip"
    for match in _IPV6.finditer(line):
        try:
            address = ipaddress.IPv6Address(match[0])
        except ValueError:
            continue  # a time, a ratio, a slice: groups and colons that are no address
        if int(address) >> 125 == 1 and address.is_global:  # 2000::/3, the global unicast space
            yield *match.span(), f"2001:db8::{1 + _pick(str(address)) % 0xFFFE:x}", "pii.ip"


def _pick(value: str) -> int:
    return int.from_bytes(hashlib.blake2b(value.encode(), digest_size=8).digest(), "big")
