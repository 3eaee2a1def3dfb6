"""Markdown syntax in one line of code points, block marks and inline: see `edits.markdown` for the grammar.

Every pass over a line is linear, and a line is passed over at most PASSES times per attempt. Constants are handed on as
`np.bool_(True)`, since Numba compiles a function anew for every literal.
"""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import compiled
from gristmill.signals.kernels.markdown_inline import mark_inline

TEXT, HEADING, ITEM, ROW, QUOTE, EMPTY_QUOTE = range(6)

PASSES = 6  # a line in which there is syntax to remove after that is left alone

_TAB, _RETURN, _SPACE = 9, 13, 32
_HASH, _STAR, _PLUS, _DASH, _DOT, _COLON, _LESS, _GREATER, _BAR, _TICK, _TILDE = 35, 42, 43, 45, 46, 58, 60, 62, 124, 96, 126


@compiled
def is_blank(point):  # type: ignore[no-untyped-def]
    return point in (_SPACE, _TAB, _RETURN)


@compiled
def _margin(line, n):  # type: ignore[no-untyped-def]
    """Where the line's text begins, and the column there, tabs being four wide; n for a blank line."""
    i, column = 0, 0
    while i < n and is_blank(line[i]):
        column += 4 - column % 4 if line[i] == _TAB else 1
        i += 1
    return i, column


@compiled
def _item(line, i, n):  # type: ignore[no-untyped-def]
    """Where the text after a list marker at i begins; i if there is none."""
    j = i
    if j < n and (line[j] == _STAR or line[j] == _PLUS or line[j] == _DASH):
        j += 1
    else:
        while j < n and j < i + 9 and 48 <= line[j] <= 57:
            j += 1
        if j in (i, n) or (line[j] != _DOT and line[j] != 41):
            return i
        j += 1
    if j == n or not is_blank(line[j]):
        return i
    while j < n and is_blank(line[j]):
        j += 1
    return j if j < n else i


@compiled
def fence(line, n):  # type: ignore[no-untyped-def]
    """Of a line that may open or close a fenced block: the sign, how many, whether only white space is before it, and after it."""
    i, _ = _margin(line, n)
    bare = True
    while i < n and line[i] == _GREATER:
        bare = False
        i += 1
        while i < n and is_blank(line[i]):
            i += 1
    after = _item(line, i, n)
    bare = bare and after == i
    i = after
    if i == n or (line[i] != _TICK and line[i] != _TILDE):
        return 0, 0, False, False
    sign, begin = line[i], i
    while i < n and line[i] == sign:
        i += 1
    count = i - begin
    if count < 3:
        return 0, 0, False, False
    alone = True
    while i < n:
        if sign == _TICK and line[i] == _TICK:
            return 0, 0, False, False
        alone = alone and is_blank(line[i])
        i += 1
    return sign, count, bare, alone


@compiled
def opens_comment(line, n):  # type: ignore[no-untyped-def]
    i, _ = _margin(line, n)
    return i + 3 < n and line[i] == _LESS and line[i + 1] == 33 and line[i + 2] == _DASH and line[i + 3] == _DASH


@compiled
def closes_comment(line, n):  # type: ignore[no-untyped-def]
    i = 2
    while i < n and not (line[i] == _GREATER and line[i - 1] == _DASH and line[i - 2] == _DASH):
        i += 1
    return i < n


@compiled
def _is_rule(line, code, n):  # type: ignore[no-untyped-def]
    """Whether the line parts a table's head from its body: bars, dashes, colons and white space alone."""
    bars = dashes = 0
    for i in range(n):
        bars += line[i] == _BAR
        dashes += line[i] == _DASH
        if code[i] or not (line[i] == _BAR or line[i] == _DASH or line[i] == _COLON or is_blank(line[i])):
            return False
    return bars > 0 and dashes > 2


@compiled
def _is_prompt(line, i, n):  # type: ignore[no-untyped-def]
    """Whether an interpreter's prompt, `>>> ` or `... `, stands at i."""
    three = i + 3 < n and line[i] == line[i + 1] == line[i + 2] and is_blank(line[i + 3])
    return three and (line[i] == _GREATER or line[i] == _DOT)


