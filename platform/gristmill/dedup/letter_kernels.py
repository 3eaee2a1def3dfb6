"""Which of eight ASCII bytes, held as one number, are letters or digits, and how many stand before the first that is flagged."""

from __future__ import annotations

import numpy as np

from gristmill.signals.kernels.base import lent
from gristmill.signals.kernels.eights import EACH, TOPS

_ONE, _SEVEN = np.uint64(1), np.uint64(7)
_SMALL = np.uint64(0x2020202020202020)
_FROM_A, _PAST_Z = np.uint64(0x1F1F1F1F1F1F1F1F), np.uint64(0x0505050505050505)
_FROM_0, _PAST_9 = np.uint64(0x5050505050505050), np.uint64(0x4646464646464646)


@lent
def until(flags):  # type: ignore[no-untyped-def]
    """How many bytes stand before the first flag (there is one), and the bits of those."""
    first = flags & (~flags + _ONE)
    return np.int64((((first - _ONE) & EACH) * EACH) >> np.uint64(56)) - 1, (first >> _SEVEN) - _ONE


@lent
def letters(word):  # type: ignore[no-untyped-def]
    """Flags of the letters among eight ASCII characters."""
    small = word | _SMALL
    return (small + _FROM_A) & ~(small + _PAST_Z) & TOPS


@lent
def digits(word):  # type: ignore[no-untyped-def]
    return (word + _FROM_0) & ~(word + _PAST_9) & TOPS
