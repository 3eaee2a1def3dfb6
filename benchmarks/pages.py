"""What the benchmarks read: the interpreter's language reference as web pages, in a WARC file of their own making."""

import html
import io
from pathlib import Path
from pydoc_data.topics import topics

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

COPIES = 6


def texts() -> list[str]:
    """Some hundreds of real pages; copies differ in their first line."""
    return [f"Edition {copy}.\n\n{topics[name]}" for copy in range(COPIES) for name in sorted(topics)]


def write_warc(path: Path) -> int:
    """Writes the pages as one WARC 1.1 file, a gzip member per record; how many."""
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=True, warc_version="WARC/1.1")
    pages = texts()
    for i, text in enumerate(pages):
        body = "".join(f"<p>{html.escape(each)}</p>\n" for each in text.split("\n\n"))
        menu = "".join(f'<li><a href="/{n}">{n}</a></li>' for n in sorted(topics))
        page = f"<html><head><title>{i}</title></head><body><nav><ul>{menu}</ul></nav><main>{body}</main></body></html>"
        headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html; charset=utf-8")], protocol="HTTP/1.1")
        writer.write_record(
            writer.create_warc_record(f"http://bench.example/{i}", "response", payload=io.BytesIO(page.encode()), http_headers=headers)
        )
    path.write_bytes(buffer.getvalue())
    return len(pages)
