"""What opens a string, a character or a regular expression in source code, and where it ends: read by `kernels.code`."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import compiled, decode

HASH, SLASHES, STARS, DASHES, SEMICOLON, PERCENT, BANG, PARENTHESES = 1, 2, 4, 8, 16, 32, 64, 128  # what opens a comment
TRIPLE, APOSTROPHE, BACKTICK, CHARACTER = 1 << 8, 1 << 9, 1 << 10, 1 << 11  # what opens a string, beside the quotation mark
DOCSTRINGS = 1 << 12  # three quotes at the start of a line are a comment
REGEX = 1 << 13  # a slash may open a regular expression, and an apostrophe within a word opens nothing (text of JSX)
URL = 1 << 14  # url(...) without quotes; a backslash outside strings takes the next character (CSS)
OVER_LINES = 1 << 15  # strings go over lines
RAW_R, RAW_AT, RAW_HASHES = 1 << 16, 1 << 17, 1 << 18  # r'\', @"\", r#"\"# and #"\"#
RAW_THREE = 1 << 19  # no escapes between three quotes, and the last three of a run end them
LINE_STRINGS = 1 << 20  # two backslashes open a string up to the end of the line (Zig)
DOLLAR, PREFIXED_DOLLAR, TEMPLATE_DOLLAR, BACKSLASH = 1 << 21, 1 << 22, 1 << 23, 1 << 24  # code in strings: ${…}, behind a name, \(…)
NESTED = 1 << 25  # comments between /* and */ hold others

# of an open string: how it goes on and ends; the bits above QUOTE_BITS, HASHES further up
QUOTE_BITS, THREE, MULTI, RAW, DOUBLED, BY_DOLLAR, BY_BACKSLASH, DOCUMENT, HASHES = 0xFF, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768
MOST_HASHES = 255

_OPERATORS = np.zeros(128, np.bool_)
for _sign in "(,=:[!&|?{;+-*%^~":
    _OPERATORS[ord(_sign)] = True


def _keys(words: str) -> np.ndarray:
    return np.array([int.from_bytes(word.encode(), "big") for word in words.split()], np.uint64)


_BEFORE_REGEX = _keys("return typeof case in of delete void do else throw yield await new")
_BEFORE_STRING = _keys("return typeof case in of from import export default as else throw yield await")


@compiled
def opens_string(style, point):  # type: ignore[no-untyped-def]
    return point == 0x22 or (point == 0x27 and style & APOSTROPHE != 0) or (point == 0x60 and style & BACKTICK != 0)


@compiled
def string_kind(data, at, first, stop, style, point, line_starts):  # type: ignore[no-untyped-def]
    """The bits of the string that the quote at byte `at` opens; the text is data[first:stop]. line_starts: nothing stands before it."""
    three = style & TRIPLE != 0 and point != 0x60 and at + 2 < stop and data[at + 1] == point and data[at + 2] == point
    before = data[at - 1] if at > first else np.uint8(0x20)
    kind = np.int64(point)
    if three:
        kind |= THREE | MULTI
        if style & RAW_THREE:
            kind |= RAW
        if line_starts and style & DOCSTRINGS:
            kind |= DOCUMENT
    if point == 0x60 or style & OVER_LINES:
        kind |= MULTI
    alone = at - 2 < first or not _in_name(data[at - 2])
    if style & RAW_R and (before == 0x72 or before == 0x52) and alone:
        kind |= RAW
    if style & RAW_AT and (before == 0x40 or (before == 0x24 and at - 2 >= first and data[at - 2] == 0x40)):
        kind |= RAW | MULTI | DOUBLED
    if style & RAW_HASHES and point == 0x22:
        signs = 0
        while at - 1 - signs >= first and signs < MOST_HASHES and data[at - 1 - signs] == 0x23:
            signs += 1
        opener = at - 1 - signs
        if (
            opener >= first
            and (data[opener] == 0x72)
            and (opener == first or not _in_name(data[opener - 1]) or data[opener - 1] in (0x62, 0x63))
        ):
            kind |= RAW | MULTI | signs * HASHES  # r"…", r#"…"#, br#"…"#
        elif signs and style & BACKSLASH:
            kind |= RAW | signs * HASHES  # Swift's; its \#(…) is not read
    if kind & RAW and not kind & THREE:
        return kind
    if style & DOLLAR or (style & TEMPLATE_DOLLAR and point == 0x60) or (style & PREFIXED_DOLLAR and _in_name(before)):
        kind |= BY_DOLLAR
    if style & BACKSLASH:
        kind |= BY_BACKSLASH
    return kind


@compiled
def _in_name(byte):  # type: ignore[no-untyped-def]
    return (0x61 <= byte | 0x20 <= 0x7A) or 0x30 <= byte <= 0x39 or byte == 0x5F or byte >= 0x80


@compiled
def _is_one_of(key, words):  # type: ignore[no-untyped-def]
    found = False
    for word in words:
        found |= key == word
    return found


@compiled
def apostrophe_in_word(key, in_name, following):  # type: ignore[no-untyped-def]
    """Whether the apostrophe stands within a word (don't), which no keyword before it explains (return'x')."""
    if not in_name or not _in_name(following):
        return False
    return not _is_one_of(key, _BEFORE_STRING)


@compiled
def may_open_regex(last, key, line_starts, following):  # type: ignore[no-untyped-def]
    """Whether a slash stands where an operand is due. last: what stands before it (0 nothing, 1 a word, whose key it is)."""
    if last == 1:
        return _is_one_of(key, _BEFORE_REGEX)
    if last == 0x7D:  # a block ends a statement, an object or an attribute of JSX does not
        return line_starts and following != 0x3E
    return last == 0 or (last < 128 and _OPERATORS[last])


@compiled
def regex_end(data, i, stop):  # type: ignore[no-untyped-def]
    """Byte after the slash that ends the regular expression whose body begins at byte i, or minus the end of the line that ends it."""
    in_class = False
    while i < stop and data[i] != 0x0A:
        if data[i] == 0x5C and i + 1 < stop and data[i + 1] != 0x0A:
            i += 2
            continue
        if data[i] == 0x5B:
            in_class = True
        elif data[i] == 0x5D:
            in_class = False
        elif data[i] == 0x2F and not in_class:
            return i + 1
        i += 1
    return -i


@compiled
def character_end(data, i, stop):  # type: ignore[no-untyped-def]
    """Byte of the apostrophe that ends 'x' or '\\n' whose content begins at byte i; 0 where it is a lifetime or a digit separator."""
    if i >= stop or data[i] == 0x27:
        return 0
    if data[i] == 0x5C:
        end = i + 2
        while end < stop and end < i + 12 and data[end] != 0x27 and data[end] != 0x0A:
            end += 1
    else:
        _, end = decode(data, i)
    return end if end < stop and data[end] == 0x27 else 0
