"""The compression signal: how much DEFLATE takes off a text.

| used by | as |
|---|---|
| datamap-rs (OLMo) | a gzip ratio against repeated and templated text |
| DataComp and others' code filters | a compression ratio against data pasted into source |

`compression.ratio` = compressed bytes / bytes, of the UTF-8 text: raw DEFLATE (RFC 1951, without gzip's 18 bytes of header and
checksum, which would make every short text look incompressible) at zlib's level 6, over the first 4 MiB. Prose comes
to 0.35 to 0.5; one sentence over and over to less than 0.05; base64 to 0.75 and random bytes to 1. DEFLATE looks back
32 KiB, so a repeat further apart than that saves nothing, and what follows the first 4 MiB could hardly change the ratio.

A short text has no past to refer to and compresses badly whatever it says (a sentence of 60 characters: 0.9). A rule
against incompressible text therefore needs a rule on length beside it; one against repeated text does not.

The value lies between 0 and 1: what DEFLATE would enlarge counts as 1, and so does the empty text. The zlib at hand is
part of the version: others (zlib-ng) find other matches.
"""

from __future__ import annotations

import zlib

import numpy as np

from gristmill.signals.chunk import Chunk, References, Values

VERSION = f"1-zlib.{zlib.ZLIB_RUNTIME_VERSION}"
READS = frozenset({"text"})
SIGNALS = {"ratio": "bytes after DEFLATE per byte of text, 0 to 1; 1 for the empty text"}

LEVEL = 6
MOST_BYTES = 4 << 20


def compute(chunk: Chunk, references: References) -> Values:
    data, offsets = chunk.bytes
    ratio = np.ones(len(offsets) - 1)
    for row, (start, end) in enumerate(zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)):
        end = min(end, start + MOST_BYTES)
        if end > start:
            ratio[row] = min(1.0, _deflated(data[start:end].tobytes()) / (end - start))
    return {"ratio": ratio}


def _deflated(data: bytes) -> int:
    press = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return len(press.compress(data)) + len(press.flush())
