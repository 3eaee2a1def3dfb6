"""The kernel tidies as `content.tidy` does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.crawl.content import tidy
from gristmill.crawl.tidy import tidied

BLANKS = "\n\n\n\n  \t\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000"


def same(text: str) -> bool:
    return tidied(text.encode("utf-8", "surrogatepass")) == tidy(text)


@given(
    st.text(
        st.one_of(st.sampled_from(BLANKS), st.sampled_from("aé中🦔\u200b"), st.sampled_from("\0\r\ud800한"), st.characters()), max_size=80
    )
)
def test_any_text(text: str):
    assert same(text)


@given(st.lists(st.sampled_from(["", " ", "\u2003\t", "word", " word ", "中" * 40, "x" * 63, "x" * 64, "x" * 65 + "\xa0"]), max_size=30))
def test_lines(lines: list[str]):
    assert same("\n".join(lines)) and same("\n".join(lines) + "\n")


@pytest.mark.parametrize("text", ["", "\n", " \n\n ", "\u3000", "a", "a\n\n\n\nb", "a \n \n \n b ", "\ud800 \n", "a\r\n\r\n\r\nb"])
def test_edges(text: str):
    assert same(text)
