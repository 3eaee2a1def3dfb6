"""Signals of the document's URL, by the user's lists: RefinedWeb (Penedo et al. 2023, section 3.1, appendix G.1) and FineWeb's URLFilter.

| RefinedWeb, FineWeb | signal | rule there |
|---|---|---|
| domain on the block list | banned_domain | drop |
| URL on the block list | banned_url | drop |
| a banned word ("strict", "hard") | banned_words, how many | drop at 1 |
| soft banned words | soft_words, how many | drop at 2 |
| a banned substring | banned_substring | drop |

No list ships (UT1's are CC BY-SA); the lists are `domains`, `urls`, `url_words`, `url_soft_words` and `url_substrings`.
With an empty list its signal is 0. A URL is read in lower case, without its scheme, percent-decoded.

- banned_domain: the host or one of its parent domains is an entry, label by label: `a.b.co.uk` is hit by `a.b.co.uk`,
  `b.co.uk` and, if somebody lists it, `co.uk`, not by `ab.co.uk`. Addresses (1.2.3.4) have no parents. Entries may be written
  with letters beyond ASCII, a dot in front, a scheme or a path after; only their host counts.
- banned_url: host, path and query are those of an entry; scheme, fragment, and a slash at the end make no difference.
- banned_words, soft_words: distinct words of the URL that are entries, a word being a run of ASCII letters and
  digits and of anything beyond ASCII. An entry is compared without its other signs, as in datatrove ("x-y" is the word "xy").
- banned_substring: an entry, without its other signs, occurs in the URL without its other signs ("a-dul.t" has "adult").

datatrove (0.10) differs, most of it by oversight. It compares the words as the URL is written with lists in lower case,
so `/PORN/` passes; its entries in `urls` have no scheme and its URLs have one, so none of the 19,586 it ships can ever
match; letters beyond ASCII part words and vanish from substrings, entries in such scripts among them (an entry that
becomes empty); and the domain is looked up as the registered domain and as the full host, not in between, so `b.c.com`
on the list does not ban `a.b.c.com`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

import idna
import numpy as np
import polars as pl

from gristmill.signals.chunk import Chunk, References, Values

VERSION = "1"
SIGNALS = {
    "banned_domain": "1 where the host or a parent domain is an entry of domains",
    "banned_url": "1 where the URL is an entry of urls",
    "banned_words": "distinct words of the URL that are entries of url_words",
    "soft_words": "distinct words of the URL that are entries of url_soft_words",
    "banned_substring": "1 where an entry of url_substrings occurs in the URL without its punctuation",
}

LIST_OF = {
    "banned_domain": "domains",
    "banned_url": "urls",
    "banned_words": "url_words",
    "soft_words": "url_soft_words",
    "banned_substring": "url_substrings",
}
"""Signal -> the list that it is about."""

READS = frozenset({"documents", *(f"lists.{name}" for name in LIST_OF.values())})

_SCHEME = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//")
_WORD = re.compile(r"[0-9a-z\x80-\U0010ffff]+")
_ADDRESS = re.compile(r"[0-9.]+|.*[:\[].*")
_MOST_LABELS = 127  # of a domain name (RFC 1035): no entry lies further in front

_NONE: frozenset[str] = frozenset()


def compute(chunk: Chunk, references: References) -> Values:
    lists = references.lists
    if not any(lists.get(name) for name in LIST_OF.values()):
        return dict.fromkeys(SIGNALS, np.zeros(chunk.frame.height))
    domains, urls = _hosts(lists.get("domains", _NONE)), _locations(lists.get("urls", _NONE))
    hard, soft = _joined(lists.get("url_words", _NONE)), _joined(lists.get("url_soft_words", _NONE))
    substrings = sorted(_joined(lists.get("url_substrings", _NONE)))
    locations = [_location(url) for url in chunk.frame["url"]]
    words = [_WORD.findall(location) for location in locations] if hard or soft or substrings else [[]] * len(locations)
    joined = pl.Series(["".join(of) for of in words], dtype=pl.String)
    return {
        "banned_domain": _array(bool(domains) and _below(_host(location), domains) for location in locations),
        "banned_url": _array(location in urls for location in locations),
        "banned_words": _array(len(hard.intersection(of)) for of in words),
        "soft_words": _array(len(soft.intersection(of)) for of in words),
        "banned_substring": joined.str.contains_any(substrings).cast(pl.Float64).to_numpy() if substrings else np.zeros(len(locations)),
    }


def _location(url: str) -> str:
    """Host, port, path and query, in lower case, percent-decoded."""
    url = url.strip().lower().partition("#")[0]
    if scheme := _SCHEME.match(url):
        url = url[scheme.end() :]
    return (unquote(url).lower() if "%" in url else url).rstrip("/")


def _host(location: str) -> str:
    authority = re.split(r"[/?\\]", location, maxsplit=1)[0].rpartition("@")[2]
    return (authority.partition("]")[0] if authority.startswith("[") else authority.partition(":")[0]).strip(".")


def _below(host: str, domains: frozenset[str]) -> bool:
    """Whether the host or a domain above it is one of `domains`."""
    if _ADDRESS.fullmatch(host):
        return host in domains
    labels = host.split(".")[-_MOST_LABELS:]
    return any(".".join(labels[at:]) in domains for at in range(len(labels)))


def _array(values: Iterable[int]) -> np.ndarray:
    return np.fromiter(values, np.float64)


@lru_cache(maxsize=2)
def _hosts(entries: frozenset[str]) -> frozenset[str]:
    return frozenset(_ascii(_host(_location(entry))) for entry in entries) - {""}


@lru_cache(maxsize=2)
def _locations(entries: frozenset[str]) -> frozenset[str]:
    found = set()
    for location in map(_location, entries):
        host = _host(location)
        found.add(location if host.isascii() else location.replace(host, _ascii(host), 1))
    return frozenset(found - {""})


@lru_cache(maxsize=8)
def _joined(entries: frozenset[str]) -> frozenset[str]:
    """The entries without what is no letter or digit."""
    return frozenset("".join(_WORD.findall(entry.lower())) for entry in entries) - {""}


def _ascii(host: str) -> str:
    """A host as canonical URLs have it: IDNA."""
    try:
        return host if host.isascii() else idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        return host  # no domain name, and so no URL's
