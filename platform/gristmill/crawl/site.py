"""A polite, bounded crawler of sites: breadth-first, same-host, into one WARC 1.1 file.

It keeps to robots.txt (RFC 9309: unreachable means closed, absent means open; crawl-delay is obeyed), asks one host
at a time and no faster than told, and leaves this machine only where it is allowed to. WARC 1.1 (ISO 28500:2017)
as warcio writes it: one warcinfo, then one response record per answer, redirects and errors included, each its own
gzip member. Bodies that are not text are not fetched; they, bad links and failures are counted in the report.

Not covered: requests in the file, forms, scripts, sitemaps, wildcards in robots.txt.
"""

from __future__ import annotations

import os
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from urllib.parse import SplitResult, urlsplit
from urllib.robotparser import RobotFileParser

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from gristmill.crawl.fetch import DEFAULT_PORTS, Address, Answer, FetchError, fetch, is_loopback, locate
from gristmill.crawl.links import links_of, normal_url, robots_text
from gristmill.errors import SourceError
from gristmill.progress import Progress

USER_AGENT = "gristmill-crawler/0.1"
TEXT_TYPES = ("text/", "application/xhtml+xml", "application/xml")
ROBOTS_BYTES = 512_000  # RFC 9309, section 2.5: at least 500 KiB are read
ROBOTS_REDIRECTS = 5  # RFC 9309, section 2.3.1.2
LONGEST_DELAY = 300.0  # a robots.txt or Retry-After that asks for more ends that host's crawl
FAILURES_IN_A_ROW = 5  # then a host is left alone
REDIRECTS = (301, 302, 303, 307, 308)
OVERLOADED = (429, 503)


@dataclass
class HostReport:
    """What one host gave: answers stored, bytes of their bodies, and why its crawl ended."""

    answers: int = 0
    n_bytes: int = 0
    ended: str = "every link was followed"


@dataclass
class CrawlReport:
    """What a crawl stored and what it left out."""

    file: Path
    pages: int = 0  # 2xx answers
    redirects: int = 0
    refusals: int = 0  # 4xx and 5xx answers; stored like the others
    truncated: int = 0  # answers cut short: by length, time or the server
    n_bytes: int = 0  # of bodies as sent
    hosts: dict[str, HostReport] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)  # links not followed, by reason
    errors: list[tuple[str, str]] = field(default_factory=list)  # (URL, what went wrong), in order

    @property
    def answers(self) -> int:
        return sum(host.answers for host in self.hosts.values())

    def __str__(self) -> str:
        lines = [
            f"{self.pages:,} pages, {self.redirects:,} redirects, {self.refusals:,} refusals, {self.truncated:,} cut short, "
            f"{len(self.errors):,} failures; {self.n_bytes / 1e6:,.1f} MB"
        ]
        lines += [f"  {name}: {host.answers:,} answers, {host.n_bytes / 1e6:,.1f} MB; {host.ended}" for name, host in self.hosts.items()]
        if self.skipped:
            lines.append("  links not followed: " + ", ".join(f"{n:,} {reason}" for reason, n in sorted(self.skipped.items())))
        lines += [f"  {url}: {what}" for url, what in self.errors[:5]]
        if len(self.errors) > 5:
            lines.append(f"  … and {len(self.errors) - 5:,} more")
        return "\n".join(lines)


@dataclass
class _Host:
    """One host's queue and manners."""

    address: Address
    delay: float
    report: HostReport
    queue: deque[str] = field(default_factory=deque)
    due: float = 0.0  # when it may be asked again, on the monotonic clock
    failures: int = 0
    rules: RobotFileParser | None = None

    def end(self, why: str) -> None:
        self.queue.clear()
        self.report.ended = why


def crawl_site(
    start_urls: Sequence[str],
    out: Path,
    *,
    max_pages: int = 500,
    max_bytes: int = 200_000_000,
    max_bytes_per_host: int | None = None,
    max_page_bytes: int = 10_000_000,
    delay_seconds: float = 1.0,
    timeout_seconds: float = 30.0,
    resolve: dict[str, Address] | None = None,
    allow_remote: bool = False,
    user_agent: str = USER_AGENT,
    robots: bool = True,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause: Callable[[float], None] = time.sleep,
) -> CrawlReport:
    """Crawl the hosts of `start_urls`, in turns, into `out` (.warc.gz); `out` appears only when it is whole.

    `max_pages` counts answers of any status, the byte limits bodies as sent; a limit is passed by one page at most.
    `delay_seconds` lies between two requests to one host; 0 is for loopback alone. `resolve` maps host names to an
    (IP address, port) to ask instead. Equal sites give equal files where `now` does. SourceError when no page came.
    """
    crawl = _Crawl(
        CrawlReport(out),
        max_pages,
        max_bytes,
        max_bytes_per_host or max_bytes,
        max_page_bytes,
        timeout_seconds,
        user_agent,
        now,
        pause,
    )
    for url in start_urls:
        crawl.start(url, resolve, allow_remote, delay_seconds)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.part")
    try:
        with partial.open("wb") as file:
            crawl.run(file, robots)
            file.flush()
            os.fsync(file.fileno())
        if not crawl.report.pages:
            raise SourceError(f"no page could be fetched\n{crawl.report}", where=", ".join(start_urls), fix=crawl.advice())
        os.replace(partial, out)
    finally:
        partial.unlink(missing_ok=True)
    return crawl.report


