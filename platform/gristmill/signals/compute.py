"""Signals by family: which version each has, and how its columns are computed."""

from __future__ import annotations

import polars as pl

from gristmill.signals import gopher, kl, language, segment
from gristmill.signals.registry import FAMILIES

_SEGMENTED = f"{segment.VERSION}.{segment.UNICODE}"

VERSIONS: dict[str, str] = {
    "gopher": f"{gopher.VERSION}-{_SEGMENTED}",
    "kl": f"{kl.VERSION}-{_SEGMENTED}",
    "language": language.VERSION,
}
"""What a family's columns depend on besides their inputs. Another version recomputes that family and no other."""

DISTRIBUTION_VERSION = f"{kl.DISTRIBUTION_VERSION}-{_SEGMENTED}"


def compute_family(family: str, clean: pl.DataFrame, documents: pl.DataFrame, *, distribution: pl.DataFrame | None = None) -> pl.DataFrame:
    """doc_id and the family's columns `<family>.<signal>` (Float64, finite, never null), one row per document.

    `clean` is the clean view (doc_id, text); `documents` the same documents' table; `distribution` the token
    distribution of their source, which `kl` alone reads.
    """
    if family == "gopher":
        frame = gopher.gopher(clean)
    elif family == "language":
        frame = language.language(documents)
    elif family == "kl":
        if distribution is None:
            raise ValueError("the family kl needs the token distribution of the documents' source")
        frame = kl.kl(clean, distribution)
    else:
        raise ValueError(f"no module computes the family {family!r}")
    return frame.select("doc_id", *(f"{family}.{name}" for name in FAMILIES[family]))
