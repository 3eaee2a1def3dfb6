"""Lines, comments, literals and brackets of source code: one pass over the UTF-8 bytes of a whole column.

A lexer for families of languages, told by flags (`kernels.code_literals`) what opens a comment and what a string, and
what stands in strings as code. It reads what every language of the family shares, so a construct of one (a
here-document, the text between tags of JSX) may be misread; a string that its line does not close ends there, if its
language has it so, so that a misreading seldom runs on.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels import code_literals as k
from gristmill.signals.kernels.base import class_of, compiled, decode
from gristmill.signals.kernels.code_literals import (
    apostrophe_in_word,
    character_end,
    may_open_regex,
    opens_string,
    regex_end,
    string_kind,
)
from gristmill.signals.segment import DIGIT, FORMAT, LETTER, SPACE

LINES, CHARS, LONGEST_LINE, SOLID, ALPHANUMERIC, COMMENT, DATA, BRACKETS, UNMATCHED, HEAD, N_COUNTS = range(11)

LONG_STRING = 200  # characters; a longer one is data
DEEPEST = 4096  # brackets open at once; deeper ones are unmatched

_CODE, _LINE_COMMENT, _BLOCK_COMMENT, _STRING, _LITERAL = range(5)
_WORD, _OPERAND = 1, 0x22  # what stood last, beside a sign's own code point
_URL = 0x75726C  # the key of the word `url`


@compiled
def code_counts(data, offsets, styles, classes):  # type: ignore[no-untyped-def]
    """int64 [texts, N_COUNTS]. Characters are code points; comments, data and SOLID leave white space out.

    HEAD: bytes before what is neither comment nor docstring.
    """
    counts = np.zeros((len(offsets) - 1, N_COUNTS), np.int64)
    open_brackets = np.zeros(DEEPEST, np.uint32)
    open_strings = np.zeros(DEEPEST, np.int64)  # the string that the code between these brackets stands in, or 0
    for row in range(len(offsets) - 1):
        style = styles[row]
        lines = chars = longest = solid = alphanumeric = comment = numbers = brackets = unmatched = 0
        line = depth = nested = 0
        head = np.int64(-1)
        state, quote, kind, length = _CODE, np.uint32(0), np.int64(0), 0  # of the open string or comment
        blank = True  # nothing solid in this line yet
        in_name = in_number = escaped = False
        last, key = np.uint32(0), np.uint64(0)  # what stood last in the code; the last word's bytes
        start, stop = offsets[row], offsets[row + 1]
        literal = no_regex = start  # ends of an open literal, and of what holds no regular expression
        i = start
        while i < stop:
            at = i
            point, i = decode(data, i)
            of = class_of(classes, point) & 15
            chars += 1
            if point == 0x0A:
                lines += 1
                longest = max(longest, line)
                line = 0
                blank = True
                in_name = in_number = False
                if state == _LINE_COMMENT:
                    state = _CODE
                elif state == _STRING and not kind & k.MULTI and not escaped:
                    numbers += length if length > LONG_STRING else 0
                    state, last = _CODE, np.uint32(_OPERAND)
                escaped = False
                continue
            line += 1
            if of in (SPACE, FORMAT):
                in_name = in_number = False
                if state == _LITERAL and i >= literal:
                    state = _CODE
                continue
            solid += 1
            word = of in (LETTER, DIGIT)
            alphanumeric += word
            line_starts, blank = blank, False
            following = data[i] if i < stop else np.uint8(0)
            if state == _LITERAL:  # a character or a regular expression, up to a byte that is known
                state = _CODE if i >= literal else _LITERAL
                continue
            if state == _LINE_COMMENT:
                comment += 1
                continue
            if state == _BLOCK_COMMENT:
                comment += 1
                closes = 0x29 if quote == 0x28 else 0x2F
                if point == 0x2A and following == closes:
                    nested -= 1
                elif point == 0x2F and following == 0x2A and style & k.NESTED:
                    nested += 1
                else:
                    continue
                comment += 1
                solid += 1
                chars += 1
                line += 1
                i += 1
                state = _BLOCK_COMMENT if nested else _CODE
                continue
            if state == _STRING:
                length += 1
                three = kind & k.THREE != 0
                signs = int(kind // k.HASHES)
                if (point == 0x5C and kind & k.BY_BACKSLASH and following == 0x28) or (
                    point == 0x24 and kind & k.BY_DOLLAR and following == 0x7B
                ):
                    i += 1
                    chars += 1
                    line += 1
                    solid += 1
                    length += 1
                    brackets += 1
                    if depth < DEEPEST:
                        open_brackets[depth] = following + (1 if following == 0x28 else 2)
                        open_strings[depth] = kind
                        state, last = _CODE, np.uint32(0x28)
                        if kind & k.DOCUMENT:
                            comment += length
                        elif length > LONG_STRING:
                            numbers += length
                    depth += 1
                elif point == 0x5C and not kind & k.RAW and i < stop:
                    if following == 0x0A or following == 0x0D:
                        escaped = True
                        continue
                    point, i = decode(data, i)
                    inner = class_of(classes, point) & 15
                    chars += 1
                    line += 1
                    shown = inner != SPACE and inner != FORMAT
                    solid += shown
                    length += shown
                    alphanumeric += inner in (LETTER, DIGIT)
                elif point == quote:
                    more = 2 if three else 0
                    closes_here = i + more + signs <= stop
                    for n in range(more):
                        closes_here = closes_here and data[i + n] == quote
                    for n in range(signs):
                        closes_here = closes_here and data[i + more + n] == 0x23
                    if closes_here and three and kind & k.RAW:  # of a longer run the last three
                        closes_here = i + 2 >= stop or data[i + 2] != quote
                    if kind & k.DOUBLED and following == quote:
                        closes_here = False
                        more, signs = 1, 0
                    elif not closes_here:
                        more = signs = 0
                    i += more + signs
                    chars += more + signs
                    line += more + signs
                    solid += more + signs
                    length += more + signs
                    if closes_here:
                        if kind & k.DOCUMENT:
                            comment += length
                        elif length > LONG_STRING:
                            numbers += length
                        state, last = _CODE, np.uint32(_OPERAND)
                continue
            if (
                (point == 0x23 and (style & k.HASH or (style & k.REGEX and at == start and following == 0x21)))
                or (point == 0x2F and following == 0x2F and style & k.SLASHES)
                or (point == 0x2D and following == 0x2D and style & k.DASHES)
                or (point == 0x3B and style & k.SEMICOLON)
                or (point == 0x25 and style & k.PERCENT)
                or (point == 0x21 and style & k.BANG)
            ):
                state = _LINE_COMMENT
                comment += 1
                continue
            if (point == 0x2F and following == 0x2A and style & k.STARS) or (point == 0x28 and following == 0x2A and style & k.PARENTHESES):
                state, quote, nested = _BLOCK_COMMENT, point, 1
                comment += 2
                solid += 1
                chars += 1
                line += 1
                i += 1
                continue
            raw = line_starts and style & k.DOCSTRINGS != 0 and point in (0x52, 0x72, 0x55, 0x75) and i + 2 < stop  # r"""
            if raw and data[i] in (0x22, 0x27) and data[i] == data[i + 1] and data[i] == data[i + 2]:
                comment += 1
                blank = True
                continue
            opens = opens_string(style, point) and not (
                point == 0x27 and style & k.REGEX != 0 and apostrophe_in_word(key, in_name, following)
            )
            kind = string_kind(data, at, start, stop, style, point, line_starts) if opens else np.int64(0)
            if head < 0 and not kind & k.DOCUMENT:
                head = at - start
            if opens:
                state, quote, length = _STRING, point, 1
                if kind & k.THREE:
                    i += 2
                    chars += 2
                    line += 2
                    solid += 2
                    length += 2
                in_name = in_number = False
                continue
            if point == 0x27 and style & k.CHARACTER:
                end = character_end(data, i, stop)
                if end:
                    state, literal = _LITERAL, end + 1
                    last = np.uint32(_OPERAND)
                in_name = in_number = False
                continue
            if point == 0x2F and style & k.REGEX and at >= no_regex and may_open_regex(last, key, line_starts, following):
                end = regex_end(data, i, stop)
                if end > 0:
                    state, literal = _LITERAL, end
                else:
                    no_regex = -end
                last = np.uint32(_OPERAND)
                in_name = in_number = False
                continue
            if point == 0x5C and style & k.URL and i < stop and following != 0x0A:  # an escape outside strings
                state = _LITERAL
                _, literal = decode(data, i)
                continue
            if point == 0x5C and style & k.LINE_STRINGS and following == 0x5C:
                state, quote, kind, length = _STRING, np.uint32(0), np.int64(k.RAW), 1
                continue
            if word or point == 0x5F:
                if not in_name and not in_number:
                    in_number = of == DIGIT
                    in_name = not in_number
                    key = np.uint64(0)
                key = key << np.uint64(8) | np.uint64(point)
                numbers += in_number
                last = np.uint32(_WORD)
                continue
            if in_number and (point == 0x2E or point == 0x2C):  # 1.5 and the comma after it
                numbers += 1
                in_number = point == 0x2E
                last = np.uint32(_WORD) if in_number else point
                continue
            in_name = in_number = False
            called = last == _WORD and key == _URL and style & k.URL
            if not (point == 0x3E and last == 0x3D):  # an operand is due behind => as behind =
                last = point
            if point == 0x28 and called:
                bare = i
                while bare < stop and data[bare] in (0x20, 0x09):
                    bare += 1
                if bare < stop and data[bare] not in (0x22, 0x27, 0x0A, 0x0D):  # url(…) without quotes is a string that a parenthesis ends
                    state, quote, kind, length = _STRING, np.uint32(0x29), np.int64(0x29), 1
                    continue
            if point == 0x28 or point == 0x5B or point == 0x7B:
                brackets += 1
                if depth < DEEPEST:
                    open_brackets[depth] = point + (1 if point == 0x28 else 2)
                    open_strings[depth] = 0
                depth += 1
            elif point == 0x29 or point == 0x5D or point == 0x7D:
                brackets += 1
                if depth and (depth > DEEPEST or open_brackets[depth - 1] == point):
                    depth -= 1
                    if depth < DEEPEST and open_strings[depth]:  # back in the string
                        state, kind, length = _STRING, open_strings[depth], 0
                        quote = np.uint32(kind & k.QUOTE_BITS)
                else:
                    unmatched += 1
        if state == _STRING:
            if kind & k.DOCUMENT:
                comment += length
            elif length > LONG_STRING:
                numbers += length
        lines += line > 0
        counts[row, LINES], counts[row, CHARS], counts[row, LONGEST_LINE] = lines, chars, max(longest, line)
        counts[row, SOLID], counts[row, ALPHANUMERIC], counts[row, COMMENT], counts[row, DATA] = solid, alphanumeric, comment, numbers
        counts[row, BRACKETS], counts[row, UNMATCHED] = brackets, unmatched + depth
        counts[row, HEAD] = head if head >= 0 else stop - offsets[row]
    return counts
