"""Treebank tokens of every text as spans: one pass over the UTF-8 bytes, as `signals.treebank` says."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import MIX, ODD, compiled, decode
from gristmill.signals.kernels.eights import bytes_key, short_key
from gristmill.signals.segment import KNOWN
from gristmill.signals.treebank import APART, DECIMAL, ENDS, LOWER, SPACE, UPPER, WORD

_BLANK, _QUOTE, _APOSTROPHE, _COMMA, _HYPHEN, _STOP, _COLON, _GRAVE = 0x20, 0x22, 0x27, 0x2C, 0x2D, 0x2E, 0x3A, 0x60
_REACH = 128
_NONE, _OPEN, _CLOSE = 0, 1, 2  # what a straight double quote is


@compiled
def _flags_of(flags, point):  # type: ignore[no-untyped-def]
    if point < KNOWN:
        return flags[point]
    return np.uint8(WORD if point < 0x40000 else 0)


@compiled
def _mixed(key, point):  # type: ignore[no-untyped-def]
    key = (key ^ (np.uint64(point) + np.uint64(1))) * ODD
    return (key ^ key >> np.uint64(29)) * MIX


@compiled
def _low(point):  # type: ignore[no-untyped-def]
    return point + np.uint32(0x20) if 0x41 <= point <= 0x5A else point


@compiled
def _among(points, a, b, keys):  # type: ignore[no-untyped-def]
    """Whether points[a:b], in lower case, is one of the words whose sorted keys are given."""
    if b - a > 16:
        return False
    key = np.uint64(0)
    for p in range(a, b):
        key = _mixed(key, _low(points[p]))
    key ^= key >> np.uint64(31)
    at = np.searchsorted(keys, key)
    return at < len(keys) and keys[at] == key


@compiled
def _next_word(data, i, stop, flags, starters):  # type: ignore[no-untyped-def]
    """Of the word behind byte i: whether it starts with a small letter, with any letter, is a sentence's starter with a
    capital; and whether there is nothing behind. Looks no further than _REACH code points."""
    small = letter = False
    key, n, capital, nothing = np.uint64(0), 0, False, True
    for _ in range(_REACH):
        if i >= stop:
            break
        point, i = decode(data, i)
        flag = _flags_of(flags, point)
        nothing = nothing and flag & SPACE != 0
        if flag & WORD:
            if n == 0:
                small, capital = flag & LOWER != 0, flag & UPPER != 0
                letter = flag & DECIMAL == 0
            key = _mixed(key, _low(point))
            n += 1
            if n > 16:
                break
        elif n or not (flag & (SPACE | APART) or point in (_QUOTE, _APOSTROPHE, _GRAVE)):
            break
    key ^= key >> np.uint64(31)
    at = np.searchsorted(starters, key)
    return small, letter, capital and n > 0 and at < len(starters) and starters[at] == key, nothing


@compiled
def _ends_sentence(points, sorts, p, at_end, data, after, stop, flags, abbreviations, starters):  # type: ignore[no-untyped-def]
    """Whether the full stop at p ends a sentence; `after`: the byte behind the run."""
    a = p
    while a > 0:
        point = points[a - 1]
        if sorts[a - 1] & APART or point in (_QUOTE, _GRAVE, _COMMA, _COLON):
            break
        if point == _HYPHEN and a > 1 and points[a - 2] == _HYPHEN:
            break
        if point == _APOSTROPHE:
            a -= 1
            break
        a -= 1
    if a == p:
        return True
    tail = p
    while tail > a and points[tail - 1] != _HYPHEN:
        tail -= 1
    abbreviated = _among(points, a, p, abbreviations) or (a < tail < p and _among(points, tail, p, abbreviations))
    initial = p - a == 1 and sorts[a] & WORD != 0 and not sorts[a] & DECIMAL
    number = True
    for q in range(a, p):
        number = number and (sorts[q] & DECIMAL != 0 or points[q] == _COMMA or points[q] == _STOP or points[q] == _HYPHEN)
    if not (abbreviated or (at_end and (initial or number))):
        return True
    small, letter, starter, nothing = _next_word(data, after, stop, flags, starters)
    if abbreviated:
        return starter or (at_end and nothing)
    return starter or not letter if initial else not small


@compiled
def _split_word(points, sorts, cuts, m, p, length, at, word, needs_end):  # type: ignore[no-untyped-def]
    """Cuts points[p : p + length] at `at` (and around) where it spells `word` and stands alone."""
    if p + length > m:
        return
    for j in range(length):
        if _low(points[p + j]) != word[j] or (j and cuts[p + j]):
            return
    if p and sorts[p - 1] & WORD and not cuts[p]:
        return
    if p + length < m and sorts[p + length] & WORD and not cuts[p + length]:
        return
    if needs_end and not cuts[p + length]:
        return
    cuts[p] = cuts[p + at] = cuts[p + length] = 1


@compiled
def _quotes(points, sorts, cuts, quotes, m, starts_sentence, blank_before):  # type: ignore[no-untyped-def]
    """What NLTK asks of opening quotation marks."""
    p = 0
    while p < m:
        point = points[p]
        if point == _GRAVE:
            q = p
            while q < m and points[q] == _GRAVE:
                q += 1
            for cut in range(p, q + 1):
                cuts[cut] = cuts[cut] or (cut - p) % 2 == 0 or cut == q
            p = q
            continue
        if sorts[p] & APART and point >= 0x80:
            cuts[p] = cuts[p + 1] = 1
        p += 1
    if points[0] == _QUOTE and starts_sentence:
        quotes[0] = _OPEN
    for p in range(m):
        point = points[p]
        if point != _QUOTE and point != _APOSTROPHE:
            continue
        if p == 0:
            opens = blank_before
        else:
            before = points[p - 1]
            opens = before in (0x28, 0x5B, 0x7B, 0x3C, _GRAVE) or (sorts[p - 1] & APART != 0 and before >= 0x80)
        if point == _QUOTE:
            if quotes[p] == _NONE:
                quotes[p] = _OPEN if opens else _CLOSE
            cuts[p] = cuts[p + 1] = 1
        elif p + 1 < m and points[p + 1] == _APOSTROPHE:
            if opens:
                cuts[p] = cuts[p + 2] = 1
        elif p + 1 < m and sorts[p + 1] & WORD and not cuts[p + 1] and (p + 2 == m or not sorts[p + 2] & WORD):
            low = _low(points[p + 1])
            if not (low == 0x6D or low == 0x74 or low == 0x73 or low == 0x64 or low == 0x6E):  # m t s d n
                cuts[p + 1] = 1


@compiled
def _marks(points, sorts, cuts, m, space_behind):  # type: ignore[no-untyped-def]
    """Rules 1 and 2, and apostrophes at ends."""
    p = 0
    while p < m:
        if points[p] == _COMMA or points[p] == _COLON:
            if cuts[p + 1]:
                cuts[p] = 1
            elif not sorts[p + 1] & DECIMAL:
                cuts[p] = cuts[p + 1] = 1
                p += 1
        p += 1
    p = 0
    while p < m:
        point = points[p]
        if point == _STOP:
            q = p
            while q < m and points[q] == _STOP:
                q += 1
            if q - p > 1:
                cuts[p] = cuts[q] = 1
            p = q
            continue
        if sorts[p] & APART and point < 0x80:
            cuts[p] = cuts[p + 1] = 1
        p += 1
    p = 0
    while p + 1 < m:
        if points[p] == points[p + 1] and points[p] in (_HYPHEN, _APOSTROPHE):
            cuts[p] = cuts[p + 2] = 1
            p += 1
        p += 1
    for p in range(1, m):
        if points[p] == _APOSTROPHE and points[p - 1] != _APOSTROPHE and (cuts[p + 1] if p + 1 < m else space_behind):
            cuts[p] = 1


@compiled
def _contractions(points, sorts, cuts, m, space_behind):  # type: ignore[no-untyped-def]
    for p in range(1, m):
        point, left = points[p], m - p
        if point == _APOSTROPHE and points[p - 1] != _APOSTROPHE and not cuts[p] and left > 1 and not cuts[p + 1]:
            a = _low(points[p + 1])
            if a == 0x73 or a == 0x6D or a == 0x64:  # 's 'm 'd
                if cuts[p + 2] if left > 2 else space_behind:
                    cuts[p] = 1
            elif left > 2 and not cuts[p + 2] and (cuts[p + 3] if left > 3 else space_behind):
                b = _low(points[p + 2])
                same = (points[p + 1] == a) == (points[p + 2] == b)  # both in one case
                if same and ((a == 0x6C and b == 0x6C) or (b == 0x65 and (a == 0x72 or a == 0x76))):  # 'll 're 've
                    cuts[p] = 1
        elif (point == 0x6E or point == 0x4E) and left > 2 and points[p + 1] == _APOSTROPHE and points[p - 1] != _APOSTROPHE:  # n't
            whole = not (cuts[p] or cuts[p + 1] or cuts[p + 2])
            if whole and points[p + 2] == point + 6 and (cuts[p + 3] if left > 3 else space_behind):
                cuts[p] = 1
    for p in range(m):
        low = _low(points[p])
        if low == 0x63:
            _split_word(points, sorts, cuts, m, p, 6, 3, (0x63, 0x61, 0x6E, 0x6E, 0x6F, 0x74), False)  # cannot
        elif low == 0x67:
            _split_word(points, sorts, cuts, m, p, 5, 3, (0x67, 0x69, 0x6D, 0x6D, 0x65, 0), False)  # gimme
            _split_word(points, sorts, cuts, m, p, 5, 3, (0x67, 0x6F, 0x6E, 0x6E, 0x61, 0), False)  # gonna
            _split_word(points, sorts, cuts, m, p, 5, 3, (0x67, 0x6F, 0x74, 0x74, 0x61, 0), False)  # gotta
        elif low == 0x6C:
            _split_word(points, sorts, cuts, m, p, 5, 3, (0x6C, 0x65, 0x6D, 0x6D, 0x65, 0), False)  # lemme
        elif low == 0x77:
            _split_word(points, sorts, cuts, m, p, 5, 3, (0x77, 0x61, 0x6E, 0x6E, 0x61, 0), True)  # wanna
        elif low == 0x6D:
            _split_word(points, sorts, cuts, m, p, 6, 4, (0x6D, 0x6F, 0x72, 0x65, 0x27, 0x6E), False)  # more'n
        elif low == 0x64:
            _split_word(points, sorts, cuts, m, p, 4, 1, (0x64, 0x27, 0x79, 0x65, 0, 0), False)  # d'ye
        elif low == _APOSTROPHE and cuts[p]:
            _split_word(points, sorts, cuts, m, p, 4, 2, (0x27, 0x74, 0x69, 0x73, 0, 0), False)  # 'tis
            _split_word(points, sorts, cuts, m, p, 5, 2, (0x27, 0x74, 0x77, 0x61, 0x73, 0), False)  # 'twas


@compiled
def treebank_spans(data, offsets, written, flags, abbreviations, starters):  # type: ignore[no-untyped-def]
    """starts, ends (bytes, int64), chars (int32), keys (uint64) of every token, and bounds (int64 [texts + 1]).

    `written`: what they are written to, for as many tokens as there are bytes.
    """
    texts = len(offsets) - 1
    starts, ends, chars, keys = written
    bounds = np.zeros(texts + 1, np.int64)
    room = 64
    points, sorts, at = np.empty(room, np.uint32), np.empty(room, np.uint8), np.empty(room + 1, np.int64)
    cuts, quotes = np.empty(room + 2, np.uint8), np.empty(room, np.uint8)
    n = 0
    for row in range(texts):
        i, stop = offsets[row], offsets[row + 1]
        starts_sentence, blank_before = True, False
        while i < stop:
            point, after = decode(data, i)
            if _flags_of(flags, point) & SPACE:
                blank_before = point == _BLANK
                i = after
                continue
            begin, m, plain = i, 0, True
            while i < stop:
                point, after = decode(data, i)
                flag = _flags_of(flags, point)
                if flag & SPACE:
                    break
                if m == room:
                    room *= 4
                    points, sorts, at = _grown(points, room), _grown(sorts, room), _grown(at, room + 1)
                    cuts, quotes = np.empty(room + 2, np.uint8), np.empty(room, np.uint8)
                points[m], sorts[m], at[m] = point, flag, i
                plain = plain and flag & WORD != 0
                m += 1
                i = after
            at[m] = i
            low = _low(points[0])
            if plain and not (low == 0x63 or low == 0x67 or low == 0x6C or low == 0x77):
                starts[n], ends[n], chars[n], keys[n] = begin, i, m, bytes_key(data, begin, i)
                n += 1
                starts_sentence = blank_before = False
                continue
            cuts[: m + 2] = 0
            quotes[:m] = _NONE
            cuts[0] = cuts[m] = 1
            _quotes(points, sorts, cuts, quotes, m, starts_sentence, blank_before and not starts_sentence)
            ended = points[m - 1] == 0x3F or points[m - 1] == 0x21
            for p in range(m):
                if points[p] != _STOP or (p and points[p - 1] == _STOP) or (p + 1 < m and not sorts[p + 1] & ENDS):
                    continue
                if _ends_sentence(points, sorts, p, p + 1 == m, data, i, stop, flags, abbreviations, starters):
                    cuts[p] = cuts[p + 1] = 1
                    q = p + 1
                    while q < m and sorts[q] & ENDS:
                        q += 1
                    ended = ended or q == m
            space_behind = ended or i == stop or data[i] == _BLANK
            _marks(points, sorts, cuts, m, space_behind)
            _contractions(points, sorts, cuts, m, space_behind)
            first = 0
            for p in range(1, m + 1):
                if not cuts[p]:
                    continue
                starts[n], ends[n], chars[n] = at[first], at[p], p - first
                if quotes[first] != _NONE and p - first == 1:
                    mark = _GRAVE if quotes[first] == _OPEN else _APOSTROPHE
                    chars[n], keys[n] = 2, short_key(np.uint64(mark << 8 | mark), 2)
                else:
                    keys[n] = bytes_key(data, at[first], at[p])
                n += 1
                first = p
            starts_sentence, blank_before = ended, False
        bounds[row + 1] = n
    return starts[:n].copy(), ends[:n].copy(), chars[:n].copy(), keys[:n].copy(), bounds


@compiled
def _grown(array, room):  # type: ignore[no-untyped-def]
    larger = np.empty(room, array.dtype)
    larger[: len(array)] = array
    return larger
