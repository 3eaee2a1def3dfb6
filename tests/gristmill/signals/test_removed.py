"""What the rules about lines removed: by hand, and over any text that loses any lines."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.edits.lines import find_line_edits
from gristmill.edits.spans import SCHEMA
from gristmill.policy.profiles import refinedweb
from gristmill.policy.rules import Rule
from gristmill.signals.chunk import Chunk, References
from gristmill.signals.removed import compute


def shares(edits: pl.DataFrame, *texts: str) -> list[tuple[float, float, float]]:
    frame = pl.DataFrame({"doc_id": [str(n) for n in range(len(texts))], "text": texts}, schema={"doc_id": pl.String, "text": pl.String})
    found = compute(Chunk(frame), References(edits=edits))
    return list(zip(*(found[name].tolist() for name in ("line_share", "word_share", "char_share")), strict=True))


def rows(*edits: tuple[str, int, int, str]) -> pl.DataFrame:
    return pl.DataFrame([(doc, start, end, "", rule) for doc, start, end, rule in edits], schema=SCHEMA, orient="row")


def test_shares_of_lines_words_and_characters() -> None:
    text = "one two three\nfour\n\nfive six"  # lines 0-13, 14-18, 19, 20-28
    edits = rows(("1", 14, 19, "a.rule"), ("1", 2, 5, "strip.citations"), ("1", 20, 22, "pii.email"), ("9", 0, 1, "a.rule"))
    assert shares(edits, "", text, "kept") == [(0, 0, 0), (1 / 3, 1 / 6, 5 / 28), (0, 0, 0)]
    assert shares(rows(("0", 0, 14, "a"), ("0", 14, 19, "a"), ("0", 19, 28, "a")), text) == [(1, 1, 1)]


def test_the_documents_edits_are_needed() -> None:
    with pytest.raises(ValueError, match="edits"):
        compute(Chunk(pl.DataFrame({"doc_id": ["a"], "text": ["b"]})), References())


@given(st.lists(st.text(alphabet="ab1 A\n\r\u2028", max_size=40), max_size=4), st.sampled_from([*refinedweb.LINE_RULES]))
@settings(max_examples=200, deadline=None)
def test_any_text_and_rule(texts: list[str], rule: Rule) -> None:
    frame = pl.DataFrame({"doc_id": [str(n) for n in range(len(texts))], "text": texts}, schema={"doc_id": pl.String, "text": pl.String})
    edits = find_line_edits(frame, [rule])
    for n, found in enumerate(shares(edits, *texts)):
        own = edits.filter(pl.col("doc_id") == str(n))
        gone = [texts[n][start:end] for start, end in own.select("start", "end").iter_rows()]
        lines = [line for line in texts[n].splitlines() if line.strip()]
        words = sum(len(line.split()) for line in gone)
        expected = (
            len([g for g in gone if g.strip()]) / max(len(lines), 1),
            words / max(len(texts[n].split()), 1),
            sum(map(len, gone)) / max(len(texts[n]), 1),
        )
        assert found == pytest.approx(expected)
