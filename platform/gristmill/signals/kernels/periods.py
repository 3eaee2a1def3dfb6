"""Runs of words that repeat with a short period."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import compiled


@compiled
def period_runs(data, starts, ends, chars, keys, bounds, longest_period, fewest):  # type: ignore[no-untyped-def]
    """Per text: words and characters of the longest run, most repetitions, words that lie in any run.

    A run of period p: every word from its (p + 1)-th on equals the word p before it, and p fits in it `fewest` times.
    """
    texts = len(bounds) - 1
    longest, longest_chars = np.zeros(texts, np.int64), np.zeros(texts, np.int64)
    repeats, covered = np.zeros(texts, np.int64), np.zeros(texts, np.int64)
    most = 0
    for row in range(texts):
        most = max(most, bounds[row + 1] - bounds[row])
    inside = np.zeros(most + 1, np.int32)  # +1 where runs begin, -1 after their ends
    for row in range(texts):
        first, last = bounds[row], bounds[row + 1]
        found = False
        for period in range(1, min(longest_period, (last - first) // fewest) + 1):
            same = 0  # words up to here that equal the one a period before
            for at in range(first + period, last + 1):
                if at < last and keys[at] == keys[at - period]:
                    same += 1
                    continue
                words = same + period
                if same >= (fewest - 1) * period:
                    begin = at - words
                    found = True
                    inside[begin - first] += 1
                    inside[at - first] -= 1
                    longest[row] = max(longest[row], words)
                    repeats[row] = max(repeats[row], words // period)
                    n = 0
                    for i in range(starts[begin], ends[at - 1]):
                        n += data[i] & 0xC0 != 0x80
                    longest_chars[row] = max(longest_chars[row], n)
                same = 0
        if found:
            depth = 0
            for i in range(last - first + 1):
                depth += inside[i]
                covered[row] += depth > 0
                inside[i] = 0
    return longest, longest_chars, repeats, covered
