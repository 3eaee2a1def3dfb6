import base64
import gzip
import hashlib
import io
import zlib
from contextlib import suppress

import pytest
from fastwarc.stream_io import BrotliWriter
from hypothesis import given
from hypothesis import strategies as st

from gristmill.crawl.responses import Refused, charset_of, decoded, digest_matches, is_damaged, parse_response

BODY = b"<html>" + b"hello " * 200 + b"</html>"
LIMIT = 100_000


def response(body: bytes, *headers: str, status: str = "HTTP/1.1 200 OK"):
    return parse_response("\r\n".join([status, *headers, "", ""]).encode("latin-1") + body)


def brotli(data: bytes) -> bytes:
    buffer = io.BytesIO()
    writer = BrotliWriter(buffer)
    writer.write(data)
    writer.close()
    return buffer.getvalue()


def chunked(data: bytes, size: int) -> bytes:
    parts = [data[i : i + size] for i in range(0, len(data), size)]
    return b"".join(b"%x;x=y\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_status_type_and_charset():
    found = response(b"x", "Content-Type: Text/HTML; Charset='UTF-8'", "X: é", status="HTTP/1.0 203")
    assert (found.status, found.mime, found.charset, found.body) == (203, "text/html", "utf-8", b"x")
    assert charset_of("text/html") is None
    assert response(b"", "Content-Type: nonsense").mime is None


def test_bare_newlines_separate_headers_too():
    found = parse_response(b"HTTP/1.1 200 OK\nContent-Type: text/plain\n\nbody\r\n\r\nmore")
    assert found.body == b"body\r\n\r\nmore"


@pytest.mark.parametrize("block", [b"", b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 OK\r\n\r\nx", b"HTTPX/1.1 200 OK\r\n\r\n", b"\x00\xff"])
def test_a_block_that_is_no_response_is_refused(block: bytes):
    with pytest.raises(Refused, match="NotHttp"):
        parse_response(block)


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data)[2:-4]),
        ("br", brotli),
        ("identity", bytes),
        ("gzip, br", lambda data: brotli(gzip.compress(data))),
    ],
)
def test_codings_are_undone(coding: str, encode):
    assert decoded(response(encode(BODY), f"Content-Encoding: {coding}"), LIMIT) == BODY
    assert decoded(response(chunked(encode(BODY), 99), f"Content-Encoding: {coding}", "Transfer-Encoding: chunked"), LIMIT) == BODY


@pytest.mark.parametrize(
    "header", ["Content-Encoding: gzip", "Content-Encoding: br", "Content-Encoding: deflate", "Transfer-Encoding: chunked"]
)
def test_a_coding_that_the_writer_has_undone_is_seen(header: str):
    assert decoded(response(BODY, header), LIMIT) == BODY


@pytest.mark.parametrize(
    ("header", "body", "error"),
    [
        ("Content-Encoding: gzip", gzip.compress(BODY, mtime=0)[:-12], "BrokenCoding"),
        ("Content-Encoding: gzip", gzip.compress(BODY, mtime=0)[:20] + b"\xff" * 30, "BrokenCoding"),
        ("Content-Encoding: br", brotli(BODY)[:10], "BrokenCoding"),
        ("Content-Encoding: deflate", b"\x01\x02\x03", "BrokenCoding"),
        ("Content-Encoding: rot13", BODY, "UnknownCoding"),
        ("Transfer-Encoding: chunked", chunked(BODY, 50)[:500], "BrokenCoding"),
        ("Transfer-Encoding: chunked", b"3\r\nabc\r\nzz\r\nabc", "BrokenCoding"),
    ],
)
def test_a_coding_that_breaks_is_refused(header: str, body: bytes, error: str):
    with pytest.raises(Refused) as refused:
        decoded(response(body, header), LIMIT)
    assert refused.value.error == error


@pytest.mark.parametrize(
    ("header", "body"),
    [("Content-Encoding: gzip", gzip.compress(BODY, mtime=0)[:-12]), ("Transfer-Encoding: chunked", chunked(BODY, 50)[:500])],
)
def test_a_body_that_the_crawler_cut_gives_what_it_has(header: str, body: bytes):
    got = decoded(response(body, header), LIMIT, cut=True)
    assert got and BODY.startswith(got)


@pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("br", brotli), ("identity", bytes)])
def test_a_bomb_is_refused_at_the_limit(coding: str, encode):
    with pytest.raises(Refused, match="TooLarge"):
        decoded(response(encode(b"\0" * 5_000_000), f"Content-Encoding: {coding}"), LIMIT)


def test_digests_of_every_writer():
    for name in ("sha1", "sha256", "md5"):
        digest = hashlib.new(name, BODY).digest()
        for value in (digest.hex(), base64.b32encode(digest).decode(), base64.b32encode(digest).decode().rstrip("=").lower()):
            assert digest_matches(f"{name}:{value}", BODY) is True
            assert digest_matches(f"{name}:{value}", BODY + b"x") is False
    for unknown in (None, "", "sha1", "sha1:short", "crc:1234", "sha1:" + "!" * 32):
        assert digest_matches(unknown, BODY) is None


def test_only_a_payload_that_fits_no_reading_is_damaged():
    def stated(data: bytes) -> str:
        return f"sha1:{base64.b32encode(hashlib.sha1(data).digest()).decode()}"

    coded = gzip.compress(BODY)
    found = response(chunked(coded, 50), "Transfer-Encoding: chunked", "Content-Encoding: gzip")
    block = b"the block"
    for reading in (found.body, coded, BODY):
        assert not is_damaged({"warc-payload-digest": stated(reading)}, block, found, BODY)
    assert is_damaged({"warc-payload-digest": stated(b"else")}, block, found, BODY)
    assert not is_damaged({"warc-payload-digest": stated(b"else"), "warc-block-digest": stated(block)}, block, found, BODY)
    assert is_damaged({"warc-block-digest": stated(b"else")}, block, found, BODY)
    assert not is_damaged({}, block, found, BODY)


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, deflate"]), st.booleans(), st.booleans())
def test_any_body_is_decoded_or_refused(body: bytes, coding: str, chunks: bool, cut: bool):
    headers = [f"Content-Encoding: {coding}", *(["Transfer-Encoding: chunked"] if chunks else [])]
    with suppress(Refused):
        assert len(decoded(response(body, *headers), 1_000, cut)) <= 1_000