@dataclass
class _Crawl:
    report: CrawlReport
    max_pages: int
    max_bytes: int
    max_bytes_per_host: int
    max_page_bytes: int
    timeout_seconds: float
    user_agent: str
    now: Callable[[], datetime]
    pause: Callable[[float], None]
    hosts: dict[str, _Host] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    elsewhere: str | None = None  # the first redirect that left the crawl's hosts

    def start(self, url: str, resolve: dict[str, Address] | None, allow_remote: bool, delay_seconds: float) -> None:
        """Take the URL's host into the crawl and put the URL in its queue."""
        normal = normal_url(url)
        if normal is None:
            raise SourceError("is no http or https URL", where=url)
        parts = urlsplit(normal)
        name = _site(parts)
        if name not in self.hosts:
            address = locate(parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme], resolve, allow_remote)
            if delay_seconds <= 0 and not is_loopback(address):
                raise SourceError("a delay of 0 is for hosts on this machine", where=url, fix="Give it a second or so (`--delay 1`).")
            self.hosts[name] = _Host(address, delay_seconds, self.report.hosts.setdefault(name, HostReport()))
        if normal not in self.seen:
            self.seen.add(normal)
            self.hosts[name].queue.append(normal)

    def run(self, file: BinaryIO, robots: bool) -> None:
        writer = WARCWriter(file, gzip=True, warc_version="1.1")
        self._write_info(writer)
        if robots:
            for host in self.hosts.values():
                self._read_robots(host)
        with Progress("crawl", unit="pages") as progress:
            while self.report.answers < self.max_pages and self.report.n_bytes < self.max_bytes:
                waiting = [host for host in self.hosts.values() if host.queue]
                if not waiting:
                    return
                for host in waiting:  # in turns, so that one host's delay is the others' time
                    if self.report.answers < self.max_pages and self.report.n_bytes < self.max_bytes:
                        progress.advance(self._visit(host, writer))
        for host in self.hosts.values():
            if host.queue:
                host.end("the crawl's limit was reached")

    def advice(self) -> str:
        if self.elsewhere:
            return f"It leads to {self.elsewhere}, another host: start there."
        return "See that the address is right, that something answers there and that its robots.txt allows this crawler."

    def _visit(self, host: _Host, writer: WARCWriter) -> int:
        """Ask for the next URL of a host and store what it says; 1 when something was stored."""
        url = host.queue.popleft()
        try:
            answer = self._ask(url, host, self.max_page_bytes, _is_text)
        except FetchError as error:
            self.report.errors.append((url, str(error)))
            self._failed(host)
            return 0
        if answer.status in OVERLOADED:
            self._failed(host, answer.header("retry-after"))
        else:
            host.failures = 0
        if answer.body is None:
            self.report.skipped[f"of type {_media_type(answer.header('content-type'))}"] += 1
            return 0
        self._write_answer(writer, url, answer)
        self._count(host, answer, len(answer.body))
        if answer.status in REDIRECTS:
            self._enqueue(url, [answer.header("location") or ""], redirect=True)
        elif answer.status == 200:
            self._enqueue(url, links_of(url, answer))
        if host.queue and host.report.n_bytes >= self.max_bytes_per_host:
            host.end("its byte limit was reached")
        return 1

    def _count(self, host: _Host, answer: Answer, size: int) -> None:
        host.report.answers += 1
        host.report.n_bytes += size
        self.report.n_bytes += size
        self.report.truncated += answer.truncated is not None
        self.report.pages += 200 <= answer.status < 300
        self.report.redirects += answer.status in REDIRECTS
        self.report.refusals += answer.status >= 400

    def _enqueue(self, base: str, links: list[str], redirect: bool = False) -> None:
        for link in links:
            url = normal_url(link, base)
            if url is None:
                self.report.skipped["that are no http URLs"] += 1
                continue
            host = self.hosts.get(_site(urlsplit(url)))
            if host is None:
                self.report.skipped["to other hosts"] += 1
                if redirect and self.elsewhere is None:
                    self.elsewhere = url
            elif url not in self.seen and len(host.queue) < self.max_pages:  # more could never be asked for
                self.seen.add(url)
                if host.rules and not host.rules.can_fetch(self.user_agent, url):
                    self.report.skipped["closed by robots.txt"] += 1
                else:
                    host.queue.append(url)

    def _ask(self, url: str, host: _Host, max_bytes: int, wanted: Callable[[int, Message], bool]) -> Answer:
        wait = host.due - time.monotonic()
        if wait > 0:
            self.pause(wait)
        try:
            return fetch(
                url,
                host.address,
                user_agent=self.user_agent,
                timeout_seconds=self.timeout_seconds,
                max_bytes=max_bytes,
                wanted=wanted,
            )
        finally:
            host.due = time.monotonic() + host.delay

    def _failed(self, host: _Host, retry_after: str | None = None) -> None:
        host.failures += 1
        seconds = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
        if host.failures >= FAILURES_IN_A_ROW:
            host.end(f"{FAILURES_IN_A_ROW} failures in a row")
        elif seconds > LONGEST_DELAY:
            host.end(f"it asks to come back in {seconds:g} s")
        else:
            host.due = max(host.due, time.monotonic() + seconds)

    def _read_robots(self, host: _Host) -> None:
        """The host's rules, its delay, and the start URLs that they close."""
        parts = urlsplit(host.queue[0])
        url, rules = f"{parts.scheme}://{parts.netloc}/robots.txt", RobotFileParser()
        try:
            answer = self._ask(url, host, ROBOTS_BYTES, lambda status, headers: True)
            for _ in range(ROBOTS_REDIRECTS):
                target = normal_url(answer.header("location") or "", url) if answer.status in REDIRECTS else None
                if target is None or self.hosts.get(_site(urlsplit(target))) is not host:
                    break
                url = target
                answer = self._ask(url, host, ROBOTS_BYTES, lambda status, headers: True)
        except FetchError as error:
            self.report.errors.append((url, str(error)))
            return host.end("its robots.txt could not be read")
        if answer.status >= 500:
            return host.end(f"its robots.txt answers {answer.status}")
        try:
            rules.parse(robots_text(answer).splitlines() if 200 <= answer.status < 300 else [])
            asked = float(rules.crawl_delay(self.user_agent) or 0)
            if rate := rules.request_rate(self.user_agent):
                asked = max(asked, rate.seconds / rate.requests)
        except (ValueError, ArithmeticError):  # `Disallow: http://[`, `Crawl-delay: ²`, `Request-rate: 0/1`
            return host.end("its robots.txt cannot be understood")
        host.rules = rules
        if asked > LONGEST_DELAY:
            return host.end(f"its robots.txt asks for {asked:g} s between requests")
        if asked > host.delay:
            host.due += asked - host.delay
            host.delay = asked
        closed = [url for url in host.queue if not rules.can_fetch(self.user_agent, url)]
        for url in closed:
            host.queue.remove(url)
            self.report.skipped["closed by robots.txt"] += 1

    def _write_info(self, writer: WARCWriter) -> None:
        info = writer.create_warcinfo_record(
            self.report.file.name,
            {
                "software": self.user_agent,
                "format": "WARC File Format 1.1",
                "robots": "RFC 9309",
                "description": "breadth-first crawl of " + ", ".join(self.hosts),
            },
        )
        date = _warc_date(self.now())
        info.rec_headers.replace_header("WARC-Date", date)
        info.rec_headers.replace_header("WARC-Record-ID", self._record_id(date, "warcinfo"))
        writer.write_record(info)

    def _write_answer(self, writer: WARCWriter, url: str, answer: Answer) -> None:
        body = answer.body or b""
        date = _warc_date(self.now())
        fields = {"WARC-Record-ID": self._record_id(date, url), "WARC-Date": date}
        if answer.truncated:
            fields["WARC-Truncated"] = answer.truncated
        http_headers = StatusAndHeaders(f"{answer.status} {answer.reason}".strip(), _stored(answer, len(body)), protocol=answer.protocol)
        writer.write_record(
            writer.create_warc_record(
                url,
                "response",
                payload=BytesIO(body),
                length=len(body),
                http_headers=http_headers,
                warc_headers_dict=fields,
            )
        )

    def _record_id(self, date: str, url: str) -> str:
        """Of file name, date and URL, so that equal crawls are equal files."""
        return f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{self.report.file.name} {date} {url}')}>"


def _stored(answer: Answer, size: int) -> list[tuple[str, str]]:
    """The headers as sent; chunks have been put together, so that header is renamed as other crawlers do."""
    if answer.header("transfer-encoding") is None:
        return answer.headers
    headers = [(name, value) for name, value in answer.headers if name.lower() not in ("transfer-encoding", "content-length")]
    return [*headers, ("X-Crawler-Transfer-Encoding", answer.header("transfer-encoding") or ""), ("Content-Length", str(size))]


def _site(parts: SplitResult) -> str:
    """What counts as one host: its name, and its port where that is neither 80 nor 443."""
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    return parts.hostname or "" if port in DEFAULT_PORTS.values() else f"{parts.hostname}:{port}"


def _is_text(status: int, headers: Message) -> bool:
    """Redirects and refusals are stored whatever they carry; of pages, those with text and those that do not say."""
    return not 200 <= status < 300 or _media_type(headers.get("Content-Type")).startswith((*TEXT_TYPES, "unknown"))


def _media_type(content_type: str | None) -> str:
    return (content_type or "").split(";")[0].strip().lower() or "unknown"


def _warc_date(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
