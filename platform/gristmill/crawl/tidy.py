"""`content.tidy` as a kernel: what an extractor laid out is tidied in the process that asked for it.

A text with a NUL, a carriage return or bytes that may be a lone surrogate is left to `content.tidy` itself.
"""

from __future__ import annotations

import numpy as np

from gristmill.crawl.content import tidy
from gristmill.signals import characters
from gristmill.signals.characters import SPACE
from gristmill.signals.kernels.base import compiled, decode, lent
from gristmill.signals.kernels.copies import copied
from gristmill.signals.kernels.lines import flags_of
from gristmill.signals.kernels.sixtyfours import WIDTH, among, first_of

_RARE = (b"\0", b"\r", b"\xed")  # 0xED begins surrogates, and Hangul


def tidied(laid_out: bytes) -> bytes:
    """What `content.tidy` makes of a text in UTF-8 (with lone surrogates, if it has any)."""
    if any(each in laid_out for each in _RARE):
        return tidy(laid_out.decode("utf-8", "surrogatepass"))
    return _tidied(np.frombuffer(laid_out, np.uint8), characters.flags()).tobytes()


@compiled
def _tidied(data, flags):  # type: ignore[no-untyped-def]
    size = len(data)
    out = np.empty(size, np.uint8)
    n, i, empty = 0, 0, True  # `empty`: the line before was
    while i < size:  # white space before the first word
        point, after = decode(data, i)
        if not flags_of(flags, point) & SPACE:
            break
        i = after
    kept = i  # what stays and is not copied yet begins here
    while i < size:
        end = _line_end(data, i)
        stop = end
        while stop > i:
            last = stop - 1
            while data[last] & 0xC0 == 0x80:
                last -= 1
            if not flags_of(flags, decode(data, last)[0]) & SPACE:
                break
            stop = last
        if stop == i and empty:
            n = copied(data, kept, i, out, n)
            kept = min(end + 1, size)
        elif stop < end:
            n = copied(data, kept, stop, out, n)
            kept = end
        empty = stop == i
        i = end + 1
    n = copied(data, kept, size, out, n)
    while n and out[n - 1] == 10:
        n -= 1
    return out[:n]


@lent
def _line_end(data, i):  # type: ignore[no-untyped-def]
    """Where the line ends that begins at i."""
    while i + WIDTH <= len(data):
        found = among(data, i, 0x0A, 0x0A)
        if found:
            return i + first_of(found)
        i += WIDTH
    while i < len(data) and data[i] != 10:
        i += 1
    return i
