"""Personal data counted from a document's masks."""

import polars as pl

from gristmill.edits.personal import KINDS, find_masks
from gristmill.signals import personal
from gristmill.signals.chunk import References
from gristmill.signals.compute import compute_families


def table(texts: list[str], edits: pl.DataFrame | None) -> pl.DataFrame:
    documents = pl.DataFrame(
        {"doc_id": [f"{n}" for n in range(len(texts))], "text": texts}, schema={"doc_id": pl.String, "text": pl.String}
    )
    return compute_families(["personal"], documents, References(edits=edits))["personal"].rename(
        lambda name: name.removeprefix("personal.")
    )


def test_each_kind_is_counted_and_contacts_are_dolmas() -> None:
    texts = [
        "none here",
        "me@host.com or you@host.com at 8.8.8.8, phone 030 2271590, card 4539148803436467, NIE X1234567L, pwd='k3Yd9-fQ2m'",
        "",
    ]
    documents = pl.DataFrame({"doc_id": ["0", "1", "2"], "text": texts})
    row = table(texts, find_masks(documents, KINDS)).row(1, named=True)
    assert {name: row[name] for name in personal.SIGNALS} == {
        "email_count": 2, "ip_count": 1, "phone_count": 1, "card_count": 1, "national_id_count": 1, "secret_count": 1,
        "count": 7, "contact_count": 4, "per_1000_characters": round(7_000 / len(texts[1]), 6),
    }  # fmt: skip


def test_without_edits_or_with_others_every_signal_is_zero() -> None:
    others = pl.DataFrame(
        {"doc_id": ["0", "9"], "start": [0, 1], "end": [1, 2], "replacement": ["", "x"], "rule": ["c4.javascript", "pii.email"]}
    )
    for edits in (None, others.head(0), others):
        values = table(["a text", ""], edits).drop("doc_id")
        assert values.shape == (2, len(personal.SIGNALS))
        assert values.sum().row(0) == (0,) * len(personal.SIGNALS)
    assert table([], None).is_empty()
