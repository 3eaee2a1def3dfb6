"""Signals of source code: golden files, an oracle for lines and letters, and what is no code."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gristmill.signals import code
from gristmill.signals.compute import compute_families


def table(*files: tuple[str, str], language: str = "code") -> pl.DataFrame:
    """One row per (name, text)."""
    rows = [(f"{n:03}", f"file://source/{name}", text, language) for n, (name, text) in enumerate(files)]
    documents = pl.DataFrame(rows, schema=dict.fromkeys(["doc_id", "url", "text", "language"], pl.String), orient="row")
    return compute_families(["code"], documents)["code"].drop("doc_id").rename(lambda name: name.removeprefix("code."))


def signals(text: str, name: str = "a.py", language: str = "code") -> dict[str, float]:
    return table((name, text), language=language).row(0, named=True)


@pytest.mark.parametrize(
    ("text", "name", "language"),
    [
        ("x = (", "a.py", "en"),
        ("int main() {", "a.c", "und"),
        ("", "a.py", "code"),
        ("", "a.c", "en"),
    ],
)
def test_what_is_no_code_is_neutral(text: str, name: str, language: str) -> None:
    assert signals(text, name, language) == code.NEUTRAL


def test_mixed_documents_keep_their_rows() -> None:
    rows = [
        ("000", "file://s/a.py", "x = 1", "code"),
        ("001", "http://p/a.py", "x = (", "en"),
        ("002", "file://s/b.py", "x = (", "code"),
        ("003", None, "x", None),
    ]
    documents = pl.DataFrame(rows, schema=dict.fromkeys(["doc_id", "url", "text", "language"], pl.String), orient="row")
    found = compute_families(["code"], documents)["code"]
    assert found["code.parses"].to_list() == [1, 1, 0, 1]
    assert found["code.is_code"].to_list() == [1, 0, 1, 0]


def test_golden_python_file() -> None:
    text = '''# Copyright 2020 Nobody
# Licensed under nothing

"""Adds."""
import os
import numpy as np
from .own import thing

TABLE = [10, 20.5, 0x1F]

def add(a, b):
    """The sum."""
    return a + b + np.one(os, thing)

def _private():
    return missing

class Thing:
    pass
'''
    found = signals(text)
    lines = text.split("\n")[:-1]
    solid = sum(not char.isspace() for char in text)
    comments = "#Copyright2020Nobody" + "#Licensedundernothing" + '"""Adds."""' + '"""Thesum."""'
    assert found == {
        "is_code": 1,
        "parses": 1,
        "max_line_length": max(map(len, lines)),
        "mean_line_length": round(sum(map(len, lines)) / len(lines), 6),
        "alphanumeric_share": round(sum(map(str.isalnum, text)) / solid, 6),
        "comment_share": round(len(comments) / solid, 6),
        "data_share": round(len("10,20.5,0x1F") / solid, 6),
        "documented_share": 0.5,
        "boilerplate_share": round((2 + 3) / sum(bool(line.strip()) for line in lines), 6),
        "generated": 0,
        "self_containedness": round(3 / 6, 6),  # of a, b, np, os, thing, missing: a, b and os
        "external_imports": 2,
        "undefined_names": 1,
    }


@pytest.mark.parametrize(
    ("name", "text", "parses"),
    [
        ("a.py", "def f(:\n", 0),
        ("a.py", "print 'two'", 0),
        ("a.py", "x = 1\0", 0),
        ("a.py", "match x:\n case {'a': b, **c}: pass", 1),
        ("a.py", r"'\d'", 1),
        ("a.py", "[" * 5_000, 0),
        ("a.py", "-" * 100_000 + "1", 0),
        ("a.py", "a" + ".b" * 100_000, 0),
        ("a.py", "1" + "+1" * 1_500, 0),
        ("a.py", "9" * 5_000, 0),
        ("a.py", "x = 1\n" * 200_000, 0),
        ("a.pyi", "def f() -> int: ...", 1),
        ("a.js", "f({a: [1, '}']}) // }\n/* { */ `{`", 1),
        ("a.js", "f({)}", 0),
        ("a.js", "f(", 0),
        ("a.js", ")", 0),
        ("a.rs", "fn f<'a>(x: &'a str) -> char { '}' }", 1),
        ("a.rs", "fn f() { '\\u{7D}' }", 1),
        ("a.rs", "fn f() {", 0),
        ("a.c", "#if A\nif (x) {\n#else\nif (y) {\n#endif\n" + "f();\n" * 50 + "}", 1),
        ("a.c", "int a = 1'000; char b = '\\''; f({)", 0),
        ("a.java", 'class A { String s = "{"; }', 1),
        ("a.java", 'class A { String s = "{\n; }', 1),
        ("a.go", "var a = `{\n`", 1),
        ("a.sh", "case x in a) ;; esac", 1),
        ("a.rb", "def f(", 1),
        ("a", "(", 1),
        ("a.css", "a { b: 'c' }", 1),
        ("a.zig", "(" * 5_000 + ")" * 5_000, 1),
    ],
)
def test_parses(name: str, text: str, parses: int) -> None:
    assert signals(text, name)["parses"] == parses


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.js", r'text.replace(/^[(]/, "")'),
        ("a.js", r"x = t.match(/\(/g); y = !/[/(]/.test(x)"),
        ("a.js", r"/^{(.*$/.test(y)"),
        ("a.ts", "a = b.split(/[{(]/)"),
        ("a.js", "return /[(]/.test(a) || x.map(y => /[{]/.test(y))"),
        ("a.js", "if (a) {\n}\n/[(]/.test(b)"),
        ("a.js", "a = b / c / (d); a = (b) / (c) / d; a = b[0] / (c) / d"),
        ("a.js", "a = / (\n)"),  # no regular expression: its line does not end it
        ("a.js", "`${ b.map(x => `${x})`) }`"),
        ("a.js", "`${ b.map(x => `(${ {a: '}'}.a }`) }(` // ("),
        ("a.js", "#!/usr/bin/env node's (\nf()"),
        ("a.js", "const s = 'a\\\n(b'"),
        ("a.js", "const s = 'a\\\r\n(b'"),
        ("a.jsx", "<p>Don't {x}</p>;\nf({a: <b c={d}/>, e: <b c={d}\n/>})"),
        ("a.js", "switch(x){case'(':return'('}"),
        ("a.css", "a { background: url(data:image/svg+xml;utf8,<svg(>) }"),
        ("a.css", "@import url(//x.y/z);\n@import url( '(' );\n.w-\\(1\\/2 {}"),
        ("a.scss", "a { b: url(//x.y/z) } // ("),
        ("a.dart", r"var a = r'(\'; var b = '${m['(']}'; var c = bar'(';"),
        ("a.dart", "var a = '''{'\n''';"),
        ("a.scala", 's"${x.get("(")}"; val a = "${"; val b = f"""${g(")")}("""'),
        ("a.scala", "val a = '('"),
        ("a.java", 'class A { String s = """\n {"\n \\""" (""";}'),
        ("a.kt", 'val a = """\\"""\nval b = "${m["("]}"; val c = """("""" + d'),
        ("a.swift", 'let a = "\\(f("("))"; let b = #"\\("#; let c = """\n("\n"""'),
        ("a.rs", 'let a = r#"("#; let b = "x\n ("; let c = br"\\"; let d = r##"("#("##;'),
        ("a.rs", "/* /* ( */ ( */ fn f() {}"),
        ("a.zig", "const a =\n  \\\\ (\n;"),
        ("a.cs", 'var a = @"\\"; var b = @"("""; var c = $@"\n(";'),
        ("a.c", '#define A "a\\\n(b"'),
        ("a.proto", "option a = '(';"),
    ],
)
def test_brackets_in_literals_are_none(name: str, text: str) -> None:
    assert signals(text, name)["parses"] == 1
    assert signals(f"{text}\n}}", name)["parses"] == 0  # the lexer is back in the code at the end


@pytest.mark.parametrize(("name", "parses"), [("a.js", (1, 0)), ("a.c", (1, 1)), ("a.swift", (1, 1))])
def test_how_many_brackets_may_stand_alone(name: str, parses: tuple[int, int]) -> None:
    assert tuple(signals("f()\n" * calls + "(", name)["parses"] for calls in (100, 30)) == parses
    assert signals("f()\n" * 100 + "(" * 9, name)["parses"] == 0


@pytest.mark.parametrize(
    ("name", "text", "comment"),
    [
        ("a.py", "x#c\n'#'#cc", "#c#cc"),
        ("a.py", 'r"""doc"""\nx = """no doc"""', 'r"""doc"""'),
        ("a.py", "'''open", "'''open"),
        ("a.py", "x = '''#'''", ""),
        ("a.c", "x//c\n\"//\"/*d\n*/y'/'", "//c/*d*/"),
        ("a.c", "/*/ x */ y", "/*/x*/"),
        ("a.c", "#include <x>", ""),
        ("a.sql", "x -- c\n'--' /* d */", "--c/*d*/"),
        ("a.ml", "(* c *) x (+)", "(*c*)"),
        ("a.ml", "(*) x *)", "(*)x*)"),
        ("a.lisp", "(x) ; c", ";c"),
        ("a.erl", "% c", "%c"),
        ("a.f90", "x ! c", "!c"),
        ("a.js", "`//\n//` // \\", "//\\"),
        ("a.unknown", "# // x", ""),
        ("a.py", "x = 'é\\'#' # é", "#é"),
        ("a.sh", "'a\\", ""),
    ],
)
def test_comments(name: str, text: str, comment: str) -> None:
    solid = sum(not char.isspace() for char in text)
    assert signals(text, name)["comment_share"] == round(len(comment) / solid, 6)


@pytest.mark.parametrize(
    ("name", "text", "data"),
    [
        ("a.py", "x1 = [1, 2.5,3]", 7),
        ("a.py", "x = '" + "a" * 300 + "'", 302),
        ("a.py", "x = '" + "a" * 100 + "'", 0),
        ("a.py", "x = '''" + "a\n" * 300 + "'''", 306),
        ("a.py", "'''" + "a\n" * 300 + "'''", 0),
        ("a.c", '"' + "a" * 300, 301),
        ("a.c", "0xFF_u8 a1 _2", 7),
        ("a.py", "1.real 2e5", 9),
    ],
)
def test_data(name: str, text: str, data: int) -> None:
    assert signals(text, name)["data_share"] == round(data / sum(not char.isspace() for char in text), 6)


@pytest.mark.parametrize(
    ("text", "generated"),
    [
        ("// Code generated by protoc-gen-go. DO NOT EDIT.", 1),
        ("# @generated", 1),
        ("/* This file is auto-generated */", 1),
        ("# Generated by Django 4.2 on", 1),
        ("# the list is generated by walking", 0),
        ("# do not edit while it runs", 0),
        ("x\n" * 1_500 + "# @generated", 0),
    ],
)
def test_generated(text: str, generated: int) -> None:
    assert signals(text)["generated"] == generated


@pytest.mark.parametrize(
    ("name", "text", "share"),
    [
        ("a.py", "# Copyright me\n#\n\nx = 1\ny = 2", 0.5),
        ("a.c", "/* MIT\n * License\n */\n#include <x>\nint x;", 0.8),
        ("a.py", "# about\nx = 1", 0),
        ("a.py", '"""Copyright"""\nx = 1', 0),
        ("a.rs", "use std::io;\nfn f() {}", 0.5),
        ("a.py", "import a\nfrom b import c", 1),
        ("a.py", "importance = 1", 0),
    ],
)
def test_boilerplate(name: str, text: str, share: float) -> None:
    assert signals(text, name)["boilerplate_share"] == round(share, 6)


@pytest.mark.parametrize(
    ("text", "share", "external", "undefined"),
    [
        ("print(len(x))", 0.666667, 0, 1),
        ("from m import *\nf()", 0, 1, 1),
        ("import os.path as p, sys\np, sys", 1, 0, 0),
        ("from . import a\nfrom .b import c\na, c", 0, 2, 0),
        ("import re, requests\nre, requests", 0.5, 1, 0),
        ("def f(a, *b, **c):\n global g\n return a, b, c, g, f", 1, 0, 0),
        ("try: 1\nexcept E as e: e", 0.5, 0, 1),
        ("[x for x in y]", 0.5, 0, 1),
        ("match q:\n case [a, *b]: a, b", 0.666667, 0, 1),
        ("try:\n import j\nexcept ImportError:\n j = None\nj", 1, 1, 0),
        ("1", 1, 0, 0),
    ],
)
def test_self_containedness(text: str, share: float, external: int, undefined: int) -> None:
    found = signals(text)
    assert (found["self_containedness"], found["external_imports"], found["undefined_names"]) == (share, external, undefined)


SUFFIXES = st.sampled_from([
    "a.py", "a.c", "a.rs", "a.js", "a.sql", "a.ml", "a.lisp", "a.sh", "a", "a.go", "a.hs", "a.f90", "a.erl",
    "a.css", "a.scala", "a.kt", "a.swift", "a.dart", "a.java", "a.cs", "a.zig",
])  # fmt: skip
PIECES = st.sampled_from([
    *"#'\"`\\()[]{}/*-;%!.,a1_ \n\t", "'''", '"""', "//", "/*", "*/", "(*", "*)",
    "--", "é", "你", "\u0301", "\u200d", "\0", "1.5", "import x\n", "def f(): pass\n",
    "r'''", "${", "\\(", "url(", "return", "=", "s\"", 'r#"', '"#', "@\"", "\\\\", "/[",
])  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(SUFFIXES, st.lists(PIECES, max_size=25).map("".join)), min_size=1, max_size=4))
def test_any_file_has_bounded_signals_and_counted_lines(files: list[tuple[str, str]]) -> None:
    together = table(*files)
    assert pl.concat([table(file) for file in files]).equals(together)
    for (_, text), row in zip(files, together.iter_rows(named=True), strict=True):
        if not text:
            continue
        lines = text.split("\n")
        lines = lines if lines[-1] else lines[:-1]
        assert row["max_line_length"] == max(map(len, lines))
        assert row["mean_line_length"] == round(sum(map(len, lines)) / len(lines), 6)
        assert all(0 <= row[name] <= 1 for name in row if name.endswith(("share", "ness")) or name in ("parses", "generated", "is_code"))


@settings(max_examples=200, deadline=None)
@given(SUFFIXES, st.text(st.sampled_from("aZé你1 \n\t.=+"), min_size=1, max_size=40))
def test_letters_and_digits_are_counted_wherever_they_stand(name: str, text: str) -> None:
    solid = sum(not char.isspace() for char in text)
    assert signals(text, name)["alphanumeric_share"] == round(sum(map(str.isalnum, text)) / max(solid, 1), 6)


@pytest.mark.parametrize("name", ["a.py", "a.c", "a.js"])
@pytest.mark.parametrize(
    "piece", ["x", "(", "'", '"', "/*", "'''", "\\", "a ", "=/[", "`${", "\n", "#\n", "1,", "\0", "你", "from . import x\n", "@generated"]
)
def test_large_and_odd_files(name: str, piece: str) -> None:
    found = signals(piece * (500_000 // len(piece)), name)
    assert set(found) == set(code.SIGNALS)
