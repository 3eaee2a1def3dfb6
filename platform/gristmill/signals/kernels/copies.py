"""Bytes of one array written to another."""

from __future__ import annotations

from gristmill.signals.kernels.base import lent


@lent
def copied(data, a, b, into, n):  # type: ignore[no-untyped-def]
    """Where `into` goes on after data[a:b] is written to it at n."""
    for i in range(b - a):
        into[n + i] = data[a + i]
    return n + b - a
