"""The language signal: how sure the identifier is of the document's language.

The language is identified when a page is extracted (`documents.language_score`, over the extracted text; source code
has 1.0), as FineWeb does (Penedo et al. 2024, section 3.2, keeps English at 0.65 and above).
"""

from __future__ import annotations

import numpy as np

from gristmill.signals.chunk import Chunk, References, Values

VERSION = "1"
READS = frozenset({"documents"})
SIGNALS = {"score": "confidence of the identified language, 0 to 1"}


def compute(chunk: Chunk, references: References) -> Values:
    return {"score": np.clip(chunk.frame["language_score"].to_numpy(), 0, 1)}
