"""Lines as FineWeb's rules read them: their spans, and what is counted of them."""

from __future__ import annotations

import numpy as np

from gristmill.signals.characters import LINE_END, SPACE, TERMINAL
from gristmill.signals.kernels.base import compiled, decode
from gristmill.signals.kernels.eights import bytes_key
from gristmill.signals.kernels.lines import flags_of
from gristmill.signals.kernels.sixtyfours import WIDTH, most_line_ends, printed

LINES, FILLED, ENDED, QUOTED, SHORT, SHORT_FILLED, CHARS, REPEATED_CHARS, N_COUNTS = range(9)


@compiled
def line_spans(data, offsets, flags):  # type: ignore[no-untyped-def]
    """starts, ends (bytes, int64), chars (int32), keys (uint64) of every line without the white space around it, and
    bounds (int64 [texts + 1]). White space before a text's first word and after its last makes no line."""
    texts = len(offsets) - 1
    most = most_line_ends(data, offsets[0], offsets[-1]) + len(offsets) - 1
    starts, ends = np.empty(most, np.int64), np.empty(most, np.int64)
    chars, keys = np.empty(most, np.int32), np.empty(most, np.uint64)
    bounds = np.zeros(texts + 1, np.int64)
    n = 0
    for row in range(texts):
        i, stop = offsets[row], offsets[row + 1]
        filled = n  # lines up to the last that is not blank
        begun = False
        while i < stop:
            first, last, length, at_last = i, i, 0, 0
            while i < stop:
                if length:
                    skipped = printed(data, i, stop)
                    while skipped:
                        length += skipped
                        i += skipped
                        last, at_last = i, length
                        skipped = printed(data, i, stop) if skipped == WIDTH else 0
                    if i == stop:
                        break
                at = i
                b = data[i]
                if b < 0x80:
                    point, i = np.uint32(b), i + 1
                    kind = flags[b]
                else:
                    point, i = decode(data, i)
                    kind = flags_of(flags, point)
                if kind & LINE_END:
                    if b == 13 and i < stop and data[i] == 10:
                        i += 1
                    break
                if kind & SPACE:
                    if length == 0:
                        continue
                elif length == 0:
                    first = at
                length += 1
                if not kind & SPACE:
                    last, at_last = i, length
            if at_last == 0:
                last = first
            begun = begun or at_last > 0
            if begun:
                starts[n], ends[n], chars[n], keys[n] = first, last, at_last, bytes_key(data, first, last)
                n += 1
                if at_last > 0:
                    filled = n
        n = filled
        bounds[row + 1] = n
    return starts[:n], ends[:n], chars[:n], keys[:n], bounds


@compiled
def line_counts(data, starts, ends, chars, keys, bounds, flags, short):  # type: ignore[no-untyped-def]
    """int64 [texts, N_COUNTS]; SHORT: lines of at most `short` characters; REPEATED_CHARS: those of filled lines that were there before."""
    counts = np.zeros((len(bounds) - 1, N_COUNTS), np.int64)
    for row in range(len(bounds) - 1):
        out = counts[row]
        first, stop = bounds[row], bounds[row + 1]
        size = 16
        while size < 2 * (stop - first):
            size *= 2
        slots = np.full(size, -1, np.int64)
        for line in range(first, stop):
            out[LINES] += 1
            out[CHARS] += chars[line]
            out[SHORT] += chars[line] <= short
            i, filled = starts[line], False
            while i < ends[line] and not filled:
                point, i = decode(data, i)
                filled = flags_of(flags, point) & SPACE == 0
            last = ends[line] - 1
            if last >= starts[line]:
                quote = data[last] == 0x22 or data[last] == 0x27
                while data[last] & 0xC0 == 0x80:
                    last -= 1
                point, i = decode(data, last)
                terminal = flags_of(flags, point) & TERMINAL != 0
                out[QUOTED] += quote or point == 0x2E or point == 0x21 or point == 0x3F
                out[ENDED] += filled and terminal
            if not filled:
                continue
            out[FILLED] += 1
            out[SHORT_FILLED] += chars[line] <= short
            slot = np.int64(keys[line] >> np.uint64(20)) & (size - 1)
            while slots[slot] >= 0 and keys[slots[slot]] != keys[line]:
                slot = (slot + 1) & (size - 1)
            if slots[slot] >= 0:
                out[REPEATED_CHARS] += chars[line]
            else:
                slots[slot] = line
    return counts
