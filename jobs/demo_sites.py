"""The demo's five documentation sites: read out of their packages, served on loopback in two editions, crawled twice.

The second edition stands for the same sites some weeks later: a few pages are new, a few are gone and some have gained
a paragraph. Which ones is a hash of their URL. The added paragraphs are the demo's own and say so (docs/data.md).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gristmill.crawl.site import CrawlReport, crawl_site
from jobs.demo_packages import members

Pages = dict[str, bytes]  # absolute path on the site -> content

LARGEST_PAGE = 400_000  # bytes; the largest hundredth of the pages would be most of the text
BYTES_PER_HOST = 14_000_000  # or SQLAlchemy's manual would be most of the crawl
MAX_PAGES = 600  # of one crawl
EDITIONS = {1: datetime(2026, 1, 5, 9, tzinfo=UTC), 2: datetime(2026, 2, 16, 9, tzinfo=UTC)}

# Of a hundred pages by hash: new in the second edition, gone from it, changed by it.
NEW, GONE, CHANGED = range(4), range(4, 6), range(6, 21)

ADDED = (
    "Editor's note to the second edition. This page was read again from the first line to the last and its examples were run on "
    "the current release; where a reader had asked what a paragraph meant, that paragraph now says it in plainer words.",
    "What changed since the first edition of this page: a mistake in one of the examples below was corrected, the references to "
    "other chapters were brought up to date, and nothing that worked before has to be written in another way.",
    "Added in the second edition: if you come to this page by way of a search, read the introduction of the chapter before it. "
    "Most of the questions that people ask about the functions described here are answered there, with a short example.",
)

ROBOTS = b"User-agent: *\nDisallow: /search.html\nDisallow: /_modules/\nDisallow: /apidoc/_modules/\n"


@dataclass(frozen=True)
class Site:
    """A host name of the demo, and the folder of a package that it serves."""

    host: str
    package: str
    folder: str


SITES = (
    Site("docs.sqlalchemy.demo", "sqlalchemy", "doc"),
    Site("alembic.sqlalchemy.demo", "alembic", "docs"),
    Site("docs.mako.demo", "mako", "doc"),
    Site("lxml.demo", "lxml", "doc/html"),
    Site("docs.pygame.demo", "pygame-ce", "pygame/docs/generated"),
)


def read_sites(packages: dict[str, Path]) -> dict[str, Pages]:
    """Host -> its pages, of those that a package carries as built HTML or plain text."""
    return {
        site.host: {
            f"/{path}": content
            for path, content in members(packages[site.package], site.folder, (".html", ".rst", ".txt"))
            if len(content) <= LARGEST_PAGE
        }
        for site in SITES
    }


def edition(number: int, host: str, path: str, content: bytes) -> bytes | None:
    """What a page is in an edition; None where it is not there."""
    at = int.from_bytes(hashlib.blake2b(f"{host}{path}".encode(), digest_size=8).digest())
    fate = at % 100
    if path == "/index.html" or (number == 1 and fate not in NEW):
        return content
    if fate in (NEW if number == 1 else GONE):
        return None
    if fate not in CHANGED:
        return content
    added = ADDED[at // 100 % len(ADDED)].encode()
    mark, paragraph = (b"</p>", b"\n<p>%b</p>") if path.endswith(".html") else (b"\n\n", b"%b\n\n")
    pieces = content.split(mark)
    middle = len(pieces) // 2  # far from menus and footers, so that what is read changes, not what is around it
    return mark.join(pieces[:middle]) + mark + paragraph % added + mark.join(pieces[middle:]) if middle else content


def crawl_edition(number: int, sites: dict[str, Pages], out: Path) -> CrawlReport:
    """Serve an edition of the sites on loopback and crawl it, every host under its own name, into `out`."""
    pages: dict[str, Pages] = {}
    for host, site in sites.items():
        editions = {path: edition(number, host, path, content) for path, content in site.items()}
        pages[host] = {path: content for path, content in editions.items() if content is not None} | {"/robots.txt": ROBOTS}
    with serve(pages, EDITIONS[number]) as port:
        return crawl_site(
            [f"http://{host}/" for host in pages],
            out,
            max_pages=MAX_PAGES,
            max_bytes_per_host=BYTES_PER_HOST,
            delay_seconds=0,
            resolve=dict.fromkeys(pages, ("127.0.0.1", port)),
            now=_a_second_apart(EDITIONS[number]),
        )


@contextmanager
def serve(sites: dict[str, Pages], date: datetime) -> Iterator[int]:
    """A web server on a free port of loopback, which it yields: the sites by their Host header, as of `date`."""

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1  # headers and body in one packet

        def do_GET(self) -> None:
            host = (self.headers.get("Host") or "").rsplit(":", 1)[0]
            pages = sites.get(host, {})
            path = unquote(urlsplit(self.path).path)
            if path in pages:
                kind = "text/html" if path.endswith(".html") else "text/plain; charset=utf-8"
                self._answer(200, pages[path], {"Content-Type": kind})
            elif (index := f"{path.rstrip('/')}/index.html") in pages:
                self._answer(301, b"", {"Location": index})
            else:
                self._answer(404, b"<html><title>Not found</title><p>No such page.</html>", {"Content-Type": "text/html"})

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def version_string(self) -> str:
            return "gristmill-demo"

        def date_time_string(self, timestamp: float | None = None) -> str:
            return date.strftime("%a, %d %b %Y %H:%M:%S GMT")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _a_second_apart(start: datetime) -> Callable[[], datetime]:
    moments = iter(range(1 << 31))
    return lambda: start + timedelta(seconds=next(moments))
