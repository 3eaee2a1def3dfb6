"""How much personal data a document holds: the masks of its final view, counted.

Dolma (Soldaini et al. 2024, arXiv:2402.00159) masks e-mail addresses, IP addresses and phone numbers where a document
has five or fewer of them and drops it where it has more: that is what `count` over those three kinds is for. Dolma's
regular expressions find other spans (its phone numbers are North American alone, its IP addresses private ones too).

| signal | threshold | source |
|---|---|---|
| contact_count | none shipped; Dolma drops above 5 and masks up to there | Soldaini et al. 2024 |
| email_count, ip_count | none; FineWeb masks at any number | Penedo et al. 2024, section 3.5 |
| count, per_1000_characters, other kinds | none | ours |

The spans are those of `edits` (rules `pii.<kind>`, see `gristmill.edits.personal`): a kind that the recipe does not
mask is counted as 0, and overlapping finds are one. Every signal is 0 for a document without masks, and for an empty one.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from gristmill.signals.chunk import Chunk, References, Values

VERSION = "1"
READS = frozenset({"text", "edits"})

_KINDS = {
    "email": "e-mail addresses",
    "ip": "global IP addresses",
    "phone": "telephone numbers",
    "card": "payment card numbers",
    "national_id": "national identifiers and bank accounts",
    "secret": "passwords, keys and tokens",
}

SIGNALS = {
    **{f"{kind}_count": f"{meaning} masked" for kind, meaning in _KINDS.items()},
    "count": "spans of personal data masked",
    "contact_count": "e-mail and IP addresses and telephone numbers masked: what Dolma counts",
    "per_1000_characters": "spans of personal data per 1,000 characters of the text",
}


def compute(chunk: Chunk, references: References) -> Values:
    doc_ids = chunk.frame.select("doc_id")
    if references.edits is None:
        spans = pl.DataFrame(schema={"doc_id": pl.String, "rule": pl.String})
    else:
        spans = references.edits.select("doc_id", "rule")
    per_kind = [(pl.col("rule") == f"pii.{kind}").sum().alias(f"{kind}_count") for kind in _KINDS]
    counted = doc_ids.join(spans.group_by("doc_id").agg(per_kind), on="doc_id", how="left", maintain_order="left").fill_null(0)
    values: Values = {f"{kind}_count": counted[f"{kind}_count"].cast(pl.Int64).to_numpy() for kind in _KINDS}
    count = np.sum([values[f"{kind}_count"] for kind in _KINDS], axis=0)
    contacts = np.sum([values[f"{kind}_count"] for kind in ("email", "ip", "phone")], axis=0)
    return {**values, "count": count, "contact_count": contacts, "per_1000_characters": 1_000 * count / np.maximum(chunk.n_chars, 1)}
