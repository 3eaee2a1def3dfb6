"""One HTTP exchange, bounded in time and bytes whatever the other side does.

The address is resolved and judged before the connection is made and the connection goes to that very address,
so that a name cannot mean one machine when it is checked and another when it is fetched.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from urllib.parse import SplitResult, urlsplit

from gristmill.errors import SourceError

BLOCK = 65_536
DEFAULT_PORTS = {"http": 80, "https": 443}

Address = tuple[str, int]


class FetchError(Exception):
    """The exchange came to nothing; the message says why."""


@dataclass(frozen=True)
class Answer:
    """What a server said. `body` is as sent (content encoding and all), None where it was not wanted."""

    protocol: str  # HTTP/1.0 or HTTP/1.1
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes | None
    truncated: str | None  # length, time or disconnect: WARC 1.1, section 5.13

    def header(self, name: str) -> str | None:
        """The first header of that name, in any case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


def locate(host: str, port: int, resolve: dict[str, Address] | None, allow_remote: bool) -> Address:
    """The address to connect to for a host; SourceError where it cannot be found or may not be asked."""
    if resolve and host in resolve:
        candidates = [resolve[host]]
    else:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise SourceError(f"cannot be found: {error}", where=host) from None
        candidates = [(str(entry[4][0]), port) for entry in found]
    allowed = [address for address in candidates if allow_remote or is_loopback(address)]
    if not allowed:
        raise SourceError(
            f"is not on this machine ({candidates[0][0]})",
            where=host,
            fix="Crawls stay on loopback; allow others with `--remote`, where you may crawl them.",
        )
    return allowed[0]


def is_loopback(address: Address) -> bool:
    return ipaddress.ip_address(address[0].split("%")[0]).is_loopback


def fetch(
    url: str,
    address: Address,
    *,
    user_agent: str,
    timeout_seconds: float,
    max_bytes: int,
    wanted: Callable[[int, Message], bool] = lambda status, headers: True,
) -> Answer:
    """GET `url` from `address`. After `timeout_seconds` in all, or `max_bytes` of body, what has come is the answer.

    `wanted(status, headers)` decides whether the body is read at all. FetchError when no status line and headers come.
    """
    try:
        with _Exchange(urlsplit(url), address, timeout_seconds) as exchange:
            try:
                response = exchange.ask(user_agent)
                headers = [(name, " ".join(value.split())) for name, value in response.headers.items()]
                body, truncated = None, None
                if wanted(response.status, response.headers):
                    body, truncated = _read(response, max_bytes)
            except (http.client.HTTPException, OSError) as error:
                raise FetchError(exchange.explain(error)) from None
            if truncated == "disconnect" and exchange.expired:
                truncated = "time"
    except OSError as error:
        raise FetchError(f"no connection: {error}") from None
    except ValueError as error:  # a URL that http.client refuses to send
        raise FetchError(str(error)) from None
    protocol = "HTTP/1.0" if response.version == 10 else "HTTP/1.1"
    return Answer(protocol, response.status, response.reason, headers, body, truncated)


def _read(response: http.client.HTTPResponse, max_bytes: int) -> tuple[bytes, str | None]:
    body = bytearray()
    while len(body) <= max_bytes:
        try:
            block = response.read1(BLOCK)
        except TimeoutError:
            return bytes(body), "time"
        except (http.client.HTTPException, OSError, ValueError):  # ValueError: a chunk length that is no number
            return bytes(body), "disconnect"
        if not block:
            return bytes(body), "disconnect" if response.length else None
        body += block
    return bytes(body[:max_bytes]), "length"


class _Exchange:
    """A connection that is shut down when its time is up, however slowly its bytes drip."""

    def __init__(self, parts: SplitResult, address: Address, timeout_seconds: float):
        self.expired = False
        self._timeout = timeout_seconds
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._tls = parts.scheme == "https"
        self._socket = socket.create_connection(address, timeout=timeout_seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._host = parts.hostname or ""
        self._connection = http.client.HTTPConnection(self._host, parts.port or DEFAULT_PORTS[parts.scheme])
        self._connection.default_port = DEFAULT_PORTS[parts.scheme]  # type: ignore[misc]  # leaves the port out of Host

    def __enter__(self) -> _Exchange:
        self._timer = threading.Timer(self._timeout, self._expire)
        self._timer.daemon = True
        try:
            if self._tls:
                context = ssl.create_default_context()
                self._socket = context.wrap_socket(self._socket, server_hostname=self._host, do_handshake_on_connect=False)
        except BaseException:
            self._socket.close()
            raise
        self._connection.sock = self._socket
        self._timer.start()
        return self

    def ask(self, user_agent: str) -> http.client.HTTPResponse:
        if isinstance(self._socket, ssl.SSLSocket):
            self._socket.do_handshake()
        self._connection.putrequest("GET", self._target, skip_accept_encoding=True)
        for name, value in (
            ("User-Agent", user_agent),
            ("Accept", "text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.1"),
            ("Accept-Encoding", "gzip"),
            ("Connection", "close"),
        ):
            self._connection.putheader(name, value)
        self._connection.endheaders()
        self._response = self._connection.getresponse()
        return self._response

    def explain(self, error: Exception) -> str:
        if self.expired or isinstance(error, TimeoutError):
            return f"no answer in {self._timeout:g} s"
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

    def _expire(self) -> None:
        self.expired = True
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # below TLS: its own shutdown is not for two threads

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        if response := getattr(self, "_response", None):
            response.close()
        self._connection.close()
        self._socket.close()
