"""Masks: what is an address, what it becomes, and that neither order nor sharding matters."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill import views
from gristmill.edits import EMAIL_MASKS, apart, find_edits
from gristmill.lake.contracts import conform
from gristmill.lake.hashing import text_hash


def texts(*values: str) -> pl.DataFrame:
    rows = [(f"{n:03}", value) for n, value in enumerate(values)]
    return pl.DataFrame(rows, schema={"doc_id": pl.String, "text": pl.String}, orient="row")


def found(text: str, **which: bool) -> list[str]:
    edits = find_edits(texts(text), **{"mask_email": True, "mask_ip": True, **which})
    return [text[start:end] for start, end in edits.select("start", "end").iter_rows()]


@pytest.mark.parametrize(("text", "addresses"), [
    ("write to jo.doe+x@mail.server.org.", ["jo.doe+x@mail.server.org"]),
    ("<é.ü@uni-köln.de> <a_b@c-d.io>", ["a_b@c-d.io"]),
    ("mailto:me@host.com?subject=x", ["me@host.com"]),
    ("a@b.com,c@d.com\nü a@b.com", ["a@b.com", "c@d.com", "a@b.com"]),
    ("@app.route and x@y and x@y.1z and @@ and a@b.c", []),
    ("you@example.com me@mail.example.org root@host.invalid", []),
    ("x" * 65 + "@host.com", []),
    ("server 8.8.8.8, 212.78.10.32:80/x", ["8.8.8.8", "212.78.10.32"]),
    ("10.1.2.3 127.0.0.1 192.168.0.1 192.0.2.7 239.0.0.1 0.0.0.0", []),
    ("1.2.3.4.5 and v1.2.3.4 and 256.1.1.1 and 1.2.3.4a and 01.2.3.4", []),
    ("4.8.1.4. From file\nsee Section\u00a043.7.2.1, version 3.8.10.1 and § 5.4.3.2", []),
    ("at 4.8.1.4\n  212.8.1.4 begins a line", ["4.8.1.4", "212.8.1.4"]),
    ("ping 2a00:1450:4001:82b::200e or ::1 or fe80::1", ["2a00:1450:4001:82b::200e"]),
    ("12:30:45, a::b, std::vector, x[1:2:3], 2001:db8::7", []),
    ("x@y.com-x@y.com +me@host.com.uk", ["x@y.com", "x@y.com", "me@host.com.uk"]),
    ("root@8.8.8.8 and 8.8.4.4@mail.com", ["8.8.8.8", "8.8.4.4@mail.com"]),
    ("", []),
])  # fmt: skip
def test_what_is_masked(text: str, addresses: list[str]) -> None:
    assert found(text) == addresses


def test_each_mask_can_be_switched_off() -> None:
    text = "me@host.com at 8.8.8.8"
    assert found(text, mask_ip=False) == ["me@host.com"]
    assert found(text, mask_email=False) == ["8.8.8.8"]
    assert found(text, mask_email=False, mask_ip=False) == []


def test_masks_are_pinned() -> None:
    """Golden: another choice is another corpus, and asks for another VERSION."""
    rows = find_edits(texts("Me@Host.com me@host.com you@host.com 8.8.8.8 8.8.4.4 2a00::1"), mask_email=True, mask_ip=True)
    assert rows["replacement"].to_list() == [
        "firstname.lastname@example.org", "firstname.lastname@example.org", "email@example.com",
        "198.51.100.93", "203.0.113.165", "2001:db8::f4ea",
    ]  # fmt: skip
    assert set(rows.filter(pl.col("rule") == "pii.email")["replacement"]) <= set(EMAIL_MASKS)


def test_overlapping_spans_leave_the_earliest_then_the_longest() -> None:
    spans = [(3, 9, "", "b"), (0, 4, "", "b"), (0, 5, "", "a"), (5, 6, "", "c"), (5, 6, "", "a")]
    assert apart(iter(spans)) == [(0, 5, "", "a"), (5, 6, "", "a")]


PIECES = st.sampled_from([*"ab1.:@ \n-é", "8.8.8.8", "x@y.com", "2a00::1", "fe80::", "Section ", "example.com", "你"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(PIECES, max_size=12).map("".join), max_size=6))
def test_masking_is_sound_stable_and_complete(values: list[str]) -> None:
    given = texts(*values)
    edits = conform("edits", find_edits(given, mask_email=True, mask_ip=True))
    one_by_one = [find_edits(given[row], mask_email=True, mask_ip=True) for row in reversed(range(given.height))]
    assert edits.equals(conform("edits", pl.concat([edits.head(0), *one_by_one])))
    hashed = given.with_columns(text_hash=pl.Series([text_hash(value) for value in values], dtype=pl.String))
    masked = views.final(hashed, edits)
    assert find_edits(masked, mask_email=True, mask_ip=True).is_empty()
