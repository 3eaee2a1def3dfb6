"""Lines, comments, literals and brackets of source code: one pass over the UTF-8 bytes of a whole column.

A lexer for families of languages, told by flags what opens a comment and what a string. It reads what every language of
the family shares, so a construct of one (a regular expression between slashes, a here-document) may be misread; a
string that its line does not close ends there, so that a misreading never runs on.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import class_of, compiled, decode
from gristmill.signals.segment import DIGIT, FORMAT, LETTER, SPACE

LINES, CHARS, LONGEST_LINE, SOLID, ALPHANUMERIC, COMMENT, DATA, BRACKETS, UNMATCHED, HEAD, N_COUNTS = range(11)

HASH, SLASHES, STARS, DASHES, SEMICOLON, PERCENT, BANG, PARENTHESES = 1, 2, 4, 8, 16, 32, 64, 128  # what opens a comment
TRIPLE, APOSTROPHE, BACKTICK, CHARACTER = 256, 512, 1024, 2048  # what opens a string, beside the quotation mark

LONG_STRING = 200  # characters; a longer one is data
DEEPEST = 4096  # brackets open at once; deeper ones are unmatched

_CODE, _LINE_COMMENT, _BLOCK_COMMENT, _STRING = range(4)


@compiled
def opens_string(style, point):  # type: ignore[no-untyped-def]
    return point == 0x22 or (point == 0x27 and style & APOSTROPHE != 0) or (point == 0x60 and style & BACKTICK != 0)


@compiled
def code_counts(data, offsets, styles, classes):  # type: ignore[no-untyped-def]
    """int64 [texts, N_COUNTS]. Characters are code points; comments, data and SOLID leave white space out.

    HEAD: bytes before what is neither comment nor docstring.
    """
    counts = np.zeros((len(offsets) - 1, N_COUNTS), np.int64)
    open_brackets = np.zeros(DEEPEST, np.uint32)
    for row in range(len(offsets) - 1):
        style = styles[row]
        lines = chars = longest = solid = alphanumeric = comment = numbers = brackets = unmatched = 0
        line = depth = 0
        head = np.int64(-1)
        state, quote, three, document, length = _CODE, np.uint32(0), False, False, 0  # of the open string
        blank = True  # nothing solid in this line yet
        in_name = in_number = False
        i, stop = offsets[row], offsets[row + 1]
        while i < stop:
            at = i
            point, i = decode(data, i)
            kind = class_of(classes, point) & 15
            chars += 1
            if point == 0x0A:
                lines += 1
                longest = max(longest, line)
                line = 0
                blank = True
                in_name = in_number = False
                if state == _LINE_COMMENT:
                    state = _CODE
                elif state == _STRING and not three and quote != 0x60:
                    numbers += length if length > LONG_STRING else 0
                    state = _CODE
                continue
            line += 1
            if kind in (SPACE, FORMAT):
                in_name = in_number = False
                continue
            solid += 1
            word = kind in (LETTER, DIGIT)
            alphanumeric += word
            first, blank = blank, False
            following = data[i] if i < stop else np.uint8(0)
            if state == _LINE_COMMENT:
                comment += 1
                continue
            if state == _BLOCK_COMMENT:
                comment += 1
                closes = 0x29 if quote == 0x28 else 0x2F
                if point == 0x2A and following == closes:
                    comment += 1
                    solid += 1
                    chars += 1
                    line += 1
                    i += 1
                    state = _CODE
                continue
            if state == _STRING:
                length += 1
                if point == 0x5C and i < stop and following != 0x0A:
                    point, i = decode(data, i)
                    inner = class_of(classes, point) & 15
                    chars += 1
                    line += 1
                    shown = inner != SPACE and inner != FORMAT
                    solid += shown
                    length += shown
                    alphanumeric += inner in (LETTER, DIGIT)
                elif point == quote and (not three or (i + 1 < stop and data[i] == quote and data[i + 1] == quote)):
                    if three:
                        i += 2
                        chars += 2
                        line += 2
                        solid += 2
                        length += 2
                    if document:
                        comment += length
                    elif length > LONG_STRING:
                        numbers += length
                    state = _CODE
                continue
            opens = np.uint32(0)  # a comment over lines
            if (
                (point == 0x23 and style & HASH)
                or (point == 0x2F and following == 0x2F and style & SLASHES)
                or (point == 0x2D and following == 0x2D and style & DASHES)
                or (point == 0x3B and style & SEMICOLON)
                or (point == 0x25 and style & PERCENT)
                or (point == 0x21 and style & BANG)
            ):
                state = _LINE_COMMENT
                comment += 1
                continue
            if (point == 0x2F and following == 0x2A and style & STARS) or (point == 0x28 and following == 0x2A and style & PARENTHESES):
                opens = point
            if opens:
                state, quote = _BLOCK_COMMENT, opens
                comment += 2
                solid += 1
                chars += 1
                line += 1
                i += 1
                continue
            raw = first and style & TRIPLE != 0 and point in (0x52, 0x72, 0x55, 0x75) and i + 2 < stop  # r"""
            if raw and data[i] in (0x22, 0x27) and data[i] == data[i + 1] and data[i] == data[i + 2]:
                comment += 1
                blank = True
                continue
            three = style & TRIPLE != 0 and opens_string(style, point) and i + 1 < stop and data[i] == point and data[i + 1] == point
            document = three and first
            if head < 0 and not document:
                head = at - offsets[row]
            if point == 0x27 and style & CHARACTER:  # 'x' or '\n'; anything else is a lifetime or a digit separator
                end = i
                if following == 0x5C:
                    end = i + 2
                    while end < stop and end < i + 12 and data[end] != 0x27 and data[end] != 0x0A:
                        end += 1
                elif i < stop and following != 0x27:
                    _, end = decode(data, i)
                if end < stop and end > i and data[end] == 0x27:
                    while i <= end:
                        point, i = decode(data, i)
                        inner = class_of(classes, point) & 15
                        chars += 1
                        line += 1
                        solid += inner != SPACE and inner != FORMAT
                        alphanumeric += inner in (LETTER, DIGIT)
                in_name = in_number = False
                continue
            if opens_string(style, point):
                state, quote, length = _STRING, point, 1
                if three:
                    i += 2
                    chars += 2
                    line += 2
                    solid += 2
                    length += 2
                in_name = in_number = False
                continue
            if word or point == 0x5F:
                if not in_name and not in_number:
                    in_number = kind == DIGIT
                    in_name = not in_number
                numbers += in_number
                continue
            if in_number and (point == 0x2E or point == 0x2C):  # 1.5 and the comma after it
                numbers += 1
                in_number = point == 0x2E
                continue
            in_name = in_number = False
            if point == 0x28 or point == 0x5B or point == 0x7B:
                brackets += 1
                if depth < DEEPEST:
                    open_brackets[depth] = point + (1 if point == 0x28 else 2)
                depth += 1
            elif point == 0x29 or point == 0x5D or point == 0x7D:
                brackets += 1
                if depth and (depth > DEEPEST or open_brackets[depth - 1] == point):
                    depth -= 1
                else:
                    unmatched += 1
        if state == _STRING:
            if document:
                comment += length
            elif length > LONG_STRING:
                numbers += length
        lines += line > 0
        counts[row, LINES], counts[row, CHARS], counts[row, LONGEST_LINE] = lines, chars, max(longest, line)
        counts[row, SOLID], counts[row, ALPHANUMERIC], counts[row, COMMENT], counts[row, DATA] = solid, alphanumeric, comment, numbers
        counts[row, BRACKETS], counts[row, UNMATCHED] = brackets, unmatched + depth
        counts[row, HEAD] = head if head >= 0 else stop - offsets[row]
    return counts
