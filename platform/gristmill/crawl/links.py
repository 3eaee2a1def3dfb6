"""The links of a page, and URLs in the form in which a crawler asks for them."""

from __future__ import annotations

import codecs
import zlib
from email.message import Message
from urllib.parse import urldefrag, urljoin, urlsplit, urlunsplit

from lxml import etree
from w3lib.url import safe_url_string

from gristmill.crawl.fetch import DEFAULT_PORTS, Answer

LONGEST_URL = 2_000  # characters
LARGEST_DECODED = 20_000_000  # bytes of a compressed page that are looked at for links


def normal_url(link: str, base: str | None = None) -> str | None:
    """An absolute http(s) URL without fragment, credentials or default port, percent-encoded; None for anything else.

    Whatever stands in a page may be a link: one that cannot be read (`http://[`) is no URL, never an error.
    """
    try:
        link = link.strip()
        parts = urlsplit(safe_url_string(urldefrag(urljoin(base, link) if base else link).url))
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            return None
        host = parts.hostname.encode("idna").decode() if not parts.hostname.isascii() else parts.hostname
        host = f"[{host}]" if ":" in host else host
        port = parts.port
        netloc = host if port is None or port == DEFAULT_PORTS[parts.scheme] else f"{host}:{port}"
        url = urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))
    except (ValueError, UnicodeError):
        return None
    return url if len(url) <= LONGEST_URL and url.isascii() and url.isprintable() and " " not in url else None


def links_of(url: str, answer: Answer) -> list[str]:
    """The distinct targets of an HTML page's `<a href>`, in page order; none where it says nofollow. Fragments are left off."""
    kind, charset = _content_type(answer)
    body = decoded(answer) if kind in ("text/html", "application/xhtml+xml") else b""
    try:
        root = etree.fromstring(body, etree.HTMLParser(encoding=charset, huge_tree=True)) if body.strip() else None
    except (etree.LxmlError, LookupError, ValueError):  # LookupError: a charset that libxml2 does not know
        root = None
    base, links = "", dict[str, None]()
    for element in root.iter("a", "base", "meta") if root is not None else ():
        href = (element.get("href") or "").strip()
        if element.tag == "a" and href and "nofollow" not in (element.get("rel") or "").lower().split():
            links[href.partition("#")[0]] = None
        elif element.tag == "base":
            base = base or href
        elif (element.get("name") or "").lower() == "robots" and "nofollow" in (element.get("content") or "").lower():
            return []
    links.pop("", None)  # the page itself
    return [_joined(base, link) for link in links] if base else list(links)


def robots_text(answer: Answer) -> str:
    return decoded(answer).decode("utf-8", "replace").removeprefix("\ufeff")


def decoded(answer: Answer) -> bytes:
    """The body without its gzip or deflate encoding, as far as it goes; other encodings give nothing."""
    body, encoding = answer.body or b"", (answer.header("content-encoding") or "identity").strip().lower()
    if encoding == "identity":
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        return b""
    try:
        return zlib.decompressobj(wbits=47).decompress(body, LARGEST_DECODED)
    except zlib.error:
        return b""


def _joined(base: str, link: str) -> str:
    try:
        return urljoin(base, link)
    except ValueError:
        return link


def _content_type(answer: Answer) -> tuple[str, str]:
    """Media type and charset; utf-8 where none is given or none such is known."""
    message = Message()
    message["Content-Type"] = answer.header("content-type") or "text/html"
    charset = message.get_content_charset("utf-8") or "utf-8"
    try:
        codecs.lookup(charset)
    except (LookupError, ValueError):
        charset = "utf-8"
    return message.get_content_type(), charset
