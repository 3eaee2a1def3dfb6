import base64
import gzip
import hashlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.crawl.fetch import Answer, locate
from gristmill.crawl.links import decoded, links_of, normal_url
from gristmill.crawl.site import FAILURES_IN_A_ROW, CrawlReport, crawl_site
from gristmill.errors import SourceError

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
Reply = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """A web server on loopback: path -> reply. `asked` holds the paths in the order in which they were asked for."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.asked.append(self.path)
                self.close_connection = True
                site.replies.get(self.path, answer(404, b"no such page"))(self)

            def date_time_string(self, timestamp: float | None = None) -> str:
                return "Mon, 05 Jan 2026 09:00:00 GMT"

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def page(self, path: str, *links: str, text: str = "") -> None:
        anchors = "".join(f'<a href="{link}">x</a>' for link in links)
        self.replies[path] = answer(200, f"<html><body><p>{path} {text}</p>{anchors}</body></html>".encode())


def answer(status: int, body: bytes = b"", **headers: str) -> Reply:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in ({"Content_Type": "text/html", "Content_Length": str(len(body))} | headers).items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return reply


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"<p>more</p>" * 1_000)
    except OSError:
        pass


def reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


def crawl(site: Site, out: Path, **options: object) -> CrawlReport:
    return crawl_site([f"{site.url}/"], out, **({"delay_seconds": 0, "now": lambda: NOW} | options))  # type: ignore[arg-type]


def records(path: Path) -> list[tuple[str, int, dict[str, str], dict[str, str], bytes]]:
    """(path of the URL, status, WARC headers, HTTP headers, body) of every response."""
    found: list[tuple[str, int, dict[str, str], dict[str, str], bytes]] = []
    with path.open("rb") as file:
        for record in ArchiveIterator(file):
            if record.headers["WARC-Type"] == "response":
                http = record.http_headers
                url = record.headers["WARC-Target-URI"]
                path = "/" + url.split("/", 3)[3]
                found.append((path, http.status_code, dict(record.headers), dict(http.asdict()), record.reader.read()))
    return found


def test_breadth_first_over_one_host_and_no_further(site: Site, tmp_path: Path) -> None:
    site.page("/", "/a#top", "b", "http://elsewhere.example/", "mailto:x@example.org", "/a")
    site.page("/a", "/a/deep", "/")
    site.page("/a/deep")
    site.page("/b", "/gone")
    report = crawl(site, tmp_path / "x.warc.gz")
    assert [path for path, *_ in records(tmp_path / "x.warc.gz")] == ["/", "/a", "/b", "/a/deep", "/gone"]
    assert (report.pages, report.refusals, report.errors) == (4, 1, [])
    assert report.skipped == {"to other hosts": 1, "that are no http URLs": 1}


@pytest.mark.parametrize(
    "link", ["http://[", "http://[::1", "http://a:99999/", "//", "http://\\x", "%", "http://xn--/", "&#0;", "http://h:p/"]
)
def test_a_bad_link_never_ends_a_crawl(site: Site, tmp_path: Path, link: str) -> None:
    site.page("/", link, "/fine")
    site.page("/fine")
    assert crawl(site, tmp_path / "x.warc.gz").pages >= 2
    assert "/fine" in site.asked


def test_redirects_are_stored_and_followed_once(site: Site, tmp_path: Path) -> None:
    far = answer(307, Location="http://far.example/")
    site.replies |= {"/": answer(302, Location="/in"), "/loop": answer(301, Location="/loop"), "/out": far}
    site.page("/in", "/loop", "/out")
    report = crawl(site, tmp_path / "x.warc.gz")
    stored = [(path, status) for path, status, *_ in records(tmp_path / "x.warc.gz")]
    assert stored == [("/", 302), ("/in", 200), ("/loop", 301), ("/out", 307)]
    assert report.redirects == 3


def test_a_start_that_leads_elsewhere_says_where(site: Site, tmp_path: Path) -> None:
    site.replies["/"] = answer(301, Location="http://www.far.example/")
    with pytest.raises(SourceError, match=r"http://www\.far\.example/, another host: start there"):
        crawl(site, tmp_path / "x.warc.gz")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_text_is_not_fetched(site: Site, tmp_path: Path) -> None:
    site.page("/", "/picture", "/notes.txt")
    site.replies["/picture"] = answer(200, b"\x89PNG", Content_Type="image/png")
    site.replies["/notes.txt"] = answer(200, b"notes", Content_Type="text/plain")
    report = crawl(site, tmp_path / "x.warc.gz")
    assert [path for path, *_ in records(tmp_path / "x.warc.gz")] == ["/", "/notes.txt"]
    assert report.skipped == {"of type image/png": 1}


def test_robots_are_obeyed(site: Site, tmp_path: Path) -> None:
    site.replies["/robots.txt"] = answer(200, b"User-agent: *\nDisallow: /private\nCrawl-delay: 9\n", Content_Type="text/plain")
    site.page("/", "/private/a", "/open")
    site.page("/open")
    site.page("/private/a")
    waits: list[float] = []
    report = crawl(site, tmp_path / "x.warc.gz", pause=waits.append)
    assert site.asked == ["/robots.txt", "/", "/open"]
    assert report.skipped == {"closed by robots.txt": 1}
    assert len(waits) == 2 and max(waits) > 1  # before the first page and between the two
    assert crawl(site, tmp_path / "y.warc.gz", robots=False).pages == 3


@pytest.mark.parametrize(
    ("robots", "reason"),
    [
        (answer(503), "answers 503"),
        (reset, "could not be read"),
        (answer(200, b"User-agent: *\nDisallow: http://["), "cannot be understood"),
        (answer(200, b"User-agent: *\nRequest-rate: 0/5"), "cannot be understood"),
        (answer(200, b"User-agent: *\nCrawl-delay: 86400"), "asks for 86400 s"),
    ],
)
def test_robots_that_cannot_be_read_or_met_close_the_host(site: Site, tmp_path: Path, robots: Reply, reason: str) -> None:
    site.replies["/robots.txt"] = robots
    site.page("/")
    with pytest.raises(SourceError, match=reason):
        crawl(site, tmp_path / "x.warc.gz")
    assert "/" not in site.asked


def test_bad_servers_are_bounded_and_reported(site: Site, tmp_path: Path) -> None:
    site.page("/", "/endless", "/reset", "/silent", "/short", "/nonsense", "/last")
    site.page("/last")
    hush = threading.Event()
    site.replies |= {
        "/endless": endless,
        "/reset": reset,
        "/silent": lambda handler: (hush.wait(30), None)[1],
        "/short": answer(200, b"<p>half", Content_Length="5000"),
        "/nonsense": lambda handler: (handler.wfile.write(b"\x00\x01 what?\r\n\r\n"), None)[1],
    }
    report = crawl(site, tmp_path / "x.warc.gz", max_page_bytes=100_000, timeout_seconds=1.0)
    hush.set()
    stored = {path: (headers.get("WARC-Truncated"), len(body)) for path, _, headers, _, body in records(tmp_path / "x.warc.gz")}
    assert stored.pop("/")[0] is None and stored.pop("/last")[0] is None
    assert stored == {"/endless": ("length", 100_000), "/short": ("disconnect", 7)}
    assert [url.removeprefix(site.url) for url, _ in report.errors] == ["/reset", "/silent", "/nonsense"]
    assert dict(report.errors)[f"{site.url}/silent"] == "no answer in 1 s"
    assert report.truncated == 2


def test_a_host_that_only_fails_is_left_alone(site: Site, tmp_path: Path) -> None:
    site.page("/", *(f"/{n}" for n in range(20)))
    site.replies |= {f"/{n}": reset for n in range(20)}
    report = crawl(site, tmp_path / "x.warc.gz")
    assert len(report.errors) == FAILURES_IN_A_ROW
    assert f"{FAILURES_IN_A_ROW} failures in a row" in str(report)


def test_limits(site: Site, tmp_path: Path) -> None:
    for n in range(30):
        site.page(f"/{n or ''}", f"/{n + 1}", text="word " * 200)
    assert crawl(site, tmp_path / "pages.warc.gz", max_pages=7).answers == 7
    assert 3_000 <= crawl(site, tmp_path / "bytes.warc.gz", max_bytes=3_000).n_bytes < 3_000 + 1_200
    report = crawl(site, tmp_path / "host.warc.gz", max_bytes_per_host=3_000)
    assert report.answers == 3 and "its byte limit was reached" in str(report)


def test_equal_sites_give_equal_files_and_digests_hold(site: Site, tmp_path: Path) -> None:
    site.page("/", "/a", "/b", "/c")
    site.page("/a")
    site.replies["/b"] = answer(200, b"caf\xe9", Content_Type="text/html; charset=latin-1", X_Odd="caf\xe9")
    (tmp_path / "two").mkdir()
    crawl(site, tmp_path / "x.warc.gz")
    crawl(site, tmp_path / "two" / "x.warc.gz")
    assert (tmp_path / "x.warc.gz").read_bytes() == (tmp_path / "two" / "x.warc.gz").read_bytes()
    for _, _, headers, _, body in records(tmp_path / "x.warc.gz"):
        assert headers["WARC-Payload-Digest"] == "sha1:" + base64.b32encode(hashlib.sha1(body).digest()).decode()
        assert headers["WARC-Date"] == "2026-01-05T09:00:00Z"
    assert (tmp_path / "x.warc.gz").read_bytes().count(b"\x1f\x8b\x08") >= 5  # a gzip member for each record


def test_encodings_are_stored_as_sent_and_read_for_links(site: Site, tmp_path: Path) -> None:
    squeezed = gzip.compress(b'<a href="/chunked">x</a>', mtime=0)
    site.replies["/"] = answer(200, squeezed, Content_Encoding="gzip")

    def chunked(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"5\r\n<p>in\r\n8\r\n pie</p>\r\n0\r\n\r\n")

    site.replies["/chunked"] = chunked
    crawl(site, tmp_path / "x.warc.gz")
    (_, _, _, _, first), (_, _, _, http, second) = records(tmp_path / "x.warc.gz")
    assert first == squeezed
    assert second == b"<p>in pie</p>"
    assert http["X-Crawler-Transfer-Encoding"] == "chunked" and http["Content-Length"] == str(len(second))
    assert "Transfer-Encoding" not in http


def test_made_up_hosts_share_a_port_and_take_turns(site: Site, tmp_path: Path) -> None:
    site.page("/", "/a", "http://b.demo/only-b")
    site.page("/a")
    site.page("/only-b")
    out = tmp_path / "x.warc.gz"
    report = crawl_site(
        ["http://a.demo/", "http://b.demo/"],
        out,
        delay_seconds=0,
        resolve=dict.fromkeys(("a.demo", "b.demo"), ("127.0.0.1", site.port)),
    )
    with out.open("rb") as file:
        urls = [record.headers["WARC-Target-URI"] for record in ArchiveIterator(file) if record.headers["WARC-Type"] == "response"]
    assert urls == ["http://a.demo/", "http://b.demo/", "http://a.demo/a", "http://b.demo/only-b", "http://b.demo/a"]
    assert {name: host.answers for name, host in report.hosts.items()} == {"a.demo": 2, "b.demo": 3}


def test_nothing_but_loopback_unless_allowed(tmp_path: Path) -> None:
    there = {"far.demo": ("192.0.2.1", 80)}
    with pytest.raises(SourceError, match="not on this machine") as refused:
        crawl_site(["http://far.demo/"], tmp_path / "x.warc.gz", resolve=there)
    assert "--remote" in str(refused.value)
    with pytest.raises(SourceError, match="a delay of 0"):
        crawl_site(["http://far.demo/"], tmp_path / "x.warc.gz", resolve=there, allow_remote=True, delay_seconds=0)
    for host in ("192.0.2.1", "0.0.0.0", "::ffff:192.0.2.1", "169.254.169.254"):
        with pytest.raises(SourceError):
            locate(host, 80, None, allow_remote=False)
    assert locate("127.0.0.1", 80, None, allow_remote=False) == ("127.0.0.1", 80)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "nonsense", "http://[", ""])
def test_a_start_must_be_a_url(tmp_path: Path, url: str) -> None:
    with pytest.raises(SourceError, match="no http or https URL"):
        crawl_site([url], tmp_path / "x.warc.gz")


def test_a_failed_crawl_leaves_an_earlier_file_alone(site: Site, tmp_path: Path) -> None:
    (tmp_path / "x.warc.gz").write_bytes(b"earlier")
    with pytest.raises(SourceError, match="no page could be fetched"):
        crawl(site, tmp_path / "x.warc.gz")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x.warc.gz", b"earlier")]


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("HTTP://Ex.COM:80/a b?q=é#x", "http://ex.com/a%20b?q=%C3%A9"),
        ("https://user:pw@ex.com:443", "https://ex.com/"),
        ("../c", "http://base.demo/c"),
        ("?q=1", "http://base.demo/d/e?q=1"),
        ("//[::1]:8080/x", "http://[::1]:8080/x"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("javascript:go()", None),
        ("http://" + "a" * 3_000, None),
    ],
)
def test_normal_url(link: str, url: str | None) -> None:
    assert normal_url(link, "http://base.demo/d/e") == url


@given(st.text(max_size=60), st.sampled_from(["", "http://", "http://[", "//", "/", "http://h:"]))
@example("\x00", "http://h/")
def test_normal_url_takes_anything(text: str, start: str) -> None:
    url = normal_url(start + text, "http://base.demo/")
    assert url is None or (url.isascii() and url.startswith("http") and normal_url(url) == url)


@given(st.binary(max_size=300), st.sampled_from(["text/html", "text/html; charset=utf-16", "text/html; charset=no-such", ";;"]))
@example(b"<a href='http://['><base href='http://['>", "text/html")
@example(b"", "text/html")
def test_links_of_takes_anything(body: bytes, kind: str) -> None:
    for encoding in ("identity", "gzip", "br"):
        reply = Answer("HTTP/1.1", 200, "OK", [("Content-Type", kind), ("Content-Encoding", encoding)], body, None)
        links_of("http://base.demo/", reply)
        decoded(reply)


def test_links_of_heeds_base_and_nofollow() -> None:
    def links(html: str) -> list[str]:
        return links_of("http://h/", Answer("HTTP/1.1", 200, "OK", [("content-type", "text/html")], html.encode(), None))

    anchors = '<a href="a?b=1&amp;c=2#d">1</a><a rel="me nofollow" href="b">2</a><a>3</a><a href="#e">4</a>'
    assert links(anchors) == ["a?b=1&c=2"]
    assert links(f'<base href="/x/">{anchors}') == ["/x/a?b=1&c=2"]
    assert links('<meta name="ROBOTS" content="noindex, nofollow"><a href="a">1</a>') == []
