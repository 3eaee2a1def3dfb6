"""Canonical URLs, and the identities that are made of them.

A URL is canonical when two spellings of one address come out equal (RFC 3986, section 6): scheme and host in
lower case, the host in IDNA (UTS 46), no default port, no user, no fragment, percent-encoding normalised and
query parameters sorted (w3lib), parameters that only track a visitor removed. http and https stay apart, and
so do www and the bare host: whether they serve the same is for deduplication to find out.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from urllib.parse import quote, urlsplit, urlunsplit

import idna
from w3lib.url import canonicalize_url

VERSION = "1"

SCHEMES = {"http": 80, "https": 443, "ftp": 21}
"""Schemes of pages, with their default ports."""

_TRACKING = (
    "utm_source utm_medium utm_campaign utm_term utm_content utm_id utm_name utm_reader utm_brand utm_social "
    "gclid gclsrc dclid gbraid wbraid fbclid msclkid yclid twclid ttclid igshid mc_cid mc_eid _ga _gl _hsenc _hsmi "
    "oly_anon_id oly_enc_id vero_id wickedid"
)
TRACKING = frozenset(_TRACKING.split())
"""Query parameters that identify a visit, not a page (the lists of Mozilla's and Brave's query strippers)."""

PLAIN = re.compile(
    r"https?://[a-z0-9_-]+(?:\.[a-z0-9_-]+)*/(?:[A-Za-z0-9_~-][A-Za-z0-9_.~-]*/)*(?:[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)?(?:\?([A-Za-z0-9_.-]+)=[A-Za-z0-9_.-]*)?"
)
"""Most addresses of a crawl: nothing in them has a second spelling, unless the one query parameter tracks a visitor."""

_PLAIN_HOST = re.compile(r"https?://([a-z0-9_.-]+)/")

PASSES = 8  # w3lib is not idempotent on every input; more passes than this and the URL is refused


def canonical_url(url: str) -> str:
    """The canonical form; ValueError when `url` is not the address of a page."""
    if (plain := PLAIN.fullmatch(url)) and (plain[1] or "").lower() not in TRACKING:
        return url
    url = re.sub(r"[\t\r\n]", "", url.strip()).removeprefix("<").removesuffix(">").strip()
    for _ in range(PASSES):
        previous, url = url, _once(url)
        if url == previous:
            return url
    raise ValueError(f"the URL {url!r} has no stable canonical form")


def host_of(url: str) -> str:
    """The host of a canonical URL."""
    plain = _PLAIN_HOST.match(url)
    return plain[1] if plain else urlsplit(url).hostname or ""


def file_url(crawl: str, relative: str) -> str:
    """The URL of a file of a folder source: file://<crawl>/<path inside the folder>, percent-encoded."""
    return f"file://{crawl}/{quote(relative.encode('utf-8', 'surrogateescape'), safe='/')}"


def doc_id(url: str, payload_digest: str) -> str:
    """32 hex digits: blake2b-128 of a canonical URL and its payload digest."""
    return _digest(url, payload_digest)


def capture_id(*parts: str) -> str:
    """32 hex digits of what names a capture: record id, URL and date; where the record has no id, file name and offset."""
    return _digest(*parts)


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _once(url: str) -> str:
    split = urlsplit(url)
    scheme = split.scheme.lower()
    if scheme not in SCHEMES:
        raise ValueError(f"the scheme of {url[:200]!r} is none of {', '.join(SCHEMES)}")
    host, port = _host(split.hostname or "", url), split.port
    netloc = f"[{host}]" if ":" in host else host
    if port not in (None, SCHEMES[scheme]):
        netloc += f":{port}"
    query = "&".join(part for part in split.query.split("&") if part and part.split("=")[0].lower() not in TRACKING)
    plain = urlunsplit((scheme, netloc, _path(split.path), query, ""))
    canonical: str = canonicalize_url(plain, keep_blank_values=True, keep_fragments=False)
    return canonical


def _path(path: str) -> str:
    """Without dot segments (RFC 3986, 5.2.4); a doubled slash stays, since servers tell them apart."""
    if "/." not in path:
        return path or "/"
    out: list[str] = []
    segments = path.split("/")[1:]
    for i, segment in enumerate(segments):
        last = i == len(segments) - 1
        if segment == "..":
            out[-1:] = []
        if segment not in (".", ".."):
            out.append(segment)
        elif last:
            out.append("")
    return "/" + "/".join(out)


def _host(host: str, url: str) -> str:
    host = host.rstrip(".").lower()
    if not host:
        raise ValueError(f"{url[:200]!r} names no host")
    if ":" in host:  # IPv6
        return host
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError as error:
            raise ValueError(f"the host of {url[:200]!r} is not a domain name: {error}") from None
    if not re.fullmatch(r"[a-z0-9_.-]+", host):
        raise ValueError(f"the host of {url[:200]!r} is not a domain name")
    return host


def extension(path: str) -> str:
    """The suffix of a path in lower case, with its dot; empty when there is none."""
    return posixpath.splitext(path)[1].lower()
