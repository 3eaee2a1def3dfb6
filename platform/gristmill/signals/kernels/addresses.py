"""Which runs of code points are URLs, host names or e-mail addresses: the pieces that `signals.tokens` keeps whole.

As spaCy's pattern has it (after Diego Perini's, MIT): an optional scheme, an optional user, a host name whose last label is
of 2 to 63 small letters or a public IPv4 number, an optional port, an optional path.
"""

from __future__ import annotations

from gristmill.signals.kernels.base import lent
from gristmill.signals.tokens import ALPHA, DIGIT, LOWER


@lent
def _host(points, flags, p, b):  # type: ignore[no-untyped-def]
    """Whether points[p:b] is a host name or number, with or without port and path."""
    labels, numbers, first, second, found = 0, 0, 0, 0, False
    while not found:
        start, small, digits, value = p, True, True, 0
        while p < b:
            point = points[p]
            letter = 0x30 <= point <= 0x39 or 0x41 <= point <= 0x5A or 0x61 <= point <= 0x7A or 0xA1 <= point <= 0xFFFF
            if not letter and (p == start or (point != 0x2D and point != 0x5F)):
                break
            small = small and flags[p] & LOWER != 0
            digits = digits and flags[p] & DIGIT != 0
            value = min(1000, 10 * value + point - 0x30) if digits else 1000
            p += 1
        if p == start or p - start > 64 or points[p - 1] == 0x2D or points[p - 1] == 0x5F:
            return False
        numbers += value < 256
        first, second = value if labels == 0 else first, value if labels == 1 else second
        if p < b and points[p] == 0x2E:
            labels += 1
            p += 1
            continue
        found = labels > 0 and small and 2 <= p - start <= 63
        private = first == 10 or first == 127 or (first == 169 and second == 254) or (first == 192 and second == 168)
        if not found and (labels != 3 or numbers != 4 or not 0 < first < 224 or private or (first == 172 and 16 <= second < 32)):
            return False
        found = True
    if p < b and points[p] == 0x3A:
        start = p + 1
        p = start
        while p < b and flags[p] & DIGIT:
            p += 1
        if not 2 <= p - start <= 5:
            return False
    return p == b or points[p] == 0x2F or points[p] == 0x3F or points[p] == 0x23


@lent
def is_address(points, flags, a, b):  # type: ignore[no-untyped-def]
    """Whether points[a:b] is a URL, a host name or an e-mail address."""
    stops = 0
    for p in range(a, b):
        stops += points[p] == 0x2E
    if not stops:
        return False
    if _host(points, flags, a, b):
        return True
    p = a
    while p < b and (flags[p] & (ALPHA | DIGIT) or points[p] == 0x2B or points[p] == 0x2D or points[p] == 0x2E or points[p] == 0x5F):
        p += 1
    if (
        p - a >= 2
        and b - p > 3
        and points[p] == 0x3A
        and points[p + 1] == 0x2F
        and points[p + 2] == 0x2F
        and _host(points, flags, p + 3, b)
    ):
        return True
    found = False
    for p in range(a + 1, b - 1):
        found = found or (points[p] == 0x40 and _host(points, flags, p + 1, b))
    return found
