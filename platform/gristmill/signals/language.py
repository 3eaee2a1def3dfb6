"""The language signal: how sure the identifier is of the document's language.

The language is identified when a page is extracted (`documents.language_score`, over the extracted text; source code
has 1.0), as FineWeb does.

| paper | threshold on score | source |
|---|---|---|
| CCNet | 0.5 | Wenzek et al. 2020 |
| FineWeb | 0.65, English | Penedo et al. 2024, section 3.2 |
| RefinedWeb, DCLM | 0.65 | Penedo et al. 2023, section 3.1; Li et al. 2024 |
| Data-Juicer | 0.8 | language_id_score_filter |
"""

from __future__ import annotations

import numpy as np

from gristmill.signals.chunk import Chunk, References, Values

VERSION = "1"
READS = frozenset({"documents"})
SIGNALS = {"score": "confidence of the identified language, 0 to 1"}


def compute(chunk: Chunk, references: References) -> Values:
    return {"score": np.clip(chunk.frame["language_score"].to_numpy(), 0, 1)}
