"""Views: which edits each stage sees."""

from collections.abc import Iterator

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill import views
from gristmill.errors import ContractError
from gristmill.lake.contracts import CONTRACTS
from gristmill.lake.hashing import text_hash

NO_EDITS, NO_CUTS = CONTRACTS["edits"].empty(), CONTRACTS["cuts"].empty()


@pytest.fixture(params=["few edits, in Python", "many, compiled"], scope="module", autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(views, "FEW", views.FEW if request.param.startswith("few") else -1)
        yield


def documents(**texts: str) -> pl.DataFrame:
    rows = [(doc_id, text, text_hash(text), 1) for doc_id, text in texts.items()]
    return pl.DataFrame(rows, schema=["doc_id", "text", "text_hash", "more"], orient="row")


def edits(*rows: tuple[str, int, int, str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=CONTRACTS["edits"].schema, orient="row")


def test_without_edits_text_and_hash_pass_as_they_are() -> None:
    given = documents(b="two", a="one")
    assert views.final(given, NO_EDITS, NO_CUTS).equals(given.select(views.COLUMNS))
    assert views.clean(given.head(0), NO_EDITS).height == 0


def test_masks_belong_to_the_final_view_alone() -> None:
    given = documents(b="é write to x@y.zz or z@y.zz", a="one")
    masked = edits(("b", 21, 27, "M", "pii.email"), ("b", 11, 17, "LONGER", "pii.email"))
    assert views.clean(given, masked).equals(given.select(views.COLUMNS))
    final = views.final(given, masked, NO_CUTS)
    assert final["doc_id"].to_list() == ["b", "a"]
    assert final["text"][0] == "é write to LONGER or M"
    assert final["text_hash"].to_list() == [text_hash("é write to LONGER or M"), text_hash("one")]
    assert given["text_hash"][0] == text_hash(given["text"][0])  # what is read is not written to


def test_edits_of_documents_that_are_not_there_change_nothing() -> None:
    given = documents(a="one")
    assert views.final(given, edits(("z", 0, 1, "", "pii.ip")), NO_CUTS).equals(given.select(views.COLUMNS))


@pytest.mark.parametrize("rows", [
    [("a", 0, 4, "", "pii.ip")],
    [("a", 0, 2, "", "pii.ip"), ("a", 1, 3, "", "pii.email")],
    [("a", 2, 1, "", "pii.ip")],
])  # fmt: skip
def test_spans_that_cannot_be_applied_are_refused(rows: list[tuple[str, int, int, str, str]]) -> None:
    with pytest.raises(ContractError, match="overlaps another one or leaves the text"):
        views.final(documents(a="one"), edits(*rows), NO_CUTS)


def test_masks_have_offsets_in_the_clean_view_and_every_other_rule_in_the_extracted_one() -> None:
    given = documents(a="menu\nwrite to x@y.zz")
    both = edits(("a", 0, 5, "", "my.menu"), ("a", 9, 15, "M", "pii.email"))
    assert views.clean(given, both)["text"][0] == "write to x@y.zz"
    assert views.final(given, both, NO_CUTS)["text"][0] == "write to M"


@settings(deadline=None)
@given(st.text(max_size=30), st.lists(st.integers(0, 30), max_size=8), st.text(max_size=3))
def test_applying_spans_is_what_slicing_says(text: str, cuts: list[int], replacement: str) -> None:
    bounds = sorted({min(cut, len(text)) for cut in cuts})
    spans = list(zip(bounds[::2], bounds[1::2], strict=False))
    expected = text
    for start, end in reversed(spans):
        expected = expected[:start] + replacement + expected[end:]
    rows = [("a", start, end, replacement, "pii.ip") for start, end in spans]
    assert views.final(documents(a=text), edits(*reversed(rows)), NO_CUTS)["text"][0] == expected


def test_the_final_view_leaves_out_what_is_cut_and_masks_the_rest() -> None:
    given = documents(a="menu\nwrite to me@mill.example or you@mill.example\nend")
    cut = pl.DataFrame(
        [("a", 0, 5, "dedup.line", 9, None, None), ("a", 20, 28, "dedup.substring", 2, "b", None)], schema=NO_CUTS.schema, orient="row"
    )
    mask = edits(("a", 14, 29, "M", "pii.email"), ("a", 33, 49, "N", "pii.email"))
    assert given["text"][0][14:29] == "me@mill.example" and given["text"][0][33:49] == "you@mill.example"
    assert views.final(given, mask, cut)["text"][0] == "write to M or N\nend"


def test_lines_that_go_together_and_what_replaces_one_of_them() -> None:
    given = documents(a="one\ntwo\nthree\nfour\n", b="étè\nfin")
    rows = [
        ("a", 0, 4, "", "x"),
        ("a", 4, 8, "", "y"),
        ("a", 8, 14, "3", "x"),
        ("a", 14, 18, "", "x"),
        ("b", 0, 0, "> ", "x"),
        ("b", 0, 4, "", "y"),
    ]
    assert views.clean(given, edits(*rows))["text"].to_list() == ["3\n", "> fin"]
    assert views.clean(given, edits(*reversed(rows))).equals(views.clean(given, edits(*rows)))


def test_without_hashes_no_text_is_hashed() -> None:
    given, gone = documents(a="one two", b="three"), edits(("a", 0, 4, "", "x"))
    assert views.clean(given.drop("text_hash"), gone).equals(views.clean(given, gone).drop("text_hash"))


_PIECES = st.text(st.sampled_from("ab \né是😀"), max_size=150)


@settings(deadline=None)
@given(st.lists(st.tuples(_PIECES, st.lists(st.tuples(st.integers(0, 150), st.text(max_size=2)), max_size=8)), min_size=1, max_size=6))
def test_many_texts_with_many_edits(drawn: list[tuple[str, list[tuple[int, str]]]]) -> None:
    expected, rows = [], []
    for number, (text, cuts) in enumerate(drawn):
        bounds = sorted((min(at, len(text)), replacement) for at, replacement in cuts)
        spans = [(a, b, replacement) for (a, replacement), (b, _) in zip(bounds[::2], bounds[1::2], strict=False)]
        spans = [span for span, before in zip(spans, [None, *spans], strict=False) if before is None or span[0] > before[0]]
        rows += [(f"{number}", *span, "x") for span in spans]
        for start, end, replacement in reversed(spans):
            text = text[:start] + replacement + text[end:]
        expected.append(text)
    given = documents(**{f"{number}": text for number, (text, _) in enumerate(drawn)})
    found = views.clean(given, edits(*rows))
    assert found["text"].to_list() == expected
    assert found["text_hash"].to_list() == [text_hash(text) for text in expected]
