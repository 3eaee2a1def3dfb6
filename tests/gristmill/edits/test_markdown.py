"""Markdown stripping: what goes, what is left alone, and that code survives and a second time finds nothing."""

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.edits.markdown import RULE, find_markdown_edits
from gristmill.signals.kernels.markdown import LONGEST_LINE


def frame(texts: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"doc_id": [f"{n:04}" for n in range(len(texts))], "text": texts}, schema={"doc_id": pl.String, "text": pl.String})


def strip(*texts: str) -> list[str]:
    """The texts without what the edits remove; the edits must be sound."""
    edits = find_markdown_edits(frame(list(texts)))
    out = list(texts)
    last = ("", 0)
    for doc_id, start, end, replacement, rule in edits.iter_rows():
        assert rule == RULE and replacement == "" and start < end <= len(texts[int(doc_id)])
        assert (doc_id, start) > last  # in order, apart
        last = (doc_id, end)
    for doc_id, start, end, *_ in reversed(edits.rows()):
        out[int(doc_id)] = out[int(doc_id)][:start] + out[int(doc_id)][end:]
    return out


STRIPPED = {
    "# Title": "Title",
    "\n###### Deep one ##\n": "\nDeep one\n",
    "#\tTabbed\r\n": "Tabbed\r\n",
    "a\n\n## B\n\nc": "a\n\nB\n\nc",
    "some *em*, **strong** and ***both***.": "some em, strong and both.",
    "_em_ __two words__ ~~gone~~ (*x*)": "em two words gone (x)",
    "**bold _in_ bold** *and **bold** in*": "bold in bold and bold in",
    "“**quoted**”, **note:** and**重点**内容 **중요**한": "“quoted”, note: and**重点**内容 중요한",
    "这是**重点**内容": "这是重点内容",
    "see [the mill](http://a.org/b_c?d=*e*).": "see the mill.",
    "[a](b \"title\") [c](d 't (x)') [e]()": "a c e",
    "![a wheel](wheel.png) and [![badge](b.svg)](http://c.org)[next](d)": "a wheel and badgenext",
    "[wiki](http://a.org/B_(c)) [nested [x] y](z)": "wiki nested [x] y",
    "use `grind()` or ``sift``": "use grind() or sift",
    "> quoted\n> > twice\n>\n> end": "quoted\ntwice\nend",
    "| a | b |\n|---|:-:|\n| 1 | 2 |": "| a | b |\n| 1 | 2 |",
    "a | b\n--- | ---\n1 | 2": "a | b\n1 | 2",
    "a <!-- note --> b": "a  b",
    "<!-- one line -->\na\n<!--\nof **several**\n-->\nb": "a\nb",
    "```python\nx = a*b*c\n```\nend": "x = a*b*c\nend",
    "~~~\nplain\n~~~": "plain\n",
    "- [ ] *item*\n* item\n1. **one**": "- [ ] item\n* item\n1. one",
    "# A *b* [c](d) `e`": "A b c e",
    "# # Twice": "Twice",
    "# Title\n```\nx\n```": "Title\nx\n",
    "# Title\n<!-- c -->\n\ntext": "Title\n\ntext",
}


@pytest.mark.parametrize("text", STRIPPED, ids=ascii)
def test_what_goes(text: str) -> None:
    assert strip(text) == [STRIPPED[text]]


LEFT = [
    "",
    "plain text, as it is.",
    "2 * 3 * 4 = 24 and a*b*c",
    "snake_case, _private, __init__ and __call__ twice_over_",
    "f(*args, **kwargs) *.py *.* char *a, *b; int** p",
    "f(_a: int | None = None, type_: str) {*}*",
    "#include <x.h>\n#tag C# #1\n#\n##\n####### seven",
    "issue # 5 and # in prose # here",
    "# a comment\nx = 1\n# another\n# one more\ny = 2",
    "x = 1\n# a comment\n\ny",
    "http://a.org/_b_/c_d_e and https://a.org/x*y*z",
    "a[i](x) m[0](y) f()[1](z) []()",
    "\\*not\\* \\[not](this) \\`no\\`",
    "    indented *code* [a](b)\n\t# and this",
    ">>> print('*a*')\n... '*b*'\n>no mark\n>\n",
    "it costs 5 > 3 and a < b -> c <!-- open",
    "<p><!--x--></p>",
    "`*args*` and [x](`y`)",
    "`# so`",
    "```sh\n# so\n```",
    "```\nnever closed\n# x\n**y**",
    "> ```\n> *x*\n> ```",
    "````\n```\n*x*\n```\n````",
    "```\n<!--\n```",
    "***\n---\n* * *\n___\nTitle\n=====",
    "[ref][1]\n\n[1]: http://a.org",
    "<!-- a\n*x*\n--> tail *y*",
    "` `` ``` unmatched ** * _ __ [ ]( ![",
    "+----+\n|----| x",
    "# ...\n\n# -x",
]


