import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gristmill.crawl import urls
from gristmill.crawl.urls import canonical_url, capture_id, doc_id, file_url, host_of


@pytest.mark.parametrize(
    ("given_url", "canonical"),
    [
        ("HTTP://Example.COM", "http://example.com/"),
        ("http://example.com:80/a", "http://example.com/a"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("https://example.com:8443/a", "https://example.com:8443/a"),
        ("http://example.com./a", "http://example.com/a"),
        ("http://example.com/a#part", "http://example.com/a"),
        ("<http://example.com/a>", "http://example.com/a"),
        (" http://example.com/a\n", "http://example.com/a"),
        ("http://user:secret@example.com/a", "http://example.com/a"),
        ("http://example.com/?b=2&a=1", "http://example.com/?a=1&b=2"),
        ("http://example.com/?a=", "http://example.com/?a="),
        ("http://example.com/?", "http://example.com/"),
        ("http://example.com/a?utm_source=x&id=7&fbclid=y", "http://example.com/a?id=7"),
        ("http://example.com/a?UTM_Campaign=x", "http://example.com/a"),
        ("http://example.com/%7euser/%e2%82%ac", "http://example.com/~user/%E2%82%AC"),
        ("http://example.com/€ uro", "http://example.com/%E2%82%AC%20uro"),
        ("http://example.com/a/./b/../c", "http://example.com/a/c"),
        ("http://example.com/a/..", "http://example.com/"),
        ("http://example.com/../../a", "http://example.com/a"),
        ("http://example.com/a//b", "http://example.com/a//b"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://BÜCHER.example/", "http://xn--bcher-kva.example/"),
        ("http://[2001:DB8::1]:80/", "http://[2001:db8::1]/"),
        ("http://my_host.example/", "http://my_host.example/"),
        ("http://192.0.2.7/x", "http://192.0.2.7/x"),
    ],
)
def test_spellings_of_one_address_come_out_equal(given_url: str, canonical: str):
    assert canonical_url(given_url) == canonical
    assert canonical_url(canonical) == canonical


def test_http_and_https_and_www_stay_apart():
    assert len({canonical_url(url) for url in ("http://a.example/", "https://a.example/", "http://www.a.example/")}) == 3


@pytest.mark.parametrize(
    "url",
    ["", "about:blank", "/a", "http://", "http:///a", "mailto:a@b.example", "http://[oops/", "http://a b/", "http://x.example:99999/"],
)
def test_what_is_no_address_is_refused(url: str):
    with pytest.raises(ValueError):
        canonical_url(url)


@given(st.from_regex(urls.PLAIN, fullmatch=True))
@example("http://0x7f.1/a?b=c")
@example("http://xn--a/a..b/~c?d.=")
@example(f"http://{'a' * 70}.example/a-/_?-=-")
@example("http://a.example/a?gclid=1")
@example("http://a.example/a?GCLID=1")
@settings(max_examples=500)
def test_a_plain_address_is_what_the_long_way_makes_of_it(url: str):
    long_way = urls._once(url)
    assert canonical_url(url) == long_way
    assert urls._once(long_way) == long_way


@given(st.text(max_size=60), st.text(max_size=40), st.text(max_size=30))
def test_canonical_is_idempotent(path: str, query: str, fragment: str):
    url = f"http://example.com/{path}?{query}#{fragment}"
    try:
        canonical = canonical_url(url)
    except ValueError:
        assume(False)
    assert canonical_url(canonical) == canonical
    assert host_of(canonical) == "example.com" or "@" in path
    assert canonical.isascii()


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_a_value_error(text: str):
    for url in (text, f"http://{text}", f"https://{text}/x"):
        try:
            canonical = canonical_url(url)
        except ValueError:
            continue
        assert canonical_url(canonical) == canonical


def test_identities_do_not_change():
    assert doc_id("http://example.com/", "sha256:00") == "5b9881ac208b3d526478be659f40b58c"
    assert capture_id("a", "b", "c") == capture_id("a", "b", "c") != capture_id("ab", "", "c")


def test_files_have_urls_of_their_own():
    assert file_url("code", "a b/ü.py") == "file://code/a%20b/%C3%BC.py"
