"""Text from a payload: which characters its bytes are, and which of them are the page's content.

Charset: byte order mark, HTTP header, HTML meta, then the bytes themselves (WHATWG HTML, 13.2.3); a stated charset that
does not fit the bytes is passed over. Content: Resiliparse's main-content heuristic (Bevendorff et al. 2018, ECIR)
or Trafilatura (Barbaresi 2021, ACL demo). Runs in the extraction worker, so it imports little.
"""

from __future__ import annotations

import codecs
import functools
import re
from importlib.metadata import version
from typing import Literal

VERSION = "1"

Extractor = Literal["resiliparse", "trafilatura", "plain"]

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


@functools.cache
def extractor_version(extractor: Extractor) -> str:
    """What the extracted text depends on, besides the payload."""
    libraries = ["resiliparse"] if extractor != "trafilatura" else ["trafilatura", "lxml", "resiliparse"]
    return "-".join([extractor, VERSION, *(f"{name}{version(name)}" for name in libraries)])


def extract(payload: bytes, charset: str | None, extractor: Extractor) -> bytes:
    """The content of a page, in UTF-8; empty when there is none."""
    text = laid_out(payload, charset, extractor)
    return clean(text) if extractor == "plain" else tidy(text)


def laid_out(payload: bytes, charset: str | None, extractor: Extractor) -> str:
    """The content of a page as the extractor sets it in lines; of plain text, all of it."""
    text = decode(payload, charset, html=extractor != "plain")
    if extractor == "plain":
        return text
    if extractor == "trafilatura":
        import trafilatura

        return trafilatura.extract(text, include_comments=False, include_tables=True, deduplicate=False) or ""
    from resiliparse.extract.html2text import extract_plain_text

    return extract_plain_text(text, main_content=True, preserve_formatting=True, alt_texts=False, comments=False)


def decode(payload: bytes, charset: str | None, html: bool) -> str:
    """The characters of a payload."""
    from resiliparse.parse.encoding import detect_encoding

    for mark, name in _BOMS:
        if payload.startswith(mark):
            return payload[len(mark) :].decode(name, "replace")
    if not html and charset is None:
        charset = "utf-8"
    stated = [charset, _meta_charset(payload) if html else None]
    for name in filter(None, stated):
        codec = _codec(name)
        if codec is None:
            continue
        try:
            return payload.decode(codec)
        except (UnicodeDecodeError, LookupError):
            continue
    guessed = _codec(detect_encoding(payload, html5_compatible=True) or "utf-8") or "utf-8"
    return payload.decode(guessed, "replace")


def _meta_charset(payload: bytes) -> str | None:
    """The charset of an XML declaration or a meta element in the first kilobyte (WHATWG: a prescan of 1,024 bytes; browsers take more)."""
    found = re.search(rb"<(?:\?xml|meta)\b[^>]*?(?:charset|encoding)\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)", payload[:4_096], re.IGNORECASE)
    return found.group(1).decode("ascii") if found else None


def _codec(name: str) -> str | None:
    """Python's codec for a charset label by the WHATWG table (iso-8859-1 means cp1252); None for an unknown label."""
    from resiliparse.parse.encoding import map_encoding_to_html5

    mapped = map_encoding_to_html5(name, fallback_utf8=False) or name
    try:
        info = codecs.lookup(mapped)
    except LookupError:
        return None
    return info.name if getattr(info, "_is_text_encoding", True) else None


def tidy(text: str) -> bytes:
    """Laid-out text without the blanks that empty table cells and elements leave behind, and never two empty lines in a row."""
    lines = [line.rstrip() for line in text.split("\n")]
    return clean("\n".join([line for line, before in zip(lines, ["", *lines], strict=False) if line or before]))


def clean(text: str) -> bytes:
    """In UTF-8, without NULs and lone surrogates, which neither UTF-8 nor Parquet can hold, with \\n line ends, trimmed."""
    text = text.replace("\0", "")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.strip()
    try:
        return text.encode()
    except UnicodeEncodeError:  # an encoder is faster than a search, and nearly every text has none
        return _LONE_SURROGATES.sub("", text).strip().encode()