@compiled
def mark(line, code, n, ticks, heading, quoting, drop, scratch, classes):  # type: ignore[no-untyped-def]
    """One pass: sets drop where a character is syntax, and code where it is inside a code span. How many to drop, how many links.

    `heading`: the line stands where a heading may; `quoting`: it follows a quoted one.
    """
    drop[:n] = False
    i, column = _margin(line, n)
    if i == n or column >= 4 or _is_prompt(line, i, n):
        return 0, 0
    if _is_rule(line, code, n):
        drop[:n] = True
        return n, 0
    dropped = 0
    while i < n and line[i] == _GREATER and not code[i]:  # block quotes
        j = i + 1
        if j < n and line[j] == _GREATER and not code[j]:
            j += 1
        if j < n and not is_blank(line[j]):
            break
        j = min(j + 1, n)
        text = j
        while text < n and is_blank(line[text]):
            text += 1
        if text == n and not quoting:
            break
        quoting = True
        drop[i:j] = True
        dropped += j - i
        i = j
        column = 0
        while i < n and is_blank(line[i]):
            column += 4 - column % 4 if line[i] == _TAB else 1
            i += 1
        if column >= 4:
            return dropped, 0
    stop = n
    if heading and i < n and line[i] == _HASH and not code[i]:
        j = i
        while j < n and line[j] == _HASH and not code[j]:
            j += 1
        level = j - i
        text = j
        while text < n and is_blank(line[text]):
            text += 1
        if level <= 6 and j < text < n and line[text] != _DOT and line[text] != _DASH and line[text] != 61:
            drop[i:text] = True
            dropped += text - i
            i = text
            while stop > i and is_blank(line[stop - 1]):
                stop -= 1
            j = stop
            while j > i and line[j - 1] == _HASH and not code[j - 1]:
                j -= 1
            if i < j < stop and is_blank(line[j - 1]):
                while j > i and is_blank(line[j - 1]):
                    j -= 1
                drop[j:stop] = True
                dropped += stop - j
                stop = j
            else:
                stop = n
    more, links = mark_inline(line, code, i, stop, ticks, drop, scratch, classes)
    return dropped + more, links


@compiled
def _compact(line, at, code, drop, n):  # type: ignore[no-untyped-def]
    m = 0
    for i in range(n):
        if not drop[i]:
            line[m], at[m], code[m] = line[i], at[i], code[i]
            m += 1
    return m


@compiled
def _attempt(source, n, ticks, heading, quoting, line, at, code, drop, scratch, classes):  # type: ignore[no-untyped-def]
    """The line without its syntax in `line`, with each character's place in `at`; its length, or -1 where it does not come to rest.

    `ticks`: remove those of code spans too. What was inside one is then remembered over the passes, and stays.
    """
    for i in range(n):
        line[i], at[i], code[i] = source[i], i, False
    for _ in range(PASSES):
        if not ticks:
            code[:n] = False
        dropped, _ = mark(line, code, n, ticks, heading, quoting, drop, scratch, classes)
        if dropped == 0:
            return n
        n = _compact(line, at, code, drop, n)
    return -1


@compiled
def _holds(line, n, ticks, code, drop, scratch, classes):  # type: ignore[no-untyped-def]
    """Whether a line that has been changed would be left as it is by whoever reads it anew, wherever it then stands."""
    sign, _, _, _ = fence(line, n)
    if sign != 0 or opens_comment(line, n) or closes_comment(line, n):
        return False
    code[:n] = False
    dropped, _ = mark(line, code, n, ticks, np.bool_(True), np.bool_(True), drop, scratch, classes)
    return dropped == 0


@compiled
def stripped(source, n, heading, quoting, line, at, code, other, other_at, drop, scratch, classes):  # type: ignore[no-untyped-def]
    """Length of the line without its syntax, in `line` and `at`; n where it stays as it is.

    First with the ticks of code spans removed. Where their content would then be taken for syntax, with the ticks kept.
    Whatever does not hold when read anew is left alone, so that stripping twice is stripping once.
    """
    ticks: np.bool_ = np.bool_(True)
    m = n
    while True:
        m = _attempt(source, n, ticks, heading, quoting, line, at, code, drop, scratch, classes)
        if m == n or (m >= 0 and _holds(line, m, ticks, code, drop, scratch, classes)):
            break
        if not ticks:
            return n
        ticks = np.bool_(False)
    if m == n or ticks:
        return m
    for place in range(4):  # the ticks must not be removable from what is left
        again = _attempt(line, m, np.bool_(True), np.bool_(place & 1), np.bool_(place & 2), other, other_at, code, drop, scratch, classes)
        if again != m and again >= 0 and _holds(other, again, np.bool_(True), code, drop, scratch, classes):
            return n
    return m


@compiled
def class_of_line(line, n):  # type: ignore[no-untyped-def]
    """What the line is; a blank or indented one is TEXT."""
    i, column = _margin(line, n)
    if i == n or column >= 4:
        return TEXT
    if line[i] == _HASH:
        j = i
        while j < n and line[j] == _HASH:
            j += 1
        return HEADING if j - i <= 6 and j < n and is_blank(line[j]) else TEXT
    if line[i] == _GREATER:
        j = i + 1
        if j < n and line[j] == _GREATER:
            j += 1
        if j < n and not is_blank(line[j]):
            return TEXT
        while j < n and (line[j] == _GREATER or is_blank(line[j])):
            j += 1
        return QUOTE if j < n else EMPTY_QUOTE
    if line[i] == _BAR:
        j = n
        while j > i and is_blank(line[j - 1]):
            j -= 1
        return ROW if j > i + 1 and line[j - 1] == _BAR else TEXT
    return ITEM if _item(line, i, n) > i else TEXT
