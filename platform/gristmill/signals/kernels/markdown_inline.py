"""Markdown's inline syntax in one line of code points: code spans, links, images, emphasis, comments. Linear in the line."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gristmill.signals.kernels.base import class_of, compiled
from gristmill.signals.segment import DIGIT, LETTER, MARK, SPACE, UNSPACED

_BANG, _QUOTE, _HASH, _APOSTROPHE, _OPEN, _CLOSE, _STAR, _DASH, _SLASH, _COLON = 33, 34, 35, 39, 40, 41, 42, 45, 47, 58
_LESS, _GREATER, _LEFT, _ESCAPE, _RIGHT, _UNDERSCORE, _TICK, _TILDE = 60, 62, 91, 92, 93, 95, 96, 126
_LONGEST_TICKS = 31  # of a code span

DELIMITERS, LENGTHS, BRACKETS, MATCHES, BARRED, PARENTHESES, TICKS, DEPTHS, N_SCRATCH = range(9)


def _signs(signs: str) -> npt.NDArray[np.bool_]:
    """Whether a code point is one of some ASCII signs; the last entry stands for all beyond ASCII."""
    return np.isin(np.arange(129), [ord(sign) for sign in signs])


_BEFORE = _signs("([{\"'-|:,;*_~`")  # after which emphasis may begin
_AFTER = _signs(")]}\"'-|:,;.!?*_~`")  # before which it may end
_BEGINS = _signs("\"'([$!`*_~")  # with which emphasised text may begin, beside letters
_PROGRAM = _signs("=|{};<>")  # which speak for program text between two single marks: `f(_a: int | None = None, type_: str)`
_ENDS_URL = _signs("()<>\"'[]*`")


@compiled
def _is(signs, point):  # type: ignore[no-untyped-def]
    return signs[min(np.int64(point), 128)]


@compiled
def _word(point, classes, code):  # type: ignore[no-untyped-def]
    kind = class_of(classes, point) & 15
    return code or kind in (LETTER, DIGIT, MARK)


@compiled
def _blank(point):  # type: ignore[no-untyped-def]
    return point == 32 or point == 9 or point == 13


@compiled
def _blocks(line, code, i, sign, count, classes):  # type: ignore[no-untyped-def]
    """Whether the word character at i keeps the delimiter beside it from being one: `snake_case`, `2*3`.

    `**` may stand inside a word of letters beyond ASCII, since scripts without spaces, and Korean particles, ask for it.
    """
    if not _word(line[i], classes, code[i]):
        return False
    if code[i] or line[i] < 128 or sign != _STAR:
        return True
    return count < 2 and class_of(classes, line[i]) & UNSPACED == 0


@compiled
def _opens(line, code, i, j, start, stop, sign, classes):  # type: ignore[no-untyped-def]
    """Whether the run line[i:j] of one sign may open emphasis."""
    if j >= stop:
        return False
    if i > start:
        before = line[i - 1]
        if _blocks(line, code, i - 1, sign, j - i, classes):
            return False
        if (
            before < 128
            and class_of(classes, before) & 15 != SPACE
            and not _word(before, classes, np.bool_(False))
            and not _is(_BEFORE, before)
        ):
            return False
    if class_of(classes, line[j]) & 15 == SPACE:
        return False
    return line[j] >= 128 or _word(line[j], classes, code[j]) or _is(_BEGINS, line[j])


@compiled
def _closes(line, code, i, j, start, stop, sign, classes):  # type: ignore[no-untyped-def]
    """Whether the run line[i:j] of one sign may close emphasis."""
    if i == start or class_of(classes, line[i - 1]) & 15 == SPACE:
        return False
    if j == stop or class_of(classes, line[j]) & 15 == SPACE:
        return True
    if _blocks(line, code, j, sign, j - i, classes):
        return False
    return line[j] >= 128 or _word(line[j], classes, np.bool_(False)) or _is(_AFTER, line[j])


@compiled
def _match_parentheses(line, code, start, stop, scratch):  # type: ignore[no-untyped-def]
    """MATCHES: where each parenthesis is closed with no white space or code in between, else -1.

    BARRED: how many parentheses and signs of code, which bar a destination with a title, are before each character.
    """
    depth = 0
    barred = 0
    i = start
    while i < stop:
        point = line[i]
        scratch[MATCHES, i] = -1
        scratch[BARRED, i] = barred
        if code[i] or point == _TICK:
            barred += 1
            depth = 0
        elif _blank(point):
            depth = 0
        elif point == _OPEN:
            barred += 1
            scratch[PARENTHESES, depth] = i
            depth += 1
        elif point == _CLOSE and depth:
            depth -= 1
            scratch[MATCHES, scratch[PARENTHESES, depth]] = i
        i += 1
    scratch[BARRED, stop] = barred


@compiled
def _destination(line, i, stop, space, scratch):  # type: ignore[no-untyped-def]
    """The place after `(destination "title")`, whose parenthesis is at i; -1 if that is none. `space`: the next white space after i."""
    if scratch[MATCHES, i] >= 0:
        return scratch[MATCHES, i] + 1
    if space >= stop or space == i + 1 or scratch[BARRED, space] != scratch[BARRED, i + 1]:
        return -1
    j = space
    while j < stop and (line[j] == 32 or line[j] == 9):
        j += 1
    if j == stop or (line[j] != _QUOTE and line[j] != _APOSTROPHE):
        return -1
    quote, title = line[j], j
    j += 1
    while j < stop and line[j] != quote:
        j += 1
    if j == stop or line[j - 1] == _ESCAPE:
        return -1
    end = j + 1
    while end < stop and (line[end] == 32 or line[end] == 9):
        end += 1
    if end == stop or line[end] != _CLOSE:
        return -1
    parentheses = 0
    for k in range(title, end):
        parentheses += line[k] == _OPEN
    return end + 1 if scratch[BARRED, end] - scratch[BARRED, title] == parentheses else -1  # else there is code in the title


@compiled
def _count_ticks(line, code, start, stop, scratch):  # type: ignore[no-untyped-def]
    """The last run of every number of ticks."""
    for length in range(_LONGEST_TICKS + 1):
        scratch[TICKS, length] = -1
    i = start
    while i < stop:
        if line[i] == _TICK and not code[i]:
            j = i
            while j < stop and line[j] == _TICK and not code[j]:
                j += 1
            if j - i <= _LONGEST_TICKS:
                scratch[TICKS, j - i] = i
            i = j
        else:
            i += 1


@compiled
def mark_inline(line, code, start, stop, ticks, drop, scratch, classes):  # type: ignore[no-untyped-def]
    """Sets drop where a character of line[start:stop] is inline syntax, and code inside code spans. How many to drop, how many links."""
    dropped = links = open_runs = open_brackets = depth = 0  # depth: of parentheses
    ticks_known = parentheses_known = False
    space = start  # the next white space, moved along
    no_comment = start  # no comment begins before this place
    last_underscore = last_space = last_of_program = -1
    i = start
    while i < stop:
        sign = line[i]
        if _is(_PROGRAM, sign) and not code[i]:
            last_of_program = i
        if code[i]:
            i += 1
        elif sign == 32 or sign == 9:
            last_space = i
            i += 1
        elif sign == _OPEN:
            depth += 1
            i += 1
        elif sign == _CLOSE:  # what opens inside parentheses closes there: `f(*args)`
            depth = max(depth - 1, 0)
            while open_runs and scratch[DEPTHS, open_runs - 1] > depth:
                open_runs -= 1
            i += 1
        elif sign == _ESCAPE:
            escaped = i + 1 < stop and not code[i + 1] and 32 < line[i + 1] < 127 and not _word(line[i + 1], classes, np.bool_(False))
            i += 1 + escaped
        elif sign == _COLON:
            i += 1
            if (
                i + 1 < stop
                and line[i] == _SLASH
                and line[i + 1] == _SLASH
                and i > start + 1
                and _word(line[i - 2], classes, np.bool_(False))
            ):
                while i < stop and not code[i]:  # a URL in the open: what is in it is no syntax
                    if line[i] <= 32 or _is(_ENDS_URL, line[i]):
                        break
                    i += 1
        elif sign == _TICK:
            if not ticks_known:
                _count_ticks(line, code, i, stop, scratch)
                ticks_known = True
            j = i
            while j < stop and line[j] == _TICK and not code[j]:
                j += 1
            n = j - i
            if n > _LONGEST_TICKS or scratch[TICKS, n] <= i:
                i = j
                continue
            k = j
            while True:
                while line[k] != _TICK or code[k]:
                    k += 1
                end = k
                while end < stop and line[end] == _TICK and not code[end]:
                    end += 1
                if end - k == n:
                    break
                k = end
            code[j:k] = True
            if ticks:
                drop[i:j] = True
                drop[k:end] = True
                dropped += 2 * n
            i = end
        elif sign == _LESS:
            j = i + 4
            if i >= no_comment and j <= stop and line[i + 1] == _BANG and line[i + 2] == _DASH and line[i + 3] == _DASH:
                while j + 2 < stop and not (line[j] == _DASH and line[j + 1] == _DASH and line[j + 2] == _GREATER) and not code[j]:
                    j += 1
                alone = (i == start or _blank(line[i - 1])) and (j + 3 >= stop or _blank(line[j + 3]))
                if j + 2 < stop and not code[j] and not alone:  # in the midst of markup that somebody writes about
                    i = j + 3
                elif j + 2 < stop and not code[j]:
                    drop[i : j + 3] = True
                    dropped += j + 3 - i
                    i = j + 3
                else:
                    no_comment = j if j + 2 < stop else stop
                    i += 4
            else:
                i += 1
        elif sign == _LEFT:
            blocked = i > start and not drop[i - 1] and (
                line[i - 1] == _CLOSE or line[i - 1] == _RIGHT or line[i - 1] == _UNDERSCORE
                or (line[i - 1] < 128 and _word(line[i - 1], classes, np.bool_(False))) or code[i - 1]
            )  # fmt: skip
            scratch[BRACKETS, open_brackets] = -1 if blocked else i
            open_brackets += 1
            i += 1
        elif sign == _RIGHT:
            i += 1
            if open_brackets == 0:
                continue
            open_brackets -= 1
            left = scratch[BRACKETS, open_brackets]
            if left < 0 or i >= stop or line[i] != _OPEN or code[i]:
                continue
            if not parentheses_known:
                _match_parentheses(line, code, i, stop, scratch)
                parentheses_known = True
            space = max(space, i)
            while space < stop and not (_blank(line[space])):
                space += 1
            end = _destination(line, i, stop, space, scratch)
            if end < 0 or (left == i - 2 and end - i <= 2):
                continue
            if left > start and line[left - 1] == _BANG and not code[left - 1] and not drop[left - 1]:
                left -= 1
                drop[left] = True
                dropped += 1
                drop[left + 1] = True
            drop[left] = True
            drop[i - 1 : end] = True
            dropped += 1 + end - (i - 1)
            links += 1
            i = end
        elif sign in (_STAR, _UNDERSCORE, _TILDE):
            j = i
            while j < stop and line[j] == sign and not code[j]:
                j += 1
            n = j - i
            if (n == 2) if sign == _TILDE else n <= 3:
                key = sign * 4 + n
                closed = False
                if open_runs and _closes(line, code, i, j, start, stop, sign, classes):
                    for run in range(open_runs - 1, max(-1, open_runs - 9), -1):
                        if scratch[LENGTHS, run] == key:
                            left = scratch[DELIMITERS, run]
                            inner = left + n
                            open_runs = run
                            closed = True
                            plain = sign != _UNDERSCORE or (last_underscore < inner and (n == 1 or last_space >= inner))
                            plain = plain and (n > 1 or last_of_program < inner)
                            if plain and i > inner:
                                drop[left:inner] = True
                                drop[i:j] = True
                                dropped += 2 * n
                            break
                if not closed and _opens(line, code, i, j, start, stop, sign, classes):
                    scratch[DELIMITERS, open_runs], scratch[LENGTHS, open_runs], scratch[DEPTHS, open_runs] = i, key, depth
                    open_runs += 1
            if sign == _UNDERSCORE:
                last_underscore = j - 1
            i = j
        else:
            i += 1
    return dropped, links
