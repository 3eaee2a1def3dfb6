"""Files outside the lake: local paths, http(s) and s3 URIs, as local files to read.

A remote file is streamed to the lake's cache folder once per state of it (ETag, or date and size), renamed into
place when it is whole. s3:// goes through obstore with the lake's storage options.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import obstore
from obstore.exceptions import BaseError

from gristmill.errors import SourceError
from gristmill.lake.store import Lake, open_store

TIMEOUT_SECONDS = 60.0  # of one read, not of the whole transfer


def normal_uri(uri: str) -> str:
    """A local path made absolute, or an http(s) or s3 URI as it is; SourceError for another scheme."""
    scheme = uri.split("://", 1)[0].lower() if "://" in uri else ""
    if scheme == "file":
        return str(Path(unquote(urlsplit(uri).path)).absolute())
    if scheme in ("http", "https", "s3"):
        return uri
    if scheme:
        raise SourceError(f"the scheme {scheme}:// cannot be read", where=uri, fix="Give a local path, or an http(s):// or s3:// URI.")
    return str(Path(uri).expanduser().absolute())


def is_remote(uri: str) -> bool:
    return "://" in uri


def state_of(lake: Lake, uri: str) -> str:
    """What changes when the file does, found without reading it; SourceError when the file is not there."""
    if not is_remote(uri):
        try:
            stat = Path(uri).stat()
        except OSError as error:
            raise _missing(uri, error.strerror or str(error)) from None
        return f"{stat.st_size}-{stat.st_mtime_ns}"
    if uri.startswith("s3://"):
        store, key = _bucket(lake, uri)
        try:
            meta = obstore.head(store, key)
        except (BaseError, OSError) as error:
            raise _missing(uri, _first_line(error)) from None
        return f"{meta['size']}-{meta['e_tag'] or meta['last_modified'].isoformat()}"
    try:
        reply = httpx.head(uri, follow_redirects=True, timeout=TIMEOUT_SECONDS, headers={"accept-encoding": "identity"})
        reply.raise_for_status()
    except httpx.HTTPError as error:
        raise _missing(uri, _first_line(error)) from None
    return _http_state(reply.headers)


def listing(lake: Lake, prefix: str) -> list[str]:
    """The URIs of the objects under an s3:// prefix, sorted."""
    store, key = _bucket(lake, prefix)
    bucket = urlsplit(prefix).netloc
    try:
        return sorted(f"s3://{bucket}/{meta['path']}" for batch in obstore.list(store, key.rstrip("/") or None) for meta in batch)
    except (BaseError, OSError) as error:
        raise _missing(prefix, _first_line(error)) from None


def local_copy(lake: Lake, uri: str, state: str) -> Path:
    """A local file with the content that `uri` had in `state`; SourceError when it is gone or has changed since."""
    if not is_remote(uri):
        path = Path(uri)
        if not path.exists():
            raise _missing(uri, "no such file")
        return path
    name = hashlib.blake2b(f"{uri}\0{state}".encode(), digest_size=16).hexdigest()
    path = lake.cache_folder / "sources" / name
    if not path.exists():
        if state_of(lake, uri) != state:
            raise changed(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{name}.{os.getpid()}.part")
        try:
            with partial.open("wb") as target:
                for chunk in _stream(lake, uri):
                    target.write(chunk)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    return path


def changed(uri: str) -> SourceError:
    return SourceError(
        "has changed since it was registered",
        where=uri,
        fix="Register it again with `gristmill crawl add`: only what changed is made anew.",
    )


def _stream(lake: Lake, uri: str) -> Iterator[bytes]:
    try:
        if uri.startswith("s3://"):
            for chunk in obstore.get(*_bucket(lake, uri)).stream(min_chunk_size=8 << 20):
                yield bytes(chunk)
        else:
            # As stored: a .warc.gz that is also sent with Content-Encoding must not be unpacked on the way.
            with httpx.stream("GET", uri, follow_redirects=True, timeout=TIMEOUT_SECONDS, headers={"accept-encoding": "identity"}) as reply:
                reply.raise_for_status()
                yield from reply.iter_raw(1 << 20)
    except (BaseError, OSError, httpx.HTTPError) as error:
        raise SourceError(f"the transfer failed: {_first_line(error)}", where=uri, fix="Try again; what has been made is kept.") from None


def _bucket(lake: Lake, uri: str):  # type: ignore[no-untyped-def]
    split = urlsplit(uri)
    try:
        return open_store(f"s3://{split.netloc}", lake.storage_options), split.path.lstrip("/")  # type: ignore[call-overload]
    except (BaseError, ValueError) as error:
        raise SourceError(
            f"the object store cannot be reached: {_first_line(error)}",
            where=uri,
            fix="Set credentials, region and endpoint of the s3 resource.",
        ) from None


def _http_state(headers: httpx.Headers) -> str:
    size = headers.get("content-length", "?")
    if etag := headers.get("etag"):
        return f"{size}-{etag}"
    if modified := headers.get("last-modified"):
        return f"{size}-{parsedate_to_datetime(modified).isoformat()}"
    return size


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _missing(uri: str, why: str) -> SourceError:
    fix = "Check the address and the credentials." if is_remote(uri) else "Check the path; it is read from this machine."
    return SourceError(f"cannot be read: {why}", where=uri, fix=fix)
