import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.crawl.content import clean, decode, extract, extractor_version, tidy

CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy, a to už od rána až do večera."


@pytest.mark.parametrize(
    ("payload", "charset", "text"),
    [
        ("<p>é</p>".encode(), "utf-8", "<p>é</p>"),
        ("<p>é€</p>".encode("cp1252"), "iso-8859-1", "<p>é€</p>"),  # WHATWG: that label means cp1252
        (f"<meta charset=iso-8859-2><p>{CZECH}".encode("iso-8859-2"), None, f"<meta charset=iso-8859-2><p>{CZECH}"),
        ("<?xml version='1.0' encoding='koi8-r'?><p>да".encode("koi8-r"), None, "<?xml version='1.0' encoding='koi8-r'?><p>да"),
        ("<p>日本</p>".encode("euc-jp"), "euc-jp", "<p>日本</p>"),
        ("<p>é</p>".encode("utf-16"), "iso-8859-1", "<p>é</p>"),  # a byte order mark outweighs the header
        (b"\xef\xbb\xbfabc", "iso-8859-1", "abc"),
        ("<meta charset=latin1><p>é</p>".encode(), "utf-8", "<meta charset=latin1><p>é</p>"),  # header before meta
        ("<meta charset=cp1252><p>é</p>".encode("cp1252"), "utf-8", "<meta charset=cp1252><p>é</p>"),  # the header does not fit
        ("<p>é</p>".encode(), "no-such-charset", "<p>é</p>"),
        ("<p>é</p>".encode(), "rot13", "<p>é</p>"),
        (("<p>" + "Überall gehört das Wörterbuch auf den Küchentisch. " * 5).encode("cp1252"), None, None),
    ],
)
def test_charset_by_mark_header_meta_and_bytes(payload: bytes, charset: str | None, text: str | None):
    assert decode(payload, charset, html=True) == (text if text is not None else payload.decode("cp1252"))


def test_plain_text_is_utf8_unless_it_is_not():
    assert decode("žluťoučký".encode(), None, html=False) == "žluťoučký"
    assert "Wörter" in decode(("Überall gibt es Wörter und schöne Bücher. " * 4).encode("cp1252"), None, html=False)


@pytest.mark.parametrize("extractor", ["resiliparse", "trafilatura"])
def test_the_main_content_is_kept_and_what_surrounds_it_is_not(extractor, page):
    text = extract(page("the lighthouse"), None, extractor).decode()
    assert "told at some length" in text and "A second paragraph" in text
    assert "Home" not in text and "Copyright" not in text


def test_paragraphs_and_code_keep_their_lines():
    html = b"<html><body><main><h1>Title</h1><p>One  two\n three.</p><pre>a\n  b</pre></main></body></html>"
    lines = extract(html, None, "resiliparse").decode().splitlines()
    assert lines[0] == "Title" and "One two three." in lines and "  b" in lines


def test_empty_pages_have_no_text():
    for html in (b"", b"<html></html>", b"<html><body><script>x()</script></body></html>"):
        assert extract(html, None, "resiliparse") == b""
        assert extract(html, None, "trafilatura") == b""


def test_cleaning():
    assert clean("  a\0b\r\nc\rd \ud800e\n ") == b"ab\nc\nd e"


@given(st.text(st.characters(codec=None), max_size=200))
def test_cleaned_text_can_be_stored_and_stays_as_it_is(text: str):
    cleaned = clean(text)
    assert b"\0" not in cleaned and b"\r" not in cleaned
    assert clean(cleaned.decode()) == cleaned


@given(st.binary(max_size=300), st.sampled_from([None, "utf-8", "utf-7", "iso-2022-jp", "utf-16", "hz", "idna", "x"]))
def test_any_bytes_give_text(payload: bytes, charset: str | None):
    for extractor in ("resiliparse", "plain"):
        extract(payload, charset, extractor).decode()


@given(st.text("\n\n\n\r \0a\t\u3000", max_size=40))
def test_tidied_lines_end_in_no_blank_and_two_of_them_are_never_empty(text: str):
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    assert tidy(text) == clean(re.sub(r"\n{3,}", "\n\n", lines))


def test_versions_name_the_library():
    assert extractor_version("resiliparse").startswith("resiliparse-1-resiliparse2.")
    assert "lxml" in extractor_version("trafilatura")
