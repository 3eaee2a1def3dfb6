"""Archives made for one test, record by record."""

import io
from pathlib import Path

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

ARTICLE = (
    "<!doctype html><html><head><title>{0}</title></head><body><nav><a href='/'>Home</a> <a href='/all'>All</a></nav><main><article>"
    "<h1>{0}</h1><p>This is the story of {0}, told at some length so that it reads as an article, with a paragraph of its own.</p>"
    "<p>A second paragraph says a little more about {0}: where it was found, who wrote it down, and what became of it later on.</p>"
    "</article></main><footer>Copyright</footer></body></html>"
)


def article(about: str) -> bytes:
    return ARTICLE.format(about).encode()


class Archive:
    """Collects records; `write` makes the file. Offsets of the records are in `offsets`."""

    def __init__(self, gzip: bool = True, version: str = "1.1"):
        self._buffer, self._count = io.BytesIO(), 0
        self._writer = WARCWriter(self._buffer, gzip=gzip, warc_version=version)
        self.offsets: list[int] = []

    def response(
        self, url: str, body: bytes, content_type: str | None = "text/html", status: str = "200 OK", warc=None, **http: str
    ) -> "Archive":
        headers = [("Content-Type", content_type)] if content_type else []
        headers += [(name.replace("_", "-"), value) for name, value in http.items()]
        return self.record(url, "response", body, warc=warc, http=StatusAndHeaders(status, headers, protocol="HTTP/1.1"))

    def record(self, url: str | None, kind: str, body: bytes = b"", content_type: str | None = None, warc=None, http=None) -> "Archive":
        self._count += 1
        headers = {
            "WARC-Record-ID": f"<urn:uuid:00000000-0000-0000-0000-{self._count:012d}>",
            "WARC-Date": f"2026-01-{self._count % 28 + 1:02d}T00:00:00Z",
            **(warc or {}),
        }
        record = self._writer.create_warc_record(  # with a length, so that digests which are given stay as they are
            url, kind, io.BytesIO(body), len(body), warc_content_type=content_type or "", http_headers=http, warc_headers_dict=headers
        )
        self.offsets.append(self._buffer.tell())
        self._writer.write_record(record)
        return self

    def info(self) -> "Archive":
        self.offsets.append(self._buffer.tell())
        self._writer.write_record(self._writer.create_warcinfo_record("x.warc.gz", {"software": "test"}))
        return self

    def raw(self, data: bytes) -> "Archive":
        """Bytes that are no record."""
        self._buffer.write(data)
        return self

    @property
    def data(self) -> bytes:
        return self._buffer.getvalue()

    def write(self, path: Path) -> Path:
        path.write_bytes(self.data)
        return path


@pytest.fixture
def archive() -> type[Archive]:
    return Archive


@pytest.fixture
def page():
    """An HTML page about something, with navigation around it."""
    return article