@pytest.mark.parametrize("text", LEFT, ids=ascii)
def test_what_is_left_alone(text: str) -> None:
    assert strip(text) == [text]


def test_source_code_is_left_alone() -> None:
    documents = frame(["# Title", "# Comment"]).with_columns(language=pl.Series(["en", "code"]))
    assert find_markdown_edits(documents)["doc_id"].to_list() == ["0000"]


def test_no_documents() -> None:
    assert find_markdown_edits(frame([])).shape == (0, 5)


SYNTAX = [
    '#', '##', '*', '**', '***', '_', '__', '`', '``', '```', '~~~', '~~', '[', ']', '(', ')', '](', '![', '<!--', '-->', '>', '-',
    '1.', '|', '---', '|---|', 'a', 'b', 'foo', 'é', '中', '\\', 'http://x/_y_', 'x_y', '"t"', '.', ':', "'", '=', ';', '>>>',
]  # fmt: skip
MARKDOWN = st.lists(st.sampled_from([*SYNTAX, " ", "  ", "    ", "\n", "\n\n", "\t", "\r"]), max_size=40).map("".join)


@settings(max_examples=500, deadline=None)
@given(st.lists(MARKDOWN | st.text(max_size=40), max_size=4))
def test_stripping_twice_is_stripping_once(texts: list[str]) -> None:
    once = strip(*texts)
    assert strip(*once) == once
    assert [strip(text)[0] for text in texts] == once  # whatever stands beside it


@settings(max_examples=300, deadline=None)
@given(MARKDOWN)
def test_letters_outside_links_and_comments_stay(text: str) -> None:
    text = text.replace("](", "] (").replace("<!--", "<! --").replace("```", "``").replace("~~~", "~~")
    assert [c for c in strip(text)[0] if c.isalnum()] == [c for c in text if c.isalnum()]


CODE = MARKDOWN.map(lambda text: re.sub("`{3,}", "``", text))


@settings(max_examples=300, deadline=None)
@given(CODE, st.sampled_from(["", "text\n\n", "# Title\n\n", "> quote\n", "- item\n"]), st.sampled_from(["", "\n*after*", "\n# So\n"]))
def test_fenced_code_stays(code: str, before: str, after: str) -> None:
    assert f"{code}\n" in strip(f"{before}```\n{code}\n```{after}")[0]


@settings(max_examples=300, deadline=None)
@given(CODE.map(lambda text: text.replace("`", "").replace("\n", "").replace("\r", "")), st.sampled_from(["", "a ", "*a* ", "> ", "- "]))
def test_code_in_a_line_stays(code: str, before: str) -> None:
    for stripped in strip(f"{before}x`{code}`y **b**") if code else ():
        assert f"x{code}y" in stripped or f"x`{code}`y" in stripped


@pytest.mark.parametrize(
    "unit",
    [
        '*', '**', '_a', '*a* ', '[', '[a](', '[a](b', '[a](b "', "[a](b '", '](', '`', '` `` ', '``a`', '<!--', '<!-- x ', '> ',
        '# ', '(', '[(', '*a **b _c ', '\\', '~~', 'a\n```\n', '<!--\n', '-->\n', '|-', '# a\n', '*(*', '[![a](b)', '\u200b*a',
        '\t>',
    ],
)  # fmt: skip
def test_linear_and_sound_on_one_thing_over_and_over(unit: str) -> None:
    """Seconds would pass here, or minutes, if any of it were quadratic."""
    lines = [unit * (60_000 // len(unit)), (unit * 40 + "\n") * (60_000 // (len(unit) * 40))]
    once = strip(*lines)
    assert strip(*once) == once


def test_a_line_of_many_megabytes_is_left_alone() -> None:
    line = "*a* " * (LONGEST_LINE // 2)
    assert strip(line, line + "\n*b*") == [line, line + "\nb"]
