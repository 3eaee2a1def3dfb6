"""Sixty-four bytes of text at once: which of them are of a kind, as the bits of one number.

The words, lines and marks of a text that is mostly ASCII are found by counting bits, after a comparison or two for all
sixty-four bytes. LLVM makes of these what the machine has (AVX-512, AVX2, NEON) and of a machine without vectors a
loop. Whoever asks sees to it that the bytes are there: `at` + 64 is not past the end of the column, whatever the text's end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from gristmill.signals.kernels.base import lent

WIDTH = 64

_ZERO, _ONE = np.uint64(0), np.uint64(1)
_BYTE, _WORD, _LANES = ir.IntType(8), ir.IntType(64), ir.VectorType(ir.IntType(8), WIDTH)


def _for_kernels(build: Callable[..., Any]) -> Any:
    """An intrinsic, which takes its typing context from Numba."""
    return intrinsic(build)


def _load(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    """The bytes array[at : at + 64], at any alignment."""
    place = builder.gep(cgutils.create_struct_proxy(kind)(context, builder, array).data, [at])
    return builder.load(builder.bitcast(place, _LANES.as_pointer()), align=1)


def _each(value: int) -> Any:
    return ir.Constant(_LANES, [value] * WIDTH)


@_for_kernels
def among(typingctx, data, at, first, last):  # type: ignore[no-untyped-def]
    """Bits (uint64) of the bytes of data[at : at + 64] from `first` to `last`, which are constants: bit j is byte at + j."""
    if not isinstance(first, types.IntegerLiteral) or not isinstance(last, types.IntegerLiteral):
        return None
    low, high = first.literal_value, last.literal_value

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        block = _load(context, builder, signature.args[0], args[0], args[1])
        if low == high:
            return builder.bitcast(builder.icmp_unsigned("==", block, _each(low)), _WORD)
        return builder.bitcast(builder.icmp_unsigned("<=", builder.sub(block, _each(low)), _each(high - low)), _WORD)

    return types.uint64(data, types.int64, first, last), build


def beginnings(prefixes: tuple[bytes, ...]) -> Any:
    """A function for kernels: bits of the bytes of data[at : at + 64] where one of the prefixes begins, in ASCII letters of
    either case. It reads past the sixty-four by the longest prefix."""
    longest = max(map(len, prefixes))

    @intrinsic
    def begins(typingctx, data, at):  # type: ignore[no-untyped-def]
        def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
            blocks = []
            for step in range(longest):
                block = _load(context, builder, signature.args[0], args[0], builder.add(args[1], ir.Constant(_WORD, step)))
                blocks.append(builder.or_(block, _each(0x20)))
            found = ir.Constant(ir.VectorType(ir.IntType(1), WIDTH), [0] * WIDTH)
            for prefix in prefixes:
                here = None
                for block, byte in zip(blocks, prefix, strict=False):
                    same = builder.icmp_unsigned("==", block, _each(byte | 0x20))
                    here = same if here is None else builder.and_(here, same)
                found = builder.or_(found, here)
            return builder.bitcast(found, _WORD)

        return types.uint64(data, types.int64), build

    return begins


@_for_kernels
def ones(typingctx, bits):  # type: ignore[no-untyped-def]
    """How many bits (int64) of a uint64 are set."""
    return types.int64(types.uint64), lambda context, builder, signature, args: builder.ctpop(args[0])


@_for_kernels
def first_of(typingctx, bits):  # type: ignore[no-untyped-def]
    """The lowest set bit (int64) of a uint64; 64 if there is none."""
    return types.int64(types.uint64), lambda context, builder, signature, args: builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))


@_for_kernels
def last_of(typingctx, bits):  # type: ignore[no-untyped-def]
    """The highest set bit (int64) of a uint64; -1 if there is none."""

    def build(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.sub(ir.Constant(_WORD, WIDTH - 1), builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0)))

    return types.int64(types.uint64), build


@lent
def below(n):  # type: ignore[no-untyped-def]
    """The n lowest bits, n from 0 to 64."""
    return ~_ZERO if n >= WIDTH else (_ONE << np.uint64(n)) - _ONE


@lent
def longer_run(bits, length):  # type: ignore[no-untyped-def]
    """The longest run of set bits if it is longer than `length`, else `length`."""
    have = 1  # a set bit stands for a run of so many that end there
    while have < length + 1 and bits:
        step = min(have, length + 1 - have)
        bits &= bits << np.uint64(step)
        have += step
    while bits:
        length = have
        bits &= bits << _ONE
        have += 1
    return length


@lent
def most_line_ends(data, a, b):  # type: ignore[no-untyped-def]
    """No fewer than the line ends (of `str.splitlines`) in data[a:b]: all bytes that one of them ends with."""
    n = 0
    while a < b:
        if a + WIDTH <= len(data):
            found = among(data, a, 0x0A, 0x0D) | among(data, a, 0x1C, 0x1E) | among(data, a, 0x85, 0x85) | among(data, a, 0xA8, 0xA9)
            n += ones(found & below(min(b - a, WIDTH)))
            a += WIDTH
        else:
            byte = data[a]
            n += 0x0A <= byte <= 0x0D or 0x1C <= byte <= 0x1E or byte == 0x85 or byte == 0xA8 or byte == 0xA9
            a += 1
    return n


@lent
def printed(data, i, stop):  # type: ignore[no-untyped-def]
    """How many of the sixty-four bytes at i, up to `stop`, are printed ASCII characters and blanks, before any other byte; the
    last is no blank. 0 where the column has fewer than sixty-four bytes left."""
    if i + WIDTH > len(data):
        return 0
    here = below(min(first_of(~among(data, i, 0x20, 0x7E)), stop - i))
    return last_of(among(data, i, 0x21, 0x7E) & here) + 1
